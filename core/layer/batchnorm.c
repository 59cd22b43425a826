/* Batch normalisation, each time step by itself.
 *
 *   xhat = (x - mean) / sqrt(var + eps)        y = weight xhat + bias
 *
 * Training: mean and biased variance over batch, height and width of the instant; running statistics
 * move by `momentum` at every step, the variance unbiased. Otherwise, and with mode eval, the
 * running ones. The first `running_steps` steps have sets of their own, the last of which serves all
 * later steps: memory is bounded whatever T is; 1, as published, is one set for all. A weight trace
 * through the norm is exact in mode eval with one set: else the slope differs from step to step.
 * Backward, statistics of the instant, n values per channel, r = 1/sqrt(var + eps):
 *
 *   dx = weight r (dy - mean(dy) - xhat mean(dy xhat))       eval: dx = weight r dy
 *   dweight = sum dy xhat,  dbias = sum dy                   bn_trace plain, and under an adjoint
 *   dweight = sum dy xh~,   dbias = bt sum dy                exact: xh~[t] = a xh~[t-1] + xhat[t]
 *
 * with a the leak of the memory that the layer feeds, bt[t] = a bt[t-1] + 1; traces.h says how xh~ lies
 * in memory. Under a rule that spreads constants over the steps, y = w x + (bias - w mean) / T at a
 * step, w = weight r. Rows of samples that have ended before t, or are padding, are in no mean and get
 * no error; n counts the others.
 * Sources: Ioffe and Szegedy 2015; per step as in 2302.14311 and STOP's code; sets of steps: 2010.01729.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "share.h"
#include "traces.h"

#include <math.h>
#include <string.h>

typedef enum { TRAIN, EVAL } mode;
typedef struct batchnorm_cfg { float eps, momentum; int32_t mode, running_steps; } batchnorm_cfg;

static const hk_field fields[] = {
    HK_ROW_FLOAT(batchnorm_cfg, eps, 1e-5, 1e-12, 1, "1", "added to the variance"),
    HK_ROW_FLOAT(batchnorm_cfg, momentum, 0.1, 0, 1, "1", "share of the new statistics, per step"),
    HK_ROW_ENUM(batchnorm_cfg, mode, TRAIN, "train|eval", 2,
                "statistics while training: of the instant, or the running ones"),
    HK_ROW_INT(batchnorm_cfg, running_steps, 1, 1, 1024, "steps",
               "first steps with running statistics of their own; the last set serves all later steps"),
};

enum { WEIGHT, BIAS, MEAN, VAR };        /* param */
enum { STATS, FILTERED, FORWARD_SUM, SCALE };          /* buf; STATS is state[0], a ring     */

static const batchnorm_cfg *cfg_of(const hk_node *l) { return l->spec->cfg; }
static size_t channels(const hk_node *l) { return (size_t)l->out.shape.c; }
static bool instant(const hk_node *l) { return l->net->training && cfg_of(l)->mode == TRAIN; }

/* Running statistics of step t: [sets][C]. */
static float *running(const hk_node *l, int param, int t)
{
    const int32_t sets = cfg_of(l)->running_steps;
    return l->param[param]->w + (size_t)((t < sets ? t : sets) - 1) * channels(l);
}
static bool live(const hk_node *l, size_t row, int t)
{
    const size_t map = (size_t)l->out.shape.h * (size_t)l->out.shape.w;
    return t <= hk_steps_of(l->net, (int32_t)(row / map));
}
static size_t live_rows(const hk_node *l, int t)
{
    return (size_t)hk_net_live(l->net, t) * (size_t)l->out.shape.h * (size_t)l->out.shape.w;
}
static bool exact(const hk_node *l)
{
    const hk_rule_plan *p = &l->net->plan;
    return l->net->spec.learn && p->weights && !p->adjoint && p->weight_trace && p->norm_exact;
}

static hk_status infer(hk_node *l, hk_error *e)
{
    (void)e;
    l->out.kind = HK_F32;
    l->out.scale = 1;
    l->learnable = true;
    return HK_OK;
}

static hk_status bind(hk_node *l, hk_mem *m, hk_error *e)
{
    HK_CHECK(e, !exact(l) || !l->memory || !l->memory->ops->filter, HK_E_UNSUP,
             "layer '%s' (batchnorm): bn_trace exact does not follow its output through filter '%s'; "
             "use bn_trace: plain", l->name, l->memory->name);
    HK_CHECK(e, !exact(l) || l->net->plan.weight_trace != HK_TRACE_SYNAPSE, HK_E_UNSUP,
             "layer '%s' (batchnorm): bn_trace exact needs traces that all outputs share, found "
             "weight_trace: synapse; use bn_trace: plain", l->name);
    const int32_t sets = cfg_of(l)->running_steps;
    HK_CHECK(e, sets == 1 || !l->net->plan.counts, HK_E_UNSUP,
             "layer '%s' (batchnorm): the rule's one pass of sums has no steps, so running_steps must be "
             "1, found %d", l->name, (int)sets);
    const size_t c = channels(l);
    hk_param p = { .name = "weight", .role = HK_NORM, .learn = l->net->plan.weights, .rank = 1,
                   .dim = { (int32_t)c }, .file_rank = 1, .file_dim = { (int32_t)c }, .lo = 1, .hi = 0 };
    hk_take_param(m, l, &p);
    p.name = "bias";
    hk_take_param(m, l, &p);
    p.role = HK_BUFFER;
    p.learn = false;
    if (sets > 1) hk_share_add_axis(&p, sets);
    p.name = "running_mean";
    hk_take_param(m, l, &p);
    p.name = "running_var";
    hk_take_param(m, l, &p);
    const bool learn = l->net->spec.learn;
    l->state[0] = hk_take_ring(m, learn ? HK_R_TAPE : HK_R_WORK, 2 * c * sizeof(float), false);
    l->buf[SCALE] = hk_take(m, HK_R_WORK, (hk_by_layer(l->net) ? (size_t)l->net->spec.T : 1) * 4 * c * sizeof(float));
    if (!learn) return HK_OK;
    l->buf[FORWARD_SUM] = hk_take(m, HK_R_STATE, (size_t)l->shards * 2 * c * sizeof(double));
    l->sum[0] = hk_take(m, HK_R_STATE, (size_t)l->shards * 3 * c * sizeof(double));
    l->buf[FILTERED] = exact(l) ? hk_take(m, HK_R_STATE, hk_trace_bytes(l, l->rows * c)) : NULL;
    l->scratch = exact(l) && hk_trace_kind(l) != HK_F32 ? 2 : 1;     /* an input row, and one of FILTERED */
    return HK_OK;
}

static void init(hk_node *l, hk_rng r)
{
    (void)r;
    for (int i = WEIGHT; i <= VAR; i++)
        for (size_t k = 0; k < l->param[i]->n; k++) l->param[i]->w[k] = i == WEIGHT || i == VAR;
}

static void reset(hk_node *l) { l->bias_trace = 0; }

/* ---- forward ------------------------------------------------------------------------------------- */

/* Rows of the input as they lie in memory; a float map, or spikes and counts expanded by hand. */
static float value(hk_view x, size_t row, size_t k, size_t c)
{
    const unsigned char *p = (const unsigned char *)x.data + row * hk_row_bytes(x.kind, c);
    if (x.kind == HK_COUNTS) return x.scale * (float)p[k];
    return x.scale * (float)(((const uint32_t *)(const void *)p)[k / 32] >> (k % 32) & 1u);
}

HK_CLONES static void add_moments(size_t c, const float *restrict x, double *restrict s1,
                                  double *restrict s2)
{
    for (size_t k = 0; k < c; k++) {
        const double v = (double)x[k];
        s1[k] += v;
        s2[k] += v * v;
    }
}

typedef struct moments_pass { hk_node *l; hk_view x; int t; } moments_pass;

static void moments_shard(void *arg, int shard, int worker)
{
    (void)worker;
    const moments_pass *p = arg;
    const hk_node *l = p->l;
    const size_t c = channels(l), n = (size_t)l->shards;
    const bool ragged = hk_ragged(l->net);
    double *s1 = (double *)l->buf[FORWARD_SUM] + (size_t)shard * 2 * c, *s2 = s1 + c;
    memset(s1, 0, 2 * c * sizeof *s1);
    for (size_t r = l->rows * (size_t)shard / n; r < l->rows * ((size_t)shard + 1) / n; r++) {
        if (ragged && !live(l, r, p->t)) continue;
        if (p->x.kind == HK_F32) {
            add_moments(c, (const float *)p->x.data + r * c, s1, s2);
            continue;
        }
        for (size_t k = 0; k < c; k++) {
            const double v = (double)value(p->x, r, k, c);
            s1[k] += v;
            s2[k] += v * v;
        }
    }
}

static void move_running(hk_node *l, int t, size_t k, double n, double mean, double var)
{
    const double m = (double)cfg_of(l)->momentum;
    float *rm = running(l, MEAN, t) + k, *rv = running(l, VAR, t) + k;
    *rm = (float)((1 - m) * (double)*rm + m * mean);
    *rv = (float)((1 - m) * (double)*rv + m * (n > 1 ? var * n / (n - 1) : var));
}

/* Scale and shift of step t, which inference layer by layer has of all steps. */
static float *scale_at(const hk_node *l, int t)
{
    return (float *)l->buf[SCALE] + (hk_by_layer(l->net) ? (size_t)(t - 1) * 4 * channels(l) : 0);
}

static void forward(hk_node *l, int t)
{
    const hk_kernels *kern = l->net->spec.kernels;
    const size_t c = channels(l);
    float *mean = hk_slot(&l->state[0], t), *inverse = mean + c;
    float *scale = scale_at(l, t), *shift = scale + c;
    const float offset = hk_offset(l, false);
    const double n = (double)live_rows(l, t);
    if (instant(l)) {
        moments_pass p = { l, hk_input(l, 0, t), t };
        kern->parallel(kern->self, l->shards, moments_shard, &p);
    }
    for (size_t k = 0; k < c; k++) {
        double m = (double)running(l, MEAN, t)[k], v = (double)running(l, VAR, t)[k];
        if (instant(l) && n > 0) {
            const double *s = l->buf[FORWARD_SUM];
            double s1 = 0, s2 = 0;
            for (size_t i = 0; i < (size_t)l->shards; i++) {
                s1 += s[i * 2 * c + k];
                s2 += s[i * 2 * c + c + k];
            }
            m = s1 / n;
            v = s2 / n - m * m;
            if (v < 0) v = 0;
            if (!l->net->replay) move_running(l, t, k, n, m, v);
        }
        mean[k] = (float)m;
        inverse[k] = (float)(1 / sqrt(v + (double)cfg_of(l)->eps));
        scale[k] = l->param[WEIGHT]->w[k] * inverse[k];
        shift[k] = offset * (l->param[BIAS]->w[k] - scale[k] * mean[k]);
    }
    if (exact(l)) l->bias_trace = (l->memory ? hk_decay(l->memory, t) : 0) * l->bias_trace + 1;
}

HK_CLONES static void forward_tile(hk_node *l, const hk_tile *a)
{
    const size_t c = channels(l);
    const float *restrict scale = scale_at(l, a->t), *restrict shift = scale + c;
    hk_prefetch(a->x[0] + a->rows * c, a->rows * c);
    for (size_t r = 0; r < a->rows; r++) {
        const float *restrict x = a->x[0] + r * c;
        float *restrict y = a->y + r * c;
        for (size_t k = 0; k < c; k++) y[k] = scale[k] * x[k] + shift[k];
    }
    if (!exact(l)) return;
    const float *restrict mean = hk_slot(&l->state[0], a->t), *restrict inverse = mean + c;
    const float leak = l->memory ? hk_decay(l->memory, a->t) : 0;
    for (size_t r = 0; r < a->rows; r++) {
        const float *restrict x = a->x[0] + r * c;
        const size_t at = (a->row + r) * c;
        float *restrict f = hk_trace_read(hk_trace_kind(l), l->buf[FILTERED], at, c, a->scratch);
        for (size_t k = 0; k < c; k++) f[k] = leak * f[k] + (x[k] - mean[k]) * inverse[k];
        hk_trace_write(hk_trace_kind(l), l->buf[FILTERED], at, c, f);
    }
}

/* ---- backward ------------------------------------------------------------------------------------ */

/* x rows again, as floats. */
static const float *input_row(const hk_node *l, hk_view x, size_t row, float *expand)
{
    const size_t c = channels(l);
    if (x.kind == HK_F32) return (const float *)x.data + row * c;
    for (size_t k = 0; k < c; k++) expand[k] = value(x, row, k, c);
    return expand;
}

HK_CLONES static void backward_tile(hk_node *l, const hk_tile *a)
{
    const size_t c = channels(l);
    const float *restrict mean = hk_slot(&l->state[0], a->t), *restrict inverse = mean + c;
    const hk_view v = hk_input(l, 0, a->t);
    double *restrict s = l->sum[0] + (size_t)a->shard * 3 * c;
    const bool filtered = exact(l);
    if (v.kind == HK_F32) hk_prefetch((const float *)v.data + (a->row + a->rows) * c, a->rows * c);
    for (size_t r = 0; r < a->rows; r++) {
        const float *restrict x = input_row(l, v, a->row + r, a->scratch);
        const float *restrict dy = a->dy + r * c;
        for (size_t k = 0; k < c; k++) {
            s[k] += (double)dy[k];
            s[c + k] += (double)(dy[k] * ((x[k] - mean[k]) * inverse[k]));
        }
        if (!filtered) continue;
        const float *restrict f = hk_trace_read(hk_trace_kind(l), l->buf[FILTERED], (a->row + r) * c, c,
                                                a->scratch + l->tile);
        for (size_t k = 0; k < c; k++) s[2 * c + k] += (double)(dy[k] * f[k]);
    }
}

typedef struct error_pass { hk_node *l; int t; } error_pass;

/* dx may be dy itself. */
HK_CLONES static void error_rows(const hk_node *l, int t, size_t lo, size_t hi, float *expand)
{
    const size_t c = channels(l);
    const float *mean = hk_slot(&l->state[0], t), *inverse = mean + c;
    const float *m1 = (const float *)l->buf[SCALE] + 2 * c, *m2 = m1 + c;
    const float *w = l->param[WEIGHT]->w;
    const hk_view v = hk_input(l, 0, t);
    const bool ragged = hk_ragged(l->net);
    for (size_t r = lo; r < hi; r++) {
        const float *x = input_row(l, v, r, expand), *dy = hk_dy(l, t) + r * c;
        float *dx = hk_dx(l, 0, t) + r * c;
        if (ragged && !live(l, r, t)) {
            if (!l->dx_add[0]) memset(dx, 0, c * sizeof *dx);
            continue;
        }
        if (!l->dx_add[0])
#pragma omp simd
            for (size_t k = 0; k < c; k++) {
                const float xhat = (x[k] - mean[k]) * inverse[k];
                dx[k] = w[k] * inverse[k] * (dy[k] - m1[k] - xhat * m2[k]);
            }
        else
#pragma omp simd
            for (size_t k = 0; k < c; k++) {
                const float xhat = (x[k] - mean[k]) * inverse[k];
                dx[k] += w[k] * inverse[k] * (dy[k] - m1[k] - xhat * m2[k]);
            }
    }
}

static void error_shard(void *arg, int shard, int worker)
{
    const error_pass *p = arg;
    const size_t n = (size_t)p->l->shards, rows = p->l->rows;
    error_rows(p->l, p->t, rows * (size_t)shard / n, rows * ((size_t)shard + 1) / n,
               p->l->net->scratch + (size_t)worker * p->l->net->scratch_stride);
}

static void backward(hk_node *l, int t)
{
    const hk_kernels *kern = l->net->spec.kernels;
    const size_t c = channels(l);
    const double n = (double)live_rows(l, t);
    float *m1 = (float *)l->buf[SCALE] + 2 * c, *m2 = m1 + c;
    for (size_t k = 0; k < c; k++) {
        double s[3] = { 0 };
        for (size_t i = 0; i < (size_t)l->shards; i++)
            for (size_t j = 0; j < 3; j++) s[j] += l->sum[0][(i * 3 + j) * c + k];
        m1[k] = instant(l) && n > 0 ? (float)(s[0] / n) : 0;
        m2[k] = instant(l) && n > 0 ? (float)(s[1] / n) : 0;
        if (!l->net->plan.weights) continue;
        l->param[BIAS]->g[k] += (float)(s[0] * (exact(l) ? (double)l->bias_trace : 1));
        l->param[WEIGHT]->g[k] += (float)(exact(l) ? s[2] : s[1]);
    }
    memset(l->sum[0], 0, (size_t)l->shards * 3 * c * sizeof(double));
    if (!l->dx_want[0]) return;
    error_pass p = { l, t };
    kern->parallel(kern->self, l->shards, error_shard, &p);
}

static bool keeps_input(const hk_node *l) { return l->net->spec.learn; }

const hk_layer_ops hk_layer_batchnorm = {
    .info = { "batchnorm", "batch normalisation of every time step by itself",
              "Ioffe and Szegedy 2015, 1502.03167; per step: 2302.14311, 2010.01729", sizeof(batchnorm_cfg), fields,
              HK_COUNT(fields) },
    .n_in = 1, .in_place = true, .infer = infer, .bind = bind, .init = init, .reset = reset, .forward = forward,
    .forward_tile = forward_tile, .backward_tile = backward_tile, .backward = backward,
    .keeps_input = keeps_input,
};
