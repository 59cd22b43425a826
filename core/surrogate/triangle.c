/* Triangle surrogates: compact support, so that neurons far from the threshold pass no error. Both
 * are one function of the half base w and the height h:
 *
 *   phi(z) = h max(0, 1 - |z|/w)
 *   F(z)   = h w e for z < 0, else h w (1 - e),   e = max(0, 1 - |z|/w)^2 / 2
 *
 *   triangle           w = width    h = 1 / width        area 1
 *   scaled_triangle    w = thr      h = gamma / thr      area gamma
 *
 * Sources. triangle: Meng et al., ICCV 2023, arXiv:2302.14311 (width 1); its width is gamma of Deng
 * et al., arXiv:2202.11946, and 1/alpha of SpikingJelly's PiecewiseQuadratic. scaled_triangle:
 * Bellec et al., Nature Communications 11:3625, 2020. thr is a constant: it does not
 * follow a threshold that is learned.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

#include <math.h>

HK_CLONES static void tent_derivative(size_t n, const float *z, float *phi, float w, float h)
{
    const float rate = 1.0f / w;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float d = 1.0f - fabsf(z[i]) * rate;
        phi[i] = h * (d > 0.0f ? d : 0.0f);
    }
}

static double tent_primitive(double z, double w, double h)
{
    const double d = fmax(0, 1 - fabs(z) / w), e = d * d / 2;
    return h * w * (z < 0 ? e : 1 - e);
}

/* ---- triangle -------------------------------------------------------------------------------- */

typedef struct triangle_cfg {
    float width;
} triangle_cfg;

static const hk_field triangle_fields[] = {
    HK_ROW_FLOAT(triangle_cfg, width, 1, 1e-3, 1e3, "1", "distance from the peak to zero"),
};

static void triangle_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const float w = ((const triangle_cfg *)cfg)->width;
    tent_derivative(n, z, phi, w, 1.0f / w);
}

static double triangle_primitive(double z, const void *cfg)
{
    const double w = ((const triangle_cfg *)cfg)->width;
    return tent_primitive(z, w, 1 / w);
}

const hk_surrogate_ops hk_surrogate_triangle = {
    .info = { "triangle", "falls linearly to 0, area 1", "Meng et al. 2023, arXiv:2302.14311",
              sizeof(triangle_cfg), triangle_fields, HK_COUNT(triangle_fields) },
    .derivative = triangle_derivative, .primitive = triangle_primitive,
};

/* ---- scaled_triangle ------------------------------------------------------------------------- */

typedef struct scaled_triangle_cfg {
    float gamma, thr;
} scaled_triangle_cfg;

static const hk_field scaled_triangle_fields[] = {
    HK_ROW_FLOAT(scaled_triangle_cfg, gamma, 0.3, 1e-3, 1e3, "1", "dampening, the area"),
    HK_ROW_FLOAT(scaled_triangle_cfg, thr, 1, 1e-3, 1e3, "1", "distance from the peak to zero"),
};

static void scaled_triangle_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const scaled_triangle_cfg *c = cfg;
    tent_derivative(n, z, phi, c->thr, c->gamma / c->thr);
}

static double scaled_triangle_primitive(double z, const void *cfg)
{
    const scaled_triangle_cfg *c = cfg;
    return tent_primitive(z, (double)c->thr, (double)c->gamma / (double)c->thr);
}

const hk_surrogate_ops hk_surrogate_scaled_triangle = {
    .info = { "scaled_triangle", "dampened triangle of e-prop",
              "Bellec et al. 2020, Nat. Commun. 11:3625",
              sizeof(scaled_triangle_cfg), scaled_triangle_fields,
              HK_COUNT(scaled_triangle_fields) },
    .derivative = scaled_triangle_derivative, .primitive = scaled_triangle_primitive,
};
