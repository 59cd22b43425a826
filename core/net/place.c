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

/* Claim number i of the net, two per layer: its output and its error. bytes 0: none. */
static claim claim_at(hk_net *net, int i)
{
    hk_node *l = &net->node[i / 2];
    const int n = net->n_node, back = 2 * n - 1;
    const bool learn = net->spec.learn;
    claim c = { &l->y_at, 0, l->index, l->index };
    int last = l->index;                       /* last consumer, to the end of its chain */
    for (int j = l->index + 1; j < n; j++)
        for (int k = 0; k < net->node[j].spec->n_in; k++)
            if (!net->node[j].ops->alias && net->node[j].from[k] == l) last = j;
    if (l->ops->alias) return c;
    if (i % 2 == 0) {
        if (!l->inner_y && !l->kept && !l->constant && !l->ops->memory &&
            !(learn && net->plan.layer_major))
            c.bytes = hk_map_bytes(l->rows, l->out);
        c.to = last;
        return c;
    }
    c.at = &l->error_at;
    if (learn && !net->plan.layer_major && !l->inner_dy && l->learnable)
        c.bytes = hk_map_floats(l) * sizeof(float);
    c.from = back - last;
    c.to = back - l->index;
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
    return total;
}
