/* Exponential surrogate: the stand-in falls off as e^-|z| on both sides of the threshold.
 *
 *   phi(z) = e^-|z|
 *   F(z)   = e^z for z < 0, else 2 - e^-z
 *
 * Source: Gao et al., "STOP: Spatiotemporal Orthogonal Propagation ...", arXiv:2411.11082, Eq. 3. The
 * area under phi is 2, twice that of most others.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/math.h"
#include "hillock_ext.h"

#include <math.h>

HK_CLONES static void exponential_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    (void)cfg;
#pragma omp simd
    for (size_t i = 0; i < n; i++) phi[i] = hk_exp(-fabsf(z[i]));
}

static double exponential_primitive(double z, const void *cfg)
{
    (void)cfg;
    return z < 0 ? exp(z) : 2 - exp(-z);
}

const hk_surrogate_ops hk_surrogate_exponential = {
    .info = { "exponential", "e^-|z|", "arXiv:2411.11082, Eq. 3", 0, NULL, 0 },
    .derivative = exponential_derivative, .primitive = exponential_primitive,
};
