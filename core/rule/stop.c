/* STOP: spatiotemporal orthogonal propagation. Weights, thresholds and leaks learn together, forward
 * in time, each from a trace of its own; independent flags W, T, L.
 *
 *   w~[t]  = a w~[t-1] + x[t]                          dW     = sum_t d[t] w~[t]^T        eq. 20, 17
 *   th~[t] = a (th~[t-1] - s[t-1])                     dtheta = sum_t d[t] (th~[t] - 1)   eq. 26, 24
 *   al~[t] = a al~[t-1] + (U[t-1] - theta s[t-1])      dalpha = sum_t d[t] al~[t]         eq. 30, 27
 *
 * with d[t] the spatial error at the membrane (eq. 11, 16). The two neuron traces are written here for
 * the soft reset; the spiking layer forms them for any neuron from its local derivatives. For the top
 * layer all three are the exact gradients of BPTT with detached reset. L sums over the neurons that
 * share a leak; leak_reduction: mean divides by their number.
 *
 * trace_reset: kept differentiates the spike inside the reset as well: with e = dU[t]/ds[t-1] and
 * ds_p = phi (eps_p - [p is theta]), each neuron trace also gets e ds_p[t-1]. For the top layer that is
 * BPTT with the reset gradient kept.
 *
 * weight_trace: none takes dW = sum_t d[t] x[t]^T (SLTT) beside the traces of the neurons: the online
 * rule of EM-PF, 2410.07547, whose credit to silent steps is nil.
 *
 * Source: 2411.11082; equation numbers as quoted by an independent implementation. The authors'
 * released code learns weights only and gives biases no gradient (bias_trace: none).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "rule.h"

typedef struct stop_cfg {
    bool         W, T, L;
    int32_t      leak_reduction, trace_reset;
    hk_trace_cfg trace;
} stop_cfg;

static const hk_field fields[] = {
    HK_ROW_BOOL(stop_cfg, W, 1, "learn weights, biases and norms"),
    HK_ROW_BOOL(stop_cfg, T, 1, "learn thresholds"),
    HK_ROW_BOOL(stop_cfg, L, 1, "learn leaks, and any other parameter of the neuron"),
    HK_ROW_ENUM(stop_cfg, leak_reduction, 0, "sum|mean", 2, "over the neurons that share a leak"),
    HK_ROW_ENUM(stop_cfg, trace_reset, 0, "cut|kept", 2,
                "traces of neuron parameters: the spike inside the reset is a constant, or not"),
    HK_TRACE_ROWS(stop_cfg),
};

static hk_status plan(const hk_net *net, const void *cfg, hk_rule_plan *p, hk_error *e)
{
    const stop_cfg *c = cfg;
    HK_CHECK(e, c->W || c->T || c->L, HK_E_ARG,
             "rule 'stop': none of W, T, L is set, expected at least one");
    p->weights = c->W;
    p->learn_threshold = c->T;
    p->learn_leak = c->L;
    p->leak_mean = c->leak_reduction == 1;
    p->trace_reset = c->trace_reset == 1;
    hk_trace_plan(&c->trace, p);
    return hk_rule_check_online(net, e);
}

static void run(hk_net *net, const void *cfg)
{
    (void)cfg;
    hk_rule_run_online(net);
}

const hk_rule_ops hk_rule_stop = {
    .info = { "stop", "weights, thresholds and leaks learned together, online (flags W, T, L)",
              "2411.11082", sizeof(stop_cfg), fields, HK_COUNT(fields) },
    .plan = plan, .run = run, .step = hk_rule_step,
};
