/* Rectangle surrogate: a window around the threshold.
 *
 *   phi(z) = 1/w if |z| <= w/2 (edge closed) or |z| < w/2 (edge open), else 0
 *   F(z)   = min(max(z/w + 1/2, 0), 1)
 *
 * The open window is the closed one whose edge is the next float towards 0.
 *
 * Source: Wu et al., "Spatio-Temporal Backpropagation for Training High-Performance Spiking Neural
 * Networks", Frontiers in Neuroscience 12:331, 2018, its h1. SpikingJelly's Rect is
 * open, with alpha = 1/w.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/math.h"
#include "hillock_ext.h"

#include <math.h>

typedef struct rectangle_cfg {
    float   width;
    int32_t edge;
} rectangle_cfg;

static const hk_field rectangle_fields[] = {
    HK_ROW_FLOAT(rectangle_cfg, width, 1, 1e-3, 1e3, "1", "full width of the window"),
    HK_ROW_ENUM(rectangle_cfg, edge, 0, "closed|open", 2, "whether the window includes its edges"),
};

HK_CLONES static void window_derivative(size_t n, const float *z, float *phi, float edge,
                                        float height)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) phi[i] = fabsf(z[i]) <= edge ? height : 0.0f;
}

static void rectangle_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const rectangle_cfg *c = cfg;
    const float half = 0.5f * c->width;
    const float edge = c->edge ? hk_from_bits(hk_to_bits(half) - 1) : half;
    window_derivative(n, z, phi, edge, 1.0f / c->width);
}

static double rectangle_primitive(double z, const void *cfg)
{
    return fmin(fmax(z / (double)((const rectangle_cfg *)cfg)->width + 0.5, 0), 1);
}

const hk_surrogate_ops hk_surrogate_rectangle = {
    .info = { "rectangle", "constant in a window", "Wu et al. 2018, Front. Neurosci. 12:331, h1",
              sizeof(rectangle_cfg), rectangle_fields, HK_COUNT(rectangle_fields) },
    .derivative = rectangle_derivative, .primitive = rectangle_primitive,
};
