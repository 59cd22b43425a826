/* Synapse: a first-order filter on presynaptic lines, with a learned memory and strength, as a float
 * map of the shape of its input. With x the input, F the output, per line:
 *
 *   F[t] = alpha F[t-1] + beta x[t]
 *
 * adjoint     dF = dE/dF + dF';   dx = beta dF;   dF' = alpha dF
 *             dalpha += dF F[t-1],   dbeta += dF x[t]
 * online      dx = beta dE/dF, the instant alone, and one of
 *   plain     dalpha += dE/dF F[t-1],   dbeta += dE/dF x[t]                 no weight traces
 *   shared    A[t] = alpha A[t-1] + F[t-1],   Q[t] = alpha Q[t-1] + x[t]    dF/dalpha, dF/dbeta
 *             A~[t] = a A~[t-1] + A[t], Q~ likewise;   dalpha += dE/dF A~,   dbeta += dE/dF Q~
 *   synapse   A and Q go to the weights behind, which return the gradients  (eligibility.c)
 * with a the leak of the memory that the lines reach through weights: what w~ is for them. The released
 * code of SOLSA has plain times (1 - .1^t) / .9 (filter_ratio .1).
 *
 * alpha and beta are shared by the layer, by the positions of a channel, or belong to one line.
 * Source: SOLSA, 2307.11314, with its code's bounds; the traces are derived (chain rule).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "weighted.h"

#include <math.h>
#include <string.h>

#include "eligibility.h"
#include "share.h"

typedef struct synapse_cfg {
    float   alpha, beta, alpha_min, alpha_max, beta_min;
    int32_t granularity;
    bool    learn;
} synapse_cfg;

static const hk_field fields[] = {
    HK_ROW_FLOAT(synapse_cfg, alpha, 0.9, 0, 1, "1/step", "factor kept per step, at first"),
    HK_ROW_FLOAT(synapse_cfg, beta, 0.9, -1e6, 1e6, "1", "factor on the input, at first"),
    HK_ROW_FLOAT(synapse_cfg, alpha_min, 0.1, 0, 1, "1/step", "lower bound of alpha"),
    HK_ROW_FLOAT(synapse_cfg, alpha_max, 1, 0, 1, "1/step", "upper bound of alpha"),
    HK_ROW_FLOAT(synapse_cfg, beta_min, 0.1, -1e6, 1e6, "1", "lower bound of beta"),
    HK_ROW_ENUM(synapse_cfg, granularity, HK_PER_LAYER, "layer|channel|neuron", 3,
                "lines that share alpha and beta"),
    HK_ROW_BOOL(synapse_cfg, learn, 1, "learn alpha and beta, where the rule learns weights"),
};

enum { ALPHA, BETA, LEARNED };           /* param, sum */
enum { OWN, FED };                       /* buf: A and then Q; A~, Q~ */

static const synapse_cfg *cfg_of(const hk_node *l) { return l->spec->cfg; }
static size_t channels(const hk_node *l) { return (size_t)l->out.shape.c; }

/* A or Q. */
static float *own(const hk_node *l, int p)
{
    return (float *)l->buf[OWN] + (size_t)p * l->rows * channels(l);
}

static bool learns(const hk_node *l)
{
    return l->net->spec.learn && l->net->plan.weights && cfg_of(l)->learn;
}

/* Whether dF/dalpha and dF/dbeta are carried from step to step; else they are those of the instant. */
static bool remembers(const hk_node *l)
{
    const hk_rule_plan *p = &l->net->plan;
    return p->weight_trace && !(l->first && !p->first_layer_trace) && !(p->filter_ratio > 0);
}

static hk_status infer(hk_node *l, hk_error *e)
{
    const synapse_cfg *c = cfg_of(l);
    HK_CHECK(e, c->alpha_min <= c->alpha && c->alpha <= c->alpha_max, HK_E_ARG,
             "layer '%s' (synapse): alpha is %g, expected alpha_min %g to alpha_max %g", l->name,
             (double)c->alpha, (double)c->alpha_min, (double)c->alpha_max);
    HK_CHECK(e, c->beta_min <= c->beta, HK_E_ARG,
             "layer '%s' (synapse): beta is %g, expected at least beta_min %g", l->name,
             (double)c->beta, (double)c->beta_min);
    l->out.kind = HK_F32;
    l->out.scale = 1;
    l->learnable = true;
    return HK_OK;
}

/* Whether the gradients come from the weights behind, synapse by synapse. */
static bool per_synapse(const hk_node *l) { return learns(l) && remembers(l) && hk_eligible(l); }

static hk_status check_readers(const hk_node *l, hk_error *e)
{
    const hk_net *net = l->net;
    for (int32_t i = l->index + 1; i < net->n_node && per_synapse(l); i++)
        for (int k = 0; k < net->node[i].spec->n_in; k++) {
            const hk_node *r = &net->node[i];
            if (r->ops->alias || r->from[k] != l) continue;
            HK_CHECK(e, r->ops->operations && hk_eligible(r), HK_E_UNSUP,
                     "rule '%s' cannot train layer '%s': its traces per synapse are kept by dense layers "
                     "before neurons, found '%s' (%s) behind it; put the filter directly before them, or "
                     "use ottt_a or stop", net->spec.rule->info.name, l->name, r->name, r->ops->info.name);
        }
    return HK_OK;
}

/* ---- memory ------------------------------------------------------------------------------------ */

static void take_parameters(hk_node *l, hk_mem *m)
{
    const synapse_cfg *c = cfg_of(l);
    hk_param p = { .name = "alpha", .role = HK_LEAK, .learn = learns(l), .lo = c->alpha_min,
                   .hi = c->alpha_max };
    hk_share_shape((hk_share)c->granularity, l->out.shape, &p);
    hk_take_param(m, l, &p);
    p.name = "beta";
    p.lo = c->beta_min;
    p.hi = 1e30f;
    hk_take_param(m, l, &p);
}

static hk_status bind(hk_node *l, hk_mem *m, hk_error *e)
{
    HK_CHECK(e, !l->net->plan.counts, HK_E_UNSUP,
             "rule '%s': its sums over time do not pass filter '%s' (synapse); use another rule, or no "
             "filter", l->net->spec.rule->info.name, l->name);
    HK_TRY(check_readers(l, e));
    take_parameters(l, m);
    const bool adjoint = l->net->plan.adjoint;
    const size_t bytes = l->rows * channels(l) * sizeof(float);
    l->buf[OWN] = learns(l) && !adjoint ? hk_take(m, HK_R_STATE, LEARNED * bytes) : NULL;
    for (int p = 0; p < LEARNED; p++) {
        const size_t sums = (size_t)l->shards * l->param[p]->n * sizeof(double);
        l->sum[p] = learns(l) ? hk_take(m, HK_R_STATE, sums) : NULL;
        l->buf[FED + p] = learns(l) && hk_weighted_traced(l) ? hk_take(m, HK_R_STATE, bytes) : NULL;
    }
    l->n_sense = per_synapse(l) ? LEARNED : 0;
    const size_t lines = l->rows / (size_t)l->net->spec.batch * channels(l);
    l->sense = l->n_sense ? l->buf[OWN] : NULL;
    l->sense_sum = l->n_sense ? hk_take(m, HK_R_STATE, LEARNED * lines * sizeof(double)) : NULL;
    l->adjoint[0] = l->net->spec.learn && adjoint ? hk_take(m, HK_R_STATE, bytes) : NULL;
    l->scratch = 3;
    return HK_OK;
}

static void init(hk_node *l, hk_rng r)
{
    (void)r;
    for (size_t i = 0; i < l->param[ALPHA]->n; i++) {
        l->param[ALPHA]->w[i] = cfg_of(l)->alpha;
        l->param[BETA]->w[i] = cfg_of(l)->beta;
    }
}

/* ---- forward ----------------------------------------------------------------------------------- */

typedef struct rows { const float *alpha, *beta; size_t n, first; } rows;

/* alpha and beta of each value of the tile, in the first two scratch arrays. */
HK_PART rows rows_of(const hk_node *l, const hk_tile *a)
{
    float *alpha = a->scratch, *beta = alpha + l->tile;
    const hk_share share = (hk_share)cfg_of(l)->granularity;
    hk_spread(share, l, a, l->param[ALPHA]->w, alpha);
    hk_spread(share, l, a, l->param[BETA]->w, beta);
    return (rows){ alpha, beta, a->rows * channels(l), a->row * channels(l) };
}

/* y = k y + x; the filters of a trace. */
HK_PART void filter(size_t n, const float *restrict k, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++) y[i] = k[i] * y[i] + x[i];
}

HK_PART void advance(const hk_node *l, const hk_tile *a, rows r, const float *before)
{
    if (!l->buf[OWN]) return;
    float *A = own(l, ALPHA) + r.first, *Q = own(l, BETA) + r.first;
    if (!remembers(l)) {
        memcpy(A, before, r.n * sizeof *A);
        memcpy(Q, a->x[0], r.n * sizeof *Q);
        return;
    }
    filter(r.n, r.alpha, before, A);
    filter(r.n, r.alpha, a->x[0], Q);
    if (!l->buf[FED]) return;
    float *restrict leak = a->scratch + 2 * l->tile;
    const float fed = hk_weighted_leak(l, a->t);
    for (size_t i = 0; i < r.n; i++) leak[i] = fed;
    filter(r.n, leak, A, (float *)l->buf[FED + ALPHA] + r.first);
    filter(r.n, leak, Q, (float *)l->buf[FED + BETA] + r.first);
}

HK_CLONES static void forward_tile(hk_node *l, const hk_tile *a)
{
    const rows r = rows_of(l, a);
    const float *before = (const float *)hk_slot(&l->y, a->t - 1) + r.first, *x = a->x[0];
    advance(l, a, r, before);
    float *y = a->y;                     /* may be `before` */
    for (size_t i = 0; i < r.n; i++) y[i] = r.alpha[i] * before[i] + r.beta[i] * x[i];
}

/* ---- backward ---------------------------------------------------------------------------------- */

HK_PART void send_down(const hk_tile *a, rows r, const float *dF)
{
    float *dx = a->dx[0];
    if (!dx) return;
    if (a->add[0])
        for (size_t i = 0; i < r.n; i++) dx[i] += r.beta[i] * dF[i];
    else
        for (size_t i = 0; i < r.n; i++) dx[i] = r.beta[i] * dF[i];
}

/* The gradient of parameter p from the error and what it multiplies. */
HK_PART void sum_up(hk_node *l, const hk_tile *a, size_t n, int p, const float *dF,
                    const float *factor)
{
    float *part = a->scratch + 2 * l->tile;
    const float q = l->net->plan.filter_ratio, scale = q > 0 ? (1 - powf(q, (float)a->t)) / (1 - q) : 1;
    for (size_t i = 0; i < n; i++) part[i] = scale * dF[i] * factor[i];
    hk_sum_tile(l, a, l->sum[p], l->param[p]->n, part);
}

HK_PART void online(hk_node *l, const hk_tile *a, rows r)
{
    for (int p = 0; p < LEARNED && l->sum[p] && !l->n_sense; p++) {
        const float *factor = l->buf[FED] ? l->buf[FED + p] : own(l, p);
        sum_up(l, a, r.n, p, a->dy, factor + r.first);
    }
    send_down(a, r, a->dy);
}

HK_PART void adjoint(hk_node *l, const hk_tile *a, rows r)
{
    float *restrict adj = l->adjoint[0] + r.first;
    for (size_t i = 0; i < r.n; i++) adj[i] += a->dy[i];              /* dF, then dF' */
    if (l->sum[ALPHA]) {
        sum_up(l, a, r.n, ALPHA, adj, (const float *)hk_slot(&l->y, a->t - 1) + r.first);
        sum_up(l, a, r.n, BETA, adj, hk_input_rows(l, 0, a, a->scratch + 2 * l->tile));
    }
    send_down(a, r, adj);
    for (size_t i = 0; i < r.n; i++) adj[i] *= r.alpha[i];
}

HK_CLONES static void backward_tile(hk_node *l, const hk_tile *a)
{
    const rows r = rows_of(l, a);
    if (l->net->plan.adjoint) adjoint(l, a, r);
    else online(l, a, r);
}

/* What the weights behind have summed by line, by who shares it: into the first shard. */
static void gather(hk_node *l, int p, size_t lines)
{
    const size_t n = l->param[p]->n;
    double *sum = l->sense_sum + (size_t)p * lines;
    for (size_t i = 0; i < lines; i++) l->sum[p][i % n] += sum[i];
    memset(sum, 0, lines * sizeof *sum);
}

static void finish(hk_node *l)
{
    const size_t lines = l->rows / (size_t)l->net->spec.batch * channels(l);
    for (int p = 0; p < l->n_sense; p++) gather(l, p, lines);
    for (int p = 0; p < LEARNED && l->sum[p]; p++) {
        const hk_param *q = l->param[p];
        hk_sum_finish(l, l->sum[p], q->n, l->net->plan.leak_mean ? (double)q->n / (double)lines : 1.0, q->g);
    }
}

static bool keeps_input(const hk_node *l) { return learns(l) && l->net->plan.adjoint; }

const hk_layer_ops hk_layer_synapse = {
    .info = { "synapse", "learned first-order filter on presynaptic lines", "SOLSA 2307.11314",
              sizeof(synapse_cfg), fields, HK_COUNT(fields) },
    .n_in = 1, .memory = true, .filter = true, .infer = infer, .bind = bind, .init = init,
    .forward_tile = forward_tile, .backward_tile = backward_tile, .finish = finish,
    .keeps_input = keeps_input,
};
