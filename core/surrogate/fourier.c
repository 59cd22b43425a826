/* Surrogate from the Fourier series of a square wave of period P. With u = z / P and m - 1 terms:
 *
 *   phi(z) = (4 / P) sum_{i=1}^{m-1} cos((2i - 1) 2 pi u)
 *   F(z)   = 1/2 + (2 / pi) sum_{i=1}^{m-1} sin((2i - 1) 2 pi u) / (2i - 1)
 *
 * The cosines come from c_1 = cos(2 pi u) by c_{i+1} = 2 (2 c_1^2 - 1) c_i - c_{i-1}, c_0 = c_1.
 *
 * Source: SpikingJelly's SquarewaveFourierSeries, whose n is m: one more than the terms. phi is
 * negative in places when m > 2.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/math.h"
#include "hillock_ext.h"

#include <math.h>

typedef struct fourier_cfg {
    int32_t n;
    float   period;
} fourier_cfg;

static const hk_field fourier_fields[] = {
    HK_ROW_INT(fourier_cfg, n, 2, 2, 64, "1", "terms of the series, plus one"),
    HK_ROW_FLOAT(fourier_cfg, period, 8, 1e-3, 1e3, "1", "period of the square wave"),
};

HK_CLONES static void fourier_derivative(size_t n, const float *z, float *phi, const void *cfg)
{
    const fourier_cfg *c = cfg;
    const int terms = c->n - 1;
    const double turns = 1.0 / (double)c->period, scale = 4.0 / (double)c->period;
    for (size_t i = 0; i < n; i++) {
        double now = hk_cos_turns((double)z[i] * turns), before = now, sum = now;
        const double step = 4 * now * now - 2;
        for (int k = 1; k < terms; k++) {
            double next = step * now - before;
            before = now;
            now = next;
            sum += now;
        }
        phi[i] = (float)(scale * sum);
    }
}

static double fourier_primitive(double z, const void *cfg)
{
    const fourier_cfg *c = cfg;
    const double pi = 3.14159265358979324, y = 2 * pi * z / (double)c->period;
    double sum = 0;
    for (int k = 1; k < 2 * c->n - 2; k += 2) sum += sin(k * y) / k;
    return 0.5 + 2 / pi * sum;
}

const hk_surrogate_ops hk_surrogate_fourier = {
    .info = { "fourier", "Fourier series of a square wave",
              "SpikingJelly's SquarewaveFourierSeries",
              sizeof(fourier_cfg), fourier_fields, HK_COUNT(fourier_fields) },
    .derivative = fourier_derivative, .primitive = fourier_primitive,
};
