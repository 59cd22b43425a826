/* SLTT: spatial learning through time. The temporal path is dropped, nothing is remembered:
 *
 *   dW = sum_t d[t] x[t]^T,   db = sum_t d[t],   d[t] the spatial error of step t
 *
 * SLTT-K: of the T steps, K drawn without replacement per batch run backward; the loss is still
 * divided by T and not rescaled (rescale: errors times T/K, which makes the draw unbiased; K = 1 is the
 * random back-propagation of 2410.07547). With K = T both are the same, bit for bit. A
 * sample that ends before T misses the drawn steps behind its end.
 * Source: 2302.14311 and its released code.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "rule.h"

typedef struct sltt_k_cfg { int32_t K; bool rescale; } sltt_k_cfg;

static const hk_field k_fields[] = {
    HK_ROW_INT(sltt_k_cfg, K, 1, 1, 64, "steps", "steps of each batch that run backward"),
    HK_ROW_BOOL(sltt_k_cfg, rescale, 0, "errors times T/K, so that the mean gradient is that of sltt"),
};

static hk_status plan(const hk_net *net, const void *cfg, hk_rule_plan *p, hk_error *e)
{
    (void)cfg;
    p->weights = true;
    p->bias_trace = HK_BIAS_PLAIN;
    p->head_trace = NAN;
    return hk_rule_check_online(net, e);
}

static hk_status plan_k(const hk_net *net, const void *cfg, hk_rule_plan *p, hk_error *e)
{
    const sltt_k_cfg *c = cfg;
    HK_CHECK(e, c->K <= net->spec.T, HK_E_ARG, "rule 'sltt_k': K is %d, expected at most T = %d",
             (int)c->K, (int)net->spec.T);
    HK_CHECK(e, net->spec.objective.when == HK_EACH_STEP, HK_E_UNSUP,
             "rule 'sltt_k': draws among the losses of the steps, found loss.when: final");
    p->error_factor = c->rescale ? (float)net->spec.T / (float)c->K : 1;
    return plan(net, cfg, p, e);
}

static void run(hk_net *net, const void *cfg)
{
    (void)cfg;
    hk_rule_run_online(net);
}

/* Whether step t is among the K drawn: selection sampling, one pass, no memory. */
static void run_k(hk_net *net, const void *cfg)
{
    const sltt_k_cfg *c = cfg;
    const hk_rng r = { net->spec.seed, 0x517u + ((uint64_t)net->samples << 12) };
    uint32_t left = (uint32_t)c->K;
    for (int t = 1; t <= net->spec.T; t++) {
        hk_net_forward(net, t);
        const uint32_t remaining = (uint32_t)(net->spec.T - t + 1);
        if (hk_rng_below(r, (uint64_t)t, remaining) >= left) continue;
        left--;
        hk_net_backward(net, t, t, true);
    }
    hk_net_finish(net);
}

const hk_rule_ops hk_rule_sltt = {
    .info = { "sltt", "spatial learning through time: no temporal path, no trace", "2302.14311", 0,
              NULL, 0 },
    .plan = plan, .run = run, .step = hk_rule_step,
};

const hk_rule_ops hk_rule_sltt_k = {
    .info = { "sltt_k", "SLTT with a backward pass at K random steps only", "2302.14311",
              sizeof(sltt_k_cfg), k_fields, HK_COUNT(k_fields) },
    .plan = plan_k, .run = run_k,
};
