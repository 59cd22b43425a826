/* The inside of one batch: every membrane, spike, error, trace and gradient under a recipe's rule.
 *
 * This is how the library is compared with others. Input X (an .npz): x [T,B,F] or [T,B,C,H,W], or
 * without T for a frame shown at every step; label [B], or target [T,B,C] or [B,C]. Output Y,
 * float32, channels first, T and B leading:
 *
 *   LAYER.u, LAYER.s               spiking: membrane before reset, spikes
 *   LAYER.delta                    spiking: error at the membrane, dE/dU[t]
 *   LAYER.trace_threshold, _leak   spiking: traces of STOP
 *   LAYER.trace_w                  weighted, online rules: what the error is multiplied with
 *   grad.PARAM                     every gradient that the rule defines
 *   logits [T,B,C], loss []
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_PROBE_H
#define HK_PROBE_H

#include "session.h"

typedef struct hk_probe_opts {
    hk_session_opts session;             /* `learn` is not looked at                              */
    const char *input, *out;             /* X and Y                                               */
    const char *weights;                 /* safetensors, or NULL: the seed's first weights        */
    const char *save_weights;            /* path, or NULL                                         */
    int32_t     classes;                 /* 0: from target, the recipe, or the data set           */
} hk_probe_opts;

typedef struct hk_probe_result {
    double  loss;
    int64_t arrays;                      /* written to Y                                          */
} hk_probe_result;

/* E_SHAPE, E_FORMAT name file, array, expected and found; E_UNSUP: a rule that runs layer by
 * layer. */
hk_status hk_probe(const hk_probe_opts *o, hk_probe_result *out, hk_error *e);

#endif
