/* Average pooling. Of spikes, and of counts whose sums fit a byte, it yields counts, with
 * 1/(kernel*kernel) in the signal's scale, so that the next product stays event driven.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pool.h"

static hk_status infer(hk_node *l, hk_error *e)
{
    HK_TRY(hk_pool_infer(l, e));
    const hk_pool_cfg *c = l->spec->cfg;
    const int32_t n = c->kernel * c->kernel;
    const int32_t most = l->in[0].kind == HK_BITS ? 1 : l->in[0].kind == HK_COUNTS ? l->top : 0;
    l->top = most && most * n <= UINT8_MAX ? most * n : 0;
    l->out.kind = l->top ? HK_COUNTS : HK_F32;
    l->out.scale = l->top ? l->in[0].scale / (float)n : 1;
    return HK_OK;
}

/* A word of bits at a time: a run of a length that is known becomes vector instructions. */
HK_PART void add_bits(size_t c, const uint32_t *restrict bits, unsigned char *restrict out)
{
    for (; c >= 32; c -= 32, bits++, out += 32)
        for (uint32_t k = 0; k < 32; k++) out[k] = (unsigned char)(out[k] + (*bits >> k & 1u));
    for (uint32_t k = 0; k < c; k++) out[k] = (unsigned char)(out[k] + (*bits >> k & 1u));
}

HK_PART void add_counts(size_t c, const unsigned char *restrict counts, unsigned char *restrict out)
{
    for (size_t k = 0; k < c; k++) out[k] = (unsigned char)(out[k] + counts[k]);
}

HK_PART void count_window(const hk_node *l, hk_view x, int b, int yo, int xo, unsigned char *out)
{
    const hk_conv *g = &l->conv;
    const size_t c = (size_t)g->ci, words = (c + 31) / 32;
    for (size_t k = 0; k < c; k++) out[k] = 0;
    for (int p = 0; p < g->kh; p++)
        for (int q = 0; q < g->kw; q++) {
            const size_t at = hk_pool_row(g, b, yo, xo, p, q);
            if (x.kind == HK_COUNTS) add_counts(c, (const unsigned char *)x.data + at * c, out);
            else add_bits(c, (const uint32_t *)x.data + at * words, out);
        }
}

HK_PART void mean_window(const hk_node *l, hk_view x, int b, int yo, int xo, float *out)
{
    const hk_conv *g = &l->conv;
    const size_t c = (size_t)g->ci;
    const float scale = x.scale / (float)(g->kh * g->kw);
    for (size_t k = 0; k < c; k++) {
        float sum = 0;
        for (int p = 0; p < g->kh; p++)
            for (int q = 0; q < g->kw; q++)
                sum += hk_stored(x, hk_pool_row(g, b, yo, xo, p, q), k, c);
        out[k] = scale * sum;
    }
}

HK_CLONES static void forward_sample(hk_node *l, int t, int b)
{
    const hk_conv *g = &l->conv;
    const hk_view x = hk_input(l, 0, t);
    const size_t row = hk_row_bytes(l->out.kind, (size_t)g->ci);
    unsigned char *y = (unsigned char *)hk_slot(&l->y, t) + (size_t)b * (size_t)(g->ho * g->wo) * row;
    for (int yo = 0; yo < g->ho; yo++)
        for (int xo = 0; xo < g->wo; xo++, y += row)
            if (l->out.kind == HK_COUNTS) count_window(l, x, b, yo, xo, y);
            else mean_window(l, x, b, yo, xo, (float *)(void *)y);
}

static void forward(hk_node *l, int t)
{
    if (!(l->constant && t > 1)) hk_each_sample(l, t, forward_sample);
}

HK_CLONES static void backward_sample(hk_node *l, int t, int b)
{
    const hk_conv *g = &l->conv;
    const size_t c = (size_t)g->ci;
    const float *restrict dy = hk_dy(l, t) + (size_t)b * (size_t)(g->ho * g->wo) * c;
    const float share = 1.0f / (float)(g->kh * g->kw);
    const bool once = !l->dx_add[0] && g->sh == g->kh && g->hi == g->ho * g->kh && g->wi == g->wo * g->kw;
    if (!once) hk_pool_clear(l, t, b);
    for (int yo = 0; yo < g->ho; yo++)
        for (int xo = 0; xo < g->wo; xo++, dy += c)
            for (int p = 0; p < g->kh; p++)
                for (int q = 0; q < g->kw; q++) {
                    float *restrict dx = hk_dx(l, 0, t) + hk_pool_row(g, b, yo, xo, p, q) * c;
                    if (once)
                        for (size_t k = 0; k < c; k++) dx[k] = share * dy[k];
                    else
                        for (size_t k = 0; k < c; k++) dx[k] += share * dy[k];
                }
}

static void backward(hk_node *l, int t)
{
    if (l->dx_want[0]) hk_each_sample(l, t, backward_sample);
}

const hk_layer_ops hk_layer_avgpool2d = {
    .info = { "avgpool2d", "mean over windows; counts of spikes stay small integers", "standard",
              sizeof(hk_pool_cfg), hk_pool_fields, HK_COUNT(hk_pool_fields) },
    .n_in = 1, .whole = true, .steady = true, .infer = infer, .forward = forward,
    .backward = backward,
};
