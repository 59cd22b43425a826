/* Plan and bind: one description of the memory, run twice, first to measure, then to carve.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "net.h"

#include <string.h>

static size_t round_up(size_t n, size_t align) { return (n + align - 1) / align * align; }

void *hk_take(hk_mem *m, hk_region r, size_t bytes)
{
    size_t at = m->used[r];
    m->used[r] += round_up(bytes, (size_t)m->net->spec.align);
    return m->carve ? m->net->base[r] + at : NULL;
}

hk_param *hk_take_param(hk_mem *m, hk_node *node, const hk_param *like)
{
    hk_net *net = m->net;
    hk_param *p = &net->param[net->n_param++];
    *p = *like;
    p->layer = node->name;
    p->n = 1;
    for (int k = 0; k < p->rank; k++) p->n *= (size_t)p->dim[k];
    const bool trained = p->role != HK_BUFFER;
    p->w = hk_take(m, trained ? HK_R_PARAM : HK_R_BUFFER, p->n * sizeof(float));
    p->g = trained && net->spec.learn ? hk_take(m, HK_R_GRAD, p->n * sizeof(float)) : NULL;
    node->param[node->n_param++] = p;
    return p;
}

int32_t hk_slots(const hk_net *net, bool memory)
{
    if (hk_by_layer(net)) return memory ? 1 : net->spec.T;
    if (!net->spec.learn || !net->plan.adjoint) return 1;
    return net->plan.window + (memory ? 1 : 0);
}

static hk_ring take_slots(hk_mem *m, hk_region r, size_t bytes, int32_t slots)
{
    hk_ring ring = { NULL, round_up(bytes, (size_t)m->net->spec.align), slots };
    ring.base = hk_take(m, r, ring.stride * (size_t)slots);
    return ring;
}

hk_ring hk_take_ring(hk_mem *m, hk_region r, size_t bytes, bool memory)
{
    return take_slots(m, r, bytes, hk_slots(m->net, memory));
}

void hk_fresh_begin(hk_mem *m, hk_node *l) { l->fresh[0] = l->fresh[1] = m->used[HK_R_STATE]; }
void hk_fresh_end(hk_mem *m, hk_node *l) { l->fresh[1] = m->used[HK_R_STATE]; }

/* Outputs of all steps in one piece, as products over all of them read and write it. */
static hk_ring take_steps(hk_mem *m, hk_region r, size_t bytes)
{
    const int32_t T = m->net->spec.T;
    return (hk_ring){ hk_take(m, r, bytes * (size_t)T), bytes, T };
}

bool hk_short_lived(const hk_node *l)
{
    const hk_net *net = l->net;
    const bool kept = l->kept && !l->two_faced;      /* what backward reads is the other output */
    return !l->ops->alias && !l->inner_y && !kept && !l->constant && !l->ops->memory &&
           !(net->spec.learn && net->plan.layer_major);
}

/* Counts of a spiking layer begin at zero, like its state. */
static void take_other_output(hk_node *l, hk_mem *m)
{
    const hk_signal out = { l->out.shape, l->other.kind[HK_MAX_IN], 1 };
    if (l->two_faced)
        l->other.y = take_slots(m, l->spec->neuron ? HK_R_STATE : HK_R_TAPE,
                                hk_map_bytes(l->rows, out), 1);
}

static void take_output(hk_node *l, hk_mem *m)
{
    const size_t bytes = hk_map_bytes(l->rows, l->out);
    const bool tape = l->net->spec.learn && l->net->plan.adjoint;
    take_other_output(l, m);
    if (l->inner_y || hk_short_lived(l)) return;
    if (hk_by_layer(l->net) && !l->constant)
        l->y = take_steps(m, HK_R_TAPE, bytes);
    else if (l->ops->memory)
        l->y = take_slots(m, tape ? HK_R_TAPE : HK_R_STATE, bytes, hk_slots(l->net, true));
    else
        l->y = take_slots(m, HK_R_TAPE, bytes, l->constant ? 1 : hk_slots(l->net, false));
}

static hk_status take_node(hk_node *l, hk_mem *m, hk_error *e)
{
    hk_net *net = l->net;
    l->n_param = 0;
    l->scratch = 0;
    l->fresh[0] = l->fresh[1] = m->used[HK_R_STATE];
    const size_t c = (size_t)l->out.shape.c;
    const size_t tile = (size_t)net->spec.tile;
    l->tile = c >= tile ? c : tile / c * c;
    if (l->ops->alias) return HK_OK;
    take_output(l, m);
    if (net->spec.learn && net->plan.layer_major && !l->inner_dy)
        l->error = take_slots(m, HK_R_TAPE, hk_map_floats(l) * sizeof(float), net->plan.window);
    if (l->ops->bind) HK_TRY(l->ops->bind(l, m, e));
    hk_take_saved(l, m);
    return HK_OK;
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* A trace has the layout of its input but the values of a float map; a count branch has inputs of two kinds. */
hk_conv_bytes hk_product_bytes(const hk_node *l)
{
    const hk_net *net = l->net;
    const hk_kernels *k = net->spec.kernels;
    hk_conv_bytes b = k->conv_sizes(k->self, &l->conv, l->in[0].kind, net->spec.learn);
    if (!net->spec.learn || (!net->plan.weight_trace && !net->plan.counts)) return b;
    const hk_kind kind = net->plan.counts ? l->other.kind[0] : HK_F32;
    const hk_conv_bytes f = k->conv_sizes(k->self, &l->conv, kind, true);
    return (hk_conv_bytes){ larger(b.packed, f.packed), larger(b.work, f.work), b.keeps_w || f.keeps_w };
}

/* Products of a layer: packed weights of its own, scratch shared by all. */
static void take_products(hk_net *net, hk_mem *m, size_t *work)
{
    for (int32_t i = 0; i < net->n_node; i++) {
        hk_node *l = &net->node[i];
        if (!l->args.g) continue;
        const hk_conv_bytes b = hk_product_bytes(l);
        l->args.packed = hk_take(m, HK_R_PACKED, b.packed);
        *work = larger(*work, larger(b.work, l->w_bytes));
    }
}

/* The largest error that a product adds to what another consumer has written. */
static size_t spare_bytes(const hk_net *net)
{
    size_t most = 0;
    for (int32_t i = 0; i < net->n_node; i++) {
        const hk_node *l = &net->node[i];
        const size_t bytes = l->rows_in * (size_t)l->in[0].shape.c * sizeof(float);
        if (l->args.g && l->dx_add[0] && bytes > most) most = bytes;
    }
    return most;
}

static hk_status describe(hk_net *net, hk_mem *m, hk_error *e)
{
    const hk_net_spec *s = &net->spec;
    net->n_param = 0;
    const size_t in_rows = (size_t)s->batch * (size_t)s->input.shape.h * (size_t)s->input.shape.w;
    const size_t in_bytes = hk_map_bytes(in_rows, s->input);
    net->x = hk_by_layer(net) && !s->constant_input
             ? take_steps(m, HK_R_TAPE, in_bytes)
             : take_slots(m, HK_R_TAPE, in_bytes, s->constant_input ? 1 : hk_slots(net, false));
    if (net->plan.counts)
        net->other_x = take_slots(m, HK_R_STATE, in_rows * (size_t)s->input.shape.c * sizeof(float), 1);
    for (int32_t i = 0; i < net->n_node; i++) HK_TRY(take_node(&net->node[i], m, e));
    for (int k = 0; k < HK_MAX_SLOT; k++)
        net->slot[k] = s->learn && s->optim && k < s->optim->n_slot
                       ? hk_take(m, HK_R_OPTIM, m->used[HK_R_PARAM]) : NULL;
    net->rule_state = s->learn && net->plan.state
                      ? hk_take(m, HK_R_BUFFER, (size_t)net->plan.state * sizeof(float)) : NULL;
    net->target = hk_take(m, HK_R_WORK, (size_t)net->readout->out.shape.c * sizeof(float));

    size_t work = 0;
    take_products(net, m, &work);
    net->spare = hk_take(m, HK_R_WORK, spare_bytes(net));
    char *placed = hk_take(m, HK_R_WORK, hk_place(net));
    void *scratch = hk_take(m, HK_R_WORK, work);
    net->scratch_stride = round_up(hk_tile_scratch(net) * sizeof(float), (size_t)s->align) /
                          sizeof(float);
    net->scratch = hk_take(m, HK_R_WORK, net->scratch_stride * sizeof(float) *
                                             (size_t)s->kernels->workers);
    for (int32_t i = 0; i < net->n_node; i++) {
        hk_node *l = &net->node[i];
        if (l->ops->alias) continue;
        l->args.work = scratch;
        l->args.id = (uint32_t)i;
        if (hk_short_lived(l))
            l->y = hk_by_layer(net) ? (hk_ring){ placed ? placed + l->y_at : NULL, hk_map_bytes(l->rows, l->out), s->T }
                                    : (hk_ring){ placed ? placed + l->y_at : NULL, 0, 1 };
        if (!l->two_faced) l->other.y = l->y;
        if (s->learn && !net->plan.layer_major && !l->inner_dy)
            l->error = (hk_ring){ placed ? placed + l->error_at : NULL, 0, 1 };
    }
    return HK_OK;
}

static hk_status measure_once(hk_net *net, hk_error *e)
{
    hk_mem m = { .net = net, .carve = false };
    HK_TRY(describe(net, &m, e));
    memcpy(net->bytes, m.used, sizeof net->bytes);
    return HK_OK;
}

static hk_status measure(hk_net *net, hk_error *e)
{
    return net->spec.learn && net->plan.recompute ? hk_fit_budget(net, measure_once, e)
                                                  : measure_once(net, e);
}

hk_status hk_net_plan(hk_net *net, size_t bytes[HK_REGIONS], hk_error *e)
{
    if (!net->base[HK_R_WORK]) HK_TRY(measure(net, e));      /* bound: keep what was handed out */
    if (bytes) memcpy(bytes, net->bytes, sizeof net->bytes);
    return HK_OK;
}

hk_status hk_net_bind(hk_net *net, void *const base[HK_REGIONS], hk_error *e)
{
    HK_TRY(measure(net, e));
    static const char *const name[] = HK_REGION_NAMES;
    for (int r = 0; r < HK_REGIONS; r++) {
        HK_CHECK(e, base[r] || !net->bytes[r], HK_E_NOMEM, "net: region '%s' needs %zu bytes, none given",
                 name[r], net->bytes[r]);
        HK_CHECK(e, (uintptr_t)base[r] % (uintptr_t)net->spec.align == 0, HK_E_ARG,
                 "net: region '%s' is not aligned to %d bytes", name[r], (int)net->spec.align);
        net->base[r] = base[r];
    }
    hk_mem m = { .net = net, .carve = true };
    HK_TRY(describe(net, &m, e));
    for (int r = 0; r < HK_REGIONS; r++)
        HK_CHECK(e, m.used[r] == net->bytes[r], HK_E_ARG,
                 "net: region '%s' was planned with %zu bytes and took %zu", name[r], net->bytes[r],
                 m.used[r]);
    return HK_OK;
}
