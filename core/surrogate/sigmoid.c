/* Sigmoid surrogate: firing seen as a logistic function of slope a.
 *
 *   F(z)   = sg(a z),  sg(y) = 1 / (1 + e^-y)
 *   phi(z) = a sg(a z) (1 - sg(a z)) = a e / (1 + e)^2,  e = e^-|a z|
 *
 * The second form does not cancel far from the threshold.
 *
 * Source: Zenke and Ganguli, "SuperSpike", Neural Computation 30, 2018, for the idea; slope 4 as in Xiao
 * et al., arXiv:2210.04195. Other libraries use 25.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/math.h"
#include "hillock_ext.h"

#include <math.h>

typedef struct sigmoid_cfg {
    float slope;
} sigmoid_cfg;

static const hk_field sigmoid_fields[] = {
    HK_ROW_FLOAT(sigmoid_cfg, slope, 4, 1e-3, 1e3, "1", "four times the height of the peak"),
};

HK_CLONES static void sigmoid_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const float a = ((const sigmoid_cfg *)cfg)->slope;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float e = hk_exp(-fabsf(a * z[i]));
        phi[i] = a * e / ((1.0f + e) * (1.0f + e));
    }
}

static double sigmoid_primitive(double z, const void *cfg)
{
    return 1 / (1 + exp(-(double)((const sigmoid_cfg *)cfg)->slope * z));
}

const hk_surrogate_ops hk_surrogate_sigmoid = {
    .info = { "sigmoid", "derivative of the logistic function", "arXiv:2210.04195",
              sizeof(sigmoid_cfg), sigmoid_fields, HK_COUNT(sigmoid_fields) },
    .derivative = sigmoid_derivative, .primitive = sigmoid_primitive,
};
