/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include "base/alloc.h"
#include "kernel/host_kernels.h"
#include "net/net.h"
#include "run/choice.h"

#include <stdio.h>
#include <string.h>

/* ---- bytes by layer -------------------------------------------------------------------------- */

/* What a layer's bind takes, its output and its packed weights. Leaves the net to be planned
 * again. */
static hk_status measure_layer(hk_net *net, hk_node *l, size_t bytes[HK_REGIONS], hk_error *e)
{
    hk_mem m = { .net = net };
    const hk_net_spec *s = &net->spec;
    if (l->ops->alias) return HK_OK;
    const bool tape = !l->ops->memory || (s->learn && net->plan.adjoint);
    if (!l->inner_y) hk_take(&m, tape ? HK_R_TAPE : HK_R_STATE, l->y.stride * (size_t)l->y.slots);
    if (l->two_faced)
        hk_take(&m, l->spec->neuron ? HK_R_STATE : HK_R_TAPE, l->other.y.stride);
    if (s->learn && net->plan.layer_major && !l->inner_dy)
        hk_take(&m, HK_R_TAPE, l->error.stride * (size_t)l->error.slots);
    net->n_param = 0;
    l->n_param = 0;
    if (l->ops->bind) HK_TRY(l->ops->bind(l, &m, e));
    for (int k = 0; s->optim && k < s->optim->n_slot; k++)
        m.used[HK_R_OPTIM] += m.used[HK_R_PARAM];
    memcpy(bytes, m.used, sizeof m.used);
    return HK_OK;
}

static size_t learned(const hk_net *net)
{
    size_t n = 0;
    for (int32_t i = 0; i < net->n_param; i++)
        if (net->param[i].learn) n += net->param[i].n;
    return n;
}

/* Constants in flash, by layer, and the core's tables in RAM. */
static void measure_device(hk_plan *p, const hk_net *net, const hk_device *device)
{
    p->tables = hk_target_table_bytes(device->target, net->n_node, net->n_param);
    for (int32_t i = 0; i < net->n_node; i++)
        p->layer[i].flash = hk_target_spec_bytes(net->node[i].spec);
    for (int32_t k = 0; k < net->n_param; k++)
        for (int32_t i = 0; i < net->n_node; i++)
            if (net->param[k].layer == net->node[i].name)
                p->layer[i].flash += hk_target_constant(&net->param[k], device->form);
}

static hk_status measure(hk_plan *p, hk_net *net, const hk_device *device, hk_error *e)
{
    HK_TRY(hk_net_plan(net, p->bytes, e));
    if (device) measure_device(p, net, device);
    p->learned = learned(net);
    for (int r = 0; r < HK_REGIONS; r++) p->total += p->bytes[r];
    for (int32_t i = 0; i < net->n_node; i++) {
        hk_node *l = &net->node[i];
        hk_plan_layer *out = &p->layer[i];
        HK_TRY(measure_layer(net, l, out->bytes, e));
        hk_format(out->name, sizeof out->name, "%s", l->name);
        hk_format(out->type, sizeof out->type, "%s",
                  l->spec->neuron ? l->spec->neuron->info.name : l->ops->info.name);
        out->shape = l->out.shape;
        out->operations = l->ops->operations ? l->ops->operations(l) : 0;
        p->operations += out->operations;
    }
    return HK_OK;
}

/* ---- one plan -------------------------------------------------------------------------------- */

static hk_status build(hk_plan *p, const hk_net_spec *spec, const hk_device *device, hk_error *e)
{
    hk_net net;
    p->batch = spec->batch;
    p->n_layer = spec->n_node;
    p->layer = hk_alloc_zero((size_t)spec->n_node, sizeof *p->layer);
    hk_node *node = hk_alloc_zero((size_t)spec->n_node, sizeof *node);
    hk_param *param = hk_alloc_zero((size_t)hk_net_max_param(spec), sizeof *param);
    hk_status st = p->layer && node && param ? HK_OK : hk_fail(e, HK_E_NOMEM, "out of memory");
    if (!st) st = hk_net_build(&net, spec, node, param, hk_net_max_param(spec), e);
    if (!st) st = measure(p, &net, device, e);
    hk_free(param);
    hk_free(node);
    return st;
}

/* With this machine's kernels, as a session opens them. */
static hk_status build_here(hk_plan *p, const hk_recipe *r, const hk_plan_opts *o, hk_error *e)
{
    const hk_choice_opts from = { .file = o->choice };
    hk_host_kernels_cfg cfg = hk_recipe_kernels(r, 0);
    hk_host_kernels kernels;
    hk_choices choices;
    hk_net_spec spec;
    hk_recipe_spec(r, true, true, &spec);
    HK_TRY(hk_choices_open(&choices, &spec, &cfg, false, &from, e));
    cfg.choice = choices.row;
    cfg.n_choice = p->followed = choices.n;
    hk_status st = hk_host_kernels_open(&kernels, &cfg, e);
    if (!st) {
        p->workers = kernels.table.workers;
        spec.kernels = &kernels.table;
        st = build(p, &spec, NULL, e);
        hk_host_kernels_close(&kernels);
    }
    hk_choices_close(&choices);
    return st;
}

/* A rule that does not fit is told in the plan. */
static hk_status make(hk_plan *p, const hk_recipe *r, const hk_plan_opts *o, hk_error *e)
{
    hk_error inner = { 0 };
    hk_net_spec spec;
    hk_status st;
    if (o->device) {
        hk_target_spec(r, 0, &spec);
        st = build(p, &spec, o->device, &inner);
    } else {
        st = build_here(p, r, o, &inner);
    }
    if (st == HK_E_UNSUP) p->refused = inner;
    else if (st) *e = inner;
    return st == HK_E_UNSUP ? HK_OK : st;
}

hk_status hk_plan_make(hk_plan *p, const hk_plan_opts *o, hk_error *e)
{
    enum { MOST = 258 };
    const char *all[MOST];
    char rule_set[64], T_set[32];
    hk_recipe r;
    int n = o->n_set;
    memset(p, 0, sizeof *p);
    HK_CHECK(e, n + 2 <= MOST, HK_E_ARG, "plan: too many assignments");
    for (int i = 0; i < n; i++) all[i] = o->set[i];
    if (o->rule) {
        hk_format(rule_set, sizeof rule_set, "rule=%s", o->rule);
        all[n++] = rule_set;
    }
    if (o->T) {
        hk_format(T_set, sizeof T_set, "train.T=%d", (int)o->T);
        all[n++] = T_set;
    }
    HK_TRY(hk_recipe_load(&r, o->recipe, all, n, e));
    hk_status st = hk_recipe_shape_from_data(&r, e);
    if (!st) {
        p->T = r.train.T;
        p->input = r.data.shape;
        hk_format(p->rule, sizeof p->rule, "%s", r.rule->info.name);
        st = make(p, &r, o, e);
    }
    hk_recipe_free(&r);
    if (st) hk_plan_free(p);
    return st;
}

void hk_plan_free(hk_plan *p)
{
    hk_free(p->layer);
    p->layer = NULL;
}
