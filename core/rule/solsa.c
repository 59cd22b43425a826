/* SOLSA: spatial errors, and for every synapse a trace that forgets as its neuron does, own reset
 * included. The layers form it for any neuron (core/layer/eligibility.c); with the neuron of the source,
 * filters F on the lines, lambda the leak, sigma the amount of the reset:
 *
 *   e_ji[t] = (lambda - sigma phi_j[t-1]) e_ji[t-1] + F_i[t]            dW_ji = sum_t d_j[t] e_ji[t]
 *   p_ji[t] = (lambda - sigma phi_j[t-1]) p_ji[t-1] + W_ji A_i[t]       dalpha_i = sum_t sum_j d_j p_ji
 *
 * points 0      gradients of all steps, one update after the sample
 * points P      weights change within the sample, at P steps, by the gradient of that instant; which
 *               steps, is searched over the epochs (points.h)
 * early_stop    from epoch period * P on the sample is left when at P / 2 points at least 90 % of the batch
 *               were right, and of these 90 % with 90 % of all spikes at the label's neuron
 * compat        the released code: F[t-1] in e, gradients of alpha and beta of the instant times
 *               (1 - .1^t) / .9, and a stop that does not leave the sample
 *
 * Source: SOLSA, ASP-DAC 2024, 2307.11314, and the released code of a sibling work of its authors.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "layer/readout.h"
#include "points.h"
#include "rule.h"

typedef struct solsa_cfg {
    int32_t points, period;
    bool    early_stop, T, L, compat;
    int32_t traces;
} solsa_cfg;

enum { MOST_POINTS = 1024 };

static const hk_field fields[] = {
    HK_ROW_INT(solsa_cfg, points, 8, 0, MOST_POINTS, "steps",
               "steps of a sample with an update, by the gradient of the instant; 0: one update at the "
               "end, by that of all steps"),
    HK_ROW_INT(solsa_cfg, period, 3, 1, 1 << 20, "epochs", "epochs between two choices of points"),
    HK_ROW_BOOL(solsa_cfg, early_stop, 1, "leave a sample whose batch is right with confidence; with points"),
    HK_ROW_BOOL(solsa_cfg, T, 0, "learn thresholds"),
    HK_ROW_BOOL(solsa_cfg, L, 0, "learn leaks, and any other parameter of the neuron"),
    HK_ROW_BOOL(solsa_cfg, compat, 0, "as the released code: late traces, truncated gradients of filters"),
    HK_TRACE_KIND_ROW(solsa_cfg, traces),
};

static bool stops(const solsa_cfg *c) { return c->points > 0 && c->early_stop && !c->compat; }

static hk_status check_points(const hk_net *net, const solsa_cfg *c, hk_error *e)
{
    if (c->points == 0) return HK_OK;
    HK_CHECK(e, c->points <= net->spec.T, HK_E_ARG,
             "rule 'solsa': points is %d, expected 0 to T = %d", (int)c->points, (int)net->spec.T);
    HK_CHECK(e, net->spec.objective.when == HK_EACH_STEP, HK_E_UNSUP,
             "rule 'solsa': updates within the sample, found loss.when: final; use loss.when: step, or "
             "points: 0");
    const hk_node *last = net->readout->from[0];
    HK_CHECK(e, !stops(c) || (hk_readout_all_steps(net->readout) && last && last->spec->neuron),
             HK_E_UNSUP, "rule 'solsa': early_stop counts the spikes of output neurons, but readout '%s' "
             "does not sum spikes; use kind count behind neurons, or early_stop: false",
             net->readout->name);
    return HK_OK;
}

static hk_status plan(const hk_net *net, const void *cfg, hk_rule_plan *p, hk_error *e)
{
    const solsa_cfg *c = cfg;
    p->weights = true;
    p->learn_threshold = c->T;
    p->learn_leak = c->L;
    p->weight_trace = HK_TRACE_SYNAPSE;
    p->trace_kind = hk_trace_kind_of(c->traces);
    p->trace_reset = true;
    p->bias_trace = HK_BIAS_EXACT;
    p->head_trace = NAN;
    p->first_layer_trace = true;
    p->trace_late = c->compat;
    p->filter_ratio = c->compat ? 0.1f : 0;
    p->updates = c->points ? HK_AT_POINTS : HK_AT_END;
    p->state = c->points ? hk_points_floats(c->points, net->spec.T) : 0;
    HK_TRY(check_points(net, c, e));
    return hk_rule_check_online(net, e);
}

/* Size of the weight change of the instant. */
static float change(const hk_net *net)
{
    double sum = 0;
    for (int32_t i = 0; i < net->n_param; i++) {
        const hk_param *p = &net->param[i];
        for (size_t k = 0; p->role == HK_WEIGHT && p->g && k < p->n; k++) sum += fabs((double)p->g[k]);
    }
    return (float)sum;
}

/* Whether the spikes so far decide the batch as it should be decided, and clearly. */
static bool confident(const hk_net *net)
{
    const int32_t c = net->readout->out.shape.c, n = net->batch->n;
    int32_t right = 0, clear = 0;
    for (int32_t b = 0; net->batch->label && b < n; b++) {
        const float *d = hk_net_output(net) + (size_t)b * (size_t)c;
        int32_t best = 0;
        float all = 0;
        for (int32_t k = 0; k < c; k++) {
            all += d[k];
            if (d[k] > d[best]) best = k;
        }
        if (best != net->batch->label[b] || !(all > 0)) continue;
        right++;
        clear += d[best] >= 0.9f * all;
    }
    return right > 0 && 10 * right >= 9 * n && 10 * clear >= 9 * right;
}

static void run_points(hk_net *net, const solsa_cfg *c)
{
    hk_points p = hk_points_of(net->rule_state, c->points, net->spec.T, c->period);
    hk_points_begin(&p, net->update.epoch);
    const bool record = net->spec.optim && hk_points_recording(&p);
    const bool may_stop = stops(c) && net->update.epoch >= c->period * c->points;
    int32_t sure = 0;
    const int T = hk_net_steps(net);
    for (int t = 1; t <= T; t++) {
        hk_net_forward(net, t);
        const bool point = t == T || hk_points_has(&p, t);
        if (!point && !record) continue;
        hk_net_backward(net, t, t, true);
        hk_net_finish(net);
        if (record) p.record[t - 1] += change(net);
        if (point) hk_net_update(net);
        else hk_net_drop(net);
        if (point && may_stop && confident(net) && 2 * ++sure >= c->points) return;
    }
}

static void run(hk_net *net, const void *cfg)
{
    const solsa_cfg *c = cfg;
    if (c->points) run_points(net, c);
    else hk_rule_run_online(net);
}

const hk_rule_ops hk_rule_solsa = {
    .info = { "solsa", "a trace per synapse, own reset included; updates at searched steps of a sample",
              "2307.11314", sizeof(solsa_cfg), fields, HK_COUNT(fields) },
    .plan = plan, .run = run, .step = hk_rule_step,
};
