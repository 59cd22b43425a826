/* Forward and backward of one step, or of all steps layer by layer; the pieces that rules are made of.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "net.h"

#include <string.h>

static void notify(hk_net *net, int t, hk_event what)
{
    if (net->watch) net->watch(net->watch_self, net, t, what);
}

void hk_net_rest(hk_net *net)
{
    for (int32_t i = 0; i < net->n_node; i++) {
        hk_node *l = &net->node[i];
        if (l->ops->alias) continue;
        if (l->ops->memory) memset(hk_slot(&l->y, 0), 0, hk_map_bytes(l->rows, l->out));
        if (l->ops->reset) l->ops->reset(l);
    }
}

/* All but what layers write afresh; these lie in the order of the layers. */
static void clear_state(hk_net *net)
{
    char *base = net->base[HK_R_STATE];
    size_t at = 0;
    if (!base) return;
    for (int32_t i = 0; i < net->n_node; i++) {
        const size_t *fresh = net->node[i].fresh;
        if (fresh[0] == fresh[1]) continue;
        memset(base + at, 0, fresh[0] - at);
        at = fresh[1];
    }
    memset(base + at, 0, net->bytes[HK_R_STATE] - at);
}

void hk_net_begin(hk_net *net)
{
    clear_state(net);
    hk_net_rest(net);
    net->result = (hk_result){ 0 };
    net->steps = 0;
    net->live = 0;
}

int32_t hk_net_live(const hk_net *net, int t)
{
    int32_t n = 0;
    for (int32_t b = 0; b < net->batch->n; b++) n += t <= hk_steps_of(net, b);
    return n;
}

int32_t hk_net_steps(const hk_net *net)
{
    int32_t most = 1;
    for (int32_t b = 0; b < net->batch->n; b++) {
        const int32_t steps = hk_steps_of(net, b);
        if (steps > most) most = steps;
    }
    return most;
}

bool hk_net_ends(const hk_net *net, int t)
{
    for (int32_t b = 0; b < net->batch->n; b++)
        if (t == hk_steps_of(net, b)) return true;
    return false;
}

static void show_frame(hk_net *net, int t)
{
    if (net->phase == HK_SUMS) return;
    if (!net->replay) net->live += hk_net_live(net, t);
    if (net->spec.constant_input && t > 1) return;
    const hk_shape s = net->spec.input.shape;
    const size_t rows = (size_t)net->spec.batch * (size_t)s.h * (size_t)s.w;
    memcpy(hk_slot(&net->x, t), net->batch->frame(net->batch->self, t),
           hk_map_bytes(rows, net->spec.input));
    if (net->phase == HK_SPIKES) hk_sum_frame(net, t);
}

/* The step that layers see: the sums over time are one step of their own. */
static int step_of(const hk_net *net, int t) { return net->phase == HK_SUMS ? 1 : t; }

void hk_net_forward(hk_net *net, int t)
{
    if (!net->replay) net->steps = t;
    show_frame(net, t);
    for (int32_t i = 0; i < net->n_node; i++)
        if (net->node[i].chain) hk_chain_forward(&net->node[i], step_of(net, t));
    for (int32_t i = 0; i < net->n_node; i++)
        if (net->node[i].ops->carry) net->node[i].ops->carry(&net->node[i], t);
    if (net->replay) return;
    if (net->phase != HK_SPIKES) hk_loss_value(net, t);
    else if (t == net->spec.T) hk_count_spiking(net);
    if (net->phase != HK_SUMS) notify(net, t, HK_AFTER_FORWARD);
}

void hk_net_backward(hk_net *net, int t, int t0, bool error)
{
    net->t0 = t0;
    hk_loss_error(net, t, error);
    for (int32_t i = net->n_node - 1; i >= 0; i--)
        if (net->node[i].chain) hk_chain_backward(&net->node[i], step_of(net, t));
    notify(net, t, HK_AFTER_BACKWARD);
}

/* A product over all steps reads the slots of those that no sample has, too: silence, not what lay there before. */
static void silence_rest(const hk_ring *r, int T)
{
    if (r->slots > T) memset(hk_slot(r, T + 1), 0, (size_t)(r->slots - T) * r->stride);
}

void hk_net_forward_layers(hk_net *net)
{
    const int T = hk_net_steps(net);
    const bool rest = hk_by_layer(net) && T < net->spec.T;
    net->steps = T;
    for (int t = 1; t <= T; t++) show_frame(net, t);
    if (rest) silence_rest(&net->x, T);
    for (int32_t i = 0; i < net->n_node; i++) {
        hk_node *head = &net->node[i];
        if (!head->chain) continue;
        hk_chain_forward_all(head, T);
        for (int32_t k = 0; rest && k < head->chain; k++)
            if (!head[k].inner_y) silence_rest(&head[k].y, T);
    }
    for (int t = 1; t <= T; t++) {
        hk_loss_value(net, t);
        notify(net, t, HK_AFTER_FORWARD);
    }
}

void hk_net_backward_layers(hk_net *net)
{
    net->t0 = 1;
    const int T = hk_net_steps(net);
    for (int t = T; t >= 1; t--) hk_loss_error(net, t, true);
    for (int32_t i = net->n_node - 1; i >= 0; i--)
        for (int t = T; t >= 1 && net->node[i].chain; t--)
            hk_chain_backward(&net->node[i], t);
    for (int t = T; t >= 1; t--) notify(net, t, HK_AFTER_BACKWARD);
}

void hk_net_clear_adjoint(hk_net *net)
{
    for (int32_t i = 0; i < net->n_node; i++) {
        hk_node *l = &net->node[i];
        const size_t bytes = hk_map_floats(l) * sizeof(float);
        for (int k = 0; k < HK_MAX_STATE; k++)
            if (l->adjoint[k]) memset(l->adjoint[k], 0, bytes);
        if (l->spike_adjoint) memset(l->spike_adjoint, 0, bytes);
    }
}

void hk_net_finish(hk_net *net)
{
    for (int32_t i = 0; i < net->n_node; i++)
        if (net->node[i].ops->finish) net->node[i].ops->finish(&net->node[i]);
}

void hk_net_drop(hk_net *net)
{
    if (net->bytes[HK_R_GRAD]) memset(net->base[HK_R_GRAD], 0, net->bytes[HK_R_GRAD]);
}

double hk_node_rate(const hk_node *l)
{
    if (!l->spikes || !l->net->live) return 0;
    uint64_t n = 0;
    for (int32_t s = 0; s < l->shards; s++) n += l->spikes[s];
    const double neurons = (double)hk_map_floats(l) / l->net->spec.batch;
    return (double)n / (neurons * (double)l->net->live);
}
