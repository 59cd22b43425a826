/* Parametric leaky integrate-and-fire: a neuron that learns its time constant tau through w.
 *
 * U is the membrane before reset, s the spike of the step before, th the threshold:
 *
 *   k = sigmoid(w) = 1 / tau,  w = -ln(tau - 1) at first, so that 1 < tau whatever w becomes
 *   v = U[t-1] - th s                        soft reset; Vr is then 0
 *   v = (1 - s) U[t-1] + s Vr                hard reset
 *   U[t] = (1 - k) v + k Vr + b x,  b = k with decay_input, else 1
 *
 * Local derivatives, spikes held, with c = 1 with decay_input, else 0; k' = k (1 - k):
 *
 *           dU/dU[t-1]         dU/ds                  dU/dth        dU/dw
 *   soft    1 - k              -(1 - k) th            -(1 - k) s    k' (c x - v)
 *   hard    (1 - k) (1 - s)    (1 - k) (Vr - U[t-1])  0             k' (c x + Vr - v)
 *
 * and dU/dx = b. With decay_input U[t] = v + k (x + Vr - v), so that dU/dw = (1 - k) (U[t] - v)
 * where x is not at hand.
 *
 * Source: Fang et al., "Incorporating Learnable Membrane Time Constant to Enhance Learning of
 * Spiking Neural Networks", ICCV 2021, arXiv:2007.05785, its charge equation. Difference: w may
 * differ between neurons where the layer allows it.
 *
 * State U [n]; learned th, w. Time unit: steps. Potentials: dimensionless.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/math.h"
#include "hillock_ext.h"

#include <math.h>

typedef enum plif_reset { PLIF_SOFT, PLIF_HARD } plif_reset;

typedef struct plif_cfg {
    int32_t reset;
    bool    decay_input;
    float   tau, threshold, v_reset;
} plif_cfg;

static const hk_field plif_fields[] = {
    HK_ROW_ENUM(plif_cfg, reset, PLIF_HARD, "soft|hard", 2, "what a spike does to the membrane"),
    HK_ROW_BOOL(plif_cfg, decay_input, 1, "the input is divided by tau too"),
    HK_ROW_FLOAT(plif_cfg, tau, 2, 1.001, 1e6, "steps", "time constant at first"),
    HK_ROW_FLOAT(plif_cfg, threshold, 1, 1e-3, 1e6, "1", "membrane at which the neuron fires"),
    HK_ROW_FLOAT(plif_cfg, v_reset, 0, -1e6, 1e6, "1", "membrane after a hard reset, and at rest"),
};

static float plif_threshold(const void *cfg)
{
    return ((const plif_cfg *)cfg)->threshold;
}

static float plif_w(const void *cfg)
{
    return (float)-hk_log_double((double)((const plif_cfg *)cfg)->tau - 1);
}

static const hk_learn plif_learn[] = {
    { "threshold", HK_THRESHOLD, plif_threshold, 1e-3f, 1e30f, false },
    { "w", HK_LEAK, plif_w, -15.0f, 15.0f, true },
};

static float plif_rest(const void *cfg, int i)
{
    const plif_cfg *c = cfg;
    (void)i;
    return c->reset == PLIF_HARD ? c->v_reset : 0.0f;
}

/* ---- step ------------------------------------------------------------------------------------ */

/* decays is 1 with decay_input, else 0: b = 1 + decays (k - 1). */
HK_CLONES static void plif_step_soft(const hk_neuron_step *a, float decays)
{
    const float *x = a->x, *s = a->spike, *th = a->learn[0], *w = a->learn[1], *prev = a->prev[0];
    float *u = a->state[0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        float k = hk_sigmoid(w[i]), v = prev[i] - th[i] * s[i];
        u[i] = (1.0f - k) * v + (1.0f + decays * (k - 1.0f)) * x[i];
    }
}

HK_CLONES static void plif_step_hard(const hk_neuron_step *a, float decays, float v_reset)
{
    const float *x = a->x, *s = a->spike, *w = a->learn[1], *prev = a->prev[0];
    float *u = a->state[0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        float k = hk_sigmoid(w[i]), v = (1.0f - s[i]) * prev[i] + s[i] * v_reset;
        u[i] = (1.0f - k) * v + k * v_reset + (1.0f + decays * (k - 1.0f)) * x[i];
    }
}

static void plif_step(const hk_neuron_step *a, const void *cfg)
{
    const plif_cfg *c = cfg;
    const float decays = c->decay_input ? 1.0f : 0.0f;
    if (c->reset == PLIF_HARD) plif_step_hard(a, decays, c->v_reset);
    else plif_step_soft(a, decays);
}

/* ---- local derivatives --------------------------------------------------------------------------
 * The bodies of the two resets leave v in the array of dU/dw; plif_local_w* finish it. */

HK_CLONES static void plif_local_soft(const hk_neuron_step *a, const hk_neuron_local *d)
{
    const float *s = a->spike, *th = a->learn[0], *w = a->learn[1], *prev = a->prev[0];
    float *jac = d->jac[0][0], *ds = d->spike[0], *dth = d->param[0][0], *dw = d->param[1][0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        float keep = 1.0f - hk_sigmoid(w[i]);
        jac[i] = keep;
        ds[i] = -keep * th[i];
        dth[i] = -keep * s[i];
        dw[i] = prev[i] - th[i] * s[i];
    }
}

HK_CLONES static void plif_local_hard(const hk_neuron_step *a, const hk_neuron_local *d,
                                      float v_reset)
{
    const float *s = a->spike, *w = a->learn[1], *prev = a->prev[0];
    float *jac = d->jac[0][0], *ds = d->spike[0], *dth = d->param[0][0], *dw = d->param[1][0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        float keep = 1.0f - hk_sigmoid(w[i]);
        jac[i] = keep * (1.0f - s[i]);
        ds[i] = keep * (v_reset - prev[i]);
        dth[i] = 0.0f;
        dw[i] = (1.0f - s[i]) * prev[i] + s[i] * v_reset;
    }
}

HK_CLONES static void plif_local_w(const hk_neuron_step *a, float v_reset, float *dw)
{
    const float *w = a->learn[1];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        float k = hk_sigmoid(w[i]);
        dw[i] = k * (1.0f - k) * (v_reset - dw[i]);
    }
}

HK_CLONES static void plif_local_w_input(const hk_neuron_step *a, float v_reset, float *dw)
{
    const float *x = a->x, *w = a->learn[1];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        float k = hk_sigmoid(w[i]);
        dw[i] = k * (1.0f - k) * (x[i] + v_reset - dw[i]);
    }
}

HK_CLONES static void plif_local_w_state(const hk_neuron_step *a, float *dw)
{
    const float *w = a->learn[1], *u = a->state[0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) dw[i] = (1.0f - hk_sigmoid(w[i])) * (u[i] - dw[i]);
}

static void plif_gain(size_t n, const float *const learn[], float *out, const void *cfg);

static void plif_local(const hk_neuron_step *a, const hk_neuron_local *d, const void *cfg)
{
    const plif_cfg *c = cfg;
    const float v_reset = plif_rest(cfg, 0);
    float *dw = d->param[1][0];
    if (c->reset == PLIF_HARD) plif_local_hard(a, d, v_reset);
    else plif_local_soft(a, d);
    plif_gain(a->n, a->learn, d->input[0], cfg);
    if (!c->decay_input) plif_local_w(a, v_reset, dw);
    else if (a->x) plif_local_w_input(a, v_reset, dw);
    else plif_local_w_state(a, dw);
}

/* ---- for rules ------------------------------------------------------------------------------- */

HK_CLONES static void plif_gain_body(size_t n, const float *w, float *out, float decays)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) out[i] = 1.0f + decays * (hk_sigmoid(w[i]) - 1.0f);
}

static void plif_gain(size_t n, const float *const learn[], float *out, const void *cfg)
{
    plif_gain_body(n, learn[1], out, ((const plif_cfg *)cfg)->decay_input ? 1.0f : 0.0f);
}

static float plif_decay(const float learn[], const void *cfg)
{
    (void)cfg;
    return 1.0f - hk_sigmoid(learn[1]);
}

static const char *plif_decay_caveat(const void *cfg)
{
    return ((const plif_cfg *)cfg)->reset == PLIF_HARD
               ? "a hard reset clears the membrane, and with it the trace, of each neuron by itself"
               : NULL;
}

const hk_neuron_ops hk_neuron_plif = {
    .info = { "plif", "leaky integrate-and-fire with a learned time constant",
              "Fang et al. 2021, arXiv:2007.05785, charge equation of PLIF",
              sizeof(plif_cfg), plif_fields, HK_COUNT(plif_fields) },
    .n_state = 1, .n_learn = HK_COUNT(plif_learn), .learn = plif_learn,
    .rest = plif_rest, .step = plif_step, .local = plif_local,
    .gain = plif_gain, .decay = plif_decay, .decay_reads = 1u << 1,
    .decay_caveat = plif_decay_caveat,
};
