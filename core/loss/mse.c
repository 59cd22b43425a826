/* Squared error of the output z against a target y of n values, in two scalings:
 *
 *   half_sum   E = 1/2 sum_k (z_k - y_k)^2      dz_k = z_k - y_k
 *   mean       E = 1/n sum_k (z_k - y_k)^2      dz_k = 2/n (z_k - y_k)
 *
 * Source: half_sum is E of the derivations of Bellec et al. 2020 and Gao et al., arXiv:2411.11082;
 * mean is PyTorch's MSELoss.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

typedef struct mse_cfg {
    int32_t form;
} mse_cfg;

static const hk_field mse_fields[] = {
    HK_ROW_ENUM(mse_cfg, form, 0, "half_sum|mean", 2, "half the sum, or the mean, of the squares"),
    { "mse_form", HK_ENUM, offsetof(mse_cfg, form), 0, 0, 1, "1", "another name of form",
      "half_sum|mean" },
};

static double mse_eval(int n, const float *z, const float *target, float *dz, const void *cfg)
{
    const double half = ((const mse_cfg *)cfg)->form ? 1.0 / n : 0.5;
    double sum = 0;
    for (int k = 0; k < n; k++) {
        double d = (double)z[k] - (double)target[k];
        sum += d * d;
        dz[k] = (float)(2 * half * d);
    }
    return half * sum;
}

const hk_loss_ops hk_loss_mse = {
    .info = { "mse", "squared error", "PyTorch's MSELoss; Bellec et al. 2020, Nat. Commun. 11:3625",
              sizeof(mse_cfg), mse_fields, HK_COUNT(mse_fields) },
    .eval = mse_eval,
};
