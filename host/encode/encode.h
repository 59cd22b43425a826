/* Encoders: how a sample becomes input over time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_ENCODE_H
#define HK_ENCODE_H

#include "hillock_core.h"

/* What an encoder works on: a batch of frames as the loader gives them. */
typedef struct hk_encode_in {
    const float *x;              /* static: [batch][h][w][c]; with a time axis [steps][batch][h][w][c] */
    int32_t      steps;          /* 0: static                                                      */
    int32_t      batch;
    hk_shape     shape;
    hk_rng       r;              /* seed, and the batch's own stream                               */
} hk_encode_in;

/* Which samples it takes: any, static ones alone, or those with a time axis alone. */
typedef enum hk_encode_time { HK_TIME_ANY, HK_TIME_STATIC, HK_TIME_AXIS } hk_encode_time;

typedef struct hk_encoder_ops {
    hk_info info;
    hk_encode_time time;
    bool    constant;            /* shows a static sample unchanged: step is called with t = 1 only */
    hk_kind kind;                /* of what it writes: HK_F32 or HK_BITS                            */
    /* What it writes for frames of this shape; NULL: the same shape, of `kind`. */
    hk_signal (*form)(const void *cfg, hk_shape s);
    /* Writes the input of step t = 1..T, [batch*h*w] rows of what `form` says, into out. Frame t of a
     * sample with a time axis is that of step t; beyond the last one the sample is 0. Looks at frames
     * t and t-1 alone. Pure. */
    void  (*step)(const void *cfg, const hk_encode_in *in, int32_t t, int32_t T, void *out);
} hk_encoder_ops;

static inline hk_signal hk_encode_form(const hk_encoder_ops *ops, const void *cfg, hk_shape s)
{
    return ops->form ? ops->form(cfg, s) : (hk_signal){ s, ops->kind, 1 };
}

/* The frame of step t, [batch][h][w][c], or NULL beyond the last. */
static inline const float *hk_encode_frame(const hk_encode_in *in, int32_t t)
{
    const size_t frame = (size_t)in->batch * (size_t)in->shape.h * (size_t)in->shape.w *
                         (size_t)in->shape.c;
    if (!in->steps) return in->x;
    return t <= in->steps ? in->x + (size_t)(t - 1) * frame : NULL;
}

#endif
