/* SPDX-License-Identifier: Apache-2.0 */
#include "codes.h"

#include <math.h>

static const double SHARE = 0.7;         /* D over mean |w| */

static double mean(double sum, double k) { return k > 0 ? sum / k : 0; }

static void means(size_t n, size_t outputs, const float *w, double *out)
{
    for (size_t o = 0; o < outputs; o++) out[o] = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t o = 0; o < outputs; o++) out[o] += fabs((double)w[i * outputs + o]);
    for (size_t o = 0; o < outputs; o++) out[o] /= (double)n;
}

static void binary(size_t n, size_t outputs, const float *w, const double *scale, float *used)
{
    for (size_t i = 0; i < n; i++, w += outputs, used += outputs)
        for (size_t o = 0; o < outputs; o++)
            used[o] = w[o] < 0 ? -(float)scale[o] : (float)scale[o];
}

/* One channel: its scale needs a second pass. */
static void ternary(size_t n, size_t outputs, const float *w, double limit, float *used)
{
    double a = 0, k = 0;
    for (size_t i = 0; i < n; i++) {
        const double v = fabs((double)w[i * outputs]);
        if (v > limit) a += v, k++;
    }
    const float scale = (float)mean(a, k);
    for (size_t i = 0; i < n; i++) {
        const float v = w[i * outputs];
        used[i * outputs] = fabs((double)v) > limit ? (v < 0 ? -scale : scale) : 0.0f;
    }
}

void hk_codes(hk_code code, size_t n, size_t outputs, const float *w, double *sum, float *used)
{
    means(n, outputs, w, sum);
    if (code == HK_CODE_BINARY) binary(n, outputs, w, sum, used);
    for (size_t o = 0; o < outputs && code == HK_CODE_TERNARY; o++)
        ternary(n, outputs, w + o, SHARE * sum[o], used + o);
}

static float sign_of(float v) { return (float)((v > 0) - (v < 0)); }

void hk_codes_back(size_t n, size_t outputs, const float *w, const float *used, double *sum, float *g)
{
    double *k = sum + outputs;
    for (size_t o = 0; o < outputs; o++) sum[o] = k[o] = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t o = 0; o < outputs; o++) {
            const double c = (double)sign_of(used[i * outputs + o]);
            sum[o] += c * (double)g[i * outputs + o];
            k[o] += c * c;
        }
    for (size_t o = 0; o < outputs; o++) sum[o] = mean(sum[o], k[o]);
    for (size_t o = 0; o < outputs; o++) k[o] = 0;               /* now the scale */
    for (size_t i = 0; i < n; i++)
        for (size_t o = 0; o < outputs; o++) k[o] = fmax(k[o], fabs((double)used[i * outputs + o]));
    for (size_t i = 0; i < n; i++)
        for (size_t o = 0; o < outputs; o++) {
            const size_t at = i * outputs + o;
            const double through = fabs((double)w[at]) <= 1 ? k[o] * (double)g[at] : 0;
            g[at] = (float)(through + (double)sign_of(used[at]) * sum[o]);
        }
}
