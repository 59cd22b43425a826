/* SPDX-License-Identifier: Apache-2.0 */
#include "health.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

/* A rate below SILENT or above SATURATED carries no information; a gradient FAINT times that of the
 * other layers trains nothing at a common learning rate. */
#define SILENT    0.001
#define SATURATED 0.9
#define FAINT     1e-4

hk_status hk_health_init(hk_health *h, const hk_net *net, hk_error *e)
{
    memset(h, 0, sizeof *h);
    h->gradient = hk_alloc_zero((size_t)net->n_node, sizeof *h->gradient);
    HK_CHECK(e, h->gradient, HK_E_NOMEM, "no memory for the gradients of %d layers", net->n_node);
    h->n = net->n_node;
    return HK_OK;
}

void hk_health_deinit(hk_health *h)
{
    hk_free(h->gradient);
    memset(h, 0, sizeof *h);
}

static const hk_param *weight_of(const hk_node *l)
{
    for (int32_t i = 0; i < l->n_param; i++)
        if (l->param[i]->role == HK_WEIGHT && l->param[i]->g) return l->param[i];
    return NULL;
}

static void look(hk_health *h, const hk_net *net)
{
    for (int32_t i = 0; i < h->n; i++) {
        const hk_param *p = weight_of(&net->node[i]);
        double sum = 0;
        for (size_t k = 0; p && k < p->n; k++) sum += (double)p->g[k] * (double)p->g[k];
        h->gradient[i] = p ? sqrt(sum / (double)p->n) : 0;
    }
}

static void look_at_step(void *self, hk_net *net, int t, hk_event what)
{
    if (what == HK_AFTER_BACKWARD && t == hk_net_steps(net)) look(self, net);
}

hk_status hk_health_learn(hk_health *h, hk_net *net, const hk_batch *batch, hk_result *out,
                          hk_error *e)
{
    if (net->plan.updates != HK_AT_END) {
        net->watch = look_at_step;
        net->watch_self = h;
        hk_status st = hk_net_learn(net, batch, out, e);
        net->watch = NULL;
        return st;
    }
    /* The update waits as if more batches were to be accumulated, and is then made up for. */
    int32_t accumulate = net->update.accumulate, pending = net->pending;
    net->update.accumulate = INT32_MAX;
    hk_status st = hk_net_learn(net, batch, out, e);
    net->update.accumulate = accumulate;
    if (st != HK_OK) return st;
    look(h, net);
    net->pending = pending;
    hk_net_update(net);
    return HK_OK;
}

static char *next_advice(hk_health *h)
{
    return h->n_advice < HK_HEALTH_MAX ? h->advice[h->n_advice++] : NULL;
}

static void judge_rate(hk_health *h, const hk_node *l, double rate)
{
    char *out = rate < SILENT || rate > SATURATED ? next_advice(h) : NULL;
    if (!out) return;
    if (rate < SILENT)
        hk_format(out, HK_HEALTH_TEXT,
                  "layer '%s' is silent: %g %% of its neurons fire per step; lower "
                  "neuron.threshold, put a batchnorm before it, or widen the surrogate",
                  l->name, 100 * rate);
    else
        hk_format(out, HK_HEALTH_TEXT,
                  "layer '%s' is saturated: %g %% of its neurons fire per step; raise "
                  "neuron.threshold or put a batchnorm before it",
                  l->name, 100 * rate);
}

/* Weighted layers whose gradient is faint beside the largest one. */
static void judge_gradients(hk_health *h, const hk_net *net)
{
    double most = 0;
    for (int32_t i = 0; i < h->n; i++) most = fmax(most, h->gradient[i]);
    for (int32_t i = 0; i < h->n && net->plan.weights; i++) {
        const hk_node *l = &net->node[i];
        if (!weight_of(l) || h->gradient[i] >= FAINT * most) continue;
        if (net->plan.updates != HK_AT_END && h->gradient[i] <= 0) continue;     /* summed at the end */
        char *out = next_advice(h);
        if (out)
            hk_format(out, HK_HEALTH_TEXT,
                      "the gradient of layer '%s' vanishes: rms %g, the largest of all "
                      "layers is %g; widen the surrogate, or put a batchnorm between its layers",
                      l->name, h->gradient[i], most);
    }
}

json_t *hk_health_report(hk_health *h, const hk_net *net, const hk_stats *sums)
{
    h->n_advice = 0;
    json_t *rates = json_object(), *gradients = json_object(), *advice = json_array();
    for (int32_t i = 0; i < h->n; i++) {
        const hk_node *l = &net->node[i];
        if (weight_of(l)) json_object_set_new(gradients, l->name, json_real(h->gradient[i]));
        if (!l->spec->neuron) continue;
        json_object_set_new(rates, l->name, json_real(hk_stats_rate(sums, l)));
        judge_rate(h, l, hk_stats_rate(sums, l));
    }
    judge_gradients(h, net);
    for (int i = 0; i < h->n_advice; i++) json_array_append_new(advice, json_string(h->advice[i]));
    return json_pack("{s:s, s:I, s:o, s:o, s:o}", "event", "health", "batches",
                     (json_int_t)sums->batches, "rates", rates, "gradients", gradients,
                     "advice", advice);
}
