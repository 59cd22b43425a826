/* Back-propagation through time: the exact gradient of the surrogate problem, and the yardstick of
 * all other rules. Memory grows with the window.
 *
 *   full      steps T..1 backwards, g[t] = gs[t] phi[t] + J g[t+1]
 *   chunk K   windows 1..K, K+1..2K, ...; nothing crosses backwards, the inherited membrane is a
 *             constant
 *   sliding K E[t] reaches back to t-K+1; K backward steps per step
 *
 *   budget    the exact gradient of the full window, by segments that are computed again so that the
 *             net fits so many MiB in all (net/segment.c); the same bits, one more forward pass
 *
 * reset_grad: whether the spike inside the reset is differentiated (kept) or a constant (detached).
 * order layer runs one layer through all steps before the next (feed-forward nets, full window).
 * Sources: STBP 1706.02609; surrogate gradients 1901.09948.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "layer/readout.h"
#include "rule.h"

typedef enum { FULL, CHUNK, SLIDING } window_kind;
typedef struct bptt_cfg { int32_t reset_grad, window_kind, window, order; float budget; } bptt_cfg;

static const hk_field fields[] = {
    HK_ROW_ENUM(bptt_cfg, reset_grad, 0, "detached|kept", 2, "differentiate the spike inside the reset"),
    HK_ROW_ENUM(bptt_cfg, window_kind, FULL, "none|chunk|sliding", 3, "truncation"),
    HK_ROW_INT(bptt_cfg, window, 1, 1, 1 << 20, "steps", "length of a truncated window"),
    HK_ROW_ENUM(bptt_cfg, order, 0, "step|layer", 2, "which loop is outside: over steps, or layers"),
    HK_ROW_FLOAT(bptt_cfg, budget, 0, 0, 1e9, "MiB",
                 "most memory of the net in all: steps are computed again instead of kept; 0: no limit"),
};

static hk_status plan(const hk_net *net, const void *cfg, hk_rule_plan *p, hk_error *e)
{
    const bptt_cfg *c = cfg;
    const int32_t T = net->spec.T;
    p->adjoint = p->weights = true;
    p->reset_grad = c->reset_grad == 1;
    p->bias_trace = HK_BIAS_PLAIN;
    p->head_trace = NAN;
    p->window = c->window_kind == FULL || c->window > T ? T : c->window;
    p->layer_major = c->order == 1;
    HK_CHECK(e, !p->layer_major || c->window_kind == FULL, HK_E_UNSUP,
             "rule 'bptt': order layer needs the whole sequence, found window_kind chunk or sliding");
    p->recompute = c->budget > 0;
    p->budget = (size_t)((double)c->budget * 1048576.0);
    HK_CHECK(e, !p->recompute || (p->window == T && !p->layer_major), HK_E_UNSUP,
             "rule 'bptt': a budget needs window_kind none and order step");
    HK_CHECK(e, p->window == T || net->spec.objective.when == HK_EACH_STEP ||
             !hk_readout_all_steps(net->readout), HK_E_UNSUP,
             "rule 'bptt': a final loss on the summed outputs of readout '%s' reaches steps that a "
             "window of %d has dropped; use loss.when: step or a full window", net->readout->name,
             (int)p->window);
    return HK_OK;
}

static void run_chunks(hk_net *net, int32_t window)
{
    const int T = hk_net_steps(net);
    for (int t0 = 1; t0 <= T; t0 += window) {
        const int last = t0 + window - 1 < T ? t0 + window - 1 : T;
        for (int t = t0; t <= last; t++) hk_net_forward(net, t);
        hk_net_clear_adjoint(net);
        for (int t = last; t >= t0; t--) hk_net_backward(net, t, t0, true);
    }
}

static void run_sliding(hk_net *net, int32_t window)
{
    const int T = hk_net_steps(net);
    for (int t = 1; t <= T; t++) {
        const int t0 = t - window + 1 > 1 ? t - window + 1 : 1;
        hk_net_forward(net, t);
        hk_net_clear_adjoint(net);
        for (int k = t; k >= t0; k--) hk_net_backward(net, k, t0, k == t);
    }
}

static void run(hk_net *net, const void *cfg)
{
    const bptt_cfg *c = cfg;
    if (net->plan.recompute) {
        hk_net_segments(net);
    } else if (net->plan.layer_major) {
        hk_net_forward_layers(net);
        hk_net_clear_adjoint(net);
        hk_net_backward_layers(net);
    } else if (c->window_kind == SLIDING && net->plan.window < net->spec.T) {
        run_sliding(net, net->plan.window);
    } else {
        run_chunks(net, net->plan.window);
    }
    hk_net_finish(net);
}

const hk_rule_ops hk_rule_bptt = {
    .info = { "bptt", "back-propagation through time, full or truncated",
              "STBP 1706.02609; surrogate gradients 1901.09948", sizeof(bptt_cfg), fields,
              HK_COUNT(fields) },
    .plan = plan, .run = run,
};
