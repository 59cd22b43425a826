/* The spiking layer in a count branch: how many spikes a neuron had over the T steps, and what takes
 * the place of firing when every signal is a sum over time. Private to the spiking layer and to rules.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_COUNTS_H
#define HK_COUNTS_H

#include "hillock_ext.h"

/* Kind of the counts: bytes while T allows, floats (times the scale) above. */
hk_kind hk_counts_kind(const hk_net *net);

void hk_counts_bind(hk_node *l, hk_mem *m);

/* After firing at a step: s[n] is added to the counts of these rows; membranes are dropped. */
void hk_counts_step(const hk_node *l, const hk_tile *a, const float *s, float *u);

/* The step on sums: h = a->x[0], kept in place of the membrane; and its backward. */
void hk_counts_forward(hk_node *l, const hk_tile *a);
void hk_counts_backward(const hk_node *l, const hk_tile *a);

/* Share of neurons and samples of the batch that fired though h <= 0; after the step on sums. */
double hk_counts_noisy(const hk_node *l);

#endif
