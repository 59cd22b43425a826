/* Surrogates that are constant in pieces, and do not vanish outside a window as the rectangle does.
 *
 *   leaky_relu      phi(z) = 1/(2 w) for |z| < w, else c
 *                   F(z)   = c z + c w | z/(2 w) + 1/2 | c z - c w + 1, parted at -w and w
 *   leaky_k_relu    phi(z) = k for z >= 0, else leak         F(z) = k z, leak z
 *   multi_level     phi(z) = 1 for 0 <= z <= levels, else 0  F(z) = min(max(z, 0), levels)
 *
 * Sources: SpikingJelly's PiecewiseLeakyReLU, LeakyKReLU and MultiLevelSpikeCount. Difference: the
 * last also counts spikes there; here only its derivative is used.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

#include <math.h>

/* ---- leaky_relu ------------------------------------------------------------------------------ */

typedef struct leaky_relu_cfg {
    float w, c;
} leaky_relu_cfg;

static const hk_field leaky_relu_fields[] = {
    HK_ROW_FLOAT(leaky_relu_cfg, w, 1, 1e-3, 1e3, "1", "half width of the steep part"),
    HK_ROW_FLOAT(leaky_relu_cfg, c, 0.01, 0, 1e3, "1", "slope outside of it"),
};

HK_CLONES static void leaky_relu_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const float w = ((const leaky_relu_cfg *)cfg)->w, c = ((const leaky_relu_cfg *)cfg)->c;
    const float inside = 0.5f / w;
#pragma omp simd
    for (size_t i = 0; i < n; i++) phi[i] = fabsf(z[i]) < w ? inside : c;
}

static double leaky_relu_primitive(double z, const void *cfg)
{
    const double w = ((const leaky_relu_cfg *)cfg)->w, c = ((const leaky_relu_cfg *)cfg)->c;
    if (fabs(z) < w) return z / (2 * w) + 0.5;
    return z < 0 ? c * z + c * w : c * z - c * w + 1;
}

const hk_surrogate_ops hk_surrogate_leaky_relu = {
    .info = { "leaky_relu", "a window, and a small slope outside",
              "SpikingJelly's PiecewiseLeakyReLU",
              sizeof(leaky_relu_cfg), leaky_relu_fields, HK_COUNT(leaky_relu_fields) },
    .derivative = leaky_relu_derivative, .primitive = leaky_relu_primitive,
};

/* ---- leaky_k_relu ---------------------------------------------------------------------------- */

typedef struct leaky_k_relu_cfg {
    float leak, k;
} leaky_k_relu_cfg;

static const hk_field leaky_k_relu_fields[] = {
    HK_ROW_FLOAT(leaky_k_relu_cfg, leak, 0, 0, 1e3, "1", "slope below the threshold"),
    HK_ROW_FLOAT(leaky_k_relu_cfg, k, 1, 0, 1e3, "1", "slope at and above it"),
};

HK_CLONES static void leaky_k_relu_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const leaky_k_relu_cfg *c = cfg;
    const float leak = c->leak, k = c->k;
#pragma omp simd
    for (size_t i = 0; i < n; i++) phi[i] = z[i] >= 0.0f ? k : leak;
}

static double leaky_k_relu_primitive(double z, const void *cfg)
{
    const leaky_k_relu_cfg *c = cfg;
    return z * (double)(z >= 0 ? c->k : c->leak);
}

const hk_surrogate_ops hk_surrogate_leaky_k_relu = {
    .info = { "leaky_k_relu", "one slope below, one above", "SpikingJelly's LeakyKReLU",
              sizeof(leaky_k_relu_cfg), leaky_k_relu_fields, HK_COUNT(leaky_k_relu_fields) },
    .derivative = leaky_k_relu_derivative, .primitive = leaky_k_relu_primitive,
};

/* ---- multi_level ----------------------------------------------------------------------------- */

typedef struct multi_level_cfg {
    float levels;
} multi_level_cfg;

static const hk_field multi_level_fields[] = {
    HK_ROW_FLOAT(multi_level_cfg, levels, 4, 1e-3, 1e3, "1", "upper end of the window"),
};

HK_CLONES static void multi_level_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const float half = 0.5f * ((const multi_level_cfg *)cfg)->levels;
#pragma omp simd
    for (size_t i = 0; i < n; i++) phi[i] = fabsf(z[i] - half) <= half ? 1.0f : 0.0f;
}

static double multi_level_primitive(double z, const void *cfg)
{
    return fmin(fmax(z, 0), (double)((const multi_level_cfg *)cfg)->levels);
}

const hk_surrogate_ops hk_surrogate_multi_level = {
    .info = { "multi_level", "1 from the threshold up to a level",
              "SpikingJelly's MultiLevelSpikeCount",
              sizeof(multi_level_cfg), multi_level_fields, HK_COUNT(multi_level_fields) },
    .derivative = multi_level_derivative, .primitive = multi_level_primitive,
};
