/* Adam with weight decay apart from the gradient, or in it:
 *
 *   adamw   w = w - lr wd w               where the caller allows decay
 *   adam    g = g + wd w                  there
 *   m  = b1 m + (1 - b1) g                q = b2 q + (1 - b2) g^2
 *   w -= lr / (1 - b1^t) m / (sqrt(q / (1 - b2^t)) + eps),   t the step, from 1
 *
 * Sources: Kingma and Ba, "Adam", ICLR 2015, arXiv:1412.6980, Algorithm 1; Loshchilov and Hutter,
 * "Decoupled Weight Decay Regularization", ICLR 2019, arXiv:1711.05101, Algorithm 2, whose line 6 is
 * adam here. Difference, as in PyTorch: the decay of adamw is multiplied by lr. With weight_decay 0
 * both are the same.
 *
 * Slots: m, q.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

#include <math.h>

typedef struct adamw_cfg {
    float beta1, beta2, eps, weight_decay;
} adamw_cfg;

static const hk_field adamw_fields[] = {
    HK_ROW_FLOAT(adamw_cfg, beta1, 0.9, 0, 0.9999, "1",
                 "factor kept of the mean gradient per step"),
    HK_ROW_FLOAT(adamw_cfg, beta2, 0.999, 0, 0.999999, "1", "factor kept of its mean square"),
    HK_ROW_FLOAT(adamw_cfg, eps, 1e-8, 0, 1, "1", "added to the root of the mean square"),
    HK_ROW_FLOAT(adamw_cfg, weight_decay, 0.01, 0, 10, "1", "share of lr by which weights shrink"),
};

static const hk_field adam_fields[] = {
    HK_ROW_FLOAT(adamw_cfg, beta1, 0.9, 0, 0.9999, "1",
                 "factor kept of the mean gradient per step"),
    HK_ROW_FLOAT(adamw_cfg, beta2, 0.999, 0, 0.999999, "1", "factor kept of its mean square"),
    HK_ROW_FLOAT(adamw_cfg, eps, 1e-8, 0, 1, "1", "added to the root of the mean square"),
    HK_ROW_FLOAT(adamw_cfg, weight_decay, 0, 0, 10, "1", "share of the weights in their gradient"),
};

/* b^t by squaring: the same bits everywhere. */
static double power(double b, int64_t t)
{
    double y = 1;
    for (; t > 0; t /= 2, b *= b)
        if (t % 2) y *= b;
    return y;
}

typedef struct adamw_step {
    float beta1, beta2, eps, lr, root;   /* root = 1 / sqrt(1 - b2^t)    */
    float keep, pull;                    /* 1 - lr wd and 0; or 1 and wd */
} adamw_step;

HK_CLONES static void adamw_body(adamw_step a, size_t n, float *restrict w, const float *restrict g,
                                 float *const slot[])
{
    float *restrict m = slot[0], *restrict q = slot[1];
    const float beta1 = a.beta1, beta2 = a.beta2, gain1 = 1.0f - beta1, gain2 = 1.0f - beta2;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const float d = g[i] + a.pull * w[i];
        m[i] = beta1 * m[i] + gain1 * d;
        q[i] = beta2 * q[i] + gain2 * (d * d);
        w[i] = a.keep * w[i] - a.lr * (m[i] / (sqrtf(q[i]) * a.root + a.eps));
    }
}

static adamw_step at_step(const adamw_cfg *c, int64_t step, float lr)
{
    return (adamw_step){
        .beta1 = c->beta1, .beta2 = c->beta2, .eps = c->eps,
        .lr = (float)((double)lr / (1 - power((double)c->beta1, step))),
        .root = (float)(1 / sqrt(1 - power((double)c->beta2, step))), .keep = 1,
    };
}

static void adamw_update(const void *cfg, int64_t step, float lr, bool decay, size_t n, float *w,
                         const float *g, float *const slot[])
{
    const adamw_cfg *c = cfg;
    adamw_step a = at_step(c, step, lr);
    if (decay) a.keep = (float)(1 - (double)lr * (double)c->weight_decay);
    adamw_body(a, n, w, g, slot);
}

static void adam_update(const void *cfg, int64_t step, float lr, bool decay, size_t n, float *w,
                        const float *g, float *const slot[])
{
    const adamw_cfg *c = cfg;
    adamw_step a = at_step(c, step, lr);
    if (decay) a.pull = c->weight_decay;
    adamw_body(a, n, w, g, slot);
}

const hk_optim_ops hk_optim_adam = {
    .info = { "adam", "Adam, weight decay as part of the gradient",
              "Kingma and Ba 2015, arXiv:1412.6980",
              sizeof(adamw_cfg), adam_fields, HK_COUNT(adam_fields) },
    .n_slot = 2, .update = adam_update,
};

const hk_optim_ops hk_optim_adamw = {
    .info = { "adamw", "Adam with decoupled weight decay",
              "Loshchilov and Hutter 2019, arXiv:1711.05101",
              sizeof(adamw_cfg), adamw_fields, HK_COUNT(adamw_fields) },
    .n_slot = 2, .update = adamw_update,
};
