/* A batch from start to end: gradients by the rule, weights by the optimizer, bounds kept, and a
 * check that numbers are numbers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "net.h"

#include <math.h>
#include <string.h>

void hk_net_prepare(hk_net *net)
{
    for (int32_t i = 0; i < net->n_node; i++)       /* leaks first: traces look them up */
        if (net->node[i].ops->prepare && net->node[i].ops->memory)
            net->node[i].ops->prepare(&net->node[i]);
    for (int32_t i = 0; i < net->n_node; i++)
        if (net->node[i].ops->prepare && !net->node[i].ops->memory)
            net->node[i].ops->prepare(&net->node[i]);
}

void hk_net_init(hk_net *net)
{
    static const int cleared[] = { HK_R_PARAM, HK_R_GRAD, HK_R_OPTIM, HK_R_BUFFER, HK_R_STATE,
                                   HK_R_TAPE, HK_R_PACKED };
    for (size_t k = 0; k < sizeof cleared / sizeof *cleared; k++)
        if (net->bytes[cleared[k]]) memset(net->base[cleared[k]], 0, net->bytes[cleared[k]]);
    for (int32_t i = 0; i < net->n_node; i++)
        if (net->node[i].ops->init)
            net->node[i].ops->init(&net->node[i], (hk_rng){ net->spec.seed, (uint64_t)i });
    net->updates = net->samples = 0;
    net->pending = 0;
    hk_net_prepare(net);
}

/* ---- update ----------------------------------------------------------------------------------- */

enum { PIECE = 16384 };                  /* floats of a parameter that one call updates */

typedef struct update { hk_net *net; hk_param *p; float scale, lr; } update;

static size_t pieces(const hk_param *p) { return (p->n + PIECE - 1) / PIECE; }

static void update_piece(void *arg, int i, int worker)
{
    (void)worker;
    const update *u = arg;
    hk_net *net = u->net;
    const hk_param *p = u->p;
    const size_t first = (size_t)i * PIECE, n = p->n - first < PIECE ? p->n - first : PIECE;
    float *w = p->w + first, *g = p->g + first, *slot[HK_MAX_SLOT] = { NULL };
    const size_t at = (size_t)(w - (float *)(void *)net->base[HK_R_PARAM]);
    for (int k = 0; k < HK_MAX_SLOT; k++)
        if (net->slot[k]) slot[k] = net->slot[k] + at;
    if (p->learn) {
        if (u->scale != 1)
            for (size_t j = 0; j < n; j++) g[j] *= u->scale;
        const bool decay = p->role != HK_THRESHOLD && p->role != HK_LEAK;
        net->spec.optim->update(net->spec.optim_cfg, net->updates, u->lr, decay, n, w, g, slot);
        if (p->lo <= p->hi)
            for (size_t j = 0; j < n; j++) w[j] = w[j] < p->lo ? p->lo : w[j] > p->hi ? p->hi : w[j];
    }
    memset(g, 0, n * sizeof *g);
}

/* Norm of all learned gradients, summed in the order of the parameters. */
static double gradient_norm(const hk_net *net)
{
    double sum = 0;
    for (int32_t i = 0; i < net->n_param; i++) {
        const hk_param *p = &net->param[i];
        for (size_t j = 0; p->learn && p->g && j < p->n; j++) sum += (double)p->g[j] * (double)p->g[j];
    }
    return sqrt(sum);
}

bool hk_update_due(const hk_net *net)
{
    const bool once = net->spec.optim && net->plan.updates == HK_AT_END;
    return !once || net->pending + 1 >= net->update.accumulate;
}

void hk_net_update(hk_net *net)
{
    if (!net->spec.optim) return;
    const hk_update *u = &net->update;
    const hk_kernels *k = net->spec.kernels;
    float scale = 1;
    if (net->plan.updates == HK_AT_END) {
        if (++net->pending < u->accumulate) return;
        scale = 1.0f / (float)net->pending;
    }
    net->pending = 0;
    if (u->clip_norm > 0) {
        const double norm = gradient_norm(net) * (double)scale;
        if (norm > (double)u->clip_norm) scale *= (float)((double)u->clip_norm / norm);
    }
    net->updates++;
    for (int32_t i = 0; i < net->n_param; i++) {
        hk_param *p = &net->param[i];
        if (!p->g) continue;
        update a = { net, p, scale, u->lr };
        if (p->role == HK_THRESHOLD) a.lr *= u->lr_threshold;
        if (p->role == HK_LEAK) a.lr *= u->lr_leak;
        k->parallel(k->self, (int)pieces(p), update_piece, &a);
    }
    hk_net_prepare(net);
}

/* ---- a batch ----------------------------------------------------------------------------------- */

HK_CLONES static bool finite_floats(size_t n, const float *v)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &v[i], sizeof bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return !bad;
}

/* A neuron whose membrane is not a number is silent, so the loss alone may not tell. */
hk_status hk_net_check(const hk_net *net, hk_error *e)
{
    for (int32_t i = 0; i < net->n_param; i++) {
        const hk_param *p = &net->param[i];
        HK_CHECK(e, !p->learn || finite_floats(p->n, p->w), HK_E_NUM,
                 "parameter '%s.%s' is not finite after update %lld; lower optim.lr or set "
                 "optim.clip_norm", p->layer, p->name, (long long)net->updates);
    }
    return HK_OK;
}

static hk_status not_a_number(const hk_net *net, hk_error *e)
{
    for (int32_t i = 0; i < net->n_node; i++) {
        const hk_node *l = &net->node[i];
        for (int k = 0; l->spec->neuron && k < l->spec->neuron->n_state; k++)
            if (!finite_floats(hk_map_floats(l), hk_slot(&l->state[k], net->steps)))
                return hk_fail(e, HK_E_NUM, "loss is not finite after update %lld; the first layer "
                               "with a non-finite membrane is '%s'; lower optim.lr or set "
                               "optim.clip_norm", (long long)net->updates, l->name);
    }
    return hk_fail(e, HK_E_NUM, "loss is not finite after update %lld, all membranes are: look at "
                   "the weights of the last layer; lower optim.lr or set optim.clip_norm",
                   (long long)net->updates);
}

static hk_status check_batch(const hk_net *net, const hk_batch *b, hk_error *e)
{
    HK_CHECK(e, b->n >= 1 && b->n <= net->spec.batch, HK_E_ARG,
             "batch: %d samples, expected 1 to %d", (int)b->n, (int)net->spec.batch);
    for (int32_t i = 0; b->label && i < b->n; i++)
        HK_CHECK(e, b->label[i] >= 0 && b->label[i] < net->readout->out.shape.c, HK_E_ARG,
                 "batch: label of sample %d is %d, expected 0 to %d", (int)i, (int)b->label[i],
                 (int)net->readout->out.shape.c - 1);
    for (int32_t i = 0; b->length && i < b->n; i++)
        HK_CHECK(e, b->length[i] >= 1 && b->length[i] <= net->spec.T, HK_E_ARG,
                 "batch: sample %d has %d steps, expected 1 to %d", (int)i, (int)b->length[i],
                 (int)net->spec.T);
    HK_CHECK(e, !b->length || !net->spec.rule || !net->spec.rule->spread, HK_E_UNSUP,
             "batch: rule '%s' shares constants out over T steps, so samples cannot have lengths of "
             "their own", net->spec.rule->info.name);
    HK_CHECK(e, !b->open, HK_E_ARG, "batch: a sample without an end goes step by step (hk_stream)");
    return HK_OK;
}

hk_status hk_net_learn(hk_net *net, const hk_batch *batch, hk_result *out, hk_error *e)
{
    HK_CHECK(e, net->spec.learn, HK_E_ARG, "net: built for inference, cannot learn");
    HK_CHECK(e, batch->label || batch->target, HK_E_ARG, "batch: learning needs labels or targets");
    HK_CHECK(e, net->plan.updates == HK_AT_END || net->update.accumulate <= 1, HK_E_UNSUP,
             "rule '%s' updates within the sample: accumulate is %d, expected 1",
             net->spec.rule->info.name, (int)net->update.accumulate);
    HK_TRY(check_batch(net, batch, e));
    net->batch = batch;
    net->training = true;
    hk_net_begin(net);
    net->spec.rule->run(net, net->spec.rule_cfg);
    net->samples += net->spec.batch;
    hk_count_rest(net);
    if (out) *out = net->result;
    if (!(net->result.loss - net->result.loss == 0)) return not_a_number(net, e);
    if (net->plan.updates == HK_AT_END) hk_net_update(net);
    return hk_net_check(net, e);
}

hk_status hk_net_infer(hk_net *net, const hk_batch *batch, hk_result *out, hk_error *e)
{
    HK_TRY(check_batch(net, batch, e));
    net->batch = batch;
    net->training = false;
    hk_net_begin(net);
    if (hk_by_layer(net))
        hk_net_forward_layers(net);
    else
        for (int t = 1; t <= hk_net_steps(net); t++) hk_net_forward(net, t);
    if (out) *out = net->result;
    return HK_OK;
}
