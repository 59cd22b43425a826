/* Batch norm between a neuron's map and its threshold (key membrane_norm). Private to the spiking layer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_MEMBRANE_NORM_H
#define HK_MEMBRANE_NORM_H

#include "hillock_ext.h"

/* Its parameters stand behind those of the neuron, in this order. */
enum { HK_NORM_ALPHA, HK_NORM_BETA, HK_NORM_WEIGHT, HK_NORM_BIAS, HK_NORM_MEAN, HK_NORM_VAR, HK_NORM_PARAMS };

/* E_UNSUP names rule, layer and what does not go together with the norm. */
hk_status hk_membrane_norm_check(const hk_node *l, hk_error *e);
void      hk_membrane_norm_bind(hk_node *l, hk_mem *m);
void      hk_membrane_norm_init(hk_node *l);

void hk_membrane_norm_forward(hk_node *l, int t);
void hk_membrane_norm_forward_tile(hk_node *l, const hk_tile *a);
void hk_membrane_norm_backward_tile(hk_node *l, const hk_tile *a);
void hk_membrane_norm_backward(hk_node *l, int t);

/* With running statistics the norm is U = a m + b in channel k; single parameters, not per step. */
void hk_membrane_norm_fold(const hk_node *l, size_t k, double *a, double *b);

#endif
