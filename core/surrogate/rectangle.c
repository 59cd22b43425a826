/* Rectangle surrogate: a window around the threshold, edges included.
 *
 *   phi(z) = 1/w if |z| <= w/2, else 0
 *   F(z)   = min(max(z/w + 1/2, 0), 1)
 *
 * Source: Wu et al., "Spatio-Temporal Backpropagation for Training High-Performance Spiking Neural
 * Networks", Frontiers in Neuroscience 12:331, 2018, h1 of Eq. 24. Difference: some code leaves the
 * edges out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

#include <math.h>

typedef struct rectangle_cfg {
    float width;
} rectangle_cfg;

static const hk_field rectangle_fields[] = {
    HK_ROW_FLOAT(rectangle_cfg, width, 1, 1e-3, 1e3, "1", "full width of the window"),
};

HK_CLONES static void rectangle_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const float w = ((const rectangle_cfg *)cfg)->width, half = 0.5f * w, height = 1.0f / w;
#pragma omp simd
    for (size_t i = 0; i < n; i++) phi[i] = fabsf(z[i]) <= half ? height : 0.0f;
}

static double rectangle_primitive(double z, const void *cfg)
{
    return fmin(fmax(z / ((const rectangle_cfg *)cfg)->width + 0.5, 0), 1);
}

const hk_surrogate_ops hk_surrogate_rectangle = {
    .info = { "rectangle", "constant in a window", "Wu et al. 2018, Front. Neurosci. 12:331, Eq. 24",
              sizeof(rectangle_cfg), rectangle_fields, HK_COUNT(rectangle_fields) },
    .derivative = rectangle_derivative, .primitive = rectangle_primitive,
};
