/* The spiking layer: wraps any neuron and any surrogate, packs spikes into bits, and runs what the
 * rule asks of neuron parameters. Per neuron, with the neuron's local derivatives J, e, i, p
 * (of state to state, to the last spike, to the input, to a parameter), z = U - theta, phi = phi(z):
 *
 *   forward     state[t] from state[t-1], s[t-1], x[t];   s[t] = [z >= 0] or [z > 0]
 *   traces      eps_p[t] = J eps_p[t-1] + p                       (STOP: th~, al~, of any neuron)
 *   online      d = dE/ds phi;   dx = i d;   dp += d (eps_p - [p is theta])
 *   adjoint     du = dE/ds phi + du';   dx = i du;   du' = J^T du;   ds' = e du (reset gradient)
 *               dp += p du - [p is theta] dE/ds phi
 *
 * dE/ds includes the scale on the spikes, and under an adjoint with the reset gradient kept what
 * reaches s[t] through the reset of t+1. At the first step of a truncated window the inherited
 * membrane is a constant, the theta inside it included; the leak that multiplies it is not.
 *
 * Sources: STOP 2411.11082 eq. 24, 26, 27, 30 and STBP 1706.02609, both from one set of
 * derivatives.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

#include <string.h>

typedef enum { PER_LAYER, PER_CHANNEL, PER_NEURON } granularity;
typedef enum { AUTO, YES, NO } choice;

typedef struct spiking_cfg {
    int32_t compare, threshold_granularity, leak_granularity, learn_threshold, learn_leak;
    float   scale;
} spiking_cfg;

static const hk_field fields[] = {
    HK_ROW_ENUM(spiking_cfg, compare, 0, ">=|>", 2, "fires at the threshold, or only above it"),
    HK_ROW_ENUM(spiking_cfg, threshold_granularity, PER_LAYER, "layer|channel|neuron", 3,
                "neurons that share a threshold"),
    HK_ROW_ENUM(spiking_cfg, leak_granularity, PER_LAYER, "layer|channel|neuron", 3,
                "neurons that share a leak, and any other parameter of the neuron"),
    HK_ROW_ENUM(spiking_cfg, learn_threshold, AUTO, "auto|yes|no", 3,
                "auto: learned if the rule does so by a flag of its own"),
    HK_ROW_ENUM(spiking_cfg, learn_leak, AUTO, "auto|yes|no", 3,
                "auto: learned if the rule does so by a flag, or the neuron is made for it"),
    HK_ROW_FLOAT(spiking_cfg, scale, 1, 1e-6, 1e6, "1", "factor on the spikes sent on"),
};

static const spiking_cfg *cfg_of(const hk_node *l) { return l->spec->cfg; }
static const hk_neuron_ops *neuron_of(const hk_node *l) { return l->spec->neuron; }

static granularity share_of(const hk_node *l, int p)
{
    return p == 0 ? (granularity)cfg_of(l)->threshold_granularity
                  : (granularity)cfg_of(l)->leak_granularity;
}

static hk_status infer(hk_node *l, hk_error *e)
{
    HK_CHECK(e, l->spec->neuron && l->spec->surrogate, HK_E_ARG,
             "layer '%s' (spiking): a neuron and a surrogate are needed", l->name);
#ifdef HK_SMOOTH
    l->out.kind = HK_F32;
#else
    l->out.kind = HK_BITS;
#endif
    l->out.scale = cfg_of(l)->scale;
    l->learnable = true;
    return HK_OK;
}

/* ---- memory ------------------------------------------------------------------------------------ */

static choice wish_of(const hk_node *l, int p)
{
    return (choice)(p == 0 ? cfg_of(l)->learn_threshold : cfg_of(l)->learn_leak);
}

/* Whether parameter p has a trace of its own: the rule learns it forward in time. */
static bool traced(const hk_node *l, int p)
{
    const hk_rule_plan *plan = &l->net->plan;
    if (!l->net->spec.learn || plan->adjoint || wish_of(l, p) == NO) return false;
    return p == 0 ? plan->learn_threshold : plan->learn_leak;
}

static hk_param describe(const hk_node *l, int p)
{
    const hk_learn *row = &neuron_of(l)->learn[p];
    const hk_shape s = l->out.shape;
    hk_param d = { .name = row->name, .role = row->role, .lo = row->lo, .hi = row->hi, .rank = 1,
                   .dim = { 1 }, .file_rank = 1, .file_dim = { 1 } };
    if (share_of(l, p) == PER_CHANNEL) d.dim[0] = d.file_dim[0] = s.c;
    if (share_of(l, p) == PER_NEURON) {
        const hk_param map = { .rank = 3, .dim = { s.c, s.h, s.w }, .order = { 1, 2, 0 } };
        d.rank = map.rank;
        memcpy(d.dim, map.dim, sizeof d.dim);
        memcpy(d.order, map.order, sizeof d.order);
        d.file_rank = s.flat || (s.h == 1 && s.w == 1) ? 1 : 3;
        memcpy(d.file_dim, map.dim, sizeof d.file_dim);
        if (d.file_rank == 1) d.file_dim[0] = s.c * s.h * s.w;
    }
    const choice want = wish_of(l, p);
    const hk_rule_plan *plan = &l->net->plan;
    const bool by_rule = p == 0 ? plan->learn_threshold : plan->learn_leak;
    d.learn = want == YES || (want == AUTO && (by_rule || (plan->adjoint && row->by_default)));
    return d;
}

/* What the recipe wants learned must have a gradient. */
static hk_status check_wishes(const hk_node *l, hk_error *e)
{
    const hk_neuron_ops *nn = neuron_of(l);
    if (!l->net->spec.learn || l->net->plan.adjoint) return HK_OK;
    for (int p = 0; p < nn->n_learn; p++)
        HK_CHECK(e, wish_of(l, p) != YES || traced(l, p), HK_E_UNSUP,
                 "rule '%s' gives no gradient of '%s.%s' (%s: yes); use bptt, or stop with %s",
                 l->net->spec.rule->info.name, l->name, nn->learn[p].name,
                 p == 0 ? "learn_threshold" : "learn_leak", p == 0 ? "T" : "L");
    return HK_OK;
}

static hk_status check_weight_trace(const hk_node *l, hk_error *e)
{
    const hk_rule_plan *plan = &l->net->plan;
    if (!l->net->spec.learn || !plan->weights || !plan->weight_trace) return HK_OK;
    HK_CHECK(e, neuron_of(l)->n_learn < 2 || share_of(l, 1) == PER_LAYER, HK_E_UNSUP,
             "rule '%s': a weight trace needs one leak per layer, but layer '%s' has one per %s "
             "(leak_granularity); use sltt, bptt, or stop without W", l->net->spec.rule->info.name,
             l->name, share_of(l, 1) == PER_CHANNEL ? "channel" : "neuron");
    return HK_OK;
}

static hk_status bind(hk_node *l, hk_mem *m, hk_error *e)
{
    HK_TRY(check_wishes(l, e));
    HK_TRY(check_weight_trace(l, e));
    const hk_neuron_ops *nn = neuron_of(l);
    const bool learn = l->net->spec.learn, adjoint = learn && l->net->plan.adjoint;
    const int k = nn->n_state, np = nn->n_learn;
    const size_t bytes = l->rows * (size_t)l->out.shape.c * sizeof(float);
    for (int p = 0; p < np; p++) {
        const hk_param d = describe(l, p);
        hk_param *made = hk_take_param(m, l, &d);
        l->sum[p] = learn && (adjoint || traced(l, p))
                    ? hk_take(m, HK_R_STATE, (size_t)l->shards * made->n * sizeof(double)) : NULL;
        for (int i = 0; i < k; i++)
            l->trace[p][i] = traced(l, p) ? hk_take(m, HK_R_STATE, bytes) : NULL;
    }
    for (int i = 0; i < k; i++) {
        l->state[i] = hk_take_ring(m, adjoint ? HK_R_TAPE : HK_R_STATE, bytes, true);
        l->adjoint[i] = adjoint ? hk_take(m, HK_R_STATE, bytes) : NULL;
    }
    l->spike_adjoint = adjoint && l->net->plan.reset_grad ? hk_take(m, HK_R_STATE, bytes) : NULL;
    l->spikes = hk_take(m, HK_R_STATE, (size_t)l->shards * sizeof(uint64_t));
    l->scratch = 5 + np + k * k + 3 * k + np * k;
    return HK_OK;
}

static void init(hk_node *l, hk_rng r)
{
    (void)r;
    for (int p = 0; p < l->n_param; p++)
        for (size_t i = 0; i < l->param[p]->n; i++)
            l->param[p]->w[i] = neuron_of(l)->learn[p].init(l->spec->neuron_cfg);
}

static void prepare(hk_node *l)
{
    float learn[HK_MAX_LEARN] = { 0 };
    for (int p = 0; p < l->n_param; p++) learn[p] = l->param[p]->w[0];
    l->decay = neuron_of(l)->decay ? neuron_of(l)->decay(learn, l->spec->neuron_cfg) : 0;
}

static void reset(hk_node *l)
{
    const hk_neuron_ops *nn = neuron_of(l);
    for (int i = 0; i < nn->n_state; i++) {
        float *u = hk_slot(&l->state[i], 0);
        const float rest = nn->rest ? nn->rest(l->spec->neuron_cfg, i) : 0;
        for (size_t j = 0; j < l->rows * (size_t)l->out.shape.c; j++) u[j] = rest;
    }
}

/* ---- tiles -------------------------------------------------------------------------------------- */

typedef struct work {                    /* the scratch of a tile, named */
    hk_neuron_step  step;
    hk_neuron_local local;
    float *spike, *s, *z, *phi, *part, *learn[HK_MAX_LEARN], *du[HK_MAX_STATE];
} work;

HK_PART float *take(float **at, size_t n)
{
    float *p = *at;
    *at += n;
    return p;
}

HK_PART void fill(const hk_node *l, const hk_tile *a, int p, float *out)
{
    const size_t c = (size_t)l->out.shape.c, n = a->rows * c;
    const float *w = l->param[p]->w;
    if (share_of(l, p) == PER_LAYER) {
        const float v = w[0];
        for (size_t i = 0; i < n; i++) out[i] = v;
        return;
    }
    const size_t maps = share_of(l, p) == PER_CHANNEL ? 1 : (size_t)(l->out.shape.h * l->out.shape.w);
    for (size_t r = 0; r < a->rows; r++)
        memcpy(out + r * c, w + (a->row + r) % maps * c, c * sizeof *w);
}

HK_PART void name_scratch(const hk_node *l, const hk_tile *a, work *w)
{
    const hk_neuron_ops *nn = neuron_of(l);
    const size_t tile = l->tile, first = a->row * (size_t)l->out.shape.c;
    float *at = a->scratch;
    w->spike = take(&at, tile);
    w->s = take(&at, tile);
    w->z = take(&at, tile);
    w->phi = take(&at, tile);
    w->part = take(&at, tile);
    for (int p = 0; p < nn->n_learn; p++) fill(l, a, p, w->learn[p] = take(&at, tile));
    w->step = (hk_neuron_step){ .n = a->rows * (size_t)l->out.shape.c, .spike = w->spike };
    for (int i = 0; i < nn->n_state; i++) {
        w->step.prev[i] = (const float *)hk_slot(&l->state[i], a->t - 1) + first;
        w->step.state[i] = (float *)hk_slot(&l->state[i], a->t) + first;
        w->du[i] = take(&at, tile);
        w->local.spike[i] = take(&at, tile);
        w->local.input[i] = take(&at, tile);
        for (int j = 0; j < nn->n_state; j++) w->local.jac[i][j] = take(&at, tile);
        for (int p = 0; p < nn->n_learn; p++) w->local.param[p][i] = take(&at, tile);
    }
    for (int p = 0; p < nn->n_learn; p++) w->step.learn[p] = w->learn[p];
}

/* Spikes of step t at these rows, 0 or 1. */
HK_PART void read_spikes(const hk_node *l, const hk_tile *a, int t, float *out)
{
    const size_t c = (size_t)l->out.shape.c;
    const char *y = (const char *)hk_slot(&l->y, t) + a->row * hk_row_bytes(l->out.kind, c);
    if (l->out.kind == HK_BITS) {
        l->net->spec.kernels->unpack(a->rows, c, (const uint32_t *)(const void *)y, 1.0f, out);
        return;
    }
    for (size_t i = 0; i < a->rows * c; i++)
        out[i] = ((const float *)(const void *)y)[i] / l->out.scale;
}

HK_PART void fire(hk_node *l, const hk_tile *a, const work *w)
{
    const size_t n = w->step.n;
    const float *u = w->step.state[0], *theta = w->learn[0];
    float *s = w->s;
#ifdef HK_SMOOTH
    for (size_t i = 0; i < n; i++)
        s[i] = (float)l->spec->surrogate->primitive((double)(u[i] - theta[i]), l->spec->surrogate_cfg);
    for (size_t i = 0; i < n; i++) a->y[i] = s[i] * l->out.scale;
#else
    const size_t c = (size_t)l->out.shape.c;
    if (cfg_of(l)->compare == 0)
        for (size_t i = 0; i < n; i++) s[i] = u[i] >= theta[i] ? 1.0f : 0.0f;
    else
        for (size_t i = 0; i < n; i++) s[i] = u[i] > theta[i] ? 1.0f : 0.0f;
    char *y = (char *)hk_slot(&l->y, a->t) + a->row * hk_row_bytes(HK_BITS, c);
    l->spikes[a->shard] += l->net->spec.kernels->pack(a->rows, c, s, (uint32_t *)(void *)y);
#endif
}

/* eps = J eps + p, for one and for two states. */
HK_PART void advance_trace(const hk_node *l, const hk_tile *a, const work *w, int p)
{
    const size_t n = w->step.n, first = a->row * (size_t)l->out.shape.c;
    float *restrict e0 = l->trace[p][0] + first;
    const float *restrict p0 = w->local.param[p][0], *restrict j00 = w->local.jac[0][0];
    if (neuron_of(l)->n_state == 1) {
        for (size_t i = 0; i < n; i++) e0[i] = j00[i] * e0[i] + p0[i];
        return;
    }
    float *restrict e1 = l->trace[p][1] + first;
    const float *restrict p1 = w->local.param[p][1], *restrict j01 = w->local.jac[0][1];
    const float *restrict j10 = w->local.jac[1][0], *restrict j11 = w->local.jac[1][1];
    for (size_t i = 0; i < n; i++) {
        const float a0 = e0[i], a1 = e1[i];
        e0[i] = j00[i] * a0 + j01[i] * a1 + p0[i];
        e1[i] = j10[i] * a0 + j11[i] * a1 + p1[i];
    }
}

HK_CLONES static void forward_tile(hk_node *l, const hk_tile *a)
{
    const hk_neuron_ops *nn = neuron_of(l);
    work w;
    name_scratch(l, a, &w);
    w.step.x = a->x[0];
    read_spikes(l, a, a->t - 1, w.spike);
    bool any = false;
    for (int p = 0; p < nn->n_learn; p++) any |= l->trace[p][0] != NULL;
    if (any) nn->local(&w.step, &w.local, l->spec->neuron_cfg);
    for (int p = 0; p < nn->n_learn; p++)
        if (l->trace[p][0]) advance_trace(l, a, &w, p);
    nn->step(&w.step, l->spec->neuron_cfg);
    fire(l, a, &w);
}

HK_PART void surrogate_at(const hk_node *l, work *w)
{
    const float *u = w->step.state[0], *theta = w->learn[0];
    for (size_t i = 0; i < w->step.n; i++) w->z[i] = u[i] - theta[i];
    l->spec->surrogate->derivative(w->step.n, w->z, w->phi, l->spec->surrogate_cfg);
}

HK_PART void send_down(const hk_tile *a, size_t n, const float *gain, const float *d)
{
    float *dx = a->dx[0];
    if (!dx) return;
    if (a->add[0])
        for (size_t i = 0; i < n; i++) dx[i] += gain[i] * d[i];
    else
        for (size_t i = 0; i < n; i++) dx[i] = gain[i] * d[i];
}

HK_PART void watch_delta(const hk_node *l, const hk_tile *a, size_t n, const float *d)
{
    float *out = l->watch_delta;
    if (!out) return;
    out += a->row * (size_t)l->out.shape.c;
    for (size_t i = 0; i < n; i++) out[i] += d[i];
}

HK_PART void online(hk_node *l, const hk_tile *a, work *w)
{
    const hk_neuron_ops *nn = neuron_of(l);
    const size_t n = w->step.n, first = a->row * (size_t)l->out.shape.c;
    float *restrict d = w->du[0], *restrict part = w->part;
    const float *restrict dy = a->dy, *restrict phi = w->phi;
    const float scale = l->out.scale;
    for (size_t i = 0; i < n; i++) d[i] = scale * dy[i] * phi[i];
    watch_delta(l, a, n, d);
    for (int p = 0; p < nn->n_learn; p++) {
        if (!l->trace[p][0]) continue;
        const float *restrict eps = l->trace[p][0] + first;
        const float direct = p == 0 ? 1.0f : 0.0f;
        for (size_t i = 0; i < n; i++) part[i] = d[i] * (eps[i] - direct);
        hk_sum_tile(l, a, l->sum[p], l->param[p]->n, part);
    }
    if (!a->dx[0]) return;
    nn->gain(n, w->step.learn, w->local.input[0], l->spec->neuron_cfg);
    send_down(a, n, w->local.input[0], d);
}

/* du, the total error at each state; adj for the step before. */
HK_PART void run_adjoint(const hk_node *l, const hk_tile *a, work *w)
{
    const int k = neuron_of(l)->n_state;
    const size_t n = w->step.n, first = a->row * (size_t)l->out.shape.c;
    for (int i = 0; i < k; i++) {
        const float *adj = l->adjoint[i] + first;
        for (size_t j = 0; j < n; j++) w->du[i][j] = adj[j] + (i == 0 ? w->s[j] : 0.0f);
    }
    for (int j = 0; j < k; j++) {
        float *adj = l->adjoint[j] + first;
        for (size_t q = 0; q < n; q++) adj[q] = w->du[0][q] * w->local.jac[0][j][q];
        for (int i = 1; i < k; i++)
            for (size_t q = 0; q < n; q++) adj[q] += w->du[i][q] * w->local.jac[i][j][q];
    }
    if (!l->spike_adjoint) return;
    float *ds = l->spike_adjoint + first;
    for (size_t q = 0; q < n; q++) ds[q] = w->du[0][q] * w->local.spike[0][q];
    for (int i = 1; i < k; i++)
        for (size_t q = 0; q < n; q++) ds[q] += w->du[i][q] * w->local.spike[i][q];
}

HK_PART void sum_parameters(hk_node *l, const hk_tile *a, const work *w)
{
    const hk_neuron_ops *nn = neuron_of(l);
    const bool inherited = a->t == l->net->t0 && a->t > 1;
    for (int p = 0; p < nn->n_learn; p++) {
        if (!l->param[p]->learn && !l->net->watch) continue;
        for (size_t q = 0; q < w->step.n; q++) w->part[q] = p == 0 ? -w->s[q] : 0.0f;
        for (int i = 0; i < nn->n_state && !(p == 0 && inherited); i++)
            for (size_t q = 0; q < w->step.n; q++)
                w->part[q] += w->du[i][q] * w->local.param[p][i][q];
        hk_sum_tile(l, a, l->sum[p], l->param[p]->n, w->part);
    }
}

HK_PART void adjoint(hk_node *l, const hk_tile *a, work *w)
{
    const hk_neuron_ops *nn = neuron_of(l);
    const size_t n = w->step.n, first = a->row * (size_t)l->out.shape.c;
    const float *ds = l->spike_adjoint ? l->spike_adjoint + first : NULL;
    read_spikes(l, a, a->t - 1, w->spike);
    nn->local(&w->step, &w->local, l->spec->neuron_cfg);
    for (size_t i = 0; i < n; i++)       /* s: dE/ds phi */
        w->s[i] = (l->out.scale * a->dy[i] + (ds ? ds[i] : 0.0f)) * w->phi[i];
    run_adjoint(l, a, w);
    watch_delta(l, a, n, w->du[0]);
    sum_parameters(l, a, w);
    for (int i = 1; i < nn->n_state; i++)          /* dx = sum_i input_i du_i, folded into du_0 */
        for (size_t q = 0; q < n; q++)
            w->du[0][q] = i == 1 ? w->local.input[0][q] * w->du[0][q] + w->local.input[1][q] * w->du[1][q]
                                 : w->du[0][q];
    if (nn->n_state > 1)
        for (size_t q = 0; q < n; q++) w->local.input[0][q] = 1.0f;
    send_down(a, n, w->local.input[0], w->du[0]);
}

HK_CLONES static void backward_tile(hk_node *l, const hk_tile *a)
{
    work w;
    name_scratch(l, a, &w);
    surrogate_at(l, &w);
    if (l->net->plan.adjoint) adjoint(l, a, &w);
    else online(l, a, &w);
}

static void finish(hk_node *l)
{
    const size_t neurons = (size_t)l->out.shape.h * (size_t)l->out.shape.w * (size_t)l->out.shape.c;
    for (int p = 0; p < l->n_param; p++) {
        hk_param *q = l->param[p];
        if (!l->sum[p]) continue;
        const bool mean = q->role == HK_LEAK && l->net->plan.leak_mean;
        hk_sum_finish(l, l->sum[p], q->n, mean ? (double)q->n / (double)neurons : 1.0, q->g);
    }
}

const hk_layer_ops hk_layer_spiking = {
    .info = { "spiking", "spikes of a neuron model, with a surrogate for learning",
              "STOP 2411.11082 eq. 3-30; STBP 1706.02609", sizeof(spiking_cfg), fields,
              HK_COUNT(fields) },
    .n_in = 1, .memory = true, .infer = infer, .bind = bind, .init = init, .prepare = prepare,
    .reset = reset, .forward_tile = forward_tile, .backward_tile = backward_tile, .finish = finish,
};
