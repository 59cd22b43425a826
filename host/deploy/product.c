/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <string.h>

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

size_t hk_product_scratch(const hk_stage *s) { return s->plus ? hk_integers_scratch(s) : 0; }

void hk_product(const hk_stage *s, const void *x, void *scratch, float *n)
{
    if (s->plus) hk_integers(s, x, scratch, n);
    else reals(s, x, n);
}
