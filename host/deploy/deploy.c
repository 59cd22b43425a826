/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include "base/alloc.h"
#include "layer/readout.h"
#include "layer/spiking.h"

#include <math.h>
#include <string.h>

static bool is(const hk_node *l, const char *type) { return strcmp(l->ops->info.name, type) == 0; }

static size_t values(hk_shape s) { return (size_t)s.h * (size_t)s.w * (size_t)s.c; }
static size_t bytes_of(const hk_map *m) { return values(m->shape) * (m->counts ? 1 : sizeof(float)); }

static hk_map map_of(const hk_node *l)
{
    const bool bits = l->out.kind == HK_BITS, counts = bits || l->out.kind == HK_COUNTS;
    return (hk_map){ l->out.shape, counts, counts ? l->out.scale : 1, bits ? 1 : l->top };
}

/* ---- which neurons can be run in other units ------------------------------------------------------- */

/* One step of one neuron at states 0.25 f, 0.5 f, input 0.75 f g, threshold f, leak times g, spike s. */
static void one_step(const hk_node *l, float f, float g, float s, float *out)
{
    const hk_neuron_ops *nn = hk_neuron_of(l);
    const float x = 0.75f * f * g;
    float prev[HK_MAX_STATE], learn[HK_MAX_LEARN];
    hk_neuron_step a = { .n = 1, .x = &x, .spike = &s };
    for (int p = 0; p < nn->n_learn; p++) {
        learn[p] = p == 0 ? f : l->param[p]->w[0] * (p == HK_FOLDED_LEAK ? g : 1);
        a.learn[p] = &learn[p];
    }
    for (int i = 0; i < nn->n_state; i++) {
        prev[i] = 0.25f * (float)(i + 1) * f;
        a.prev[i] = &prev[i];
        a.state[i] = &out[i];
    }
    nn->step(&a, l->spec->neuron_cfg);
}

/* f times everything, powers of two, must give f times the states: to the bit. */
static hk_status check_units(const hk_node *l, hk_error *e)
{
    const hk_neuron_ops *nn = hk_neuron_of(l);
    bool fits = true;
    for (int i = 0; i < nn->n_state; i++) fits &= !nn->rest || nn->rest(l->spec->neuron_cfg, i) == 0;
    for (int fired = 0; fired < 2; fired++) {
        float one[HK_MAX_STATE], four[HK_MAX_STATE];
        one_step(l, 1, 1, (float)fired, one);
        one_step(l, 4, 1, (float)fired * (hk_graded(l) ? 4.0f : 1.0f), four);
        for (int i = 0; i < nn->n_state; i++) fits &= four[i] == 4 * one[i];
    }
    HK_CHECK(e, fits, HK_E_UNSUP, "deploy: neuron '%s' of layer '%s' is not linear in its potentials, as "
             "other units need (empf, or lif and if with reset soft or none and bits are)",
             nn->info.name, l->name);
    return HK_OK;
}

/* With leak and input twice as large, the membrane must be, too: then its norm can be folded into both. */
static hk_status check_norm(const hk_node *l, hk_error *e)
{
    const hk_neuron_ops *nn = hk_neuron_of(l);
    bool fits = nn->n_learn == HK_FOLDED_LEAK + 1;
    if (!hk_spiking_of(l)->membrane_norm) return HK_OK;
    HK_CHECK(e, hk_own_steps(l) == 1, HK_E_UNSUP, "deploy: layer '%s' has a membrane norm for each of %d "
             "steps, expected one; train with per_step: false", l->name, (int)hk_own_steps(l));
    for (int fired = 0; fired < 2 && fits; fired++) {
        float one[HK_MAX_STATE], two[HK_MAX_STATE];
        one_step(l, 1, 1, (float)fired, one);
        one_step(l, 1, 2, (float)fired, two);
        fits = two[0] == 2 * one[0];
    }
    HK_CHECK(e, fits, HK_E_UNSUP, "deploy: the membrane norm of layer '%s' folds into leak and input, but "
             "these do not make all of the membrane of neuron '%s' (empf, or lif of convention A with soft "
             "reset)", l->name, nn->info.name);
    return HK_OK;
}

/* ---- stages ---------------------------------------------------------------------------------------- */

static hk_status take_neurons(hk_deploy *d, hk_stage *s, hk_error *e)
{
    const size_t all = (size_t)d->net->spec.batch * s->n;
    bool ok = true;
    for (int i = 0; s->spiking && i < hk_neuron_of(s->spiking)->n_state; i++)
        ok &= (s->state[i] = hk_alloc(all * sizeof(float))) != NULL;
    if (s->spiking) ok &= (s->spike = hk_alloc(all * sizeof(float))) != NULL;
    if (s->constant) ok &= (s->held = hk_alloc(all * sizeof(float))) != NULL;
    HK_CHECK(e, ok, HK_E_NOMEM, "deploy: no memory for layer '%s'", s->name);
    return HK_OK;
}

/* A weighted layer, and what may stand between it and its neurons or the readout; i: the last of them. */
static hk_status add_weights(hk_deploy *d, hk_stage *s, int32_t *i, hk_error *e)
{
    hk_node *l = &d->net->node[*i], *next = l + 1, *norm = is(next, "batchnorm") ? next++ : NULL;
    while (is(next, "dropout")) next++;              /* a readout is the last node */
    HK_CHECK(e, is(next, "spiking") || is(next, "readout"), HK_E_UNSUP,
             "deploy: layer '%s' (%s) stands behind the weights of '%s', expected a batch norm at most, "
             "then neurons or the readout", next->name, next->ops->info.name, l->name);
    *i = next->index;
    s->kind = HK_STAGE_WEIGHTS;
    s->spiking = is(next, "spiking") ? next : NULL;
    s->constant = l->constant;
    s->out = map_of(next);
    s->n = values(next->out.shape);
    if (s->spiking) HK_TRY(check_units(next, e));
    if (s->spiking) HK_TRY(check_norm(next, e));
    if (s->spiking && next->out.kind == HK_F32) s->out.scale = hk_spiking_of(next)->scale;
    HK_TRY(hk_fold(s, l, norm, &d->size, e));
    return take_neurons(d, s, e);
}

static hk_status add_stage(hk_deploy *d, hk_map in, int32_t *i, hk_error *e)
{
    const hk_node *l = &d->net->node[*i];
    hk_stage *s = &d->stage[d->n_stage++];
    *s = (hk_stage){ .name = l->name, .conv = l->conv, .in = in, .out = map_of(l), .n = values(l->out.shape) };
    s->conv.batch = 1;
    if (is(l, "dense") || is(l, "conv2d")) return add_weights(d, s, i, e);
    s->kind = is(l, "avgpool2d") ? HK_STAGE_AVERAGE : is(l, "maxpool2d") ? HK_STAGE_MAXIMUM : HK_STAGE_MEAN;
    HK_CHECK(e, s->kind != HK_STAGE_MEAN || is(l, "gap"), HK_E_UNSUP,
             "deploy: layer '%s' (%s) has no deployed form", l->name, l->ops->info.name);
    return HK_OK;
}

static hk_status add_stages(hk_deploy *d, hk_error *e)
{
    const hk_net *net = d->net;
    const hk_signal x = net->spec.input;
    hk_map at = { x.shape, false, 1, 0 };
    HK_CHECK(e, x.kind == HK_F32, HK_E_UNSUP, "deploy: the input is bits, expected real numbers");
    for (int32_t i = 0; i < net->n_node - 1; i++) {
        const hk_node *l = &net->node[i];
        HK_CHECK(e, l->spec->n_in == 1 && l->spec->in[0] == i - 1, HK_E_UNSUP,
                 "deploy: layer '%s' does not read the one before it alone: a chain is expected", l->name);
        if (l->ops->alias || is(l, "dropout")) continue;
        HK_TRY(add_stage(d, at, &i, e));
        at = d->stage[d->n_stage - 1].out;
    }
    HK_CHECK(e, d->n_stage && d->stage[d->n_stage - 1].kind == HK_STAGE_WEIGHTS, HK_E_UNSUP,
             "deploy: expected weights, or neurons behind them, before the readout");
    return HK_OK;
}

static size_t rounded(size_t n) { return (n + 63) / 64 * 64; }

static hk_status take_memory(hk_deploy *d, hk_error *e)
{
    size_t at = 0, most = 0, n = 0;
    for (int32_t k = 0; k < d->n_stage; k++) {
        hk_stage *s = &d->stage[k];
        s->at = at;
        at += rounded(bytes_of(&s->out));
        if (hk_product_scratch(s) > most) most = hk_product_scratch(s);
        if (s->n > n) n = s->n;
    }
    d->scratch = at;
    d->each = at + rounded(most) + 2 * rounded(n * sizeof(float));
    const size_t batch = (size_t)d->net->spec.batch;
    d->memory = hk_alloc((size_t)d->net->spec.kernels->workers * d->each);
    d->decision = hk_alloc(batch * (size_t)d->net->readout->out.shape.c * sizeof(float));
    d->fired = hk_alloc_zero(batch * (size_t)d->n_stage, sizeof *d->fired);
    HK_CHECK(e, d->memory && d->decision && d->fired, HK_E_NOMEM, "deploy: no memory");
    return HK_OK;
}

hk_status hk_deploy_open(hk_deploy **out, hk_net *net, hk_error *e)
{
    hk_deploy *d = hk_alloc_zero(1, sizeof *d);
    HK_CHECK(e, d, HK_E_NOMEM, "deploy: no memory");
    d->net = net;
    d->stage = hk_alloc_zero((size_t)net->n_node, sizeof *d->stage);
    hk_status st = d->stage ? add_stages(d, e) : hk_fail(e, HK_E_NOMEM, "deploy: no memory");
    if (st == HK_OK) st = take_memory(d, e);
    for (int32_t i = 0; i < net->n_param; i++) d->size.floats += net->param[i].n * sizeof(float);
    if (st == HK_OK) *out = d;
    else hk_deploy_close(d);
    return st;
}

void hk_deploy_close(hk_deploy *d)
{
    for (int32_t k = 0; d && k < d->n_stage; k++) {
        hk_stage *s = &d->stage[k];
        void *own[] = { s->plus, s->minus, s->w, s->unit, s->mul, s->add, s->spike, s->held };
        for (int i = 0; i < HK_COUNT(own); i++) hk_free(own[i]);
        for (int i = 0; i < HK_MAX_LEARN; i++) hk_free(s->learn[i]);
        for (int i = 0; i < HK_MAX_STATE; i++) hk_free(s->state[i]);
    }
    if (!d) return;
    hk_free(d->stage);
    hk_free(d->memory);
    hk_free(d->decision);
    hk_free(d->fired);
    hk_free(d);
}

hk_deploy_size hk_deploy_bytes(const hk_deploy *d) { return d->size; }

/* ---- a batch --------------------------------------------------------------------------------------- */

/* What the readout makes of a step's output. */
static void decide(const hk_deploy *d, int b, const void *x)
{
    const hk_node *l = d->net->readout;
    const hk_map *m = &d->stage[d->n_stage - 1].out;
    const size_t c = (size_t)l->out.shape.c;
    const float keep = hk_readout_all_steps(l) ? 1.0f : l->decay;
    float *out = d->decision + (size_t)b * c;
    for (size_t k = 0; k < c; k++) {
        const float o = m->counts ? m->scale * (float)((const uint8_t *)x)[k] : ((const float *)x)[k];
        out[k] = keep * out[k] + o;
    }
}

static void run_sample(void *arg, int b, int worker)
{
    hk_deploy *d = arg;
    if (d->t > hk_steps_of(d->net, b)) return;
    char *memory = d->memory + (size_t)worker * d->each;
    const void *x = (const float *)d->frame + (size_t)b * values(d->net->spec.input.shape);
    for (int32_t k = 0; k < d->n_stage; k++) {
        hk_stage *s = &d->stage[k];
        d->fired[(size_t)b * (size_t)d->n_stage + (size_t)k] +=
            hk_stage_run(s, x, memory + s->at, memory + d->scratch, b, d->t);
        x = memory + s->at;
    }
    decide(d, b, x);
}

static void clear(hk_deploy *d)
{
    const size_t batch = (size_t)d->net->spec.batch;
    for (int32_t k = 0; k < d->n_stage; k++) {
        const hk_stage *s = &d->stage[k];
        for (int i = 0; i < HK_MAX_STATE; i++)
            if (s->state[i]) memset(s->state[i], 0, batch * s->n * sizeof(float));
        if (s->spike) memset(s->spike, 0, batch * s->n * sizeof(float));
    }
    memset(d->decision, 0, batch * (size_t)d->net->readout->out.shape.c * sizeof(float));
    memset(d->fired, 0, batch * (size_t)d->n_stage * sizeof *d->fired);
}

/* Spike counts where hk_node_rate looks for them. */
static void report(hk_deploy *d)
{
    for (int32_t k = 0; k < d->n_stage; k++) {
        hk_node *l = d->stage[k].spiking;
        if (!l) continue;
        memset(l->spikes, 0, (size_t)l->shards * sizeof *l->spikes);
        for (int32_t b = 0; b < d->batch->n; b++)
            l->spikes[0] += d->fired[(size_t)b * (size_t)d->n_stage + (size_t)k];
    }
}

hk_status hk_deploy_infer(hk_deploy *d, const hk_batch *b, float *decision, hk_result *out, hk_error *e)
{
    hk_net *net = d->net;
    const hk_kernels *k = net->spec.kernels;
    const size_t c = (size_t)net->readout->out.shape.c;
    HK_CHECK(e, b->n >= 1 && b->n <= net->spec.batch, HK_E_ARG,
             "batch: %d samples, expected 1 to %d", (int)b->n, (int)net->spec.batch);
    d->batch = net->batch = b;
    clear(d);
    net->live = 0;
    for (d->t = 1; d->t <= net->spec.T; d->t++) {
        net->live += hk_net_live(net, d->t);
        if (d->t == 1 || !net->spec.constant_input) d->frame = b->frame(b->self, d->t);
        k->parallel(k->self, b->n, run_sample, d);
    }
    report(d);
    memset(out, 0, sizeof *out);
    for (int32_t i = 0; b->label && i < b->n; i++) {
        size_t best = 0;
        for (size_t j = 1; j < c; j++)
            if (d->decision[(size_t)i * c + j] > d->decision[(size_t)i * c + best]) best = j;
        out->correct += (int32_t)best == b->label[i];
        out->seen++;
    }
    if (decision) memcpy(decision, d->decision, (size_t)net->spec.batch * c * sizeof *decision);
    return HK_OK;
}
