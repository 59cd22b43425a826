/* Triangle surrogate: compact support, so that neurons far from the threshold pass no error.
 *
 *   phi(z) = max(0, w - |z|) / w^2                          w: half of the base
 *   F(z)   = 0 | (w + z)^2 / (2 w^2) | 1 - (w - z)^2 / (2 w^2) | 1, parted at -w, 0, w
 *
 * Source: Meng et al., "Towards Memory- and Time-Efficient Backpropagation for Training Spiking Neural
 * Networks", ICCV 2023, arXiv:2302.14311 (w = 1); the general width is gamma of Deng et al., arXiv:2202.11946.
 * With alpha = 1 / w it is the piecewise quadratic function of other libraries.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

#include <math.h>

typedef struct triangle_cfg {
    float width;
} triangle_cfg;

static const hk_field triangle_fields[] = {
    HK_ROW_FLOAT(triangle_cfg, width, 1, 1e-3, 1e3, "1", "distance from the peak to zero"),
};

HK_CLONES static void triangle_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const float w = ((const triangle_cfg *)cfg)->width, scale = 1.0f / (w * w);
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float d = w - fabsf(z[i]);
        phi[i] = (d > 0.0f ? d : 0.0f) * scale;
    }
}

static double triangle_primitive(double z, const void *cfg)
{
    const double w = ((const triangle_cfg *)cfg)->width, d = fmax(0, w - fabs(z));
    const double tail = d * d / (2 * w * w);
    return z < 0 ? tail : 1 - tail;
}

const hk_surrogate_ops hk_surrogate_triangle = {
    .info = { "triangle", "falls linearly to 0", "arXiv:2302.14311; gamma of arXiv:2202.11946",
              sizeof(triangle_cfg), triangle_fields, HK_COUNT(triangle_fields) },
    .derivative = triangle_derivative, .primitive = triangle_primitive,
};
