/* Surrogates whose tails fall off as 1/|z|: their primitives are logarithms and have no bound.
 *
 *   nonzero_sign_log_abs   phi(z) = 1 / (1/alpha + |z|)        F(z) = sign(z) ln(1 + alpha |z|)
 *   fake_numerical         phi(z) = min(1 / |z|, alpha)
 *                          F(z)   = alpha z for |z| <= 1/alpha, else sign(z) (1 + ln(alpha |z|))
 *   log_tailed_relu        phi(z) = alpha | 1 | 1/z            F(z) = alpha z | z | ln z + 1
 *                          parted at 0 (which belongs to the left) and 1
 *
 * Sources: SpikingJelly. log_tailed_relu: Cai et al., "Deep Learning with Low Precision by
 * Half-wave Gaussian Quantization", CVPR 2017, arXiv:1702.00953. fake_numerical: the difference
 * quotient of the firing step over the distance to threshold, bounded. Its primitive is given here,
 * not there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

#include <math.h>

/* ---- nonzero_sign_log_abs -------------------------------------------------------------------- */

typedef struct log_abs_cfg {
    float alpha;
} log_abs_cfg;

static const hk_field log_abs_fields[] = {
    HK_ROW_FLOAT(log_abs_cfg, alpha, 1, 1e-3, 1e3, "1", "height of the peak"),
};

HK_CLONES static void log_abs_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const float width = 1.0f / ((const log_abs_cfg *)cfg)->alpha;
#pragma omp simd
    for (size_t i = 0; i < n; i++) phi[i] = 1.0f / (width + fabsf(z[i]));
}

static double log_abs_primitive(double z, const void *cfg)
{
    return copysign(log(1 + (double)((const log_abs_cfg *)cfg)->alpha * fabs(z)), z);
}

const hk_surrogate_ops hk_surrogate_nonzero_sign_log_abs = {
    .info = { "nonzero_sign_log_abs", "1 / (1/alpha + |z|)", "SpikingJelly",
              sizeof(log_abs_cfg), log_abs_fields, HK_COUNT(log_abs_fields) },
    .derivative = log_abs_derivative, .primitive = log_abs_primitive,
};

/* ---- fake_numerical -------------------------------------------------------------------------- */

typedef struct fake_numerical_cfg {
    float alpha;
} fake_numerical_cfg;

static const hk_field fake_numerical_fields[] = {
    HK_ROW_FLOAT(fake_numerical_cfg, alpha, 0.3, 1e-3, 1e3, "1", "largest value"),
};

HK_CLONES static void fake_numerical_derivative(size_t n, const float *z, float *phi,
                                                const void *cfg)
{
    const float alpha = ((const fake_numerical_cfg *)cfg)->alpha, near = 1.0f / alpha;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float d = fabsf(z[i]);
        phi[i] = 1.0f / (d > near ? d : near);
    }
}

static double fake_numerical_primitive(double z, const void *cfg)
{
    const double y = (double)((const fake_numerical_cfg *)cfg)->alpha * z;
    return fabs(y) <= 1 ? y : copysign(1 + log(fabs(y)), y);
}

const hk_surrogate_ops hk_surrogate_fake_numerical = {
    .info = { "fake_numerical", "difference quotient of the step",
              "SpikingJelly's FakeNumericalGradient",
              sizeof(fake_numerical_cfg), fake_numerical_fields, HK_COUNT(fake_numerical_fields) },
    .derivative = fake_numerical_derivative, .primitive = fake_numerical_primitive,
};

/* ---- log_tailed_relu ------------------------------------------------------------------------- */

typedef struct log_tailed_relu_cfg {
    float alpha;
} log_tailed_relu_cfg;

static const hk_field log_tailed_relu_fields[] = {
    HK_ROW_FLOAT(log_tailed_relu_cfg, alpha, 0, 0, 1e3, "1", "slope at and below the threshold"),
};

HK_CLONES static void log_tailed_relu_derivative(size_t n, const float *z, float *phi,
                                                 const void *cfg)
{
    const float alpha = ((const log_tailed_relu_cfg *)cfg)->alpha;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float above = 1.0f / (z[i] > 1.0f ? z[i] : 1.0f);
        phi[i] = z[i] > 0.0f ? above : alpha;
    }
}

static double log_tailed_relu_primitive(double z, const void *cfg)
{
    if (z > 1) return log(z) + 1;
    return z > 0 ? z : (double)((const log_tailed_relu_cfg *)cfg)->alpha * z;
}

const hk_surrogate_ops hk_surrogate_log_tailed_relu = {
    .info = { "log_tailed_relu", "linear, then logarithmic above",
              "Cai et al. 2017, arXiv:1702.00953",
              sizeof(log_tailed_relu_cfg), log_tailed_relu_fields,
              HK_COUNT(log_tailed_relu_fields) },
    .derivative = log_tailed_relu_derivative, .primitive = log_tailed_relu_primitive,
};
