/* What the files of core/net share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_NET_H
#define HK_NET_H

#include "hillock_ext.h"

struct hk_mem {
    hk_net *net;
    bool    carve;                       /* second pass: hand out memory                   */
    size_t  used[HK_REGIONS];
};

/* Last node of the chain that begins at head. */
static inline hk_node *hk_chain_last(hk_node *head) { return head + head->chain - 1; }

static inline size_t hk_map_floats(const hk_node *l)
{
    return l->rows * (size_t)l->out.shape.c;
}

static inline size_t hk_map_bytes(size_t rows, hk_signal s)
{
    return rows * hk_row_bytes(s.kind, (size_t)s.shape.c);
}

/* Slots of a ring: what the rule keeps, and one more where the state before the window counts. */
int32_t hk_slots(const hk_net *net, bool memory);

/* plan.c: whether an output lives in WORK, placed by its lifetime. */
bool hk_short_lived(const hk_node *l);

/* place.c: offsets in WORK for outputs and errors that live shortly; returns the bytes. */
size_t hk_place(hk_net *net);

/* segment.c: memory for the states between segments; the fewest segments within the budget, found
 * by measuring. E_UNSUP: none fits. */
void      hk_take_saved(hk_node *l, hk_mem *m);
hk_status hk_fit_budget(hk_net *net, hk_status (*measure)(hk_net *net, hk_error *e), hk_error *e);

/* run.c: every state to rest, as before step 1. */
void hk_net_rest(hk_net *net);

/* tile.c: the tile stages of a chain, forward or backward, over all rows. */
void hk_chain_forward(hk_node *head, int t);
/* The same, and what comes before them, for the steps 1..T. */
void hk_chain_forward_all(hk_node *head, int T);
void hk_chain_backward(hk_node *head, int t);
/* Floats of scratch that one worker needs, over all chains. */
size_t hk_tile_scratch(const hk_net *net);

/* phase.c: the signals of the other phase; kinds of HK_SUMS at build; sum of the frames. */
void      hk_turn(hk_node *l);
hk_status hk_infer_sums(hk_net *net, hk_error *e);
void      hk_sum_frame(hk_net *net, int t);

/* error.c: loss value of step t into net->result, and its gradient into the readout's error. */
void hk_loss_value(hk_net *net, int t);
/* Decisions against labels of the samples that the rule has left before their end. */
void hk_count_rest(hk_net *net);
/* Decisions of the steps of a count branch, into result.spiking. */
void hk_count_spiking(hk_net *net);
void hk_loss_error(hk_net *net, int t, bool error);

/* learn.c: E_NUM when a learned value is not finite. */
hk_status hk_net_check(const hk_net *net, hk_error *e);

/* stream.c: whether the net can learn step by step; E_UNSUP, E_ARG. */
hk_status hk_stream_check(const hk_net *net, hk_error *e);

#endif
