/* Leaky integrate-and-fire: the membrane forgets by a factor a per step and is lowered by a spike.
 *
 * U is the membrane before reset, s the spike of the step before, th the threshold, a the leak, r the
 * fall of a soft reset: th, or the constant reset_amount if one is given (then dr/dth = 0, else 1):
 *
 *   soft, A    U[t] = a (U[t-1] - r s) + I             the reset leaks with the membrane
 *   soft, B    U[t] = a U[t-1] - r s + I               the reset does not leak
 *   hard       v = (1 - s) U[t-1] + s Vr
 *              U[t] = a v + (1 - a) Vr + I             leaks towards Vr; A and B are the same
 *   none       U[t] = a U[t-1] + I
 *   I = g x,   g = 1, or 1 - a with input_scale 1-alpha
 *
 * Local derivatives, spikes held; b = 1 for soft B, else 0; c = 1 if the input is scaled, else 0:
 *
 *               dU/dU[t-1]   dU/ds          dU/dth   dU/da
 *   soft, A     a            -a r           -a s r'  U[t-1] - r s  - c x      r' = dr/dth
 *   soft, B     a            -r             -s r'    U[t-1]        - c x
 *   hard        a (1 - s)    a (Vr - U')    0        v - Vr        - c x
 *   none        a            0              0        U[t-1]        - c x
 *
 * with U' = U[t-1], and dU/dx = g. Where x is not at hand it comes from U[t]: with the leaking part
 * w = U[t-1] - r s (soft A), v (hard) or U[t-1], dU/da = (w - U[t] - b r s) / (1 - a).
 *
 * Source: convention A is the discrete neuron of Xiao et al., "Online Training Through Time for
 * Spiking Neural Networks", NeurIPS 2022, arXiv:2210.04195; B that of Bellec et al., Nature
 * Communications 11:3625, 2020; a reset by less than the threshold that of SOLSA, arXiv:2307.11314.
 * Difference: the leak itself is stored, not a time constant.
 *
 * State U [n]; learned th, a. Time unit: steps. Potentials: dimensionless.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

#include <math.h>

typedef enum lif_reset { LIF_SOFT, LIF_HARD, LIF_NONE } lif_reset;

typedef struct lif_cfg {
    int32_t convention, reset, input_scale;
    float   threshold, leak, v_reset, reset_amount;
} lif_cfg;

static const hk_field lif_fields[] = {
    HK_ROW_ENUM(lif_cfg, convention, 0, "A|B", 2, "A: the soft reset leaks too, B: it does not"),
    HK_ROW_ENUM(lif_cfg, reset, LIF_SOFT, "soft|hard|none", 3, "what a spike does to the membrane"),
    HK_ROW_ENUM(lif_cfg, input_scale, 0, "1|1-alpha", 2, "factor on the input"),
    HK_ROW_FLOAT(lif_cfg, threshold, 1, 1e-3, 1e6, "1", "membrane at which the neuron fires"),
    HK_ROW_FLOAT(lif_cfg, leak, 0.5, 0, 0.999, "1/step", "factor kept of the membrane per step"),
    HK_ROW_FLOAT(lif_cfg, v_reset, 0, -1e6, 1e6, "1", "membrane after a hard reset, and at rest"),
    HK_ROW_FLOAT(lif_cfg, reset_amount, NAN, 0, 1e6, "1", "fall of a soft reset; null: the threshold"),
};

static float lif_threshold(const void *cfg)
{
    return ((const lif_cfg *)cfg)->threshold;
}

static float lif_leak(const void *cfg)
{
    return ((const lif_cfg *)cfg)->leak;
}

static const hk_learn lif_learn[] = {
    { "threshold", HK_THRESHOLD, lif_threshold, 1e-3f, 1e30f, false },
    { "leak", HK_LEAK, lif_leak, 0.0f, 1.0f - 1e-3f, false },
};

static float lif_rest(const void *cfg, int i)
{
    const lif_cfg *c = cfg;
    (void)i;
    return c->reset == LIF_HARD ? c->v_reset : 0.0f;
}

/* 1 if the input is scaled by 1 - a: then g = 1 - scaled a. */
static float lif_scaled(const lif_cfg *c)
{
    return c->input_scale ? 1.0f : 0.0f;
}

/* The fall of a soft reset, r = own th + amount. */
typedef struct lif_fall { float own, amount; } lif_fall;

static lif_fall lif_fall_of(const lif_cfg *c)
{
    return isnan(c->reset_amount) ? (lif_fall){ 1, 0 } : (lif_fall){ 0, c->reset_amount };
}

/* ---- step ------------------------------------------------------------------------------------ */

HK_CLONES static void lif_step_soft_a(const hk_neuron_step *a, float scaled, lif_fall r)
{
    const float *x = a->x, *s = a->spike, *prev = a->prev[0];
    const float *th = a->learn[0], *leak = a->learn[1];
    float *u = a->state[0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        const float fall = r.own * th[i] + r.amount;
        u[i] = leak[i] * (prev[i] - fall * s[i]) + (1.0f - scaled * leak[i]) * x[i];
    }
}

HK_CLONES static void lif_step_soft_b(const hk_neuron_step *a, float scaled, lif_fall r)
{
    const float *x = a->x, *s = a->spike, *prev = a->prev[0];
    const float *th = a->learn[0], *leak = a->learn[1];
    float *u = a->state[0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        const float fall = r.own * th[i] + r.amount;
        u[i] = leak[i] * prev[i] - fall * s[i] + (1.0f - scaled * leak[i]) * x[i];
    }
}

HK_CLONES static void lif_step_hard(const hk_neuron_step *a, float scaled, float v_reset)
{
    const float *x = a->x, *s = a->spike, *leak = a->learn[1], *prev = a->prev[0];
    float *u = a->state[0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        float v = (1.0f - s[i]) * prev[i] + s[i] * v_reset;
        u[i] = leak[i] * v + (1.0f - leak[i]) * v_reset + (1.0f - scaled * leak[i]) * x[i];
    }
}

HK_CLONES static void lif_step_none(const hk_neuron_step *a, float scaled)
{
    const float *x = a->x, *leak = a->learn[1], *prev = a->prev[0];
    float *u = a->state[0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++)
        u[i] = leak[i] * prev[i] + (1.0f - scaled * leak[i]) * x[i];
}

static void lif_step(const hk_neuron_step *a, const void *cfg)
{
    const lif_cfg *c = cfg;
    const float scaled = lif_scaled(c);
    switch (c->reset) {
    case LIF_HARD: lif_step_hard(a, scaled, c->v_reset); break;
    case LIF_NONE: lif_step_none(a, scaled); break;
    default:
        if (c->convention) lif_step_soft_b(a, scaled, lif_fall_of(c));
        else lif_step_soft_a(a, scaled, lif_fall_of(c));
    }
}

/* ---- local derivatives --------------------------------------------------------------------------
 * The bodies below leave w in the array of dU/da; lif_local_leak finishes it. */

HK_CLONES static void lif_local_soft_a(const hk_neuron_step *a, const hk_neuron_local *d,
                                       lif_fall r)
{
    const float *s = a->spike, *th = a->learn[0], *leak = a->learn[1], *prev = a->prev[0];
    float *jac = d->jac[0][0], *ds = d->spike[0], *dth = d->param[0][0], *da = d->param[1][0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        const float fall = r.own * th[i] + r.amount;
        jac[i] = leak[i];
        ds[i] = -leak[i] * fall;
        dth[i] = -leak[i] * s[i] * r.own;
        da[i] = prev[i] - fall * s[i];
    }
}

HK_CLONES static void lif_local_soft_b(const hk_neuron_step *a, const hk_neuron_local *d,
                                       lif_fall r)
{
    const float *s = a->spike, *th = a->learn[0], *leak = a->learn[1], *prev = a->prev[0];
    float *jac = d->jac[0][0], *ds = d->spike[0], *dth = d->param[0][0], *da = d->param[1][0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        jac[i] = leak[i];
        ds[i] = -(r.own * th[i] + r.amount);
        dth[i] = -s[i] * r.own;
        da[i] = prev[i];
    }
}

HK_CLONES static void lif_local_hard(const hk_neuron_step *a, const hk_neuron_local *d,
                                     float v_reset)
{
    const float *s = a->spike, *leak = a->learn[1], *prev = a->prev[0];
    float *jac = d->jac[0][0], *ds = d->spike[0], *dth = d->param[0][0], *da = d->param[1][0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        jac[i] = leak[i] * (1.0f - s[i]);
        ds[i] = leak[i] * (v_reset - prev[i]);
        dth[i] = 0.0f;
        da[i] = (1.0f - s[i]) * prev[i] + s[i] * v_reset;
    }
}

HK_CLONES static void lif_local_none(const hk_neuron_step *a, const hk_neuron_local *d)
{
    const float *leak = a->learn[1], *prev = a->prev[0];
    float *jac = d->jac[0][0], *ds = d->spike[0], *dth = d->param[0][0], *da = d->param[1][0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        jac[i] = leak[i];
        ds[i] = 0.0f;
        dth[i] = 0.0f;
        da[i] = prev[i];
    }
}

/* dU/da = w - target - x, target being the value that a scaled input of 0 leaks towards. */
HK_CLONES static void lif_local_leak(const hk_neuron_step *a, float target, float *da)
{
    const float *x = a->x;
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) da[i] = da[i] - target - x[i];
}

/* The same from U[t], where x is not at hand; b is 1 for soft B. */
HK_CLONES static void lif_local_leak_back(const hk_neuron_step *a, float b, lif_fall r, float *da)
{
    const float *s = a->spike, *th = a->learn[0], *leak = a->learn[1], *u = a->state[0];
#pragma omp simd
    for (size_t i = 0; i < a->n; i++) {
        const float fall = r.own * th[i] + r.amount;
        da[i] = (da[i] - u[i] - b * fall * s[i]) / (1.0f - leak[i]);
    }
}

HK_CLONES static void lif_shift(size_t n, float by, float *y)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] -= by;
}

static void lif_gain(size_t n, const float *const learn[], float *out, const void *cfg);

static void lif_local(const hk_neuron_step *a, const hk_neuron_local *d, const void *cfg)
{
    const lif_cfg *c = cfg;
    const bool soft_b = c->reset == LIF_SOFT && c->convention;
    const float target = lif_rest(cfg, 0);
    switch (c->reset) {
    case LIF_HARD: lif_local_hard(a, d, c->v_reset); break;
    case LIF_NONE: lif_local_none(a, d); break;
    default:
        if (soft_b) lif_local_soft_b(a, d, lif_fall_of(c));
        else lif_local_soft_a(a, d, lif_fall_of(c));
    }
    lif_gain(a->n, a->learn, d->input[0], cfg);
    if (!c->input_scale) lif_shift(a->n, target, d->param[1][0]);
    else if (a->x) lif_local_leak(a, target, d->param[1][0]);
    else lif_local_leak_back(a, soft_b ? 1.0f : 0.0f, lif_fall_of(c), d->param[1][0]);
}

/* ---- for rules ------------------------------------------------------------------------------- */

HK_CLONES static void lif_gain_body(size_t n, const float *leak, float *out, float scaled)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) out[i] = 1.0f - scaled * leak[i];
}

static void lif_gain(size_t n, const float *const learn[], float *out, const void *cfg)
{
    lif_gain_body(n, learn[1], out, lif_scaled(cfg));
}

static float lif_decay(const float learn[], const void *cfg)
{
    (void)cfg;
    return learn[1];
}

static const char *lif_decay_caveat(const void *cfg)
{
    return ((const lif_cfg *)cfg)->reset == LIF_HARD
               ? "a hard reset clears the membrane, and with it the trace, of each neuron by itself"
               : NULL;
}

const hk_neuron_ops hk_neuron_lif = {
    .info = { "lif", "leaky integrate-and-fire",
              "Xiao et al. 2022, arXiv:2210.04195, its discrete LIF",
              sizeof(lif_cfg), lif_fields, HK_COUNT(lif_fields) },
    .n_state = 1, .n_learn = HK_COUNT(lif_learn), .learn = lif_learn,
    .rest = lif_rest, .step = lif_step, .local = lif_local,
    .gain = lif_gain, .decay = lif_decay, .decay_reads = 1u << 1,
    .decay_caveat = lif_decay_caveat,
};
