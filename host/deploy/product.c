/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <string.h>

static int planes(const hk_stage *s)
{
    int n = 0;
    while (s->in.top >> n) n++;
    return n;
}

static size_t positions(const hk_stage *s) { return (size_t)(s->conv.kh * s->conv.kw); }

size_t hk_product_scratch(const hk_stage *s)
{
    if (!s->plus) return 0;
    const size_t map = (size_t)(s->conv.hi * s->conv.wi) * s->words;
    return (size_t)planes(s) * (map + positions(s) * s->words) * sizeof(uint64_t);
}

/* ---- integers ------------------------------------------------------------------------------------ */

/* Bit b of every count, 64 channels a word: [planes][hi*wi][words]. */
static void split(const hk_stage *s, const uint8_t *x, uint64_t *bits)
{
    const size_t rows = (size_t)(s->conv.hi * s->conv.wi), c = (size_t)s->conv.ci;
    memset(bits, 0, (size_t)planes(s) * rows * s->words * sizeof *bits);
    for (int b = 0; b < planes(s); b++)
        for (size_t r = 0; r < rows; r++)
            for (size_t k = 0; k < c; k++)
                bits[((size_t)b * rows + r) * s->words + k / 64] |=
                    (uint64_t)(x[r * c + k] >> b & 1u) << k % 64;
}

/* The window of output (yo, xo) in one piece, zeros outside of the map: [positions][words]. */
static void window(const hk_stage *s, const uint64_t *bits, int yo, int xo, uint64_t *win)
{
    const hk_conv *g = &s->conv;
    const size_t bytes = s->words * sizeof *win;
    for (int p = 0; p < g->kh; p++)
        for (int q = 0; q < g->kw; q++, win += s->words) {
            const int y = yo * g->sh + p - g->ph, x = xo * g->sw + q - g->pw;
            if (y < 0 || y >= g->hi || x < 0 || x >= g->wi) memset(win, 0, bytes);
            else memcpy(win, bits + (size_t)(y * g->wi + x) * s->words, bytes);
        }
}

static inline int32_t common(size_t n, const uint64_t *a, const uint64_t *b)
{
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += (int32_t)__builtin_popcountll(a[i] & b[i]);
    return sum;
}

/* N of all outputs at one position: sum over planes of 2^b ([+] - [-]). Empty planes are left out. */
HK_CLONES static void one_position(const hk_stage *s, const uint64_t *win, float *n)
{
    const size_t each = positions(s) * s->words;
    int32_t whole = 0, live = 0, plane[8];
    for (int b = 0; b < planes(s); b++) {
        const int32_t k = common(each, win + (size_t)b * each, win + (size_t)b * each);
        whole += k << b;
        if (k) plane[live++] = b;
    }
    for (size_t o = 0; o < (size_t)s->conv.co; o++) {
        int32_t plus = 0, minus = 0;
        for (int32_t i = 0; i < live; i++) {
            const uint64_t *bits = win + (size_t)plane[i] * each;
            plus += common(each, bits, s->plus + o * each) << plane[i];
            if (s->minus) minus += common(each, bits, s->minus + o * each) << plane[i];
        }
        n[o] = (float)(s->minus ? plus - minus : 2 * plus - whole);
    }
}

static void integers(const hk_stage *s, const uint8_t *x, uint64_t *bits, float *n)
{
    const hk_conv *g = &s->conv;
    const size_t map = (size_t)(g->hi * g->wi) * s->words, each = positions(s) * s->words;
    uint64_t *win = bits + (size_t)planes(s) * map;
    split(s, x, bits);
    for (int yo = 0; yo < g->ho; yo++)
        for (int xo = 0; xo < g->wo; xo++, n += g->co) {
            for (int b = 0; b < planes(s); b++) window(s, bits + (size_t)b * map, yo, xo, win + (size_t)b * each);
            one_position(s, win, n);
        }
}

/* ---- real numbers -------------------------------------------------------------------------------- */

HK_CLONES static void add_row(size_t n, float x, const float *restrict w, float *restrict y)
{
    for (size_t o = 0; o < n; o++) y[o] += x * w[o];     /* w: -1, 0, 1, or a float weight */
}

static void reals(const hk_stage *s, const void *x, float *n)
{
    const hk_conv *g = &s->conv;
    const size_t ci = (size_t)g->ci, co = (size_t)g->co;
    memset(n, 0, s->n * sizeof *n);
    for (int yo = 0; yo < g->ho; yo++)
        for (int xo = 0; xo < g->wo; xo++, n += co)
            for (int p = 0; p < g->kh; p++)
                for (int q = 0; q < g->kw; q++) {
                    const int y = yo * g->sh + p - g->ph, xi = xo * g->sw + q - g->pw;
                    if (y < 0 || y >= g->hi || xi < 0 || xi >= g->wi) continue;
                    const size_t at = (size_t)(y * g->wi + xi) * ci;
                    const float *w = s->w + (size_t)(p * g->kw + q) * ci * co;
                    for (size_t i = 0; i < ci; i++) {
                        const float v = s->in.counts ? (float)((const uint8_t *)x)[at + i]
                                                     : ((const float *)x)[at + i];
                        if (v != 0) add_row(co, v, w + i * co, n);
                    }
                }
}

void hk_product(const hk_stage *s, const void *x, void *scratch, float *n)
{
    if (s->plus) integers(s, x, scratch, n);
    else reals(s, x, n);
}
