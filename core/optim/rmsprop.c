/* RMSprop: the gradient over the root of its running mean square.
 *
 *   g  = g + wd w                         where the caller allows decay
 *   q  = alpha q + (1 - alpha) g^2
 *   v  = mu v + g / (sqrt(q) + eps)
 *   w -= lr v
 *
 * Source: Tieleman and Hinton, lecture 6.5 of "Neural Networks for Machine Learning", 2012, in
 * PyTorch's form, where eps is added outside the root; not centered.
 *
 * Slots: q, v. Without momentum v is kept for nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

#include <math.h>

typedef struct rmsprop_cfg {
    float alpha, eps, momentum, weight_decay;
} rmsprop_cfg;

static const hk_field rmsprop_fields[] = {
    HK_ROW_FLOAT(rmsprop_cfg, alpha, 0.99, 0, 1, "1", "factor kept of the mean square per step"),
    HK_ROW_FLOAT(rmsprop_cfg, eps, 1e-8, 0, 1, "1", "added to the root of the mean square"),
    HK_ROW_FLOAT(rmsprop_cfg, momentum, 0, 0, 1, "1", "factor kept of the velocity per step"),
    HK_ROW_FLOAT(rmsprop_cfg, weight_decay, 0, 0, 1, "1",
                 "multiple of the weights added to the gradient"),
};

HK_CLONES static void rmsprop_body(rmsprop_cfg c, float lr, size_t n, float *restrict w,
                                   const float *restrict g, float *const slot[])
{
    float *restrict q = slot[0], *restrict v = slot[1];
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float d = g[i] + c.weight_decay * w[i];
        q[i] = c.alpha * q[i] + (1.0f - c.alpha) * (d * d);
        v[i] = c.momentum * v[i] + d / (sqrtf(q[i]) + c.eps);
        w[i] -= lr * v[i];
    }
}

static void rmsprop_update(const void *cfg, int64_t step, float lr, bool decay, size_t n, float *w,
                           const float *g, float *const slot[])
{
    rmsprop_cfg c = *(const rmsprop_cfg *)cfg;
    (void)step;
    if (!decay) c.weight_decay = 0.0f;
    rmsprop_body(c, lr, n, w, g, slot);
}

const hk_optim_ops hk_optim_rmsprop = {
    .info = { "rmsprop", "gradient over its root mean square",
              "Tieleman and Hinton 2012, lecture 6.5",
              sizeof(rmsprop_cfg), rmsprop_fields, HK_COUNT(rmsprop_fields) },
    .n_slot = 2, .update = rmsprop_update,
};
