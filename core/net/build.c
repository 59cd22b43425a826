/* Build: from a list of layers to a graph with shapes, chains and capabilities checked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "net.h"

#include <string.h>

int32_t hk_net_max_param(const hk_net_spec *spec) { return spec->n_node * HK_MAX_PARAM; }

static hk_status check_spec(const hk_net_spec *s, hk_error *e)
{
    HK_CHECK(e, s->n_node > 0, HK_E_ARG, "net: expected at least one layer, found none");
    HK_CHECK(e, s->T >= 1, HK_E_ARG, "net: T is %d, expected at least 1", (int)s->T);
    HK_CHECK(e, s->batch >= 1, HK_E_ARG, "net: batch is %d, expected at least 1", (int)s->batch);
    const hk_shape in = s->input.shape;
    HK_CHECK(e, in.h >= 1 && in.w >= 1 && in.c >= 1, HK_E_SHAPE,
             "net: input is %dx%dx%d (c, h, w), expected at least 1 of each", (int)in.c, (int)in.h,
             (int)in.w);
    HK_CHECK(e, !s->learn || (s->rule && s->loss), HK_E_ARG,
             "net: learning needs a rule and a loss");
    HK_CHECK(e, s->shards >= 0 && s->shards <= HK_MAX_SHARD, HK_E_ARG,
             "net: shards is %d, expected 1 to %d", (int)s->shards, HK_MAX_SHARD);
    HK_CHECK(e, s->align >= 0 && (s->align & (s->align - 1)) == 0, HK_E_ARG,
             "net: align is %d, expected a power of two", (int)s->align);
    HK_CHECK(e, !s->layer_major || s->T <= INT32_MAX / s->batch, HK_E_ARG,
             "net: %d steps of %d samples are too many for inference layer by layer (layer_major)", (int)s->T,
             (int)s->batch);
    HK_CHECK(e, s->kernels != NULL, HK_E_ARG, "net: no kernels given");
    return HK_OK;
}

/* Producer behind aliases; NULL for the net's input. */
static hk_node *resolve(hk_net *net, int32_t index)
{
    while (index >= 0 && net->node[index].ops->alias) index = net->node[index].spec->in[0];
    return index >= 0 ? &net->node[index] : NULL;
}

static hk_status connect(hk_net *net, hk_node *l, hk_error *e)
{
    const hk_node_spec *s = l->spec;
    HK_CHECK(e, s->n_in == l->ops->n_in, HK_E_SHAPE, "layer '%s' (%s): expected %d inputs, found %d",
             l->name, l->ops->info.name, l->ops->n_in, (int)s->n_in);
    l->constant = l->ops->steady;
    for (int k = 0; k < s->n_in; k++) {
        HK_CHECK(e, s->in[k] >= -1 && s->in[k] < l->index, HK_E_ARG,
                 "layer '%s': input %d is layer number %d, expected one before it", l->name, k,
                 (int)s->in[k]);
        const hk_node *direct = s->in[k] >= 0 ? &net->node[s->in[k]] : NULL;
        l->from[k] = resolve(net, s->in[k]);
        l->in[k] = direct ? direct->out : net->spec.input;
        l->constant = l->constant && (direct ? direct->constant : net->spec.constant_input);
        if (direct && direct->learnable) l->learnable = true;
        if (l->from[k] && !l->ops->alias) l->from[k]->consumers++;
    }
    l->out = l->in[0];
    HK_TRY(l->ops->infer(l, e));
    l->rows = (size_t)net->spec.batch * (size_t)l->out.shape.h * (size_t)l->out.shape.w;
    l->rows_in = (size_t)net->spec.batch * (size_t)l->in[0].shape.h * (size_t)l->in[0].shape.w;
    const int32_t most = net->spec.shards;
    l->shards = l->rows < (size_t)most ? (int32_t)l->rows : most;
    return HK_OK;
}

/* The first leaky state, in layer order, that the output of l reaches; NULL: none. */
static hk_node *find_memory(hk_net *net, hk_node *l)
{
    for (int32_t j = 0; j < net->n_node; j++) net->node[j].mark = false;
    l->mark = true;
    for (int32_t j = l->index + 1; j < net->n_node; j++) {
        hk_node *c = &net->node[j];
        for (int k = 0; k < c->spec->n_in && !c->ops->alias; k++)
            if (c->from[k] && c->from[k]->mark) c->mark = true;
        if (c->mark && c->ops->memory) return c;
    }
    return NULL;
}

static bool reaches_readout_directly(const hk_net *net, const hk_node *l)
{
    return l->memory && l->memory == net->readout;
}

/* Neighbours whose tile stages run one after another over the same tile. */
static void make_chains(hk_net *net)
{
    for (int32_t i = 0; i < net->n_node;) {
        hk_node *head = &net->node[i], *last = head;
        i++;
        if (head->ops->alias) continue;
        for (; i < net->n_node; i++) {
            hk_node *next = &net->node[i];
            if (next->ops->alias || next->ops->forward || next->spec->n_in != 1 ||
                next->from[0] != last || last->consumers != 1 || last->kept || last->ops->memory ||
                last->out.kind != HK_F32 || next->rows != last->rows)
                break;
            last->inner_y = !last->ops->whole;
            last->inner_dy = last->ops->backward == NULL;
            last = next;
        }
        head->chain = (int32_t)(last - head) + 1;
    }
}

/* Where errors go, and who writes first: backward visits the last consumer first. */
static void route_errors(hk_net *net)
{
    for (int32_t i = net->n_node - 1; i >= 0; i--) {
        hk_node *l = &net->node[i];
        if (l->ops->alias) continue;
        for (int k = 0; k < l->spec->n_in; k++) {
            hk_node *p = l->from[k];
            l->dx_want[k] = p && p->learnable && net->spec.learn;
            if (!l->dx_want[k]) continue;
            bool later = k > 0 && l->from[0] == p;
            for (int32_t j = i + 1; j < net->n_node && !later; j++)
                for (int m = 0; m < net->node[j].spec->n_in; m++)
                    later |= !net->node[j].ops->alias && net->node[j].from[m] == p;
            l->dx_add[k] = later;
        }
    }
}

static hk_status check_rule(hk_net *net, hk_error *e)
{
    const hk_rule_ops *rule = net->spec.rule;
    net->plan = (hk_rule_plan){ 0 };
    HK_TRY(rule->plan(net, net->spec.rule_cfg, &net->plan, e));
    const hk_rule_plan *p = &net->plan;
    HK_CHECK(e, p->trace_kind == HK_F32 || (p->weights && p->weight_trace) || p->learn_threshold ||
                p->learn_leak, HK_E_UNSUP, "rule '%s': traces is bf16, but with these keys the rule keeps "
             "no trace; expected traces: fp32", rule->info.name);
    HK_CHECK(e, !(p->trace_floor > 0) || (p->weights && p->weight_trace == HK_TRACE_SHARED), HK_E_UNSUP,
             "rule '%s': trace_floor is %g, but with these keys no trace of an input serves all outputs; "
             "expected weight_trace: shared, or trace_floor: 0", rule->info.name, (double)p->trace_floor);
    if (!net->plan.weights || !net->plan.weight_trace) return HK_OK;
    for (int32_t i = 0; i < net->n_node; i++) {
        const hk_node *m = net->node[i].memory;
        HK_CHECK(e, !m || !m->ops->filter || !(net->node[i].ops->operations || net->node[i].ops->filter),
                 HK_E_UNSUP, "rule '%s' cannot train layer '%s': its trace does not follow the output "
                 "through filter '%s' (%s); put the filter before the weights, or use sltt or bptt",
                 rule->info.name, net->node[i].name, m->name, m->ops->info.name);
        if (net->plan.weight_trace == HK_TRACE_SYNAPSE) continue;       /* any neuron; see eligibility.c */
        if (!m || !m->spec->neuron || !(net->node[i].ops->operations || net->node[i].ops->filter)) continue;
        const hk_neuron_ops *neuron = m->spec->neuron;
        HK_CHECK(e, neuron->decay, HK_E_UNSUP,
                 "rule '%s' cannot train layer '%s': a weight trace needs one leak, and neuron '%s' "
                 "of layer '%s' has no such number (capability: decay); use weight_trace: synapse "
                 "(dense layers), sltt, bptt, or stop without W", rule->info.name, net->node[i].name, neuron->info.name, m->name);
        const char *why = neuron->decay_caveat ? neuron->decay_caveat(m->spec->neuron_cfg) : NULL;
        HK_CHECK(e, !why || net->plan.hard_reset_trace, HK_E_UNSUP,
                 "rule '%s' cannot train layer '%s': %s (layer '%s', neuron '%s'); use "
                 "weight_trace: synapse (dense layers), or hard_reset_trace: ignore to accept the error", rule->info.name,
                 net->node[i].name, why, m->name, neuron->info.name);
    }
    return HK_OK;
}

static hk_status find_readout(hk_net *net, hk_error *e)
{
    hk_node *last = &net->node[net->n_node - 1];
    HK_CHECK(e, last->ops->memory && !last->ops->filter && !last->spec->neuron, HK_E_SHAPE,
             "layer '%s' (%s) is the last, expected a readout there", last->name,
             last->ops->info.name);
    for (const hk_node *l = net->node; l < last; l++)
        HK_CHECK(e, l->consumers || l->ops->alias, HK_E_SHAPE,
                 "layer '%s' (%s): no other layer reads it, expected that all reach the readout",
                 l->name, l->ops->info.name);
    net->readout = last;
    return HK_OK;
}

static void set_defaults(hk_net_spec *s)
{
    if (!s->tile) s->tile = 512;
    if (!s->align) s->align = 64;
    if (!s->shards) s->shards = HK_MAX_SHARD;
}

hk_status hk_net_build(hk_net *net, const hk_net_spec *spec, hk_node *node, hk_param *param,
                       int32_t max_param, hk_error *e)
{
    memset(net, 0, sizeof *net);
    HK_TRY(check_spec(spec, e));
    net->spec = *spec;
    set_defaults(&net->spec);
    net->node = node;
    net->n_node = spec->n_node;
    net->param = param;
    net->max_param = max_param;
    net->update = (hk_update){ .lr = 0.1f, .lr_threshold = 1, .lr_leak = 1, .accumulate = 1 };
    memset(node, 0, (size_t)spec->n_node * sizeof *node);
    for (int32_t i = 0; i < net->n_node; i++) {
        hk_node *l = &node[i];
        l->spec = &spec->node[i];
        l->ops = l->spec->layer;
        l->name = l->spec->name;
        l->net = net;
        l->index = i;
        HK_TRY(connect(net, l, e));
    }
    HK_TRY(find_readout(net, e));
    for (int32_t i = 0; i < net->n_node; i++) node[i].memory = find_memory(net, &node[i]);
    for (int32_t i = 0; i < net->n_node; i++) {
        node[i].head = reaches_readout_directly(net, &node[i]);
        node[i].first = node[i].from[0] == NULL;
    }
    if (spec->learn) HK_TRY(check_rule(net, e));
    if (net->plan.counts) HK_TRY(hk_infer_sums(net, e));
    for (int32_t i = 0; i < net->n_node && net->plan.updates != HK_AT_END; i++)
        if (node[i].learnable) node[i].constant = false;     /* its weights move between steps */
    for (int32_t i = 0; i < net->n_node; i++) {
        hk_node *l = &node[i];
        if (!l->ops->keeps_input || !spec->learn || !l->ops->keeps_input(l)) continue;
        for (int k = 0; k < l->spec->n_in; k++)
            if (l->from[k]) l->from[k]->kept = true;
    }
    make_chains(net);
    route_errors(net);
    return HK_OK;
}
