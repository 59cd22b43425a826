/* Arc tangent surrogate, and one whose tails fall off as 1/|z|^3.
 *
 *   atan   phi(z) = (a/2) / (1 + (pi a z / 2)^2)      F(z) = atan(pi a z / 2) / pi + 1/2
 *   circ   phi(z) = (1 + (z/alpha)^2)^(-3/2)          F(z) = z / sqrt(1 + (z/alpha)^2)
 *
 * Sources. atan: Fang et al., "Incorporating Learnable Membrane Time Constant ...", ICCV 2021,
 * arXiv:2007.05785, slope 2. circ: Norse, in a form with
 * fewer operations.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

#include <math.h>

/* ---- atan ------------------------------------------------------------------------------------ */

typedef struct atan_cfg {
    float slope;
} atan_cfg;

static const hk_field atan_fields[] = {
    HK_ROW_FLOAT(atan_cfg, slope, 2, 1e-3, 1e3, "1", "twice the height of the peak"),
};

HK_CLONES static void atan_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const float a = ((const atan_cfg *)cfg)->slope, h = 0.5f * a, k = 1.57079633f * a;
#pragma omp simd
    for (size_t i = 0; i < n; i++) phi[i] = h / (1.0f + (k * z[i]) * (k * z[i]));
}

static double atan_primitive(double z, const void *cfg)
{
    const double pi = 3.14159265358979324, a = ((const atan_cfg *)cfg)->slope;
    return atan(pi * a * z / 2) / pi + 0.5;
}

const hk_surrogate_ops hk_surrogate_atan = {
    .info = { "atan", "derivative of the arc tangent, area 1", "Fang et al. 2021, arXiv:2007.05785",
              sizeof(atan_cfg), atan_fields, HK_COUNT(atan_fields) },
    .derivative = atan_derivative, .primitive = atan_primitive,
};

/* ---- circ ------------------------------------------------------------------------------------ */

typedef struct circ_cfg {
    float alpha;
} circ_cfg;

static const hk_field circ_fields[] = {
    HK_ROW_FLOAT(circ_cfg, alpha, 100, 1e-3, 1e4, "1", "width; the peak is 1 for any alpha"),
};

HK_CLONES static void circ_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const float k = 1.0f / ((const circ_cfg *)cfg)->alpha;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float q = 1.0f + (k * z[i]) * (k * z[i]);
        phi[i] = 1.0f / (q * sqrtf(q));
    }
}

static double circ_primitive(double z, const void *cfg)
{
    const double y = z / (double)((const circ_cfg *)cfg)->alpha;
    return z / sqrt(1 + y * y);
}

const hk_surrogate_ops hk_surrogate_circ = {
    .info = { "circ", "near 1 in a wide range", "Norse",
              sizeof(circ_cfg), circ_fields, HK_COUNT(circ_fields) },
    .derivative = circ_derivative, .primitive = circ_primitive,
};
