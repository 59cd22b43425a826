/* OTTT: online training through time. One presynaptic trace per weighted layer, spatial errors:
 *
 *   w~[t] = a w~[t-1] + x[t]        a: leak of the memory that the layer feeds
 *   dW    = sum_t d[t] w~[t]^T      OTTT_A: one update after T;  OTTT_O: an update at every t
 *
 * Source: 2210.04195. The released code differs: leak a of the neuron at the head too (head_trace),
 * no trace in the first layer (first_layer_trace: false), bias factor 1 (bias_trace: plain).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "rule.h"

typedef struct ottt_cfg { hk_trace_cfg trace; } ottt_cfg;

static const hk_field fields[] = { HK_TRACE_ROWS(ottt_cfg) };

static hk_status plan_a(const hk_net *net, const void *cfg, hk_rule_plan *p, hk_error *e)
{
    p->weights = true;
    hk_trace_plan(&((const ottt_cfg *)cfg)->trace, p);
    return hk_rule_check_online(net, e);
}

static hk_status plan_o(const hk_net *net, const void *cfg, hk_rule_plan *p, hk_error *e)
{
    HK_CHECK(e, net->spec.objective.when == HK_EACH_STEP, HK_E_UNSUP,
             "rule 'ottt_o': updates at every step, found loss.when: final; use ottt_a");
    p->updates = HK_AT_EACH_STEP;
    return plan_a(net, cfg, p, e);
}

static void run_a(hk_net *net, const void *cfg)
{
    (void)cfg;
    hk_rule_run_online(net);
}

static void run_o(hk_net *net, const void *cfg)
{
    (void)cfg;
    const int T = hk_net_steps(net);
    for (int t = 1; t <= T; t++) {
        hk_net_forward(net, t);
        hk_net_backward(net, t, t, true);
        hk_net_finish(net);
        hk_net_update(net);
    }
}

const hk_rule_ops hk_rule_ottt_a = {
    .info = { "ottt_a", "online training through time, gradients accumulated over the sample",
              "2210.04195", sizeof(ottt_cfg), fields, HK_COUNT(fields) },
    .plan = plan_a, .run = run_a, .step = hk_rule_step,
};

const hk_rule_ops hk_rule_ottt_o = {
    .info = { "ottt_o", "online training through time, an update at every step", "2210.04195",
              sizeof(ottt_cfg), fields, HK_COUNT(fields) },
    .plan = plan_o, .run = run_o, .step = hk_rule_step,
};
