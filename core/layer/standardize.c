/* SPDX-License-Identifier: Apache-2.0 */
#include "standardize.h"

#include <math.h>

typedef struct moments { double mean, inverse; } moments;

static moments column(size_t n, size_t outputs, const float *w)
{
    const double eps = 1e-4;
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; i++) sum += (double)w[i * outputs];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)w[i * outputs] - mean;
        square += d * d;
    }
    const double variance = n > 1 ? square / (double)(n - 1) : 0;
    return (moments){ mean, 1 / sqrt((double)n * variance + eps) };
}

void hk_standardize(size_t n, size_t outputs, const float *w, const float *gain, float *out)
{
    for (size_t o = 0; o < outputs; o++) {
        const moments m = column(n, outputs, w + o);
        const double scale = (double)gain[o] * m.inverse;
        for (size_t i = 0; i < n; i++)
            out[i * outputs + o] = (float)(scale * ((double)w[i * outputs + o] - m.mean));
    }
}

void hk_standardize_back(size_t n, size_t outputs, const float *w, const float *gain, const float *g,
                         float *dw, float *dgain)
{
    for (size_t o = 0; o < outputs; o++) {
        const moments m = column(n, outputs, w + o);
        double sum = 0, dot = 0;
        for (size_t i = 0; i < n; i++) {
            const double G = (double)g[i * outputs + o];
            sum += G;
            dot += G * ((double)w[i * outputs + o] - m.mean) * m.inverse;
        }
        const double scale = (double)gain[o] * m.inverse, mean = sum / (double)n;
        const double pull = n > 1 ? (double)n / (double)(n - 1) * dot : 0;
        for (size_t i = 0; i < n; i++) {
            const size_t k = i * outputs + o;
            const double c = ((double)w[k] - m.mean) * m.inverse;
            dw[k] += (float)(scale * ((double)g[k] - mean - pull * c));
        }
        dgain[o] += (float)dot;
    }
}
