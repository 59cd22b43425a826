/* EM-PF: a leaky neuron that sends on by how much its membrane exceeds the threshold, and keeps the
 * rest. Called efficient multi-precision firing, hybrid-driven firing (HM-DF) and HD-LIF in the three
 * versions of the paper; the name here is that of the first, under which the online rule was derived.
 *
 * m is the membrane before firing (U of the spiking layer), s the graded spike max(m - th, 0):
 *
 *   m[t] = a v[t-1] + x           v[t] = min(m[t], th) = m[t] - s[t]
 *
 * so that, with s of the step before,   m[t] = a (m[t-1] - s) + x,   and the derivatives, s held, are
 *
 *   dm/dm[t-1]   dm/ds   dm/dth   dm/da         dm/dx = 1
 *   a            -a      0        m[t-1] - s
 *
 * No surrogate is needed: ds/dm = [m >= th]. With the reset differentiated (bptt reset_grad: kept, stop
 * trace_reset: kept) a step that fires cuts what came before it. The paper learns a and th per layer and
 * time step (per_step), sends spikes of 4 bits (spike_bits), and has some layers without recurrence
 * (recurrent: false). With emission: step the spike is a bit and lowers m by 1.
 *
 * Source: arXiv:2410.07547. State m [n]; learned th, a. Time unit: steps. Potentials: dimensionless.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

typedef struct empf_cfg {
    float threshold, leak;
} empf_cfg;

static const hk_field empf_fields[] = {
    HK_ROW_FLOAT(empf_cfg, threshold, 0.5, 1e-3, 1e6, "1", "membrane above which it sends the excess"),
    HK_ROW_FLOAT(empf_cfg, leak, 0.5, 0, 0.999, "1/step", "factor kept per step"),
};

static float empf_threshold(const void *cfg) { return ((const empf_cfg *)cfg)->threshold; }
static float empf_leak(const void *cfg) { return ((const empf_cfg *)cfg)->leak; }

static const hk_learn empf_learn[] = {
    { "threshold", HK_THRESHOLD, empf_threshold, 1e-3f, 1e30f, true },
    { "leak", HK_LEAK, empf_leak, 0.0f, 0.999f, true },
};

HK_CLONES static void empf_step(const hk_neuron_step *a, const void *cfg)
{
    (void)cfg;
    const float *x = a->x, *s = a->spike, *leak = a->learn[1], *prev = a->prev[0];
    float *m = a->state[0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) m[i] = leak[i] * (prev[i] - s[i]) + x[i];
}

HK_CLONES static void empf_local(const hk_neuron_step *a, const hk_neuron_local *d, const void *cfg)
{
    (void)cfg;
    const float *s = a->spike, *leak = a->learn[1], *prev = a->prev[0];
    float *jac = d->jac[0][0], *ds = d->spike[0], *dx = d->input[0];
    float *dth = d->param[0][0], *da = d->param[1][0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        jac[i] = leak[i];
        ds[i] = -leak[i];
        dx[i] = 1.0f;
        dth[i] = 0.0f;
        da[i] = prev[i] - s[i];
    }
}

static void empf_gain(size_t n, const float *const learn[], float *out, const void *cfg)
{
    (void)learn;
    (void)cfg;
    for (size_t i = 0; i < n; i++) out[i] = 1.0f;
}

static float empf_decay(const float learn[], const void *cfg)
{
    (void)cfg;
    return learn[1];
}

const hk_neuron_ops hk_neuron_empf = {
    .info = { "empf", "leaky neuron with graded spikes: sends what exceeds its threshold",
              "EM-PF, later HM-DF and HD-LIF, arXiv:2410.07547", sizeof(empf_cfg), empf_fields,
              HK_COUNT(empf_fields) },
    .n_state = 1, .n_learn = HK_COUNT(empf_learn), .emission = HK_EMIT_GRADED, .learn = empf_learn,
    .step = empf_step, .local = empf_local, .gain = empf_gain, .decay = empf_decay,
    .decay_reads = 1u << 1,
};
