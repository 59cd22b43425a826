/* The steps of the spiking layer: states, spikes and traces of a tile forwards, errors and gradients of
 * neuron parameters backwards. spiking.c has the equations.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "spiking_emit.h"

#include "eligibility.h"
#include "traces.h"

#include <string.h>

#include "counts.h"

typedef struct work {                    /* the scratch of a tile, named */
    hk_neuron_step  step;
    hk_neuron_local local;
    float *spike, *s, *z, *phi, *part, *learn[HK_MAX_LEARN], *du[HK_MAX_STATE];
    float *eps[HK_MAX_STATE];            /* of one parameter; NULL if traces are floats: see read_trace */
} work;

int hk_spiking_scratch(const hk_node *l)
{
    const hk_neuron_ops *nn = hk_neuron_of(l);
    const int rest = hk_spiking_of(l)->recurrent ? 0 : nn->n_state;
    const int eps = hk_trace_kind(l) == HK_F32 ? 0 : nn->n_state;
    return 5 + nn->n_learn + nn->n_state * (nn->n_state + 3 + nn->n_learn) + rest + eps;
}

HK_PART float *take(float **at, size_t n)
{
    float *p = *at;
    *at += n;
    return p;
}

/* Parameter p as one value per neuron, as step t has it. */
HK_PART void fill(const hk_node *l, const hk_tile *a, int p, int t, float *out)
{
    const size_t own = l->param[p]->n / (size_t)hk_own_steps(l);
    hk_spread(hk_share_of(l, p), l, a, l->param[p]->w + hk_own_step(l, t) * own, out);
}

/* recurrent: false. The state before every step is that of rest. */
HK_PART void start_at_rest(const hk_node *l, work *w, float **at)
{
    const hk_neuron_ops *nn = hk_neuron_of(l);
    for (int i = 0; i < nn->n_state; i++) {
        float *prev = take(at, l->tile);
        const float rest = nn->rest ? nn->rest(l->spec->neuron_cfg, i) : 0;
        for (size_t k = 0; k < w->step.n; k++) prev[k] = rest;
        w->step.prev[i] = prev;
    }
}

HK_PART void name_scratch(const hk_node *l, const hk_tile *a, work *w)
{
    const hk_neuron_ops *nn = hk_neuron_of(l);
    const size_t tile = l->tile, first = a->row * (size_t)l->out.shape.c;
    float *at = a->scratch;
    w->spike = take(&at, tile);
    w->s = take(&at, tile);
    w->z = take(&at, tile);
    w->phi = take(&at, tile);
    w->part = take(&at, tile);
    for (int p = 0; p < nn->n_learn; p++) fill(l, a, p, a->t, w->learn[p] = take(&at, tile));
    w->step = (hk_neuron_step){ .n = a->rows * (size_t)l->out.shape.c, .spike = w->spike };
    const bool floats = hk_trace_kind(l) == HK_F32;
    for (int i = 0; i < nn->n_state; i++) {
        w->eps[i] = floats ? NULL : take(&at, tile);
        w->step.prev[i] = (const float *)hk_slot(&l->state[i], a->t - 1) + first;
        w->step.state[i] = (float *)hk_slot(&l->state[i], a->t) + first;
        w->du[i] = take(&at, tile);
        w->local.spike[i] = take(&at, tile);
        w->local.input[i] = take(&at, tile);
        for (int j = 0; j < nn->n_state; j++) w->local.jac[i][j] = take(&at, tile);
        for (int p = 0; p < nn->n_learn; p++) w->local.param[p][i] = take(&at, tile);
    }
    for (int p = 0; p < nn->n_learn; p++) w->step.learn[p] = w->learn[p];
    if (!hk_spiking_of(l)->recurrent) start_at_rest(l, w, &at);
}

/* Spikes of the step before. */
HK_PART void spikes_before(const hk_node *l, const hk_tile *a, work *w)
{
    const hk_spiking_cfg *c = hk_spiking_of(l);
    const float *theta = w->learn[0];
    const int t = a->t - 1;
    if (!c->recurrent) {
        for (size_t i = 0; i < w->step.n; i++) w->spike[i] = 0;
        return;
    }
    if (c->per_step && t > 0 && hk_graded(l)) {
        fill(l, a, 0, t, w->z);
        theta = w->z;
    }
    hk_recall_spikes(l, a, t, w->step.prev[0], theta, w->spike);
}

/* z and phi at membrane u. */
HK_PART void slope_at(const hk_node *l, work *w, const float *u)
{
    const float *theta = w->learn[0];
    for (size_t i = 0; i < w->step.n; i++) w->z[i] = u[i] - theta[i];
    hk_slope(l, w->step.n, w->z, w->phi);
}

/* In place of the state before. Forward has no use for du. */
HK_PART void start_fresh(const hk_node *l, work *w)
{
    const hk_neuron_ops *nn = hk_neuron_of(l);
    for (int i = 0; i < nn->n_state; i++) {
        const float rest = nn->rest ? nn->rest(l->spec->neuron_cfg, i) : 0;
        for (size_t k = 0; k < w->step.n; k++) w->du[i][k] = rest;
        w->step.prev[i] = w->du[i];
    }
}

/* The tile of trace p, state i, as floats. */
HK_PART float *read_trace(const hk_node *l, const hk_tile *a, const work *w, int p, int i)
{
    return hk_trace_read(hk_trace_kind(l), l->trace[p][i], a->row * (size_t)l->out.shape.c, w->step.n,
                         w->eps[i]);
}

HK_PART void write_trace(const hk_node *l, const hk_tile *a, const work *w, int p, int i, const float *v)
{
    hk_trace_write(hk_trace_kind(l), l->trace[p][i], a->row * (size_t)l->out.shape.c, w->step.n, v);
}

/* The trace of the step before, and the one that follows. At a fresh start it is zero, at hand in scratch that
 * only backward and kept resets use. */
HK_PART float *open_trace(const hk_node *l, const hk_tile *a, const work *w, int p, int i)
{
    if (!hk_spiking_fresh(l, a->t)) return read_trace(l, a, w, p, i);
    float *v = i == 0 ? w->z : w->phi;
    memset(v, 0, w->step.n * sizeof *v);
    return v;
}

HK_PART void close_trace(const hk_node *l, const hk_tile *a, const work *w, int p, int i, const float *v)
{
    if (hk_spiking_fresh(l, a->t) && hk_trace_kind(l) == HK_F32)
        memcpy((float *)l->trace[p][i] + a->row * (size_t)l->out.shape.c, v, w->step.n * sizeof *v);
    else
        write_trace(l, a, w, p, i, v);
}

/* trace_reset: kept. p += e ds_p, with phi of the step before in w->phi. */
HK_PART void add_reset(const hk_node *l, const work *w, int p, const float *restrict eps)
{
    const size_t n = w->step.n;
    const float *restrict phi = w->phi;
    const float direct = p == 0 ? 1.0f : 0.0f;
    for (int k = 0; k < hk_neuron_of(l)->n_state; k++) {
        const float *restrict e = w->local.spike[k];
        float *restrict out = w->local.param[p][k];
        for (size_t i = 0; i < n; i++) out[i] += e[i] * phi[i] * (eps[i] - direct);
    }
}

/* For the weights in front: J + e phi, with phi of the step before (kept), and i. */
HK_PART void tell(const hk_node *l, const hk_tile *a, const work *w, bool kept)
{
    const int k = hk_neuron_of(l)->n_state;
    const size_t n = w->step.n, first = a->row * (size_t)l->out.shape.c;
    for (int i = 0; i < k; i++) {
        memcpy(hk_told(l, k * k + i) + first, w->local.input[i], n * sizeof(float));
        for (int j = 0; j < k; j++) {
            float *r = hk_told(l, i * k + j) + first;
            if (hk_spiking_of(l)->recurrent) memcpy(r, w->local.jac[i][j], n * sizeof(float));
            else memset(r, 0, n * sizeof(float));
        }
        if (!kept) continue;
        float *restrict r = hk_told(l, i * k) + first;
        const float *restrict e = w->local.spike[i], *restrict phi = w->phi;
        for (size_t q = 0; q < n; q++) r[q] += e[q] * phi[q];
    }
}

/* eps = J eps + p, for one and for two states; kept: with what the last spike adds to p. */
HK_PART void advance_trace(const hk_node *l, const hk_tile *a, const work *w, int p, bool kept)
{
    const size_t n = w->step.n;
    float *restrict e0 = open_trace(l, a, w, p, 0);
    if (kept) add_reset(l, w, p, e0);
    const float *restrict p0 = w->local.param[p][0], *restrict j00 = w->local.jac[0][0];
    if (hk_neuron_of(l)->n_state == 1) {
        for (size_t i = 0; i < n; i++) e0[i] = j00[i] * e0[i] + p0[i];
        close_trace(l, a, w, p, 0, e0);
        return;
    }
    float *restrict e1 = open_trace(l, a, w, p, 1);
    const float *restrict p1 = w->local.param[p][1], *restrict j01 = w->local.jac[0][1];
    const float *restrict j10 = w->local.jac[1][0], *restrict j11 = w->local.jac[1][1];
    for (size_t i = 0; i < n; i++) {
        const float a0 = e0[i], a1 = e1[i];
        e0[i] = j00[i] * a0 + j01[i] * a1 + p0[i];
        e1[i] = j10[i] * a0 + j11[i] * a1 + p1[i];
    }
    close_trace(l, a, w, p, 0, e0);
    close_trace(l, a, w, p, 1, e1);
}

/* States and traces of the next tile. */
HK_PART void prefetch_next(const hk_node *l, const hk_tile *a, const float *const state[], size_t n)
{
    const size_t next = a->row * (size_t)l->out.shape.c + n;
    for (int i = 0; i < hk_neuron_of(l)->n_state; i++) {
        hk_prefetch(state[i] + n, n);
        for (int p = 0; p < hk_neuron_of(l)->n_learn; p++)
            if (l->trace[p][i]) hk_trace_prefetch(hk_trace_kind(l), l->trace[p][i], next, n);
    }
}

/* Neither state nor last spike reaches the trace: eps = p. */
HK_PART void copy_trace(const hk_node *l, const hk_tile *a, const work *w, int p)
{
    float *eps = open_trace(l, a, w, p, 0);
    memcpy(eps, w->local.param[p][0], w->step.n * sizeof(float));
    close_trace(l, a, w, p, 0, eps);
}

/* z and phi of the step before. */
HK_PART void slope_before(const hk_node *l, const hk_tile *a, work *w)
{
    float *now = w->learn[0];
    if (hk_spiking_of(l)->per_step) fill(l, a, 0, a->t - 1, w->learn[0] = w->part);
    slope_at(l, w, w->step.prev[0]);
    w->learn[0] = now;
}

HK_PART void advance_traces(const hk_node *l, const hk_tile *a, work *w)
{
    const hk_neuron_ops *nn = hk_neuron_of(l);
    const hk_spiking_cfg *c = hk_spiking_of(l);
    bool any = l->told != NULL;
    for (int p = 0; p < nn->n_learn; p++) any |= l->trace[p][0] != NULL;
    if (!any) return;
    nn->local(&w->step, &w->local, l->spec->neuron_cfg);
    const bool kept = l->net->plan.trace_reset && c->recurrent && a->t > 1;  /* at rest nothing fires */
    if (kept) slope_before(l, a, w);
    if (l->told) tell(l, a, w, kept);
    for (int p = 0; p < nn->n_learn; p++) {
        if (!l->trace[p][0]) continue;
        if (c->per_step || !c->recurrent) {
            copy_trace(l, a, w, p);
            continue;
        }
        advance_trace(l, a, w, p, kept);
    }
}

HK_PART void map(const hk_node *l, const hk_tile *a, work *w)
{
    if (hk_spiking_fresh(l, a->t)) start_fresh(l, w);
    else prefetch_next(l, a, w->step.prev, w->step.n);
    w->step.x = a->x[0];
    spikes_before(l, a, w);
    advance_traces(l, a, w);
    hk_neuron_of(l)->step(&w->step, l->spec->neuron_cfg);
}

HK_CLONES void hk_spiking_forward_tile(hk_node *l, const hk_tile *a)
{
    work w;
    name_scratch(l, a, &w);
    map(l, a, &w);
    hk_emit(l, a, w.step.state[0], w.learn[0], w.s);
    if (l->net->phase == HK_SPIKES) hk_counts_step(l, a, w.s, w.step.state[0]);
}

HK_CLONES void hk_spiking_map_tile(hk_node *l, const hk_tile *a)
{
    work w;
    name_scratch(l, a, &w);
    map(l, a, &w);
}

HK_CLONES void hk_spiking_fire_tile(hk_node *l, const hk_tile *a)
{
    work w;
    name_scratch(l, a, &w);
    hk_emit(l, a, w.step.state[0], w.learn[0], w.s);
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

/* Adds to the gradient of parameter p, as step t has it. */
HK_PART void sum_step(const hk_node *l, const hk_tile *a, int p, const float *part)
{
    const size_t groups = l->param[p]->n / (size_t)hk_own_steps(l);
    hk_sum_tile(l, a, l->sum[p] + hk_own_step(l, a->t) * groups * (size_t)l->shards, groups, part);
}

/* From d, the error at the membrane, down; fires: it is the error at the firing point, too. */
HK_PART void online_down(hk_node *l, const hk_tile *a, work *w, bool fires)
{
    const hk_neuron_ops *nn = hk_neuron_of(l);
    const size_t n = w->step.n, first = a->row * (size_t)l->out.shape.c;
    float *restrict d = w->du[0], *restrict part = w->part;
    watch_delta(l, a, n, d);
    if (l->told) memcpy(hk_told_delta(l) + first, d, n * sizeof *d);
    for (int p = 0; p < nn->n_learn; p++) {
        if (!l->trace[p][0]) continue;
        const float *restrict eps = read_trace(l, a, w, p, 0);
        const float direct = p == 0 && fires ? 1.0f : 0.0f;
        for (size_t i = 0; i < n; i++) part[i] = d[i] * (eps[i] - direct);
        sum_step(l, a, p, part);
    }
    if (!a->dx[0]) return;
    nn->gain(n, w->step.learn, w->local.input[0], l->spec->neuron_cfg);
    send_down(a, n, w->local.input[0], d);
}

HK_PART void online(hk_node *l, const hk_tile *a, work *w)
{
    const size_t n = w->step.n;
    float *restrict d = w->du[0];
    const float *dy = a->dy, *restrict phi = w->phi;
    slope_at(l, w, w->step.state[0]);
    hk_slope_sent(l, n, w->z, w->phi);
    const float scale = hk_spiking_of(l)->scale;
    for (size_t i = 0; i < n; i++) d[i] = scale * dy[i] * phi[i];
    online_down(l, a, w, true);
}

/* du, the total error at each state. */
HK_PART void total_error(const hk_node *l, const hk_tile *a, work *w)
{
    const size_t first = a->row * (size_t)l->out.shape.c;
    for (int i = 0; i < hk_neuron_of(l)->n_state; i++) {
        const float *adj = l->adjoint[i] ? l->adjoint[i] + first : NULL;
        for (size_t j = 0; j < w->step.n; j++)
            w->du[i][j] = (adj ? adj[j] : 0.0f) + (i == 0 ? w->s[j] : 0.0f);
    }
}

/* From du, the error at each state and last spike of the step before. */
HK_PART void run_adjoint(const hk_node *l, const hk_tile *a, work *w)
{
    const int k = hk_neuron_of(l)->n_state;
    const size_t n = w->step.n, first = a->row * (size_t)l->out.shape.c;
    if (!l->adjoint[0]) return;
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

HK_PART bool wanted(const hk_node *l, int p)
{
    return l->net->plan.adjoint ? l->param[p]->learn || l->net->watch : l->trace[p][0] != NULL;
}

HK_PART void sum_parameters(hk_node *l, const hk_tile *a, const work *w)
{
    const hk_neuron_ops *nn = hk_neuron_of(l);
    const bool inherited = a->t == l->net->t0 && a->t > 1;
    for (int p = 0; p < nn->n_learn; p++) {
        if (!wanted(l, p)) continue;
        for (size_t q = 0; q < w->step.n; q++) w->part[q] = p == 0 ? -w->s[q] : 0.0f;
        for (int i = 0; i < nn->n_state && !(p == 0 && inherited); i++)
            for (size_t q = 0; q < w->step.n; q++)
                w->part[q] += w->du[i][q] * w->local.param[p][i][q];
        sum_step(l, a, p, w->part);
    }
}

/* s: what reaches z, dE/ds phi. */
HK_PART void error_at_z(const hk_node *l, const hk_tile *a, work *w)
{
    const size_t n = w->step.n;
    const float *ds = l->spike_adjoint ? l->spike_adjoint + a->row * (size_t)l->out.shape.c : NULL;
    const float scale = hk_spiking_of(l)->scale;
    if (l->out.kind == HK_COUNTS && ds) {            /* the reset has another slope than what is sent */
        for (size_t i = 0; i < n; i++) w->s[i] = ds[i] * w->phi[i];
        hk_slope_sent(l, n, w->z, w->phi);
        for (size_t i = 0; i < n; i++) w->s[i] += scale * a->dy[i] * w->phi[i];
        return;
    }
    hk_slope_sent(l, n, w->z, w->phi);
    for (size_t i = 0; i < n; i++) w->s[i] = (scale * a->dy[i] + (ds ? ds[i] : 0.0f)) * w->phi[i];
}

/* From du down; s: what of it is the error at the firing point. */
HK_PART void adjoint_down(hk_node *l, const hk_tile *a, work *w)
{
    const hk_neuron_ops *nn = hk_neuron_of(l);
    const size_t n = w->step.n;
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

HK_PART void adjoint(hk_node *l, const hk_tile *a, work *w)
{
    spikes_before(l, a, w);
    hk_neuron_of(l)->local(&w->step, &w->local, l->spec->neuron_cfg);
    slope_at(l, w, w->step.state[0]);
    error_at_z(l, a, w);
    total_error(l, a, w);
    adjoint_down(l, a, w);
}

HK_CLONES void hk_spiking_error_tile(hk_node *l, const hk_tile *a)
{
    work w;
    name_scratch(l, a, &w);
    slope_at(l, &w, w.step.state[0]);
    error_at_z(l, a, &w);
    total_error(l, a, &w);
    memcpy(hk_dy(l, a->t) + a->row * (size_t)l->out.shape.c, w.du[0], w.step.n * sizeof(float));
    if (!wanted(l, 0)) return;
    for (size_t i = 0; i < w.step.n; i++) w.part[i] = -w.s[i];
    sum_step(l, a, 0, w.part);
}

HK_CLONES void hk_spiking_down_tile(hk_node *l, const hk_tile *a, float *m)
{
    work w;
    name_scratch(l, a, &w);
    memcpy(w.du[0], a->dy, w.step.n * sizeof(float));
    if (!l->net->plan.adjoint) {
        online_down(l, a, &w, false);
        return;
    }
    spikes_before(l, a, &w);
    w.step.state[0] = m;
    hk_neuron_of(l)->local(&w.step, &w.local, l->spec->neuron_cfg);
    memset(w.s, 0, w.step.n * sizeof(float));
    adjoint_down(l, a, &w);
}

HK_CLONES void hk_spiking_backward_tile(hk_node *l, const hk_tile *a)
{
    work w;
    name_scratch(l, a, &w);
    prefetch_next(l, a, (const float *const *)w.step.state, w.step.n);
    if (!l->inner_dy) hk_prefetch(a->dy + w.step.n, w.step.n);
    if (l->net->plan.adjoint) adjoint(l, a, &w);
    else online(l, a, &w);
}

