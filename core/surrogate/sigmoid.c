/* Surrogates from the logistic function sg(y) = 1 / (1 + e^-y). Its derivative is written with
 * e = e^-|y|, which does not cancel far from the threshold: sg'(y) = e / (1 + e)^2.
 *
 *   sigmoid   F(z) = sg(a z)              phi(z) = a sg'(a z)
 *   tanh      F(z) = tanh(k z) / k        phi(z) = 1 - tanh^2(k z) = 4 sg'(2 k z)
 *   s2nn      F(z) = sg(alpha z)          phi(z) = alpha sg'(alpha z)      z < 0
 *                  = beta ln(z + 1) + 1/2        = beta / (z + 1)          z >= 0
 *
 * Sources. sigmoid: slope 4 as in Xiao et al., arXiv:2210.04195; snnTorch's slope is 25. tanh:
 * Norse. s2nn: Suetake et al., "S2NN: Time step reduction of spiking surrogate gradients for
 * training energy efficient single-step neural networks", arXiv:2201.10879; SpikingJelly adds 1e-5
 * inside the logarithm.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/math.h"
#include "hillock_ext.h"

#include <math.h>

HK_CLONES static void logistic_derivative(size_t n, const float *z, float *phi, float rate,
                                          float scale)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float e = hk_exp(-rate * fabsf(z[i]));
        phi[i] = scale * e / ((1.0f + e) * (1.0f + e));
    }
}

/* ---- sigmoid --------------------------------------------------------------------------------- */

typedef struct sigmoid_cfg {
    float slope;
} sigmoid_cfg;

static const hk_field sigmoid_fields[] = {
    HK_ROW_FLOAT(sigmoid_cfg, slope, 4, 1e-3, 1e3, "1", "four times the height of the peak"),
};

static void sigmoid_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const float a = ((const sigmoid_cfg *)cfg)->slope;
    logistic_derivative(n, z, phi, a, a);
}

static double sigmoid_primitive(double z, const void *cfg)
{
    return 1 / (1 + exp(-(double)((const sigmoid_cfg *)cfg)->slope * z));
}

const hk_surrogate_ops hk_surrogate_sigmoid = {
    .info = { "sigmoid", "derivative of the logistic function",
              "Xiao et al. 2022, arXiv:2210.04195",
              sizeof(sigmoid_cfg), sigmoid_fields, HK_COUNT(sigmoid_fields) },
    .derivative = sigmoid_derivative, .primitive = sigmoid_primitive,
};

/* ---- tanh ------------------------------------------------------------------------------------ */

typedef struct tanh_cfg {
    float k;
} tanh_cfg;

static const hk_field tanh_fields[] = {
    HK_ROW_FLOAT(tanh_cfg, k, 100, 1e-3, 1e4, "1", "steepness; the peak is 1 for any k"),
};

static void tanh_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    logistic_derivative(n, z, phi, 2.0f * ((const tanh_cfg *)cfg)->k, 4.0f);
}

static double tanh_primitive(double z, const void *cfg)
{
    const double k = ((const tanh_cfg *)cfg)->k;
    return tanh(k * z) / k;
}

const hk_surrogate_ops hk_surrogate_tanh = {
    .info = { "tanh", "derivative of tanh", "Norse",
              sizeof(tanh_cfg), tanh_fields, HK_COUNT(tanh_fields) },
    .derivative = tanh_derivative, .primitive = tanh_primitive,
};

/* ---- s2nn ------------------------------------------------------------------------------------ */

typedef struct s2nn_cfg {
    float alpha, beta;
} s2nn_cfg;

static const hk_field s2nn_fields[] = {
    HK_ROW_FLOAT(s2nn_cfg, alpha, 4, 1e-3, 1e3, "1", "slope below the threshold"),
    HK_ROW_FLOAT(s2nn_cfg, beta, 1, 1e-3, 1e3, "1", "height at and above the threshold"),
};

HK_CLONES static void s2nn_body(size_t n, const float *z, float *phi, float alpha, float beta)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float e = hk_exp(-alpha * fabsf(z[i])), below = alpha * e / ((1.0f + e) * (1.0f + e));
        float above = beta / (1.0f + fabsf(z[i]));
        phi[i] = z[i] < 0.0f ? below : above;
    }
}

static void s2nn_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const s2nn_cfg *c = cfg;
    s2nn_body(n, z, phi, c->alpha, c->beta);
}

static double s2nn_primitive(double z, const void *cfg)
{
    const s2nn_cfg *c = cfg;
    return z < 0 ? 1 / (1 + exp(-(double)c->alpha * z)) : (double)c->beta * log(z + 1) + 0.5;
}

const hk_surrogate_ops hk_surrogate_s2nn = {
    .info = { "s2nn", "logistic below, logarithmic above", "Suetake et al. 2022, arXiv:2201.10879",
              sizeof(s2nn_cfg), s2nn_fields, HK_COUNT(s2nn_fields) },
    .derivative = s2nn_derivative, .primitive = s2nn_primitive,
};
