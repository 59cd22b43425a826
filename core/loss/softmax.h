/* Softmax of the logits of one sample, and cross-entropy, for the losses that contain them.
 *
 *   p_k = e^(z_k - m) / S,  m = max z,  S = sum_j e^(z_j - m)
 *   E   = -sum_k y_k log p_k = (sum_k y_k) log S - sum_k y_k (z_k - m)
 *
 * Sums are in double and in the order of the classes; exponential and logarithm are the core's, so
 * that value and gradient have the same bits everywhere. A logit that is NaN or +infinity makes E
 * NaN.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_LOSS_SOFTMAX_H
#define HK_LOSS_SOFTMAX_H

#include "base/math.h"

typedef struct softmax {
    double max, sum;        /* m, S              */
    double mass;            /* sum_k y_k         */
    double value;           /* E                 */
} softmax;

static inline softmax softmax_of(int n, const float *z, const float *y)
{
    softmax p = { z[0], 0, 0, 0 };
    double picked = 0;
    for (int k = 1; k < n; k++) p.max = (double)z[k] > p.max ? (double)z[k] : p.max;
    for (int k = 0; k < n; k++) {
        p.sum += hk_exp_double((double)z[k] - p.max);
        p.mass += (double)y[k];
        if (y[k] != 0.0f) picked += (double)y[k] * ((double)z[k] - p.max);
    }
    p.value = p.mass * hk_log_double(p.sum) - picked;
    return p;
}

/* dE/dz_k = (sum_j y_j) p_k - y_k. */
static inline double softmax_gradient(const softmax *p, double z, double y)
{
    return p->mass * hk_exp_double(z - p->max) / p->sum - y;
}

#endif
