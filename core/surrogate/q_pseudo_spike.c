/* Surrogate with tails of adjustable weight: from e^-2|z| (alpha large) to 1/|z| (alpha near 1).
 *
 *   phi(z) = q^-alpha,  q = 1 + 2 |z| / (alpha - 1)
 *   F(z)   = q^(1 - alpha) / 2 for z < 0, else 1 - q^(1 - alpha) / 2
 *
 * Source: Herranz-Celotti and Rouat, "Surrogate Gradients Design", arXiv:2202.00282; alpha as in
 * SpikingJelly's QPseudoSpike.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/math.h"
#include "hillock_ext.h"

#include <math.h>

typedef struct q_pseudo_spike_cfg {
    float alpha;
} q_pseudo_spike_cfg;

static const hk_field q_pseudo_spike_fields[] = {
    HK_ROW_FLOAT(q_pseudo_spike_cfg, alpha, 2, 1.01, 100, "1", "exponent of the tails"),
};

HK_CLONES static void q_pseudo_spike_derivative(size_t n, const float *z, float *phi,
                                                const void *cfg)
{
    const float alpha = ((const q_pseudo_spike_cfg *)cfg)->alpha, k = 2.0f / (alpha - 1.0f);
#pragma omp simd
    for (size_t i = 0; i < n; i++) phi[i] = hk_exp(-alpha * hk_log(1.0f + k * fabsf(z[i])));
}

static double q_pseudo_spike_primitive(double z, const void *cfg)
{
    const double alpha = ((const q_pseudo_spike_cfg *)cfg)->alpha;
    const double tail = 0.5 * pow(1 + 2 * fabs(z) / (alpha - 1), 1 - alpha);
    return z < 0 ? tail : 1 - tail;
}

const hk_surrogate_ops hk_surrogate_q_pseudo_spike = {
    .info = { "q_pseudo_spike", "tails of adjustable weight, area 1",
              "Herranz-Celotti and Rouat, arXiv:2202.00282",
              sizeof(q_pseudo_spike_cfg), q_pseudo_spike_fields, HK_COUNT(q_pseudo_spike_fields) },
    .derivative = q_pseudo_spike_derivative, .primitive = q_pseudo_spike_primitive,
};
