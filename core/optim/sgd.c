/* Stochastic gradient descent with momentum, in PyTorch's form:
 *
 *   g  = g + wd w                      where the caller allows decay
 *   v  = mu v + g,  v = 0 before step 1
 *   w -= lr (g + mu v) with nesterov, else lr v, and lr g without momentum
 *
 * Source: Sutskever et al., "On the importance of initialization and momentum in deep learning",
 * ICML 2013. Difference, as in PyTorch: the learning rate multiplies the velocity, not the gradient
 * inside it, so that a change of the rate acts at once.
 *
 * Slot 0: v. It is kept (as a copy of g) without momentum too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

typedef struct sgd_cfg {
    float momentum, weight_decay;
    bool  nesterov;
} sgd_cfg;

static const hk_field sgd_fields[] = {
    HK_ROW_FLOAT(sgd_cfg, momentum, 0.9, 0, 1, "1", "factor kept of the velocity per step"),
    HK_ROW_FLOAT(sgd_cfg, weight_decay, 0, 0, 1, "1",
                 "multiple of the weights added to the gradient"),
    HK_ROW_BOOL(sgd_cfg, nesterov, 0, "step along the gradient at the point ahead"),
};

HK_CLONES static void sgd_plain(float mu, float wd, float lr, size_t n, float *restrict w,
                                const float *restrict g, float *restrict v)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        v[i] = mu * v[i] + (g[i] + wd * w[i]);
        w[i] -= lr * v[i];
    }
}

HK_CLONES static void sgd_nesterov(float mu, float wd, float lr, size_t n, float *restrict w,
                                   const float *restrict g, float *restrict v)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float d = g[i] + wd * w[i];
        v[i] = mu * v[i] + d;
        w[i] -= lr * (d + mu * v[i]);
    }
}

static void sgd_update(const void *cfg, int64_t step, float lr, bool decay, size_t n, float *w,
                       const float *g, float *const slot[])
{
    const sgd_cfg *c = cfg;
    const float wd = decay ? c->weight_decay : 0.0f;
    (void)step;
    if (c->nesterov) sgd_nesterov(c->momentum, wd, lr, n, w, g, slot[0]);
    else sgd_plain(c->momentum, wd, lr, n, w, g, slot[0]);
}

const hk_optim_ops hk_optim_sgd = {
    .info = { "sgd", "gradient descent with momentum", "Sutskever et al., ICML 2013; PyTorch's SGD",
              sizeof(sgd_cfg), sgd_fields, HK_COUNT(sgd_fields) },
    .n_slot = 1, .update = sgd_update,
};
