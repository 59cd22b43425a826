/* Surrogates whose tails fall off as 1/z^2, without an exponential. All are one function of the
 * rate k and the height h:
 *
 *   phi(z) = h / (1 + k |z|)^2
 *   F(z)   = h z / (1 + k |z|) + F0
 *
 *   name             k        h           F0     area
 *   fast_sigmoid     k        1           0      2 / k
 *   soft_sign        alpha    alpha / 2   1/2    1
 *   super_spike      1        alpha       0      2 alpha
 *
 * Sources. fast_sigmoid: Zenke and Ganguli, "SuperSpike", Neural Computation 30, 2018,
 * arXiv:1705.11146; snnTorch has k = 25, and Norse calls k = 100 SuperSpike. soft_sign and
 * super_spike: SpikingJelly.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

#include <math.h>

HK_CLONES static void cauchy_derivative(size_t n, const float *z, float *phi, float k, float h)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float q = 1.0f + k * fabsf(z[i]);
        phi[i] = h / (q * q);
    }
}

static double cauchy_primitive(double z, double k, double h)
{
    return h * z / (1 + k * fabs(z));
}

/* ---- fast_sigmoid ---------------------------------------------------------------------------- */

typedef struct fast_sigmoid_cfg {
    float k;
} fast_sigmoid_cfg;

static const hk_field fast_sigmoid_fields[] = {
    HK_ROW_FLOAT(fast_sigmoid_cfg, k, 25, 1e-3, 1e4, "1", "steepness; the peak is 1 for any k"),
};

static void fast_sigmoid_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    cauchy_derivative(n, z, phi, ((const fast_sigmoid_cfg *)cfg)->k, 1.0f);
}

static double fast_sigmoid_primitive(double z, const void *cfg)
{
    return cauchy_primitive(z, (double)((const fast_sigmoid_cfg *)cfg)->k, 1);
}

const hk_surrogate_ops hk_surrogate_fast_sigmoid = {
    .info = { "fast_sigmoid", "1 / (1 + k |z|)^2", "Zenke and Ganguli 2018, arXiv:1705.11146",
              sizeof(fast_sigmoid_cfg), fast_sigmoid_fields, HK_COUNT(fast_sigmoid_fields) },
    .derivative = fast_sigmoid_derivative, .primitive = fast_sigmoid_primitive,
};

/* ---- soft_sign ------------------------------------------------------------------------------- */

typedef struct soft_sign_cfg {
    float alpha;
} soft_sign_cfg;

static const hk_field soft_sign_fields[] = {
    HK_ROW_FLOAT(soft_sign_cfg, alpha, 2, 1e-3, 1e3, "1", "twice the height of the peak"),
};

static void soft_sign_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const float alpha = ((const soft_sign_cfg *)cfg)->alpha;
    cauchy_derivative(n, z, phi, alpha, 0.5f * alpha);
}

static double soft_sign_primitive(double z, const void *cfg)
{
    const double alpha = ((const soft_sign_cfg *)cfg)->alpha;
    return cauchy_primitive(z, alpha, alpha / 2) + 0.5;
}

const hk_surrogate_ops hk_surrogate_soft_sign = {
    .info = { "soft_sign", "derivative of z / (1 + |z|), area 1", "SpikingJelly",
              sizeof(soft_sign_cfg), soft_sign_fields, HK_COUNT(soft_sign_fields) },
    .derivative = soft_sign_derivative, .primitive = soft_sign_primitive,
};

/* ---- super_spike ----------------------------------------------------------------------------- */

typedef struct super_spike_cfg {
    float alpha;
} super_spike_cfg;

static const hk_field super_spike_fields[] = {
    HK_ROW_FLOAT(super_spike_cfg, alpha, 1, 1e-3, 1e3, "1", "height of the peak"),
};

static void super_spike_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    cauchy_derivative(n, z, phi, 1.0f, ((const super_spike_cfg *)cfg)->alpha);
}

static double super_spike_primitive(double z, const void *cfg)
{
    return cauchy_primitive(z, 1, (double)((const super_spike_cfg *)cfg)->alpha);
}

const hk_surrogate_ops hk_surrogate_super_spike = {
    .info = { "super_spike", "alpha / (1 + |z|)^2", "SpikingJelly's SuperSpike",
              sizeof(super_spike_cfg), super_spike_fields, HK_COUNT(super_spike_fields) },
    .derivative = super_spike_derivative, .primitive = super_spike_primitive,
};
