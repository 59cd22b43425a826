/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include "layer/spiking.h"

#include <string.h>

/* ---- neurons --------------------------------------------------------------------------------------- */

static size_t send_bits(const hk_stage *s, const float *u, const float *theta, float *spike, uint8_t *y)
{
    const bool above = hk_spiking_of(s->spiking)->compare == 1;
    size_t fired = 0;
    for (size_t i = 0; i < s->n; i++) {
        y[i] = above ? u[i] > theta[i] : u[i] >= theta[i];
        spike[i] = (float)y[i];
        fired += y[i];
    }
    return fired;
}

/* s in units of the channel stays with the neuron; what is sent is in units of the quantiser. */
static size_t send_graded(const hk_stage *s, const float *u, const float *theta, float *spike, void *y)
{
    const size_t co = (size_t)s->conv.co;
    const float most = (float)s->out.top, step = hk_spiking_of(s->spiking)->spike_step;
    const float factor = s->out.counts ? 1.0f / step : s->out.scale;
    size_t fired = 0;
    for (size_t i = 0; i < s->n; i++) {
        spike[i] = u[i] > theta[i] ? u[i] - theta[i] : 0.0f;
        const float v = spike[i] * s->unit[i % co] * factor;
        if (s->out.counts) {
            const float k = v + 0.5f < most ? v + 0.5f : most;
            ((uint8_t *)y)[i] = (uint8_t)(int32_t)k;
            fired += k >= 1;
        } else {
            ((float *)y)[i] = v;
            fired += v > 0;
        }
    }
    return fired;
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
    return hk_graded(l) ? send_graded(s, a.state[0], a.learn[0], spike, y)
                        : send_bits(s, a.state[0], a.learn[0], spike, y);
}

/* x = mul N + add, or N + add in the units of the channel. */
static void currents(const hk_stage *s, float *x)
{
    const size_t co = (size_t)s->conv.co;
    for (size_t i = 0; i < s->n; i += co)
        for (size_t o = 0; o < co; o++)
            x[i + o] = (s->mul ? s->mul[o] * x[i + o] : x[i + o]) + s->add[o];
}

static size_t weights(hk_stage *s, const void *in, void *y, char *scratch, int b, int t)
{
    float *x = s->constant ? s->held + (size_t)b * s->n
                           : (float *)(void *)(s->spiking ? scratch + (hk_product_scratch(s) + 63) / 64 * 64
                                                          : (char *)y);
    if (!s->constant || t == 1) {
        hk_product(s, in, scratch, x);
        currents(s, x);
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

static void pool(const hk_stage *s, const void *x, void *y)
{
    const hk_conv *g = &s->conv;
    const size_t c = (size_t)g->ci;
    const float mean = s->out.counts ? 1 : s->in.scale / (float)(g->kh * g->kw);
    size_t at = 0;
    for (int yo = 0; yo < g->ho; yo++)
        for (int xo = 0; xo < g->wo; xo++)
            for (size_t k = 0; k < c; k++, at++) {
                float sum = 0, most = stored(&s->in, x, (size_t)(yo * g->sh * g->wi + xo * g->sw) * c + k);
                for (int p = 0; p < g->kh; p++)
                    for (int q = 0; q < g->kw; q++) {
                        const size_t from = (size_t)((yo * g->sh + p) * g->wi + xo * g->sw + q) * c + k;
                        const float v = stored(&s->in, x, from);
                        sum += v;
                        most = v > most ? v : most;
                    }
                const float v = s->kind == HK_STAGE_MAXIMUM ? most : mean * sum;
                if (s->out.counts) ((uint8_t *)y)[at] = (uint8_t)v;
                else ((float *)y)[at] = v;
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
