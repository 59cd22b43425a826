/* Weight gradients by the events of the error: the same sum with the roles of input and error
 * exchanged. For stride 1,
 *
 *   dw[p,q,c,n] = sum x[yo + p - ph, xo + q - pw, c] dy[yo, xo, n] = dw'[kh-1-p, kw-1-q, n, c]
 *
 * where dw' is the gradient of a convolution from the map of dy to that of x with padding kh-1-ph,
 * kw-1-pw. So the kernel that skips zeros of its input (sum_events_isa.c) skips those of the error:
 * a compact surrogate leaves fewer errors than traces that are not zero.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "product.h"

#include <string.h>

bool hki_can_turn(const hk_conv *g)
{
    return g->groups == 1 && g->sh == 1 && g->sw == 1 && g->ph < g->kh && g->pw < g->kw;
}

static hk_conv turned(const hk_conv *g)
{
    hk_conv r = *g;
    r.hi = g->ho, r.wi = g->wo, r.ci = g->co;
    r.ho = g->hi, r.wo = g->wi, r.co = g->ci;
    r.ph = g->kh - 1 - g->ph, r.pw = g->kw - 1 - g->pw;
    return r;
}

static hki_sum sum_of(const hki_state *s, const hk_conv *g)
{
    const hk_conv r = turned(g);
    hki_sum m = hki_sum_of(&r, HK_F32, s->workers);
    m.lines = HKI_LINES_MANY;
    return m;
}

static size_t gradient_bytes(const hk_conv *g)
{
    return hki_up64(4 * (size_t)g->kh * (size_t)g->kw * (size_t)g->ci * (size_t)g->co);
}

size_t hki_turned_bytes(const hki_state *s, const hk_conv *g)
{
    if (!hki_can_turn(g)) return 0;
    const hki_sum m = sum_of(s, g);
    return gradient_bytes(g) + (size_t)s->workers * hki_up64(s->isa->sum_events_bytes(&m));
}

typedef struct back { const hk_conv *g; const float *from; float *dw; } back;

/* dw of tap i += the transpose of its tap of dw', in squares that stay in the L1 cache. */
static void turn_back(void *arg, int i, int worker)
{
    enum { STEP = 32 };
    (void)worker;
    const back *t = arg;
    const size_t ci = (size_t)t->g->ci, co = (size_t)t->g->co, tap = ci * co;
    const size_t last = (size_t)t->g->kh * (size_t)t->g->kw - 1;
    const float *from = t->from + (last - (size_t)i) * tap;
    float *dw = t->dw + (size_t)i * tap;
    for (size_t c0 = 0; c0 < ci; c0 += STEP)
        for (size_t n0 = 0; n0 < co; n0 += STEP) {
            const size_t c1 = c0 + STEP < ci ? c0 + STEP : ci, n1 = n0 + STEP < co ? n0 + STEP : co;
            for (size_t c = c0; c < c1; c++)
                for (size_t n = n0; n < n1; n++) dw[c * co + n] += from[n * ci + c];
        }
}

void hki_turned_weight(const hki_state *s, const hk_conv *g, hk_view x, const float *dy, float *dw,
                       void *work)
{
    hki_sum m = sum_of(s, g);
    m.x = (hk_view){ .data = dy, .kind = HK_F32, .scale = x.scale };
    if (x.kind == HK_B16) m.dy_b16 = x.data;
    else m.dy = x.data;
    m.dw = work;
    m.scratch = (char *)work + gradient_bytes(g);
    m.scratch_bytes = hki_up64(s->isa->sum_events_bytes(&m));
    memset(work, 0, gradient_bytes(g));
    s->table.parallel(s->table.self, hki_tiles(m.g.ci, m.cb) * hki_tiles(m.g.co, m.nc),
                      s->isa->sum_events, &m);
    back t = { g, work, dw };
    s->table.parallel(s->table.self, g->kh * g->kw, turn_back, &t);
}
