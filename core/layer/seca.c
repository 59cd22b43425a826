/* SECA-I, spiking efficient channel attention: each channel of a current is scaled by a factor that comes
 * from the means of its neighbour channels, with weights shared by all time steps and channels.
 *
 *   z[c] = mean over h, w of x          a[c] = sum_k v[k] z[c + k - K/2]      zeros outside of 0..C-1
 *   g[c] = 1 / (1 + exp(-a[c]))         y = g[c] x
 *
 * K weights v and K C products a sample, beside the scaling. Backward, sums over h, w:
 *
 *   q[c] = g (1 - g) sum dy x           dv[k] = sum_c q[c] z[c + k - K/2]
 *   dx = g dy + (1/HW) sum_k v[k] q[c - k + K/2]
 *
 * An online rule takes the gradient of the instant, as for a norm. SECA-II, which also sees the currents
 * behind the synapse, is not described well enough to be written.
 * Sources: EM-PF 2410.07547 (shared over time, for spikes); ECA-Net 1910.03151.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pool.h"

#include "base/math.h"

#include <math.h>

typedef struct seca_cfg { int32_t kernel; } seca_cfg;

static const hk_field fields[] = {
    HK_ROW_INT(seca_cfg, kernel, 3, 1, 63, "channels", "neighbours that decide on a channel; odd"),
};

enum { PART, BACK };                     /* buf: [batch][K] of dv; [batch][2][C] of q and its way back; z, g: state[0] */

static int32_t kernel_of(const hk_node *l) { return ((const seca_cfg *)l->spec->cfg)->kernel; }
static size_t channels(const hk_node *l) { return (size_t)l->out.shape.c; }
static size_t positions(const hk_node *l) { return (size_t)l->out.shape.h * (size_t)l->out.shape.w; }

static hk_status infer(hk_node *l, hk_error *e)
{
    HK_CHECK(e, kernel_of(l) % 2 == 1, HK_E_ARG, "layer '%s' (seca): kernel is %d, expected an odd number",
             l->name, (int)kernel_of(l));
    HK_CHECK(e, !l->in[0].shape.flat, HK_E_SHAPE,
             "layer '%s' (seca): expected a map with channels, found a flattened one", l->name);
    l->out.kind = HK_F32;
    l->out.scale = 1;
    l->learnable = true;
    return HK_OK;
}

static hk_status bind(hk_node *l, hk_mem *m, hk_error *e)
{
    HK_CHECK(e, !l->net->plan.counts, HK_E_UNSUP,
             "rule '%s': its sums over time do not pass layer '%s' (seca)", l->net->spec.rule->info.name,
             l->name);
    const int32_t k = kernel_of(l);
    const size_t batch = (size_t)l->net->spec.batch, map = batch * channels(l) * sizeof(float);
    const hk_param p = { .name = "weight", .role = HK_NORM, .learn = l->net->plan.weights, .rank = 1,
                         .dim = { k }, .file_rank = 1, .file_dim = { k }, .lo = 1, .hi = 0 };
    const bool learn = l->net->spec.learn;
    hk_take_param(m, l, &p);
    l->state[0] = hk_take_ring(m, learn ? HK_R_TAPE : HK_R_WORK, 2 * map, false);
    if (!learn) return HK_OK;
    l->buf[PART] = hk_take(m, HK_R_WORK, batch * (size_t)k * sizeof(double));
    l->buf[BACK] = hk_take(m, HK_R_WORK, 2 * map);
    return HK_OK;
}

static void init(hk_node *l, hk_rng r)
{
    const float bound = 1 / sqrtf((float)kernel_of(l));
    for (size_t i = 0; i < l->param[0]->n; i++)
        l->param[0]->w[i] = bound * (2 * hk_rng_uniform(r, i) - 1);
}

/* z of sample b at step t; g lies behind it. */
static float *means(const hk_node *l, int t, int b)
{
    return (float *)hk_slot(&l->state[0], l->constant ? 1 : t) + (size_t)b * 2 * channels(l);
}

/* out[c] = sum_k v[k] in[c + s (k - K/2)], s = 1 or -1. */
static void correlate(const hk_node *l, const float *in, int s, float *out)
{
    const int c = (int)channels(l), k = kernel_of(l);
    const float *v = l->param[0]->w;
    for (int i = 0; i < c; i++) {
        float sum = 0;
        for (int j = 0; j < k; j++) {
            const int at = i + s * (j - k / 2);
            if (at >= 0 && at < c) sum += v[j] * in[at];
        }
        out[i] = sum;
    }
}

static void forward_sample(hk_node *l, int t, int b)
{
    const hk_view x = hk_input(l, 0, t);
    const size_t c = channels(l), hw = positions(l), first = (size_t)b * hw;
    float *z = means(l, t, b), *g = z + c, *y = (float *)hk_slot(&l->y, t) + first * c;
    for (size_t k = 0; k < c; k++) z[k] = 0;
    for (size_t i = 0; i < hw; i++)
        for (size_t k = 0; k < c; k++) z[k] += hk_stored(x, first + i, k, c);
    for (size_t k = 0; k < c; k++) z[k] *= x.scale / (float)hw;
    correlate(l, z, 1, g);
    for (size_t k = 0; k < c; k++) g[k] = hk_sigmoid(g[k]);
    for (size_t i = 0; i < hw; i++, y += c)
        for (size_t k = 0; k < c; k++) y[k] = g[k] * x.scale * hk_stored(x, first + i, k, c);
}

static void forward(hk_node *l, int t)
{
    if (!(l->constant && t > 1)) hk_each_sample(l, t, forward_sample);
}

/* q of a sample, and its part of dv. */
static void weigh(const hk_node *l, int t, int b, float *q)
{
    const hk_view x = hk_input(l, 0, t);
    const size_t c = channels(l), hw = positions(l), first = (size_t)b * hw;
    const float *z = means(l, t, b), *g = z + c, *dy = hk_dy(l, t) + first * c;
    double *part = (double *)l->buf[PART] + (size_t)b * (size_t)kernel_of(l);
    for (size_t k = 0; k < c; k++) q[k] = 0;
    for (size_t i = 0; i < hw; i++)
        for (size_t k = 0; k < c; k++) q[k] += dy[i * c + k] * hk_stored(x, first + i, k, c);
    for (size_t k = 0; k < c; k++) q[k] *= x.scale * g[k] * (1 - g[k]);
    for (int j = 0; j < kernel_of(l); j++) {
        part[j] = 0;
        for (int i = 0; i < (int)c; i++) {
            const int at = i + j - kernel_of(l) / 2;
            if (at >= 0 && at < (int)c) part[j] += (double)q[i] * (double)z[at];
        }
    }
}

static void backward_sample(hk_node *l, int t, int b)
{
    const size_t c = channels(l), hw = positions(l), first = (size_t)b * hw;
    float *q = (float *)l->buf[BACK] + (size_t)b * 2 * c, *back = q + c;
    weigh(l, t, b, q);
    if (!l->dx_want[0]) return;
    const float *g = means(l, t, b) + c, *dy = hk_dy(l, t) + first * c;
    float *dx = hk_dx(l, 0, t) + first * c;
    correlate(l, q, -1, back);
    hk_pool_clear(l, t, b);
    for (size_t i = 0; i < hw; i++)
        for (size_t k = 0; k < c; k++) dx[i * c + k] += g[k] * dy[i * c + k] + back[k] / (float)hw;
}

static void backward(hk_node *l, int t)
{
    hk_each_sample(l, t, backward_sample);
    const size_t n = (size_t)kernel_of(l);
    const double *part = l->buf[PART];
    for (size_t j = 0; j < n && l->net->plan.weights; j++) {
        double sum = 0;
        for (size_t b = 0; b < (size_t)l->net->spec.batch; b++) sum += part[b * n + j];
        l->param[0]->g[j] += (float)sum;
    }
}

static bool keeps_input(const hk_node *l) { return l->net->spec.learn; }

const hk_layer_ops hk_layer_seca = {
    .info = { "seca", "channel attention: channels scaled by a function of their neighbours' means",
              "SECA-I of EM-PF 2410.07547; ECA-Net 1910.03151", sizeof(seca_cfg), fields, HK_COUNT(fields) },
    .n_in = 1, .whole = true, .steady = true, .infer = infer, .bind = bind, .init = init,
    .forward = forward, .backward = backward, .keeps_input = keeps_input,
};
