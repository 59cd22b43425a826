/* Max pooling; of spikes it is the OR of bits. On equal values the first in row order takes the
 * error.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pool.h"

static hk_status infer(hk_node *l, hk_error *e)
{
    HK_TRY(hk_pool_infer(l, e));
    if (l->in[0].kind == HK_F32) l->out.scale = 1;
    return HK_OK;
}

static void or_window(const hk_node *l, hk_view x, int b, int yo, int xo, uint32_t *out)
{
    const hk_conv *g = &l->conv;
    const size_t words = ((size_t)g->ci + 31) / 32;
    for (size_t k = 0; k < words; k++) out[k] = 0;
    for (int p = 0; p < g->kh; p++)
        for (int q = 0; q < g->kw; q++) {
            const uint32_t *row = (const uint32_t *)x.data + hk_pool_row(g, b, yo, xo, p, q) * words;
            for (size_t k = 0; k < words; k++) out[k] |= row[k];
        }
}

/* Row of the first largest value of channel k in the window of (yo, xo). */
static size_t winner(const hk_node *l, hk_view x, int b, int yo, int xo, size_t k)
{
    const hk_conv *g = &l->conv;
    const size_t c = (size_t)g->ci;
    size_t best = hk_pool_row(g, b, yo, xo, 0, 0);
    float most = hk_stored(x, best, k, c);
    for (int p = 0; p < g->kh; p++)
        for (int q = 0; q < g->kw; q++) {
            const size_t row = hk_pool_row(g, b, yo, xo, p, q);
            const float v = hk_stored(x, row, k, c);
            if (v > most) most = v, best = row;
        }
    return best;
}

static void forward_sample(hk_node *l, int t, int b)
{
    const hk_conv *g = &l->conv;
    const hk_view x = hk_input(l, 0, t);
    const size_t c = (size_t)g->ci, row = hk_row_bytes(l->out.kind, c);
    unsigned char *y = (unsigned char *)hk_slot(&l->y, t) + (size_t)b * (size_t)(g->ho * g->wo) * row;
    for (int yo = 0; yo < g->ho; yo++)
        for (int xo = 0; xo < g->wo; xo++, y += row) {
            if (x.kind == HK_BITS) {
                or_window(l, x, b, yo, xo, (uint32_t *)(void *)y);
                continue;
            }
            for (size_t k = 0; k < c; k++) {
                const float v = hk_stored(x, winner(l, x, b, yo, xo, k), k, c);
                if (x.kind == HK_F32) ((float *)(void *)y)[k] = v;
                else y[k] = (unsigned char)v;
            }
        }
}

static void forward(hk_node *l, int t)
{
    if (!(l->constant && t > 1)) hk_each_sample(l, t, forward_sample);
}

static void backward_sample(hk_node *l, int t, int b)
{
    const hk_conv *g = &l->conv;
    const hk_view x = hk_input(l, 0, t);
    const size_t c = (size_t)g->ci;
    const float *dy = hk_dy(l, t) + (size_t)b * (size_t)(g->ho * g->wo) * c;
    float *dx = hk_dx(l, 0, t);
    hk_pool_clear(l, t, b);
    for (int yo = 0; yo < g->ho; yo++)
        for (int xo = 0; xo < g->wo; xo++, dy += c)
            for (size_t k = 0; k < c; k++) dx[winner(l, x, b, yo, xo, k) * c + k] += dy[k];
}

static void backward(hk_node *l, int t)
{
    if (l->dx_want[0]) hk_each_sample(l, t, backward_sample);
}

static bool keeps_input(const hk_node *l) { return l->from[0] && l->from[0]->learnable; }

const hk_layer_ops hk_layer_maxpool2d = {
    .info = { "maxpool2d", "largest value of windows; the OR of spikes", "standard",
              sizeof(hk_pool_cfg), hk_pool_fields, HK_COUNT(hk_pool_fields) },
    .n_in = 1, .whole = true, .steady = true, .infer = infer, .forward = forward,
    .backward = backward, .keeps_input = keeps_input,
};
