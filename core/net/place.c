/* Where short-lived outputs and errors lie in WORK: two that are alive at the same time never share
 * a byte, others may. Time runs over the layers forward, 0..n-1, and back, 2n-1-i for layer i.
 * First fit in order of appearance.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "net.h"

typedef struct claim {
    size_t *at, bytes;
    int     from, to;
} claim;

/* Last layer that reads the output of l; l itself if none does. */
static int last_reader(const hk_net *net, const hk_node *l)
{
    int last = l->index;
    for (int j = l->index + 1; j < net->n_node; j++)
        for (int k = 0; k < net->node[j].spec->n_in; k++)
            if (!net->node[j].ops->alias && net->node[j].from[k] == l) last = j;
    return last;
}

static bool has_error(const hk_node *l)
{
    return !l->ops->alias && l->net->spec.learn && !l->net->plan.layer_major && !l->inner_dy &&
           l->learnable;
}

/* The layer in whose error that of l lies, because one is turned into the other in place; or l itself. */
static hk_node *error_host(hk_net *net, hk_node *l)
{
    hk_node *reader = &net->node[last_reader(net, l)];
    const bool alone = l->consumers == 1 && reader != l && !reader->dx_add[0];
    const bool hosted = alone && reader->ops->in_place && has_error(l) && has_error(reader);
    return hosted ? error_host(net, reader) : l;
}

/* Claim number i of the net, two per layer: its output and its error. bytes 0: none. */
static claim claim_at(hk_net *net, int i)
{
    hk_node *l = &net->node[i / 2];
    const int back = 2 * net->n_node - 1;
    if (i % 2 == 0) {
        const size_t steps = hk_by_layer(net) ? (size_t)net->spec.T : 1;
        const size_t bytes = hk_short_lived(l) ? steps * hk_map_bytes(l->rows, l->out) : 0;
        return (claim){ &l->y_at, bytes, l->index, last_reader(net, l) };
    }
    const bool own = has_error(l) && error_host(net, l) == l;
    const size_t bytes = own ? hk_map_floats(l) * sizeof(float) : 0;
    claim c = { &l->error_at, bytes, back - last_reader(net, l), back - l->index };
    for (int k = l->index - 1; own && k >= 0; k--)
        if (error_host(net, &net->node[k]) == l) c.to = back - k;
    return c;
}

/* Chains run as one: lengthen lifetimes to whole chains. */
static void widen(const hk_net *net, claim *c)
{
    const int n = net->n_node;
    for (int i = 0; i < n; i++) {
        const hk_node *head = &net->node[i];
        if (!head->chain) continue;
        const int first = i, last = i + head->chain - 1;
        if (c->from > first && c->from <= last) c->from = first;
        if (c->to >= first && c->to < last) c->to = last;
        const int bfirst = 2 * n - 1 - last, blast = 2 * n - 1 - first;
        if (c->from > bfirst && c->from <= blast) c->from = bfirst;
        if (c->to >= bfirst && c->to < blast) c->to = blast;
    }
}

size_t hk_place(hk_net *net)
{
    const size_t align = (size_t)net->spec.align;
    size_t total = 0;
    for (int i = 0; i < 2 * net->n_node; i++) {
        claim c = claim_at(net, i);
        if (!c.bytes) continue;
        widen(net, &c);
        size_t at = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (int j = 0; j < i; j++) {
                claim o = claim_at(net, j);
                if (!o.bytes) continue;
                widen(net, &o);
                if (o.to < c.from || c.to < o.from) continue;
                if (at < *o.at + o.bytes && *o.at < at + c.bytes) {
                    at = (*o.at + o.bytes + align - 1) / align * align;
                    moved = true;
                }
            }
        }
        *c.at = at;
        if (at + c.bytes > total) total = at + c.bytes;
    }
    for (int i = 0; i < net->n_node; i++)
        net->node[i].error_at = error_host(net, &net->node[i])->error_at;
    return total;
}
