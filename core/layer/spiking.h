/* What the two files of the spiking layer share: spiking.c has its keys and memory, spiking_tile.c
 * what happens at every step.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_SPIKING_H
#define HK_SPIKING_H

#include "share.h"

typedef struct hk_spiking_cfg {
    int32_t compare, threshold_granularity, leak_granularity, learn_threshold, learn_leak;
    int32_t threshold_init;
    float   scale;
} hk_spiking_cfg;

static inline const hk_spiking_cfg *hk_spiking_of(const hk_node *l) { return l->spec->cfg; }
static inline const hk_neuron_ops *hk_neuron_of(const hk_node *l) { return l->spec->neuron; }

/* Who shares parameter p of the neuron; number 0 is the threshold. */
static inline hk_share hk_share_of(const hk_node *l, int p)
{
    const hk_spiking_cfg *c = hk_spiking_of(l);
    return (hk_share)(p == 0 ? c->threshold_granularity : c->leak_granularity);
}

/* Scratch arrays that the tile stages name. */
int  hk_spiking_scratch(const hk_neuron_ops *nn);
void hk_spiking_forward_tile(hk_node *l, const hk_tile *a);
void hk_spiking_backward_tile(hk_node *l, const hk_tile *a);

#endif
