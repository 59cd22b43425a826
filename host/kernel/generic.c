/* The definition's loops, partitioned over outputs: for grouped convolutions and for the option
 * `products = ref`. forward and backward_input take one sample per task; backward_weight one tap
 * and input channel, so that no sum is ever split.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "product.h"

#include "base/bf16.h"

typedef struct generic_task {
    const hk_conv_args *a;
    hk_view      x;
    const float *dy;
    float       *out;
} generic_task;

static void forward_sample(void *arg, int b, int worker)
{
    (void)worker;
    const generic_task *t = arg;
    hk_conv g = *t->a->g;
    hk_conv_args one = *t->a;
    const size_t in = (size_t)g.hi * (size_t)g.wi * hk_row_bytes(t->x.kind, (size_t)g.ci);
    const size_t out = (size_t)g.ho * (size_t)g.wo * (size_t)g.co;
    hk_view x = t->x;
    x.data = (const char *)x.data + (size_t)b * in;
    g.batch = 1;
    one.g = &g;
    hk_kernels_ref.conv_forward(NULL, &one, x, t->out + (size_t)b * out);
}

static void input_sample(void *arg, int b, int worker)
{
    (void)worker;
    const generic_task *t = arg;
    hk_conv g = *t->a->g;
    hk_conv_args one = *t->a;
    const size_t in = (size_t)g.hi * (size_t)g.wi * (size_t)g.ci;
    const size_t out = (size_t)g.ho * (size_t)g.wo * (size_t)g.co;
    g.batch = 1;
    one.g = &g;
    hk_kernels_ref.conv_backward_input(NULL, &one, t->dy + (size_t)b * out,
                                       t->out + (size_t)b * in);
}

static float stored(const unsigned char *row, hk_kind kind, size_t c)
{
    switch (kind) {
    case HK_BITS: return (float)((((const uint32_t *)(const void *)row)[c / 32] >> (c % 32)) & 1u);
    case HK_COUNTS: return (float)row[c];
    case HK_B16:    return hk_from_bf16(((const uint16_t *)(const void *)row)[c]);
    default:        return ((const float *)(const void *)row)[c];
    }
}

/* Adds to the row dw[p,q,ci of the group,..] of one tap and input channel. */
static void weight_row(void *arg, int i, int worker)
{
    (void)worker;
    const generic_task *t = arg;
    const hk_conv *g = t->a->g;
    const int cig = g->ci / g->groups, cog = g->co / g->groups;
    const int ci = i % g->ci, q = i / g->ci % g->kw, p = i / g->ci / g->kw, first = ci / cig * cog;
    const size_t pitch = hk_row_bytes(t->x.kind, (size_t)g->ci);
    float *w =
        t->out + ((size_t)(p * g->kw + q) * (size_t)cig + (size_t)(ci % cig)) * (size_t)g->co;
    for (int b = 0; b < g->batch; b++)
    for (int yo = 0; yo < g->ho; yo++) {
        const int y = yo * g->sh + p - g->ph;
        if (y < 0 || y >= g->hi) continue;
        const size_t in = ((size_t)b * (size_t)g->hi + (size_t)y) * (size_t)g->wi;
        const float *d =
            t->dy + ((size_t)b * (size_t)g->ho + (size_t)yo) * (size_t)g->wo * (size_t)g->co;
        for (int xo = 0; xo < g->wo; xo++, d += g->co) {
            const int x = xo * g->sw + q - g->pw;
            if (x < 0 || x >= g->wi) continue;
            const float v = t->x.scale * stored((const unsigned char *)t->x.data
                                                + (in + (size_t)x) * pitch, t->x.kind, (size_t)ci);
            if (v == 0.0f) continue;
            for (int co = first; co < first + cog; co++) w[co] += v * d[co];
        }
    }
}

void hki_generic_forward(const hk_kernels *k, const hk_conv_args *a, hk_view x, float *y)
{
    generic_task t = { .a = a, .x = x, .out = y };
    k->parallel(k->self, a->g->batch, forward_sample, &t);
}

void hki_generic_input(const hk_kernels *k, const hk_conv_args *a, const float *dy, float *dx)
{
    generic_task t = { .a = a, .dy = dy, .out = dx };
    k->parallel(k->self, a->g->batch, input_sample, &t);
}

void hki_generic_weight(const hk_kernels *k, const hk_conv_args *a, hk_view x, const float *dy,
                        float *dw)
{
    generic_task t = { .a = a, .x = x, .dy = dy, .out = dw };
    k->parallel(k->self, a->g->kh * a->g->kw * a->g->ci, weight_row, &t);
}
