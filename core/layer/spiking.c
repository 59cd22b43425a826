/* The spiking layer: wraps any neuron and any surrogate, sends spikes as bits, counts or floats, and
 * runs what the rule asks of neuron parameters. Per neuron, with the neuron's local derivatives J, e, i,
 * p (of state to state, to the last spike, to the input, to a parameter), z = U - theta, phi = ds/dz:
 *
 *   forward     state[t] from state[t-1], s[t-1], x[t]
 *   step        s[t] = [z >= 0] or [z > 0]                        phi = the surrogate at z
 *   graded      s[t] = max(z, 0)                                  phi = [z >= 0], exact
 *   traces      eps_p[t] = J eps_p[t-1] + p                       (STOP: th~, al~, of any neuron)
 *               + e ds_p[t-1],  ds_p = phi (eps_p - [p is theta])     with trace_reset: kept
 *   online      d = dE/ds phi;   dx = i d;   dp += d (eps_p - [p is theta])
 *   adjoint     du = dE/ds phi + du';   dx = i du;   du' = J^T du;   ds' = e du (reset gradient)
 *               dp += p du - [p is theta] dE/ds phi
 *
 * dE/ds includes the scale on the spikes, and under an adjoint with the reset gradient kept what
 * reaches s[t] through the reset of t+1. At the first step of a truncated window the inherited
 * membrane is a constant, the theta inside it included; the leak that multiplies it is not.
 *
 * per_step gives each of the T steps parameters of its own: the map and the firing of step t use those
 * of step t. Their traces are p alone: that parameters of step t act on later steps through the state
 * is dropped online, as it would take a trace per step. recurrent: false starts every step at rest,
 * J = e = 0.
 *
 * How traces lie in memory: traces.h.
 *
 * In a count branch (hk_phase) the spikes of the steps are counted, and at the step on sums counts.c
 * takes the place of firing.
 *
 * Sources: STOP 2411.11082 eq. 24, 26, 27, 30 and STBP 1706.02609, both from one set of
 * derivatives. The kept reset follows from the chain rule; it, graded spikes, parameters per step and
 * the form without recurrence are what EM-PF, 2410.07547, is made of.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "spiking.h"

#include "eligibility.h"
#include "membrane_norm.h"
#include "traces.h"

#include <string.h>

#include "counts.h"

#ifdef HK_SMOOTH                        /* tests: F, the primitive of the surrogate, in place of firing */
#  define HK_SPIKE_KIND HK_F32
#else
#  define HK_SPIKE_KIND HK_BITS
#endif

typedef enum { AUTO, YES, NO } choice;

static const hk_field fields[] = {
    HK_ROW_ENUM(hk_spiking_cfg, compare, 0, ">=|>", 2, "fires at the threshold, or only above it"),
    HK_ROW_ENUM(hk_spiking_cfg, threshold_granularity, HK_PER_LAYER, "layer|channel|neuron", 3,
                "neurons that share a threshold"),
    HK_ROW_ENUM(hk_spiking_cfg, leak_granularity, HK_PER_LAYER, "layer|channel|neuron", 3,
                "neurons that share a leak, and any other parameter of the neuron"),
    HK_ROW_ENUM(hk_spiking_cfg, learn_threshold, AUTO, "auto|yes|no", 3,
                "auto: learned if the rule does so by a flag of its own"),
    HK_ROW_ENUM(hk_spiking_cfg, learn_leak, AUTO, "auto|yes|no", 3,
                "auto: learned if the rule does so by a flag, or the neuron is made for it"),
    HK_ROW_ENUM(hk_spiking_cfg, threshold_init, 0, "value|uniform", 2,
                "first thresholds: the neuron's, or drawn from 0 to it"),
    HK_ROW_FLOAT(hk_spiking_cfg, scale, 1, 1e-6, 1e6, "1", "factor on the spikes sent on"),
    HK_ROW_ENUM(hk_spiking_cfg, emission, HK_EMISSION_AUTO, "auto|step|graded", 3,
                "a spike is 1, or what exceeds the threshold (no surrogate); auto: as the neuron has it"),
    HK_ROW_INT(hk_spiking_cfg, spike_bits, 0, 0, 8, "bits",
               "graded spikes sent on as multiples of spike_step below 2^bits; 0: as floats"),
    HK_ROW_FLOAT(hk_spiking_cfg, spike_step, 0.25, 1e-6, 1e6, "1", "unit of quantised graded spikes"),
    HK_ROW_BOOL(hk_spiking_cfg, per_step, 0, "every time step has parameters of its own"),
    HK_ROW_BOOL(hk_spiking_cfg, recurrent, 1, "keep the state from step to step; no: start at rest"),
    HK_ROW_BOOL(hk_spiking_cfg, membrane_norm, 0, "batch norm between the neuron's map and its threshold"),
    HK_ROW_ENUM(hk_spiking_cfg, norm_mode, 0, "train|eval", 2,
                "its statistics while training: of the instant, or the running ones"),
    HK_ROW_FLOAT(hk_spiking_cfg, norm_eps, 1e-5, 1e-12, 1, "1", "added to its variance"),
    HK_ROW_FLOAT(hk_spiking_cfg, norm_momentum, 0.1, 0, 1, "1", "share of the new statistics, per step"),
};

static const hk_layer_ops normed;        /* the same, with a whole stage around */

static hk_status infer(hk_node *l, hk_error *e)
{
    const hk_spiking_cfg *c = hk_spiking_of(l);
    HK_CHECK(e, l->spec->neuron && (l->spec->surrogate || hk_graded(l)), HK_E_ARG,
             "layer '%s' (spiking): a neuron and a surrogate are needed", l->name);
    HK_CHECK(e, hk_graded(l) || !c->spike_bits, HK_E_ARG,
             "layer '%s' (spiking): spike_bits is %d, but its spikes are bits; set emission: graded",
             l->name, (int)c->spike_bits);
    l->out.kind = l->net->phase == HK_SUMS ? hk_counts_kind(l->net) : HK_SPIKE_KIND;
    l->out.scale = c->scale;
    if (hk_graded(l)) l->out.kind = c->spike_bits ? HK_COUNTS : HK_F32;
    if (c->spike_bits) l->out.scale *= c->spike_step;
    l->top = (1 << c->spike_bits) - 1;
    l->learnable = true;
    if (c->membrane_norm) l->ops = &normed;
    return HK_OK;
}

/* ---- memory ------------------------------------------------------------------------------------ */

static choice wish_of(const hk_node *l, int p)
{
    return (choice)(p == 0 ? hk_spiking_of(l)->learn_threshold : hk_spiking_of(l)->learn_leak);
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
    const hk_learn *row = &hk_neuron_of(l)->learn[p];
    hk_param d = { .name = row->name, .role = row->role, .lo = row->lo, .hi = row->hi };
    hk_own_shape(l, hk_share_of(l, p), &d);
    const choice want = wish_of(l, p);
    const hk_rule_plan *plan = &l->net->plan;
    const bool by_rule = p == 0 ? plan->learn_threshold : plan->learn_leak;
    d.learn = want == YES || (want == AUTO && (by_rule || (plan->adjoint && row->by_default)));
    return d;
}

/* What the recipe wants learned must have a gradient. */
static hk_status check_wishes(const hk_node *l, hk_error *e)
{
    const hk_neuron_ops *nn = hk_neuron_of(l);
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
    if (!l->net->spec.learn || !plan->weights || plan->weight_trace != HK_TRACE_SHARED) return HK_OK;
    const hk_neuron_ops *nn = hk_neuron_of(l);
    for (int p = 0; p < nn->n_learn; p++)
        HK_CHECK(e, !(nn->decay_reads >> p & 1) || hk_share_of(l, p) == HK_PER_LAYER, HK_E_UNSUP,
                 "rule '%s': a weight trace needs one leak per layer, but layer '%s' has one '%s' per "
                 "%s (%s_granularity), and neuron '%s' makes its leak of that; use weight_trace: "
                 "synapse (dense layers), sltt, bptt, or stop without W",
                 l->net->spec.rule->info.name, l->name, nn->learn[p].name,
                 hk_share_of(l, p) == HK_PER_CHANNEL ? "channel" : "neuron",
                 p ? "leak" : "threshold", nn->info.name);
    return HK_OK;
}

/* Traces of neurons that are not of the instant would go through the norm. */
static hk_status check_norm(const hk_node *l, hk_error *e)
{
    const hk_spiking_cfg *c = hk_spiking_of(l);
    if (!c->membrane_norm) return HK_OK;
    HK_TRY(hk_membrane_norm_check(l, e));
    for (int p = 0; p < hk_neuron_of(l)->n_learn; p++)
        HK_CHECK(e, !traced(l, p) || c->per_step || !c->recurrent, HK_E_UNSUP,
                 "rule '%s' cannot learn '%s.%s': no trace goes through the membrane norm of layer '%s'; "
                 "use bptt, per_step: true, recurrent: false, %s: no, or stop with %s: false",
                 l->net->spec.rule->info.name, l->name, hk_neuron_of(l)->learn[p].name, l->name,
                 p == 0 ? "learn_threshold" : "learn_leak", p == 0 ? "T" : "L");
    return HK_OK;
}

static hk_status bind(hk_node *l, hk_mem *m, hk_error *e)
{
    HK_CHECK(e, !l->net->plan.counts || !hk_graded(l), HK_E_UNSUP,
             "rule '%s' counts spikes, but those of layer '%s' are graded; set emission: step",
             l->net->spec.rule->info.name, l->name);
    HK_TRY(check_wishes(l, e));
    HK_TRY(check_weight_trace(l, e));
    HK_TRY(check_norm(l, e));
    const hk_neuron_ops *nn = hk_neuron_of(l);
    const hk_spiking_cfg *c = hk_spiking_of(l);
    const bool learn = l->net->spec.learn, adjoint = learn && l->net->plan.adjoint;
    const size_t values = l->rows * (size_t)l->out.shape.c, bytes = values * sizeof(float);
    const int traces = c->per_step || !c->recurrent ? 1 : nn->n_state;
    for (int p = 0; p < nn->n_learn; p++) {
        const hk_param d = describe(l, p);
        hk_param *made = hk_take_param(m, l, &d);
        l->sum[p] = learn && (adjoint || traced(l, p))
                    ? hk_take(m, HK_R_STATE, (size_t)l->shards * made->n * sizeof(double)) : NULL;
    }
    hk_fresh_begin(m, l);
    for (int p = 0; p < nn->n_learn; p++)
        for (int i = 0; i < traces; i++)
            l->trace[p][i] = traced(l, p) ? hk_take(m, HK_R_STATE, hk_trace_bytes(l, values)) : NULL;
    for (int i = 0; i < nn->n_state; i++)
        l->state[i] = hk_take_ring(m, adjoint ? HK_R_TAPE : HK_R_STATE, bytes, true);
    hk_fresh_end(m, l);
    for (int i = 0; i < nn->n_state; i++)
        l->adjoint[i] = adjoint && c->recurrent ? hk_take(m, HK_R_STATE, bytes) : NULL;
    l->spike_adjoint = adjoint && l->net->plan.reset_grad && c->recurrent
                       ? hk_take(m, HK_R_STATE, bytes) : NULL;
    const bool tells = l->from[0] && l->from[0]->ops->operations && hk_eligible(l->from[0]);
    l->told = tells ? hk_take(m, HK_R_STATE, (size_t)hk_tells(l) * bytes) : NULL;
    l->spikes = hk_take(m, HK_R_STATE, (size_t)l->shards * sizeof(uint64_t));
    hk_counts_bind(l, m);
    if (c->membrane_norm) hk_membrane_norm_bind(l, m);
    l->decays = c->per_step && nn->decay
                ? hk_take(m, HK_R_PACKED, (size_t)hk_own_steps(l) * sizeof(float)) : NULL;
    l->scratch = hk_spiking_scratch(l);
    return HK_OK;
}

static void init(hk_node *l, hk_rng r)
{
    for (int p = 0; p < hk_neuron_of(l)->n_learn; p++)
        for (size_t i = 0; i < l->param[p]->n; i++)
            l->param[p]->w[i] = hk_neuron_of(l)->learn[p].init(l->spec->neuron_cfg);
    for (size_t i = 0; i < l->param[0]->n && hk_spiking_of(l)->threshold_init; i++)
        l->param[0]->w[i] *= hk_rng_uniform(r, i);
    if (hk_spiking_of(l)->membrane_norm) hk_membrane_norm_init(l);
}

static float decay_at(const hk_node *l, size_t step)
{
    float learn[HK_MAX_LEARN] = { 0 };
    if (!hk_neuron_of(l)->decay || !hk_spiking_of(l)->recurrent) return 0;
    for (int p = 0; p < hk_neuron_of(l)->n_learn; p++)
        learn[p] = l->param[p]->w[step * (l->param[p]->n / (size_t)hk_own_steps(l))];
    return hk_neuron_of(l)->decay(learn, l->spec->neuron_cfg);
}

static void prepare(hk_node *l)
{
    l->decay = decay_at(l, 0);
    for (size_t k = 0; l->decays && k < (size_t)hk_own_steps(l); k++) l->decays[k] = decay_at(l, k);
}

/* The states before the first step, where they are read. */
static void reset(hk_node *l)
{
    if (hk_spiking_fresh(l, 1)) return;
    const hk_neuron_ops *nn = hk_neuron_of(l);
    for (int i = 0; i < nn->n_state; i++) {
        float *u = hk_slot(&l->state[i], 0);
        const float rest = nn->rest ? nn->rest(l->spec->neuron_cfg, i) : 0;
        for (size_t j = 0; j < l->rows * (size_t)l->out.shape.c; j++) u[j] = rest;
    }
}

static void forward_tile(hk_node *l, const hk_tile *a)
{
    if (l->net->phase == HK_SUMS) hk_counts_forward(l, a);
    else hk_spiking_forward_tile(l, a);
}

static void backward_tile(hk_node *l, const hk_tile *a)
{
    if (l->net->phase == HK_SUMS) hk_counts_backward(l, a);
    else hk_spiking_backward_tile(l, a);
}

static void finish(hk_node *l)
{
    const size_t neurons = (size_t)l->out.shape.h * (size_t)l->out.shape.w * (size_t)l->out.shape.c;
    const size_t steps = (size_t)hk_own_steps(l);
    for (int p = 0; p < hk_neuron_of(l)->n_learn; p++) {
        const hk_param *q = l->param[p];
        const size_t groups = q->n / steps;
        const bool mean = q->role == HK_LEAK && l->net->plan.leak_mean;
        for (size_t k = 0; l->sum[p] && k < steps; k++)
            hk_sum_finish(l, l->sum[p] + k * (size_t)l->shards * groups, groups,
                          mean ? (double)groups / (double)neurons : 1.0, q->g + k * groups);
    }
}

#define INFO                                                                                       \
    { "spiking", "spikes of a neuron model, with a surrogate for learning",                        \
      "STOP 2411.11082 eq. 3-30; STBP 1706.02609; graded, membrane_norm: EM-PF 2410.07547",        \
      sizeof(hk_spiking_cfg), fields, HK_COUNT(fields) }

const hk_layer_ops hk_layer_spiking = {
    .info = INFO, .n_in = 1, .memory = true, .in_place = true, .infer = infer, .bind = bind, .init = init,
    .prepare = prepare, .reset = reset, .forward_tile = forward_tile, .backward_tile = backward_tile, .finish = finish,
};

static const hk_layer_ops normed = {
    .info = INFO, .n_in = 1, .memory = true, .in_place = true, .infer = infer, .bind = bind, .init = init,
    .prepare = prepare, .reset = reset, .forward = hk_membrane_norm_forward,
    .forward_tile = hk_membrane_norm_forward_tile, .backward_tile = hk_membrane_norm_backward_tile,
    .backward = hk_membrane_norm_backward, .finish = finish,
};
