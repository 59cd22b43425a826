/* Encoders: how a sample becomes input over time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_ENCODE_H
#define HK_ENCODE_H

#include "hillock_core.h"

/* What an encoder works on: a batch of frames as the loader gives them. */
typedef struct hk_encode_in {
    const float *x;              /* static: [batch][h][w][c]; with a time axis [T][batch][h][w][c] */
    int32_t      steps;          /* 0: static                                                      */
    int32_t      batch;
    hk_shape     shape;
    hk_rng       r;              /* seed, and the batch's own stream                               */
} hk_encode_in;

typedef struct hk_encoder_ops {
    hk_info info;
    bool    constant;            /* every step shows the same frame: step is called with t = 1 only */
    hk_kind kind;                /* of what it writes: HK_F32 or HK_BITS                            */
    /* Writes the input of step t = 1..T, [batch*h*w] rows of `kind`, into out. Pure. */
    void  (*step)(const void *cfg, const hk_encode_in *in, int32_t t, int32_t T, void *out);
} hk_encoder_ops;

#endif
