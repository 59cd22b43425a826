/* Batch norm of the membrane, between the neuron's map and firing.
 *
 *   m = map(U[t-1], s[t-1], x[t])         xhat = (m - mean) r,  r = 1 / sqrt(var + eps)
 *   U = alpha m + beta (weight xhat + bias)                     fires, is reset and carried on
 *
 * alpha and beta are one per layer, 1 and 0 at first; weight and bias one per channel, as the mean and
 * the biased variance over batch, height and width of the instant. With per_step all six have a set for
 * each step, else the running statistics, which move by norm_momentum at every step (the variance
 * unbiased), are one set. Not in training, and with norm_mode eval, the running ones are used, and
 *
 *   U = a* m + b*        a* = alpha + beta weight r,  b* = beta (bias - weight r mean)
 *
 * Backward, n values per channel: with dU complete, what the next step sent back included,
 *
 *   S1 = sum dU,  S2 = sum dU xhat
 *   dm = alpha dU + beta weight r (dU - S1/n - xhat S2/n)       eval: dm = a* dU
 *   dalpha = sum_k (S2/r + mean S1)      dbeta = sum_k (weight S2 + bias S1)
 *   dweight = beta S2                    dbias = beta S1
 *
 * and dm goes down, to the parameters of the neuron, and to the step before. The first S needs all
 * samples: so the neuron's map runs in the whole stage before the tile stage if statistics are of the
 * instant, and all below dU in the whole stage behind it. Rows of samples that have ended, or are
 * padding, are in no mean and get no error. Online, dU is that of the instant; a trace that went through
 * the norm would need the means of all samples' traces (exact, but another pass per parameter): refused.
 *
 * Source: EM-PF 2410.07547 (Mem-BN); backward and folding derived.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "membrane_norm.h"

#include "spiking.h"

#include <math.h>
#include <string.h>

enum { MAP = 1 };                        /* state: [rows][C] m, then mean and r, of each kept step */
enum { TABLE = 5, MOMENTS, ERRORS };     /* buf: 4 C floats; [shards][2 C] doubles, twice           */

static size_t channels(const hk_node *l) { return (size_t)l->out.shape.c; }
static size_t map_size(const hk_node *l) { return (size_t)l->out.shape.h * (size_t)l->out.shape.w; }
static bool   instant(const hk_node *l) { return l->net->training && hk_spiking_of(l)->norm_mode == 0; }

static const hk_param *param_of(const hk_node *l, int p) { return l->param[hk_neuron_of(l)->n_learn + p]; }

/* Where step t has its values in an array of parameter p. */
static size_t at_step(const hk_node *l, int p, int t)
{
    return hk_own_step(l, t) * (param_of(l, p)->n / (size_t)hk_own_steps(l));
}

static float *value(const hk_node *l, int p, int t) { return param_of(l, p)->w + at_step(l, p, t); }
static float *slope(const hk_node *l, int p, int t) { return param_of(l, p)->g + at_step(l, p, t); }

static float *kept_map(const hk_node *l, int t) { return hk_slot(&l->state[MAP], t); }
static float *kept_mean(const hk_node *l, int t) { return kept_map(l, t) + l->rows * channels(l); }

static bool live(const hk_node *l, size_t row, int t)
{
    return !hk_ragged(l->net) || t <= hk_steps_of(l->net, (int32_t)(row / map_size(l)));
}

/* ---- building ------------------------------------------------------------------------------------ */

hk_status hk_membrane_norm_check(const hk_node *l, hk_error *e)
{
    const hk_neuron_ops *nn = hk_neuron_of(l);
    const hk_rule_plan *plan = &l->net->plan;
    const char *rule = l->net->spec.rule ? l->net->spec.rule->info.name : "";
    HK_CHECK(e, nn->n_state == 1 && nn->n_learn + HK_NORM_PARAMS <= HK_MAX_PARAM, HK_E_UNSUP,
             "layer '%s' (spiking): membrane_norm needs a neuron with one state, found '%s' with %d",
             l->name, nn->info.name, nn->n_state);
    HK_CHECK(e, !plan->counts, HK_E_UNSUP,
             "rule '%s' evaluates sums over time, which have no membrane: layer '%s' cannot have a "
             "membrane_norm", rule, l->name);
    HK_CHECK(e, !plan->weights || !plan->weight_trace || !hk_spiking_of(l)->recurrent, HK_E_UNSUP,
             "rule '%s': no weight trace goes through the membrane norm of layer '%s' (membrane_norm); use "
             "weight_trace: none, sltt, bptt, stop without W, or recurrent: false", rule, l->name);
    return HK_OK;
}

void hk_membrane_norm_bind(hk_node *l, hk_mem *m)
{
    static const struct { const char *name; hk_share share; hk_role role; } row[HK_NORM_PARAMS] = {
        { "norm_alpha", HK_PER_LAYER, HK_NORM },    { "norm_beta", HK_PER_LAYER, HK_NORM },
        { "norm_weight", HK_PER_CHANNEL, HK_NORM }, { "norm_bias", HK_PER_CHANNEL, HK_NORM },
        { "norm_mean", HK_PER_CHANNEL, HK_BUFFER }, { "norm_var", HK_PER_CHANNEL, HK_BUFFER },
    };
    const size_t c = channels(l), sums = (size_t)l->shards * 2 * c * sizeof(double);
    for (int p = 0; p < HK_NORM_PARAMS; p++) {
        hk_param d = { .name = row[p].name, .role = row[p].role, .lo = 1, .hi = 0 };
        d.learn = row[p].role == HK_NORM && l->net->plan.weights;
        hk_own_shape(l, row[p].share, &d);
        hk_take_param(m, l, &d);
    }
    l->buf[TABLE] = hk_take(m, HK_R_WORK, 4 * c * sizeof(float));
    if (!l->net->spec.learn) return;
    l->state[MAP] = hk_take_ring(m, HK_R_TAPE, (l->rows + 2) * c * sizeof(float), false);
    l->buf[MOMENTS] = hk_take(m, HK_R_STATE, sums);
    l->buf[ERRORS] = hk_take(m, HK_R_STATE, sums);
}

void hk_membrane_norm_init(hk_node *l)
{
    static const float first[HK_NORM_PARAMS] = { 1, 0, 1, 0, 0, 1 };
    for (int p = 0; p < HK_NORM_PARAMS; p++)
        for (size_t k = 0; k < param_of(l, p)->n; k++) param_of(l, p)->w[k] = first[p];
}

void hk_membrane_norm_fold(const hk_node *l, size_t k, double *a, double *b)
{
    const double alpha = (double)*value(l, HK_NORM_ALPHA, 1), beta = (double)*value(l, HK_NORM_BETA, 1);
    const double var = (double)value(l, HK_NORM_VAR, 1)[k] + (double)hk_spiking_of(l)->norm_eps;
    const double factor = beta * (double)value(l, HK_NORM_WEIGHT, 1)[k] / sqrt(var);
    *a = alpha + factor;
    *b = beta * (double)value(l, HK_NORM_BIAS, 1)[k] - factor * (double)value(l, HK_NORM_MEAN, 1)[k];
}

/* ---- forward ------------------------------------------------------------------------------------- */

HK_CLONES static void add_moments(size_t c, const float *restrict m, double *restrict s1,
                                  double *restrict s2)
{
    for (size_t k = 0; k < c; k++) {
        const double v = (double)m[k];
        s1[k] += v;
        s2[k] += v * v;
    }
}

static void map_rows(hk_node *l, const hk_tile *a)
{
    const size_t c = channels(l);
    const float *m = (const float *)hk_slot(&l->state[0], a->t) + a->row * c;
    double *s = (double *)l->buf[MOMENTS] + (size_t)a->shard * 2 * c;
    hk_spiking_map_tile(l, a);
    for (size_t r = 0; r < a->rows; r++)
        if (live(l, a->row + r, a->t)) add_moments(c, m + r * c, s, s + c);
}

/* Sum number j, 0 or 1, of channel k over the shards. */
static double total(const hk_node *l, const double *sum, size_t j, size_t k)
{
    double s = 0;
    for (size_t i = 0; i < (size_t)l->shards; i++) s += sum[(2 * i + j) * channels(l) + k];
    return s;
}

static double live_rows(const hk_node *l, int t)
{
    return (double)hk_net_live(l->net, t) * (double)map_size(l);
}

/* Mean and variance of channel k at step t, of n values of the instant; they move the running ones. */
static void statistics(hk_node *l, int t, size_t k, double n, double *mean, double *var)
{
    float *rm = value(l, HK_NORM_MEAN, t) + k, *rv = value(l, HK_NORM_VAR, t) + k;
    const double share = (double)hk_spiking_of(l)->norm_momentum;
    *mean = (double)*rm;
    *var = (double)*rv;
    if (!instant(l) || !(n > 0)) return;
    *mean = total(l, l->buf[MOMENTS], 0, k) / n;
    *var = total(l, l->buf[MOMENTS], 1, k) / n - *mean * *mean;
    if (*var < 0) *var = 0;
    if (l->net->replay) return;
    *rm = (float)((1 - share) * (double)*rm + share * *mean);
    *rv = (float)((1 - share) * (double)*rv + share * (n > 1 ? *var * n / (n - 1) : *var));
}

void hk_membrane_norm_forward(hk_node *l, int t)
{
    const size_t c = channels(l);
    const double n = live_rows(l, t);
    const float alpha = *value(l, HK_NORM_ALPHA, t), beta = *value(l, HK_NORM_BETA, t);
    const float *weight = value(l, HK_NORM_WEIGHT, t), *bias = value(l, HK_NORM_BIAS, t);
    float *a = l->buf[TABLE], *b = a + c;
    if (instant(l)) {
        memset(l->buf[MOMENTS], 0, (size_t)l->shards * 2 * c * sizeof(double));
        hk_rows_forward(l, t, map_rows);
    }
    for (size_t k = 0; k < c; k++) {
        double mean, var;
        statistics(l, t, k, n, &mean, &var);
        const float r = (float)(1 / sqrt(var + (double)hk_spiking_of(l)->norm_eps)), m = (float)mean;
        a[k] = alpha + beta * weight[k] * r;
        b[k] = beta * (bias[k] - weight[k] * r * m);
        if (!l->net->spec.learn) continue;
        kept_mean(l, t)[k] = m;
        kept_mean(l, t)[c + k] = r;
    }
}

HK_CLONES static void norm_rows(const hk_node *l, size_t rows, float *u)
{
    const size_t c = channels(l);
    const float *restrict a = l->buf[TABLE], *restrict b = a + c;
    for (size_t r = 0; r < rows; r++, u += c)
        for (size_t k = 0; k < c; k++) u[k] = a[k] * u[k] + b[k];
}

void hk_membrane_norm_forward_tile(hk_node *l, const hk_tile *a)
{
    const size_t c = channels(l), first = a->row * c;
    float *u = (float *)hk_slot(&l->state[0], a->t) + first;
    if (!instant(l)) hk_spiking_map_tile(l, a);
    if (l->net->spec.learn) memcpy(kept_map(l, a->t) + first, u, a->rows * c * sizeof *u);
    norm_rows(l, a->rows, u);
    hk_spiking_fire_tile(l, a);
}

/* ---- backward ------------------------------------------------------------------------------------ */

HK_CLONES static void add_errors(size_t c, const float *restrict m, const float *restrict du,
                                 const float *restrict mean, double *restrict s1, double *restrict s2)
{
    const float *restrict inverse = mean + c;
    for (size_t k = 0; k < c; k++) {
        s1[k] += (double)du[k];
        s2[k] += (double)(du[k] * ((m[k] - mean[k]) * inverse[k]));
    }
}

void hk_membrane_norm_backward_tile(hk_node *l, const hk_tile *a)
{
    const size_t c = channels(l), first = a->row * c;
    const float *m = kept_map(l, a->t) + first, *du = hk_dy(l, a->t) + first;
    double *s = (double *)l->buf[ERRORS] + (size_t)a->shard * 2 * c;
    hk_spiking_error_tile(l, a);
    for (size_t r = 0; r < a->rows; r++)
        if (live(l, a->row + r, a->t)) add_errors(c, m + r * c, du + r * c, kept_mean(l, a->t), s, s + c);
}

/* dU becomes dm, in place. */
HK_CLONES static void error_row(const hk_node *l, int t, const float *restrict m, float *restrict du)
{
    const size_t c = channels(l);
    const float *restrict mean = kept_mean(l, t), *restrict inverse = mean + c;
    const float *restrict m1 = (const float *)l->buf[TABLE] + 2 * c, *restrict m2 = m1 + c;
    const float *restrict weight = value(l, HK_NORM_WEIGHT, t);
    const float alpha = *value(l, HK_NORM_ALPHA, t), beta = *value(l, HK_NORM_BETA, t);
    for (size_t k = 0; k < c; k++) {
        const float r = inverse[k], xhat = (m[k] - mean[k]) * r;
        du[k] = alpha * du[k] + beta * weight[k] * r * (du[k] - m1[k] - xhat * m2[k]);
    }
}

static void error_rows(hk_node *l, const hk_tile *a)
{
    const size_t c = channels(l), first = a->row * c;
    float *m = kept_map(l, a->t) + first, *du = hk_dy(l, a->t) + first;
    for (size_t r = 0; r < a->rows; r++)
        if (live(l, a->row + r, a->t)) error_row(l, a->t, m + r * c, du + r * c);
        else memset(du + r * c, 0, c * sizeof *du);
    hk_spiking_down_tile(l, a, m);
}

void hk_membrane_norm_backward(hk_node *l, int t)
{
    const size_t c = channels(l);
    const double n = instant(l) ? live_rows(l, t) : 0;
    const double beta = (double)*value(l, HK_NORM_BETA, t);
    const float *weight = value(l, HK_NORM_WEIGHT, t), *bias = value(l, HK_NORM_BIAS, t);
    const float *mean = kept_mean(l, t), *inverse = mean + c;
    float *m1 = (float *)l->buf[TABLE] + 2 * c, *m2 = m1 + c;
    double da = 0, db = 0;
    for (size_t k = 0; k < c; k++) {
        const double s1 = total(l, l->buf[ERRORS], 0, k), s2 = total(l, l->buf[ERRORS], 1, k);
        m1[k] = n > 0 ? (float)(s1 / n) : 0;
        m2[k] = n > 0 ? (float)(s2 / n) : 0;
        if (!l->net->plan.weights) continue;
        da += s2 / (double)inverse[k] + (double)mean[k] * s1;
        db += (double)weight[k] * s2 + (double)bias[k] * s1;
        slope(l, HK_NORM_WEIGHT, t)[k] += (float)(beta * s2);
        slope(l, HK_NORM_BIAS, t)[k] += (float)(beta * s1);
    }
    if (l->net->plan.weights) {
        *slope(l, HK_NORM_ALPHA, t) += (float)da;
        *slope(l, HK_NORM_BETA, t) += (float)db;
    }
    memset(l->buf[ERRORS], 0, (size_t)l->shards * 2 * c * sizeof(double));
    hk_rows_backward(l, t, error_rows);
}
