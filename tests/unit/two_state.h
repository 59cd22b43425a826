/* A neuron with two states, and one more learned parameter than any of the library's with two.
 *
 *   i[t] = b i[t-1] + x                     synaptic current
 *   U[t] = a (U[t-1] - th s[t-1]) + i[t]    membrane, soft reset
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_TWO_STATE_H
#define HK_TWO_STATE_H

#include "hillock_ext.h"

enum { TWO_THRESHOLD, TWO_LEAK, TWO_CURRENT };

static float two_threshold(const void *cfg) { (void)cfg; return 1; }
static float two_leak(const void *cfg) { (void)cfg; return 0.6f; }
static float two_current(const void *cfg) { (void)cfg; return 0.7f; }

static const hk_learn two_learn[] = {
    { "threshold", HK_THRESHOLD, two_threshold, 1e-3f, 1e30f, false },
    { "leak", HK_LEAK, two_leak, 0, 0.999f, false },
    { "current_leak", HK_LEAK, two_current, 0, 0.999f, false },
};

static void two_step(const hk_neuron_step *a, const void *cfg)
{
    (void)cfg;
    const float *th = a->learn[TWO_THRESHOLD], *leak = a->learn[TWO_LEAK], *b = a->learn[TWO_CURRENT];
    for (size_t k = 0; k < a->n; k++) {
        const float i = b[k] * a->prev[1][k] + a->x[k];
        a->state[0][k] = leak[k] * (a->prev[0][k] - th[k] * a->spike[k]) + i;
        a->state[1][k] = i;
    }
}

static void two_local(const hk_neuron_step *a, const hk_neuron_local *d, const void *cfg)
{
    (void)cfg;
    const float *th = a->learn[TWO_THRESHOLD], *leak = a->learn[TWO_LEAK], *b = a->learn[TWO_CURRENT];
    for (size_t k = 0; k < a->n; k++) {
        d->jac[0][0][k] = leak[k];
        d->jac[0][1][k] = d->jac[1][1][k] = b[k];
        d->jac[1][0][k] = d->spike[1][k] = 0;
        d->spike[0][k] = -leak[k] * th[k];
        d->input[0][k] = d->input[1][k] = 1;
        d->param[TWO_THRESHOLD][0][k] = -leak[k] * a->spike[k];
        d->param[TWO_LEAK][0][k] = a->prev[0][k] - th[k] * a->spike[k];
        d->param[TWO_CURRENT][0][k] = d->param[TWO_CURRENT][1][k] = a->prev[1][k];
        d->param[TWO_THRESHOLD][1][k] = d->param[TWO_LEAK][1][k] = 0;
    }
}

static void two_gain(size_t n, const float *const learn[], float *out, const void *cfg)
{
    (void)learn, (void)cfg;
    for (size_t k = 0; k < n; k++) out[k] = 1;
}

static const hk_neuron_ops two_state = {
    .info = { .name = "two_state", .brief = "current and membrane", .source = "test" },
    .n_state = 2, .n_learn = HK_COUNT(two_learn), .learn = two_learn, .step = two_step,
    .local = two_local, .gain = two_gain,
};

#endif
