/* Cross-entropy of the softmax of the logits z with a target distribution y:
 *
 *   p_k = e^(z_k - m) / S,  m = max z,  S = sum_j e^(z_j - m)
 *   E   = -sum_k y_k log p_k = (sum_k y_k) log S - sum_k y_k (z_k - m)
 *   dz_k = (sum_j y_j) p_k - y_k
 *
 * y is one-hot, or smoothed by the caller; it need not sum to one. Sums are in double and in the order
 * of the classes. A logit that is NaN or +infinity makes E NaN.
 *
 * Source: standard; PyTorch's CrossEntropyLoss with probabilities as target computes the same.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/math.h"
#include "hillock_ext.h"

#include <math.h>

static double ce_eval(int n, const float *z, const float *target, float *dz, const void *cfg)
{
    (void)cfg;
    double m = z[0], sum = 0, mass = 0, picked = 0;
    for (int k = 1; k < n; k++) m = z[k] > m ? z[k] : m;
    for (int k = 0; k < n; k++) {
        sum += hk_exp_double(z[k] - m);
        mass += target[k];
        if (target[k] != 0.0f) picked += target[k] * (z[k] - m);
    }
    for (int k = 0; k < n; k++) dz[k] = (float)(mass * hk_exp_double(z[k] - m) / sum - target[k]);
    return mass * log(sum) - picked;
}

const hk_loss_ops hk_loss_ce = {
    .info = { "ce", "cross-entropy of the softmax", "standard", 0, NULL, 0 }, .eval = ce_eval,
};
