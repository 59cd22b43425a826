/* Hillock: training of deep spiking networks inside a program, on a host.
 *
 *   hk_learner_plan      what a recipe would take, to the byte, before it is taken
 *   hk_learner_create    allocates once
 *   hk_learner_learn     one batch of the caller's arrays: gradients by the rule, weights by the
 *                        optimizer
 *   hk_learner_infer     one batch, forward only
 *   hk_learner_save      weights as safetensors; hk_learner_load reads them
 *   hk_learner_destroy
 *
 *   hk_train_recipe      a whole training in a run folder, as `hillock train`: data, validation,
 *                        checkpoints, report
 *
 * What can fail returns hk_status and writes a message to the caller's hk_error (NULL: no message);
 * outputs are then as they were. Nothing is printed, and learners share nothing: different ones may
 * be used by different threads at once, one by one thread at a time. A learner computes with OpenMP
 * threads, which spin while they wait unless OMP_WAIT_POLICY=passive stands in the environment when
 * the program starts. Spinning slows small nets down wherever others use the machine too, and a
 * library cannot change it.
 *
 * examples/embed_train.c is a whole program; docs/api.md says how to link.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HILLOCK_H
#define HILLOCK_H

#include "hillock_core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0" */
const char *hk_version(void);

/* ---- recipes -------------------------------------------------------------------------------- */

/* What to train and how (docs/recipe.md). All zero but path or text is the default. */
typedef struct hk_source {
    const char        *path;             /* a recipe file ...                                     */
    const char        *text;             /* ... or, when path is NULL, a recipe itself            */
    const char *const *set;              /* assignments "a.b=value", in order                     */
    int                n_set;
    int32_t            threads;          /* 0: as the recipe says; the bits do not depend on it   */
    bool               infer_only;       /* no gradients are planned, hk_learner_learn is refused */
} hk_source;

/* ---- a learner ------------------------------------------------------------------------------ */

typedef struct hk_learner hk_learner;

/* Bytes. Under an online rule none of them grows with T. */
typedef struct hk_memory {
    size_t param, grad, optim;           /* what is learned, gradients, optimizer                 */
    size_t buffer, state, tape;          /* running statistics; membranes and traces; backward    */
    size_t packed, work, tables;         /* weights for products; scratch; the net's description  */
    size_t input;                        /* copies of a batch, and one encoded step               */
    size_t total;
} hk_memory;

/* What a learner is fed with and how large it is. */
typedef struct hk_learner_info {
    int32_t   channels, height, width;   /* of a frame; a vector is channels x 1 x 1              */
    int32_t   steps;                     /* frames of a sample: T if it has a time axis, else 1    */
    int32_t   classes, T, batch;
    int64_t   parameters, neurons;
    hk_memory memory;
} hk_learner_info;

/* A batch of the caller's arrays, only read during a call. */
typedef struct hk_samples {
    const float   *x;                    /* [n][C][H][W]; with steps > 1: [steps][n][C][H][W]. As
                                            the data set would give them: bytes as 0..1. Mean and
                                            std of data.augment are applied, nothing random is    */
    const int32_t *label;                /* [n], 0 .. classes-1; may be NULL for hk_learner_infer */
    int32_t        n;                    /* 1 .. batch                                            */
} hk_samples;

typedef struct hk_score {
    double  loss;                        /* as the recipe reduces it over batch and steps; 0
                                            without labels                                        */
    int32_t correct, seen;
    double  rate;                        /* mean spikes per neuron and step                       */
} hk_score;

/* What hk_learner_create would take. The training set is opened only if the recipe does not say
 * data.shape and data.classes. E_UNSUP, E_SHAPE, E_ARG: the net or rule refuse, or a key is
 * wrong; the message names section, key or layer, expected and found. E_IO, E_FORMAT: file,
 * line, column. */
hk_status hk_learner_plan(const hk_source *source, hk_learner_info *out, hk_error *e);

/* A learner with the first weights of train.seed. Everything it will ever need is allocated here,
 * and what source points to is not needed afterwards. Errors of hk_learner_plan, E_NOMEM. *out is
 * NULL after a failure. */
hk_status hk_learner_create(hk_learner **out, const hk_source *source, hk_error *e);
void      hk_learner_destroy(hk_learner *l);               /* NULL is allowed */

void      hk_learner_describe(const hk_learner *l, hk_learner_info *out);

/* Factor on optim.lr from now on, >= 0; 1 at first. The recipe's schedule belongs to whole
 * trainings (hk_train_recipe) and is not used here. */
void      hk_learner_set_rate(hk_learner *l, double factor);

/* One batch; updates every train.accumulate batches. Allocates nothing. out may be NULL.
 * E_ARG: n or a label out of range, or an infer_only learner; the weights are untouched. E_NUM: the
 * loss is not finite. */
hk_status hk_learner_learn(hk_learner *l, const hk_samples *batch, hk_score *out, hk_error *e);

/* One batch, forward with running statistics. scores [n][classes]: what decides, larger is likelier
 * (the sum of the logits, or the last or leaky ones), may be NULL, as out. Random encoders draw the
 * same numbers at every call. Allocates nothing. */
hk_status hk_learner_infer(hk_learner *l, const hk_samples *batch, float *scores, hk_score *out,
                           hk_error *e);

/* Weights, thresholds, leaks and running statistics as safetensors, LAYER.weight and so on,
 * convolutions [out, in, h, w]; the file is replaced as a whole. Not the optimizer's slots. */
hk_status hk_learner_save(const hk_learner *l, const char *path, hk_error *e);
/* The same back; path may be a run folder: its best checkpoint, or the last. Every tensor must be
 * there with its shape, else E_SHAPE or E_FORMAT and the learner is as it was. */
hk_status hk_learner_load(hk_learner *l, const char *path, hk_error *e);

/* ---- a whole training ----------------------------------------------------------------------- */

typedef enum hk_split { HK_SPLIT_TRAIN, HK_SPLIT_VAL, HK_SPLIT_TEST, HK_SPLITS } hk_split;

typedef struct hk_progress {
    hk_split split;                      /* TRAIN while learning                                  */
    int64_t  epoch, epochs;              /* from 1                                                */
    int64_t  batch, batches;             /* done of all, in this pass                             */
    double   loss, accuracy, rate;       /* of the pass so far; rate: mean firing rate            */
    double   samples_per_second;
    double   seconds, seconds_left;      /* of the whole run, over all sittings; estimate         */
    size_t   planned_bytes, resident_bytes;
} hk_progress;

typedef struct hk_training {
    const char *folder;                  /* of the run: recipe, log, checkpoints, report, result  */
    bool        resume;                  /* go on from the last checkpoint, or begin              */
    bool        force;                   /* replace a run that is there; neither: it is refused   */
    double      checkpoint_seconds;      /* 0: at the end of each epoch only                      */
    /* Called after each batch; false stops the run with a checkpoint. NULL is allowed. */
    bool      (*progress)(void *self, const hk_progress *p);
    /* One line that a person should read (health, resumption). NULL is allowed. */
    void      (*note)(void *self, const char *text);
    void       *self;
} hk_training;

typedef struct hk_outcome {
    bool    stopped;                     /* progress said so; nothing below is known then         */
    bool    chosen;                      /* accuracy is that of the epoch chosen on the
                                            validation split, not of the last                     */
    int64_t epoch;                       /* that epoch                                            */
    double  accuracy, loss, rate;        /* on the test set                                       */
    double  seconds;                     /* over all sittings                                     */
    size_t  planned_bytes, resident_bytes;
} hk_outcome;

/* Trains to the end or until progress says stop. The weights are then in the folder:
 * hk_learner_load(l, training->folder, e). E_ARG: the folder holds a run, and neither resume nor
 * force is set; E_NUM: the loss is not finite, the last checkpoint stays; E_IO; the errors of
 * hk_learner_create. */
hk_status hk_train_recipe(const hk_source *source, const hk_training *training, hk_outcome *out,
                          hk_error *e);

#ifdef __cplusplus
}
#endif
#endif
