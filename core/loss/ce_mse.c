/* Cross-entropy mixed with a squared error that keeps the outputs from growing apart over time:
 *
 *   E    = (1 - lam) CE(z, y) + lam / n sum_k (z_k - r_k)^2
 *   dz_k = (1 - lam) [(sum_j y_j) p_k - y_k] + 2 lam / n (z_k - r_k),   p the softmax of z
 *
 *   name              r
 *   ce_mse_onehot     y, the target itself
 *   ce_mse_constant   a constant, the same for all classes
 *   tet               the same, by the name of the method: loss at every step, r the threshold
 *
 * Sources. ce_mse_onehot: Xiao et al., NeurIPS 2022, arXiv:2210.04195. ce_mse_constant: Meng et
 * al., ICCV 2023, arXiv:2302.14311. tet: Deng et al., ICLR 2022, arXiv:2202.11946.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"
#include "softmax.h"

/* ---- ce_mse_onehot --------------------------------------------------------------------------- */

typedef struct onehot_cfg {
    float lam;
} onehot_cfg;

static const hk_field onehot_fields[] = {
    HK_ROW_FLOAT(onehot_cfg, lam, 0.05, 0, 1, "1", "share of the squared error"),
};

static double onehot_eval(int n, const float *z, const float *target, float *dz, const void *cfg)
{
    const softmax p = softmax_of(n, z, target);
    const double lam = ((const onehot_cfg *)cfg)->lam;
    double sum = 0;
    for (int k = 0; k < n; k++) {
        double d = (double)z[k] - (double)target[k];
        double ce = softmax_gradient(&p, (double)z[k], (double)target[k]);
        sum += d * d;
        dz[k] = (float)((1 - lam) * ce + 2 * lam / n * d);
    }
    return (1 - lam) * p.value + lam / n * sum;
}

const hk_loss_ops hk_loss_ce_mse_onehot = {
    .info = { "ce_mse_onehot", "cross-entropy and squared error to the target", "arXiv:2210.04195",
              sizeof(onehot_cfg), onehot_fields, HK_COUNT(onehot_fields) },
    .eval = onehot_eval,
};

/* ---- ce_mse_constant, tet -------------------------------------------------------------------- */

typedef struct constant_cfg {
    float lam, constant;
} constant_cfg;

static const hk_field constant_fields[] = {
    HK_ROW_FLOAT(constant_cfg, lam, 0.05, 0, 1, "1", "share of the squared error"),
    HK_ROW_FLOAT(constant_cfg, constant, 1, -1e6, 1e6, "1", "output that the squared error wants"),
};

static double constant_eval(int n, const float *z, const float *target, float *dz, const void *cfg)
{
    const constant_cfg *c = cfg;
    const softmax p = softmax_of(n, z, target);
    const double lam = c->lam, constant = c->constant;
    double sum = 0;
    for (int k = 0; k < n; k++) {
        double d = (double)z[k] - constant;
        double ce = softmax_gradient(&p, (double)z[k], (double)target[k]);
        sum += d * d;
        dz[k] = (float)((1 - lam) * ce + 2 * lam / n * d);
    }
    return (1 - lam) * p.value + lam / n * sum;
}

const hk_loss_ops hk_loss_ce_mse_constant = {
    .info = { "ce_mse_constant", "cross-entropy and squared error to a constant",
              "arXiv:2302.14311",
              sizeof(constant_cfg), constant_fields, HK_COUNT(constant_fields) },
    .eval = constant_eval,
};

const hk_loss_ops hk_loss_tet = {
    .info = { "tet", "temporal efficient training: cross-entropy and squared error to a constant",
              "Deng et al. 2022, arXiv:2202.11946",
              sizeof(constant_cfg), constant_fields, HK_COUNT(constant_fields) },
    .eval = constant_eval,
};
