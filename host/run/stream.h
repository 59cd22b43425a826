/* A recipe's net on an endless stream: raw values in, one step at a time; normalisation, encoding, the
 * core's hk_stream behind. Memory is what hk_engine_bytes says, for any number of steps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_RUN_STREAM_H
#define HK_RUN_STREAM_H

#include "engine.h"
#include "hillock_stream.h"
#include "recipe/recipe.h"

typedef struct hk_streamer_opts {
    const char        *recipe;           /* path; the shape, the classes must be in it or in `set` */
    const char *const *set;              /* assignments a.b=c, in order                           */
    int                n_set;
    const char        *weights;          /* safetensors, or NULL: first values from the seed      */
    int32_t            threads;          /* 0: as the recipe says                                 */
    bool               learn;
    int32_t            every;            /* labelled steps per update, >= 1                       */
} hk_streamer_opts;

typedef struct hk_streamer {
    hk_recipe recipe;
    hk_engine engine;
    hk_stream stream;
    size_t    values;                    /* of one step, [C][H][W] or [F]                         */
    float    *frame;                     /* [2][h][w][c]: the step before, this one               */
    void     *input;                     /* what the encoder made of them                         */
    int32_t   best;                      /* class that won at the last step                       */
    int64_t   labelled, correct, sequences;
    double    loss;                      /* sum over labelled steps                               */
    double    rate_steps;                /* mean rate times steps of sequences that have ended    */
} hk_streamer;

/* Reads the recipe, builds its net for batch 1 and loads the weights; no data are opened. train.T is the
 * number of steps that weigh as much as one sample (loss.divide_by_T). *s must not be moved; on failure it
 * is all zero. E_UNSUP: a rule that needs whole samples, with those that do not; an encoder or a norm that
 * does; E_ARG: shape, classes or the numbers of data.normalise are missing. */
hk_status hk_streamer_open(hk_streamer *s, const hk_streamer_opts *o, hk_error *e);
void      hk_streamer_close(hk_streamer *s);     /* an all-zero *s is allowed */

/* One step: x [values] as files have them, label or -1. hk_stream_output(&s->stream) has the logits.
 * The errors of hk_stream_step. */
hk_status hk_streamer_push(hk_streamer *s, const float *x, int32_t label, hk_error *e);

/* The sequence ends: what is pending is learned, membranes and traces are cleared. */
void hk_streamer_reset(hk_streamer *s);

/* Weights to path, replaced as a whole. E_NUM: a value is not finite, the file stays as it was. */
hk_status hk_streamer_save(const hk_streamer *s, const char *path, hk_error *e);

/* Mean spikes per neuron and step, over all steps so far. */
double hk_streamer_rate(const hk_streamer *s);

#endif
