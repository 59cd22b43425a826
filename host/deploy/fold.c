/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include "base/alloc.h"
#include "layer/membrane_norm.h"
#include "layer/spiking.h"
#include "layer/weighted.h"

#include <math.h>
#include <string.h>

static const hk_param *param_of(const hk_node *l, const char *name)
{
    for (int32_t i = 0; l && i < l->n_param; i++)
        if (strcmp(l->param[i]->name, name) == 0) return l->param[i];
    return NULL;
}

static double key(const hk_node *l, const char *name)
{
    return hk_field_get(hk_field_find(&l->ops->info, name), l->spec->cfg);
}

/* The norm of the membrane: U = factor m + offset in channel o; false: none. */
static bool membrane_norm(const hk_stage *s, size_t o, double *factor, double *offset)
{
    if (!s->spiking || !hk_spiking_of(s->spiking)->membrane_norm) return false;
    hk_membrane_norm_fold(s->spiking, o, factor, offset);
    return true;
}

/* I = a N + c of every channel; with a norm of the membrane behind, f I + b. */
static void channel(const hk_stage *s, const hk_node *l, const hk_node *norm, size_t o, double *a, double *c)
{
    const hk_param *w = l->param[0], *bias = param_of(l, "bias");
    const size_t co = (size_t)s->conv.co;
    double scale = s->in.counts ? (double)s->in.scale : 1;
    if (s->code_bits) {
        float most = 0;
        for (size_t i = o; i < w->n; i += co) most = fmaxf(most, fabsf(w->used[i]));
        scale *= (double)most;
    }
    *a = scale;
    *c = bias ? (double)bias->w[o] : 0;
    if (norm) {
        const double var = (double)param_of(norm, "running_var")->w[o] + key(norm, "eps");
        const double factor = (double)param_of(norm, "weight")->w[o] / sqrt(var);
        *c = (*c - (double)param_of(norm, "running_mean")->w[o]) * factor + (double)param_of(norm, "bias")->w[o];
        *a *= factor;
    }
    double factor, offset;
    if (!membrane_norm(s, o, &factor, &offset)) return;
    *a *= factor;
    *c = factor * *c + offset;
}

static float sign_of(float v) { return (float)((v > 0) - (v < 0)); }

static void put_codes(hk_stage *s, const hk_node *l, size_t o, float flip)
{
    const size_t ci = (size_t)s->conv.ci, n = (size_t)(s->conv.kh * s->conv.kw) * ci;
    for (size_t i = 0; i < n; i++) {
        const float v = flip * sign_of(l->param[0]->used[i * (size_t)s->conv.co + o]);
        if (s->w) {
            s->w[i * (size_t)s->conv.co + o] = v;
            continue;
        }
        uint64_t bit;
        const size_t at = hk_code_at(s, i / ci, i % ci, o, &bit);
        if (v > 0) s->plus[at] |= bit;
        if (v < 0 && s->minus) s->minus[at] |= bit;
    }
}

static hk_status take(hk_stage *s, hk_error *e)
{
    const size_t co = (size_t)s->conv.co, each = (size_t)(s->conv.kh * s->conv.kw);
    s->words = ((size_t)s->conv.ci + 31) / 32;
    s->vectors = hk_vector_popcount();
    const bool integer = s->code_bits && s->in.counts;
    const size_t bits = co * hk_window_words(s), floats = co * each * (size_t)s->conv.ci;
    if (integer) s->plus = hk_alloc_zero(bits, sizeof *s->plus);
    if (integer && s->code_bits == 2) s->minus = hk_alloc_zero(bits, sizeof *s->minus);
    if (!integer) s->w = hk_alloc_zero(floats, sizeof *s->w);
    s->unit = hk_alloc_zero(co, sizeof *s->unit);
    s->add = hk_alloc_zero(co, sizeof *s->add);
    s->mul = s->code_bits && s->spiking ? NULL : hk_alloc_zero(co, sizeof *s->mul);
    HK_CHECK(e, (s->plus || s->w) && (!integer || s->code_bits == 1 || s->minus) && s->unit && s->add &&
             (s->mul || (s->code_bits && s->spiking)), HK_E_NOMEM,
             "deploy: no memory for layer '%s'", s->name);
    return HK_OK;
}

/* Parameters of the neurons as one value each, the threshold in units of its channel. */
static hk_status neurons(hk_stage *s, hk_deploy_size *size, hk_error *e)
{
    const hk_node *l = s->spiking;
    const size_t co = (size_t)s->conv.co, own = (size_t)hk_own_steps(l);
    s->own_steps = (int32_t)own;
    for (int p = 0; p < hk_neuron_of(l)->n_learn; p++) {
        const hk_param *q = l->param[p];
        const size_t groups = q->n / own;
        const bool folded = p == HK_FOLDED_LEAK && hk_spiking_of(l)->membrane_norm;
        size->numbers += (folded && q->n < co ? co : q->n) * sizeof(float);
        s->learn[p] = hk_alloc(own * s->n * sizeof(float));
        HK_CHECK(e, s->learn[p], HK_E_NOMEM, "deploy: no memory for layer '%s'", l->name);
        for (size_t k = 0; k < own; k++)
            for (size_t i = 0; i < s->n; i++) {
                const float v = q->w[k * groups + (groups == 1 ? 0 : i % groups)];
                s->learn[p][k * s->n + i] = p == 0 ? v / s->unit[i % co] : v;
                double factor, offset;
                if (p == HK_FOLDED_LEAK && membrane_norm(s, i % co, &factor, &offset))
                    s->learn[p][k * s->n + i] = (float)(factor * (double)v);
            }
    }
    return HK_OK;
}

hk_status hk_fold(hk_stage *s, const hk_node *l, const hk_node *norm, hk_deploy_size *size, hk_error *e)
{
    const size_t co = (size_t)s->conv.co;
    HK_CHECK(e, s->conv.groups == 1, HK_E_UNSUP, "deploy: layer '%s' has %d groups, expected 1", l->name,
             (int)s->conv.groups);
    HK_CHECK(e, !norm || key(norm, "running_steps") <= 1, HK_E_UNSUP, "deploy: layer '%s' has running "
             "statistics of %g steps, expected one set; train with running_steps: 1", norm->name,
             key(norm, "running_steps"));
    s->code_bits = l->param[0]->code_bits;
    HK_TRY(take(s, e));
    if (!s->code_bits) hk_weighted_used(l, s->w);
    size->codes += s->code_bits ? (l->param[0]->n * (size_t)s->code_bits + 7) / 8 : 0;
    size->numbers += 2 * co * sizeof(float) + (s->code_bits ? 0 : l->param[0]->n * sizeof(float));
    for (size_t o = 0; o < co; o++) {
        double a, c;
        channel(s, l, norm, o, &a, &c);
        HK_CHECK(e, a != 0, HK_E_UNSUP, "deploy: channel %zu of layer '%s' has the factor 0", o, l->name);
        const bool units = !s->mul;
        if (s->code_bits) put_codes(s, l, o, units && a < 0 ? -1.0f : 1.0f);
        s->unit[o] = units ? (float)fabs(a) : 1.0f;
        if (s->mul) s->mul[o] = (float)a;
        s->add[o] = (float)(units ? c / fabs(a) : c);
    }
    return s->spiking ? neurons(s, size, e) : HK_OK;
}
