/* Integrate-and-fire: the membrane sums its input and forgets nothing.
 *
 * U is the membrane before reset, s the spike of the step before, th the threshold:
 *
 *   soft    U[t] = U[t-1] - th s + x
 *   hard    U[t] = (1 - s) U[t-1] + s Vr + x
 *   none    U[t] = U[t-1] + x
 *
 * Local derivatives, spikes held; dU/dx = 1:
 *
 *           dU/dU[t-1]   dU/ds         dU/dth
 *   soft    1            -th           -s
 *   hard    1 - s        Vr - U[t-1]   0
 *   none    1            0             0
 *
 * Source: Lapicque 1907, without the leak; the soft reset is the reset by subtraction of Rueckauer
 * et al., Frontiers in Neuroscience 11:682, 2017.
 *
 * State U [n]; learned th. Time unit: steps. Potentials: dimensionless.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

typedef enum if_reset { IF_SOFT, IF_HARD, IF_NONE } if_reset;

typedef struct if_cfg {
    int32_t reset;
    float   threshold, v_reset;
} if_cfg;

static const hk_field if_fields[] = {
    HK_ROW_ENUM(if_cfg, reset, IF_SOFT, "soft|hard|none", 3, "what a spike does to the membrane"),
    HK_ROW_FLOAT(if_cfg, threshold, 1, 1e-3, 1e6, "1", "membrane at which the neuron fires"),
    HK_ROW_FLOAT(if_cfg, v_reset, 0, -1e6, 1e6, "1", "membrane after a hard reset, and at rest"),
};

static float if_threshold(const void *cfg)
{
    return ((const if_cfg *)cfg)->threshold;
}

static const hk_learn if_learn[] = {
    { "threshold", HK_THRESHOLD, if_threshold, 1e-3f, 1e30f, false },
};

static float if_rest(const void *cfg, int i)
{
    const if_cfg *c = cfg;
    (void)i;
    return c->reset == IF_HARD ? c->v_reset : 0.0f;
}

/* U = U' - keep th s + x, with keep 1 for soft and 0 for none. */
HK_CLONES static void if_step_soft(const hk_neuron_step *a, float keep)
{
    const float *x = a->x, *s = a->spike, *th = a->learn[0], *prev = a->prev[0];
    float *u = a->state[0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) u[i] = prev[i] - keep * th[i] * s[i] + x[i];
}

HK_CLONES static void if_step_hard(const hk_neuron_step *a, float v_reset)
{
    const float *x = a->x, *s = a->spike, *prev = a->prev[0];
    float *u = a->state[0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) u[i] = (1.0f - s[i]) * prev[i] + s[i] * v_reset + x[i];
}

static void if_step(const hk_neuron_step *a, const void *cfg)
{
    const if_cfg *c = cfg;
    if (c->reset == IF_HARD) if_step_hard(a, c->v_reset);
    else if_step_soft(a, c->reset == IF_SOFT ? 1.0f : 0.0f);
}

HK_CLONES static void if_local_soft(const hk_neuron_step *a, const hk_neuron_local *d, float keep)
{
    const float *s = a->spike, *th = a->learn[0];
    float *jac = d->jac[0][0], *ds = d->spike[0], *dx = d->input[0], *dth = d->param[0][0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        jac[i] = 1.0f;
        ds[i] = -keep * th[i];
        dx[i] = 1.0f;
        dth[i] = -keep * s[i];
    }
}

HK_CLONES static void if_local_hard(const hk_neuron_step *a, const hk_neuron_local *d,
                                    float v_reset)
{
    const float *s = a->spike, *prev = a->prev[0];
    float *jac = d->jac[0][0], *ds = d->spike[0], *dx = d->input[0], *dth = d->param[0][0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        jac[i] = 1.0f - s[i];
        ds[i] = v_reset - prev[i];
        dx[i] = 1.0f;
        dth[i] = 0.0f;
    }
}

static void if_local(const hk_neuron_step *a, const hk_neuron_local *d, const void *cfg)
{
    const if_cfg *c = cfg;
    if (c->reset == IF_HARD) if_local_hard(a, d, c->v_reset);
    else if_local_soft(a, d, c->reset == IF_SOFT ? 1.0f : 0.0f);
}

static void if_gain(size_t n, const float *const learn[], float *out, const void *cfg)
{
    (void)learn;
    (void)cfg;
    for (size_t i = 0; i < n; i++) out[i] = 1.0f;
}

static float if_decay(const float learn[], const void *cfg)
{
    (void)learn;
    (void)cfg;
    return 1.0f;
}

static const char *if_decay_caveat(const void *cfg)
{
    return ((const if_cfg *)cfg)->reset == IF_HARD
               ? "a hard reset clears the membrane, and with it the trace, of each neuron by itself"
               : NULL;
}

const hk_neuron_ops hk_neuron_if = {
    .info = { "if", "integrate-and-fire", "Rueckauer et al. 2017, Front. Neurosci. 11:682",
              sizeof(if_cfg), if_fields, HK_COUNT(if_fields) },
    .n_state = 1, .n_learn = HK_COUNT(if_learn), .learn = if_learn,
    .rest = if_rest, .step = if_step, .local = if_local,
    .gain = if_gain, .decay = if_decay, .decay_caveat = if_decay_caveat,
};
