/* The products in plain C: the definition that every other form is compared with. One accumulator
 * per output, kernel row, kernel column, then input channel; no scratch, no packing, one worker.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernel.h"

#include "base/bf16.h"

static float stored(hk_view x, size_t row, size_t c, size_t channels)
{
    size_t bytes = hk_row_bytes(x.kind, channels);
    const unsigned char *p = (const unsigned char *)x.data + row * bytes;
    switch (x.kind) {
    case HK_BITS:   return (float)((((const uint32_t *)(const void *)p)[c / 32] >> (c % 32)) & 1u);
    case HK_COUNTS: return (float)p[c];
    case HK_B16:    return hk_from_bf16(((const uint16_t *)(const void *)p)[c]);
    default:        return ((const float *)(const void *)p)[c];
    }
}

/* Row of the input map that output (yo, xo) of sample b sees through tap (p, q); -1 outside. */
static long input_row(const hk_conv *g, int b, int yo, int xo, int p, int q)
{
    int y = yo * g->sh + p - g->ph, x = xo * g->sw + q - g->pw;
    if (y < 0 || y >= g->hi || x < 0 || x >= g->wi) return -1;
    return ((long)b * g->hi + y) * g->wi + x;
}

static void parallel(void *self, int n, void (*body)(void *, int, int), void *arg)
{
    (void)self;
    for (int i = 0; i < n; i++) body(arg, i, 0);
}

static hk_conv_bytes conv_sizes(void *self, const hk_conv *g, hk_kind kind, bool learn)
{
    (void)self; (void)g; (void)kind; (void)learn;
    return (hk_conv_bytes){ .keeps_w = true };
}

static void conv_prepare(void *self, const hk_conv_args *a, hk_kind kind, bool learn)
{
    (void)self; (void)a; (void)kind; (void)learn;
}

static void conv_forward(void *self, const hk_conv_args *a, hk_view x, float *y)
{
    (void)self;
    const hk_conv *g = a->g;
    const int cig = g->ci / g->groups, cog = g->co / g->groups;
    float *out = y;
    for (int b = 0; b < g->batch; b++)
    for (int yo = 0; yo < g->ho; yo++)
    for (int xo = 0; xo < g->wo; xo++, out += g->co) {
        for (int co = 0; co < g->co; co++) out[co] = 0.0f;
        for (int p = 0; p < g->kh; p++)
        for (int q = 0; q < g->kw; q++) {
            long row = input_row(g, b, yo, xo, p, q);
            if (row < 0) continue;
            for (int ci = 0; ci < g->ci; ci++) {
                float v = stored(x, (size_t)row, (size_t)ci, (size_t)g->ci);
                if (v == 0.0f) continue;
                const int first = ci / cig * cog;
                const float *w = a->w + ((size_t)(p * g->kw + q) * (size_t)cig + (size_t)(ci % cig))
                                        * (size_t)g->co;
                for (int co = first; co < first + cog; co++) out[co] += v * w[co];
            }
        }
        for (int co = 0; co < g->co; co++) out[co] *= x.scale;
    }
}

static void conv_backward_input(void *self, const hk_conv_args *a, const float *dy, float *dx)
{
    (void)self;
    const hk_conv *g = a->g;
    const int cig = g->ci / g->groups, cog = g->co / g->groups;
    const size_t n = (size_t)g->batch * (size_t)g->hi * (size_t)g->wi * (size_t)g->ci;
    for (size_t i = 0; i < n; i++) dx[i] = 0.0f;
    const float *d = dy;
    for (int b = 0; b < g->batch; b++)
    for (int yo = 0; yo < g->ho; yo++)
    for (int xo = 0; xo < g->wo; xo++, d += g->co)
        for (int p = 0; p < g->kh; p++)
        for (int q = 0; q < g->kw; q++) {
            long row = input_row(g, b, yo, xo, p, q);
            if (row < 0) continue;
            for (int ci = 0; ci < g->ci; ci++) {
                const int first = ci / cig * cog;
                const float *w = a->w + ((size_t)(p * g->kw + q) * (size_t)cig + (size_t)(ci % cig))
                                        * (size_t)g->co;
                float sum = 0.0f;
                for (int co = first; co < first + cog; co++) sum += d[co] * w[co];
                dx[(size_t)row * (size_t)g->ci + (size_t)ci] += sum;
            }
        }
}

static void conv_backward_weight(void *self, const hk_conv_args *a, hk_view x, const float *dy,
                                 float *dw)
{
    (void)self;
    const hk_conv *g = a->g;
    const int cig = g->ci / g->groups, cog = g->co / g->groups;
    const float *d = dy;
    for (int b = 0; b < g->batch; b++)
    for (int yo = 0; yo < g->ho; yo++)
    for (int xo = 0; xo < g->wo; xo++, d += g->co)
        for (int p = 0; p < g->kh; p++)
        for (int q = 0; q < g->kw; q++) {
            long row = input_row(g, b, yo, xo, p, q);
            if (row < 0) continue;
            for (int ci = 0; ci < g->ci; ci++) {
                float v = stored(x, (size_t)row, (size_t)ci, (size_t)g->ci) * x.scale;
                if (v == 0.0f) continue;
                const int first = ci / cig * cog;
                float *w = dw + ((size_t)(p * g->kw + q) * (size_t)cig + (size_t)(ci % cig))
                                * (size_t)g->co;
                for (int co = first; co < first + cog; co++) w[co] += v * d[co];
            }
        }
}

static size_t pack(size_t rows, size_t c, const float *s, uint32_t *bits)
{
    size_t count = 0;
    for (size_t r = 0; r < rows; r++, s += c)
        for (size_t first = 0; first < c; first += 32) {
            uint32_t word = 0;
            for (size_t k = 0; k < 32 && first + k < c; k++) {
                uint32_t bit = s[first + k] != 0.0f;
                word |= bit << k;
                count += bit;
            }
            *bits++ = word;
        }
    return count;
}

static void unpack(size_t rows, size_t c, const uint32_t *bits, float scale, float *x)
{
    const size_t words = (c + 31) / 32;
    for (size_t r = 0; r < rows; r++, x += c, bits += words)
        for (size_t k = 0; k < c; k++) x[k] = (float)(bits[k / 32] >> (k % 32) & 1u) * scale;
}

const hk_kernels hk_kernels_ref = {
    .name = "ref", .workers = 1, .parallel = parallel,
    .conv_sizes = conv_sizes, .conv_prepare = conv_prepare, .conv_forward = conv_forward,
    .conv_backward_input = conv_backward_input, .conv_backward_weight = conv_backward_weight,
    .pack = pack, .unpack = unpack,
};
