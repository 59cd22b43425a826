/* SNN2ANN: spikes are simulated without a gradient, gradients come from an activation net that is
 * evaluated once on the same parameters, with the spike counts put in place of its activations.
 *
 *   steps t = 1..T   I[t] = W s[t] + b/T, norms with running statistics;  spikes s[t]
 *   counts           M = sum_t s[t]
 *   sums             h = W M + b, norms with statistics of the batch;  output M (stsu) or M [h > 0] (resu)
 *   loss             of the readout's decision on the sums:  FC(M / T) with readout mean
 *   backward         through the sums alone; a spiking layer has the derivative [h > 0]
 *
 * In eval mode h = sum_t I[t] exactly, whatever the neuron: all layers between spikes are linear.
 * Then, once per batch and spiking layer, thresholds are raised where spikes contradict h:
 *
 *   e = mean of [h <= 0][M > 0],   V' = V + raise [e > noise],   V <- keep V + (1 - keep) V'
 *
 * Source: SNN2ANN, arXiv:2206.09449, and its released code. Differences: the sums begin at the sum of
 * the frames, so that the identity holds for the first layer, too (frames: mean is the release); the
 * step of the bias is 1/T of the T in use everywhere.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "layer/counts.h"
#include "layer/readout.h"
#include "rule.h"

typedef enum { STSU, RESU } unit;
typedef struct snn2ann_cfg {
    int32_t unit, frames;
    float   membrane_dropout, noise, raise, keep;
} snn2ann_cfg;

static const hk_field fields[] = {
    HK_ROW_ENUM(snn2ann_cfg, unit, RESU, "stsu|resu", 2,
                "what stands for an activation: the count, or the count where the activation is above 0"),
    HK_ROW_ENUM(snn2ann_cfg, frames, 0, "sum|mean", 2,
                "input of the sums: of all frames, or their mean as in the released code"),
    HK_ROW_FLOAT(snn2ann_cfg, membrane_dropout, 0.5, 0, 0.99, "1",
                 "probability of clearing a membrane after a step of training"),
    HK_ROW_FLOAT(snn2ann_cfg, noise, 0.1, 0, 1, "1", "share of noisy spikes above which thresholds rise"),
    HK_ROW_FLOAT(snn2ann_cfg, raise, 0.1, 0, 1e3, "1", "how far the threshold aimed at is above the present one"),
    HK_ROW_FLOAT(snn2ann_cfg, keep, 0.9, 0, 1, "1", "share of the present threshold in the next"),
};

static hk_status plan(const hk_net *net, const void *cfg, hk_rule_plan *p, hk_error *e)
{
    const snn2ann_cfg *c = cfg;
    HK_CHECK(e, net->spec.objective.when == HK_FINAL, HK_E_UNSUP,
             "rule 'snn2ann': there is one loss, of the sums over the sample, found loss.when: step; "
             "use loss.when: final");
    HK_CHECK(e, hk_readout_all_steps(net->readout), HK_E_UNSUP,
             "rule 'snn2ann': readout '%s' does not sum its outputs over the steps; use kind mean, "
             "sum or count", net->readout->name);
    p->weights = true;
    p->bias_trace = HK_BIAS_PLAIN;
    p->head_trace = NAN;
    p->counts = true;
    p->mask_counts = c->unit == RESU;
    p->frame_mean = c->frames == 1;
    p->membrane_dropout = c->membrane_dropout;
    return HK_OK;
}

static void raise_thresholds(const hk_net *net, const snn2ann_cfg *c)
{
    for (int32_t i = 0; i < net->n_node; i++) {
        const hk_node *l = &net->node[i];
        if (!l->spec->neuron || !(hk_counts_noisy(l) > (double)c->noise)) continue;
        const hk_param *v = l->param[0];
        for (size_t k = 0; k < v->n; k++)
            v->w[k] = c->keep * v->w[k] + (1 - c->keep) * (v->w[k] + c->raise);
    }
}

static void run(hk_net *net, const void *cfg)
{
    const int32_t T = net->spec.T;
    hk_net_phase(net, HK_SPIKES);
    for (int t = 1; t <= T; t++) hk_net_forward(net, t);
    hk_net_phase(net, HK_SUMS);
    hk_net_forward(net, T);
    hk_net_backward(net, T, T, true);
    hk_net_finish(net);
    hk_net_phase(net, HK_STEPS);
    raise_thresholds(net, cfg);
}

const hk_rule_ops hk_rule_snn2ann = {
    .info = { "snn2ann", "spike counts in an activation net that shares all parameters; no graph over time",
              "2206.09449", sizeof(snn2ann_cfg), fields, HK_COUNT(fields) },
    .spread = true, .plan = plan, .run = run,
};
