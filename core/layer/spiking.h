/* What the files of the spiking layer share: spiking.c has its keys and memory, spiking_tile.c what
 * happens at every step, spiking_emit.h what a spike is.
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
    int32_t emission, spike_bits;
    float   spike_step;
    bool    per_step, recurrent;
    bool    membrane_norm;
    int32_t norm_mode;
    float   norm_eps, norm_momentum;
} hk_spiking_cfg;

enum { HK_EMISSION_AUTO };               /* key emission: auto, then the words of hk_emission */

static inline const hk_spiking_cfg *hk_spiking_of(const hk_node *l) { return l->spec->cfg; }
static inline const hk_neuron_ops *hk_neuron_of(const hk_node *l) { return l->spec->neuron; }

/* Who shares parameter p of the neuron; number 0 is the threshold. */
static inline hk_share hk_share_of(const hk_node *l, int p)
{
    const hk_spiking_cfg *c = hk_spiking_of(l);
    return (hk_share)(p == 0 ? c->threshold_granularity : c->leak_granularity);
}

static inline bool hk_graded(const hk_node *l)
{
    const int32_t kind = hk_spiking_of(l)->emission;
    return kind == HK_EMISSION_AUTO ? hk_neuron_of(l)->emission == HK_EMIT_GRADED
                                    : kind - 1 == HK_EMIT_GRADED;
}

/* Steps that have parameters of their own, and the one that step t uses, from 0. */
static inline int32_t hk_own_steps(const hk_node *l)
{
    return hk_spiking_of(l)->per_step ? l->net->spec.T : 1;
}

static inline size_t hk_own_step(const hk_node *l, int t)
{
    const int32_t n = hk_own_steps(l);
    return (size_t)((t < n ? t : n) - 1);
}

/* File shapes: [1], [C] or the map's; per step [T], [T, C], [T, map]. */
static inline void hk_own_shape(const hk_node *l, hk_share share, hk_param *d)
{
    const int32_t steps = hk_own_steps(l);
    hk_share_shape(share, l->out.shape, d);
    if (!hk_spiking_of(l)->per_step) return;
    if (share == HK_PER_LAYER) d->dim[0] = d->file_dim[0] = steps;
    else hk_share_add_axis(d, steps);
}

/* Whether step t is the first of a sample and reads nothing of the one before: states are those of rest, traces
 * zero. Under an adjoint, slot 0 of the rings says so. */
static inline bool hk_spiking_fresh(const hk_node *l, int t) { return t == 1 && l->fresh[0] < l->fresh[1]; }

/* Scratch arrays that the tile stages name. */
int  hk_spiking_scratch(const hk_node *l);
void hk_spiking_forward_tile(hk_node *l, const hk_tile *a);
void hk_spiking_backward_tile(hk_node *l, const hk_tile *a);

/* The same in two halves, for what stands between a neuron's map m and the membrane U that fires.
 * Forward: traces and m, where U will be; then spikes of the U that is there. Backward: dE/dU, all of it,
 * in place of dy, and what firing alone gives the threshold; then, with dE/dm for dy and m as it was,
 * the state before, the neuron's parameters and the input. */
void hk_spiking_map_tile(hk_node *l, const hk_tile *a);
void hk_spiking_fire_tile(hk_node *l, const hk_tile *a);
void hk_spiking_error_tile(hk_node *l, const hk_tile *a);
void hk_spiking_down_tile(hk_node *l, const hk_tile *a, float *m);

#endif
