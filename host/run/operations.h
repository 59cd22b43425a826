/* What a sample costs, counted in multiply-adds of the weighted layers, forward over all T steps.
 *
 *   dense    every value is multiplied, at every step
 *   events   values that are zero are skipped, and a layer whose input does not change is computed
 *            once: sum over layers of operations * (1 or T) * density of the input
 *
 * The density of spikes is the firing rate r of the layer that fires. After a pool over k positions
 * it is taken as 1 - (1 - r)^k and after an addition as 1 - (1 - r1)(1 - r2), as if neurons fired
 * independently of each other: an estimate. Floats and encoded input count as dense. Learning adds
 * about twice as many.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_OPERATIONS_H
#define HK_OPERATIONS_H

#include "hillock_ext.h"

typedef struct hk_operations { double dense, events; } hk_operations;

/* net is built. rate gives the firing rate of a spiking layer, 0..1, and 1 for what it does not
 * know. */
hk_operations hk_count_operations(const hk_net *net, double (*rate)(void *self, const hk_node *l),
                                  void *self);

#endif
