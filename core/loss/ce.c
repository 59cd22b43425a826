/* Cross-entropy of the softmax p of the logits z with a target distribution y:
 *
 *   E    = -sum_k y_k log p_k
 *   dz_k = (sum_j y_j) p_k - y_k
 *
 * y is one-hot, or smoothed by the caller; it need not sum to one.
 *
 * Source: Bridle 1990; PyTorch's CrossEntropyLoss with probabilities as target computes the same.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"
#include "softmax.h"

static double ce_eval(int n, const float *z, const float *target, float *dz, const void *cfg)
{
    const softmax p = softmax_of(n, z, target);
    (void)cfg;
    for (int k = 0; k < n; k++)
        dz[k] = (float)softmax_gradient(&p, (double)z[k], (double)target[k]);
    return p.value;
}

const hk_loss_ops hk_loss_ce = {
    .info = { "ce", "cross-entropy of the softmax", "Bridle 1990", 0, NULL, 0 },
    .eval = ce_eval,
};
