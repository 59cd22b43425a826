/* Complementary leaky integrate-and-fire: a second potential counts spikes, fades with the membrane,
 * and deepens the reset. It is a path for the gradient where that through the membrane is cut.
 *
 * U is the membrane before reset, M the complementary potential, s the spike of the step before, th
 * the threshold, a the leak, k = 1 - a = 1 / tau, sg the logistic function:
 *
 *   M[t] = M[t-1] d + s                           d = sg(k U[t-1])
 *   U[t] = a (U[t-1] - s (th + q)) + x            q = sg(M[t])
 *
 * M[t] is what the paper calls m[t-1]: what step t - 1 did to it happens at the start of step t.
 *
 * Local derivatives, with e = M[t-1] d (1 - d) and c = dU[t]/dM[t] = -a s q (1 - q):
 *
 *           of U[t-1]    of M[t-1]   of s              of th    of a
 *   M[t]    k e          d           1                 0        -e U[t-1]
 *   U[t]    a + c k e    c d         c - a (th + q)    -a s     U[t-1] - s (th + q) - c e U[t-1]
 *
 * and dU/dx = 1, dM/dx = 0.
 *
 * decay is a: all of the membrane's temporal Jacobian between spikes. After one it lacks c k e and
 * what reaches U through M, so a weight trace is approximate and has to be asked for.
 *
 * Source: Huang et al., "CLIF: Complementary Leaky Integrate-and-Fire Neuron for Spiking Neural
 * Networks", ICML 2024, arXiv:2402.04663, and its released code (tau 2, threshold 1, rectangle of
 * width 1, reset differentiated). Differences: one of the released classes keeps sg(m) in place of
 * m, which is another neuron; threshold and leak, fixed there, may be learned here.
 *
 * State U, M [n]; learned th, a. Time unit: steps. Potentials: dimensionless.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/math.h"
#include "hillock_ext.h"

typedef struct clif_cfg {
    float tau, threshold;
} clif_cfg;

static const hk_field clif_fields[] = {
    HK_ROW_FLOAT(clif_cfg, tau, 2, 1, 1000, "steps", "time constant of both potentials, at first"),
    HK_ROW_FLOAT(clif_cfg, threshold, 1, 1e-3, 1e6, "1", "membrane at which the neuron fires"),
};

static float clif_threshold(const void *cfg)
{
    return ((const clif_cfg *)cfg)->threshold;
}

static float clif_leak(const void *cfg)
{
    return 1.0f - 1.0f / ((const clif_cfg *)cfg)->tau;
}

static const hk_learn clif_learn[] = {
    { "threshold", HK_THRESHOLD, clif_threshold, 1e-3f, 1e30f, false },
    { "leak", HK_LEAK, clif_leak, 0.0f, 1.0f - 1e-3f, false },
};

HK_CLONES static void clif_step(const hk_neuron_step *a, const void *cfg)
{
    const float *x = a->x, *spike = a->spike, *th = a->learn[0], *leak = a->learn[1];
    const float *u = a->prev[0], *m = a->prev[1];
    float *u_now = a->state[0], *m_now = a->state[1];
    (void)cfg;
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        const float s = spike[i], here = u[i];
        const float later = m[i] * hk_sigmoid((1.0f - leak[i]) * here) + s;
        u_now[i] = leak[i] * (here - s * (th[i] + hk_sigmoid(later))) + x[i];
        m_now[i] = later;
    }
}

/* Derivatives of M[t]; e stays in the place of dM/da. */
HK_CLONES static void clif_local_m(const hk_neuron_step *a, const hk_neuron_local *d)
{
    const float *u = a->prev[0], *m = a->prev[1], *leak = a->learn[1];
    float *du = d->jac[1][0], *dm = d->jac[1][1], *ds = d->spike[1], *dx = d->input[1];
    float *dth = d->param[0][1], *e = d->param[1][1];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        const float fade = hk_sigmoid((1.0f - leak[i]) * u[i]);
        dm[i] = fade;
        e[i] = m[i] * fade * (1.0f - fade);
        du[i] = (1.0f - leak[i]) * e[i];
        ds[i] = 1.0f;
        dx[i] = 0.0f;
        dth[i] = 0.0f;
    }
}

HK_CLONES static void clif_local_u(const hk_neuron_step *a, const hk_neuron_local *d)
{
    const float *spike = a->spike, *u = a->prev[0], *m = a->prev[1];
    const float *th = a->learn[0], *leak = a->learn[1];
    const float *m_u = d->jac[1][0], *fade = d->jac[1][1];
    float *du = d->jac[0][0], *dm = d->jac[0][1], *ds = d->spike[0], *dx = d->input[0];
    float *dth = d->param[0][0], *da = d->param[1][0], *m_a = d->param[1][1];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        const float s = spike[i], q = hk_sigmoid(m[i] * fade[i] + s);
        const float c = -leak[i] * s * q * (1.0f - q), depth = th[i] + q;
        m_a[i] = -m_a[i] * u[i];
        du[i] = leak[i] + c * m_u[i];
        dm[i] = c * fade[i];
        ds[i] = c - leak[i] * depth;
        dx[i] = 1.0f;
        dth[i] = -leak[i] * s;
        da[i] = u[i] - s * depth + c * m_a[i];
    }
}

static void clif_local(const hk_neuron_step *a, const hk_neuron_local *d, const void *cfg)
{
    (void)cfg;
    clif_local_m(a, d);
    clif_local_u(a, d);
}

static void clif_gain(size_t n, const float *const learn[], float *out, const void *cfg)
{
    (void)learn;
    (void)cfg;
    for (size_t i = 0; i < n; i++) out[i] = 1.0f;
}

static float clif_decay(const float learn[], const void *cfg)
{
    (void)cfg;
    return learn[1];
}

static const char *clif_decay_caveat(const void *cfg)
{
    (void)cfg;
    return "after a spike the complementary potential moves the decay of each membrane by itself";
}

const hk_neuron_ops hk_neuron_clif = {
    .info = { "clif", "complementary LIF: spikes deepen the resets that follow",
              "Huang et al. 2024, arXiv:2402.04663, and its released code",
              sizeof(clif_cfg), clif_fields, HK_COUNT(clif_fields) },
    .n_state = 2, .n_learn = HK_COUNT(clif_learn), .learn = clif_learn,
    .step = clif_step, .local = clif_local, .gain = clif_gain,
    .decay = clif_decay, .decay_reads = 1u << 1, .decay_caveat = clif_decay_caveat,
};
