/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include "layer/spiking.h"

#include <string.h>

/* ---- neurons --------------------------------------------------------------------------------------- */

HK_CLONES static size_t send_bits(size_t n, bool above, const float *restrict u, const float *restrict theta,
                                  float *restrict spike, uint8_t *restrict y)
{
    int32_t fired = 0;
    for (size_t i = 0; i < n; i++) {
        y[i] = above ? u[i] > theta[i] : u[i] >= theta[i];
        spike[i] = (float)y[i];
        fired += y[i];
    }
    return (size_t)fired;
}

/* s in units of the channel stays with the neuron; what is sent is in units of the quantiser. */
HK_PART void excess(size_t n, const float *restrict u, const float *restrict theta, float *restrict spike)
{
    for (size_t i = 0; i < n; i++) spike[i] = u[i] > theta[i] ? u[i] - theta[i] : 0.0f;
}

HK_CLONES static size_t send_counts(size_t n, size_t co, float most, float factor, const float *restrict unit,
                                    const float *restrict u, const float *restrict theta, float *restrict spike,
                                    uint8_t *restrict y)
{
    int32_t fired = 0;
    excess(n, u, theta, spike);
    for (size_t i = 0; i < n; i += co)
        for (size_t o = 0; o < co; o++) {
            const float v = spike[i + o] * unit[o] * factor + 0.5f;
            const int32_t k = (int32_t)(v < most ? v : most);
            y[i + o] = (uint8_t)k;
            fired += k > 0;
        }
    return (size_t)fired;
}

HK_CLONES static size_t send_floats(size_t n, size_t co, float factor, const float *restrict unit,
                                    const float *restrict u, const float *restrict theta, float *restrict spike,
                                    float *restrict y)
{
    int32_t fired = 0;
    excess(n, u, theta, spike);
    for (size_t i = 0; i < n; i += co)
        for (size_t o = 0; o < co; o++) {
            const float v = spike[i + o] * unit[o] * factor;
            y[i + o] = v;
            fired += v > 0;
        }
    return (size_t)fired;
}

static size_t send(const hk_stage *s, const float *u, const float *theta, float *spike, void *y)
{
    const hk_spiking_cfg *of = hk_spiking_of(s->spiking);
    const size_t co = (size_t)s->conv.co;
    if (!hk_graded(s->spiking)) return send_bits(s->n, of->compare == 1, u, theta, spike, y);
    if (!s->out.counts) return send_floats(s->n, co, s->out.scale, s->unit, u, theta, spike, y);
    return send_counts(s->n, co, (float)s->out.top, 1.0f / of->spike_step, s->unit, u, theta, spike, y);
}

static size_t neurons(hk_stage *s, const float *x, void *y, int b, int t)
{
    const hk_node *l = s->spiking;
    const hk_neuron_ops *nn = hk_neuron_of(l);
    const size_t first = (size_t)b * s->n, own = (size_t)(t < s->own_steps ? t : s->own_steps) - 1;
    float *spike = s->spike + first;
    hk_neuron_step a = { .n = s->n, .x = x, .spike = spike };
    for (int p = 0; p < nn->n_learn; p++) a.learn[p] = s->learn[p] + own * s->n;
    for (int i = 0; i < nn->n_state; i++) {
        a.state[i] = s->state[i] + first;
        a.prev[i] = a.state[i];
        if (!hk_spiking_of(l)->recurrent) memset(a.state[i], 0, s->n * sizeof(float));
    }
    if (!hk_spiking_of(l)->recurrent) memset(spike, 0, s->n * sizeof *spike);
    nn->step(&a, l->spec->neuron_cfg);
    return send(s, a.state[0], a.learn[0], spike, y);
}

/* x = mul N + add, or N + add in the units of the channel. */
HK_CLONES static void currents(size_t n, size_t co, const float *restrict mul, const float *restrict add,
                               float *restrict x)
{
    for (size_t i = 0; i < n; i += co) {
        if (mul) for (size_t o = 0; o < co; o++) x[i + o] = mul[o] * x[i + o] + add[o];
        else for (size_t o = 0; o < co; o++) x[i + o] += add[o];
    }
}

static size_t weights(hk_stage *s, const void *in, void *y, char *scratch, int b, int t)
{
    float *x = s->constant ? s->held + (size_t)b * s->n
                           : (float *)(void *)(s->spiking ? scratch + (hk_product_scratch(s) + 63) / 64 * 64
                                                          : (char *)y);
    if (!s->constant || t == 1) {
        hk_product(s, in, scratch, x);
        currents(s->n, (size_t)s->conv.co, s->mul, s->add, x);
    }
    if (s->spiking) return neurons(s, x, y, b, t);
    if (s->constant) memcpy(y, x, s->n * sizeof *x);
    return 0;
}

/* ---- pools ----------------------------------------------------------------------------------------- */

static float stored(const hk_map *m, const void *x, size_t i)
{
    return m->counts ? (float)((const uint8_t *)x)[i] : ((const float *)x)[i];
}

enum { PART = 64 };                      /* channels pooled at a time */

/* The sum, or the largest, of a window in n channels; from: the first of its values. */
HK_CLONES static void pool_part(const hk_stage *s, const void *from, size_t n, float *restrict out)
{
    const hk_conv *g = &s->conv;
    const bool largest = s->kind == HK_STAGE_MAXIMUM, counts = s->in.counts;
    for (int p = 0; p < g->kh; p++)
        for (int q = 0; q < g->kw; q++) {
            const size_t at = (size_t)(p * g->wi + q) * (size_t)g->ci;
            const bool first = p + q == 0;
            for (size_t k = 0; k < n; k++) {
                const float v = counts ? (float)((const uint8_t *)from)[at + k] : ((const float *)from)[at + k];
                out[k] = first ? v : largest ? (v > out[k] ? v : out[k]) : out[k] + v;
            }
        }
}

static void pool(const hk_stage *s, const void *x, void *y)
{
    const hk_conv *g = &s->conv;
    const size_t c = (size_t)g->ci, size = s->in.counts ? 1 : sizeof(float);
    const float mean = s->kind == HK_STAGE_MAXIMUM || s->out.counts ? 1 : s->in.scale / (float)(g->kh * g->kw);
    float part[PART];
    size_t at = 0;
    for (int yo = 0; yo < g->ho; yo++)
        for (int xo = 0; xo < g->wo; xo++)
            for (size_t k0 = 0; k0 < c; k0 += PART) {
                const size_t n = c - k0 < PART ? c - k0 : PART;
                const size_t from = (size_t)(yo * g->sh * g->wi + xo * g->sw) * c + k0;
                pool_part(s, (const char *)x + from * size, n, part);
                for (size_t k = 0; k < n; k++, at++)
                    if (s->out.counts) ((uint8_t *)y)[at] = (uint8_t)part[k];
                    else ((float *)y)[at] = mean * part[k];
            }
}

static void mean(const hk_stage *s, const void *x, float *y)
{
    const size_t c = (size_t)s->in.shape.c, hw = (size_t)s->in.shape.h * (size_t)s->in.shape.w;
    for (size_t k = 0; k < c; k++) {
        float sum = 0;
        for (size_t i = 0; i < hw; i++) sum += stored(&s->in, x, i * c + k);
        y[k] = sum * (s->in.scale / (float)hw);
    }
}

size_t hk_stage_run(hk_stage *s, const void *x, void *y, void *scratch, int b, int t)
{
    if (s->kind == HK_STAGE_WEIGHTS) return weights(s, x, y, scratch, b, t);
    if (s->kind == HK_STAGE_MEAN) mean(s, x, y);
    else pool(s, x, y);
    return 0;
}
