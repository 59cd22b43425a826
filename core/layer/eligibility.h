/* Traces of single synapses (weight_trace: synapse): what a dense layer needs where the neurons behind
 * it forget each in its own way, so that one trace of a presynaptic value cannot serve them all.
 * eligibility.c has the equations.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_ELIGIBILITY_H
#define HK_ELIGIBILITY_H

#include "hillock_ext.h"

/* What a spiking layer of k states tells the weights in front of it at each step, in node->told: k k + k + 1
 * arrays [rows][C]. Number i k + j: d state_i[t] / d state_j[t-1], own spike included if the rule keeps
 * the reset; k k + i: d state_i[t] / d x[t]; the last: the error at the membrane. */
static inline int hk_tells(const hk_node *l)
{
    const int k = l->spec->neuron->n_state;
    return k * k + k + 1;
}
static inline float *hk_told(const hk_node *l, int array)
{
    return l->told + (size_t)array * l->rows * (size_t)l->out.shape.c;
}
static inline float *hk_told_delta(const hk_node *l) { return hk_told(l, hk_tells(l) - 1); }

/* Whether the rule gives layer l, weights or a filter in front of them, traces per synapse. */
bool      hk_eligible(const hk_node *l);
/* E_UNSUP names what is between the weights and one spiking layer of their own. */
hk_status hk_eligibility_check(const hk_node *l, hk_error *e);
void      hk_eligibility_bind(hk_node *l, hk_mem *m);
/* After step t has run forward in all layers. */
void      hk_eligibility_advance(hk_node *l, int t);
/* Adds to dw, and to the sums of the filter in front; the error is the membranes' of step t. */
void      hk_eligibility_gradient(hk_node *l, float *dw);
/* The trace of a bias times the error at these rows; also that of a weight on a constant 1. */
void      hk_eligibility_bias(const hk_node *l, const hk_tile *a, float *out);

#endif
