/* A stream: one sample without an end, step by step, with learning. Part of the core: nothing is
 * allocated, printed or read, and no memory is taken beyond the net's own.
 *
 *   hk_stream_open(&s, &net, true, 1, &e);          a bound net of batch 1; update at each labelled step
 *   hk_stream_step(&s, frame, label, &e);           label -1: none
 *   z = hk_stream_output(&s);                       what the readout says
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HILLOCK_STREAM_H
#define HILLOCK_STREAM_H

#include "hillock_ext.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A net of batch 1 that is shown one frame after another and learns as it goes. It takes no memory
 * beyond the net's own, for any number of steps. The fields are read, not written, by the caller. */
typedef struct hk_stream {
    hk_net     *net;
    hk_batch    batch;
    const void *frame;
    int32_t     label;
    bool        learn;
    int32_t     every;                   /* labelled steps per update, 0: hk_stream_update alone   */
    int32_t     pending;                 /* labelled steps since the last update                   */
    int64_t     steps, here;             /* since open, and since the last reset                   */
    double      loss;                    /* of the last step, without the 1/T; 0 without a label   */
} hk_stream;

/* Binds s to a net (which must outlive it) and resets. learn: under a rule that has a `step`, with a
 * loss at every step, whose error carries the 1/T of the spec as in hk_net_learn; so T labelled steps
 * weigh as much as one sample. s must not be moved afterwards.
 * E_ARG: batch is not 1, accumulate above 1; E_UNSUP names the rule and those that fit. */
hk_status hk_stream_open(hk_stream *s, hk_net *net, bool learn, int32_t every, hk_error *e);

/* A new sequence begins: what is pending is learned, then membranes and traces are cleared. */
void hk_stream_reset(hk_stream *s);

/* One step: frame is the net's input, [h][w][c] of its kind; label -1: none, then there is no error and
 * the traces go on. With `every` labelled steps behind it the weights are updated; a rule that updates
 * at each step does so at each labelled one.
 * E_ARG: no such label; E_NUM: the loss, or a weight after an update, is not finite. */
hk_status hk_stream_step(hk_stream *s, const void *frame, int32_t label, hk_error *e);

/* [C] what the readout says at the last step: its logits, or the membrane of a leaky one. */
const float *hk_stream_output(const hk_stream *s);

/* Gradients of the steps since the last update into weights. */
void hk_stream_update(hk_stream *s);

#ifdef __cplusplus
}
#endif
#endif
