/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "registry.h"
#include "weights.h"

/* ---- open --------------------------------------------------------------------------------------- */

/* "sltt, ottt_a, ...": the rules that learn step by step. */
static void rules_with_steps(char *out, size_t cap)
{
    size_t n = 0;
    out[0] = 0;
    for (int i = 0; i < hk_family_count(HK_FAM_RULE); i++) {
        const hk_rule_ops *r = (const hk_rule_ops *)hk_family_at(HK_FAM_RULE, i);
        if (r->step) n += hk_format(out + n, cap - n, "%s%s", n ? ", " : "", r->info.name);
    }
}

static hk_status check_recipe(const hk_recipe *r, bool learn, hk_error *e)
{
    const hk_recipe_data *d = &r->data;
    char fit[200];
    HK_CHECK(e, d->shape.c && d->classes, HK_E_ARG, "the recipe does not say what a step is: give the "
             "recipe of a run folder, or data.shape and data.classes");
    HK_CHECK(e, r->encoder->time != HK_TIME_STATIC, HK_E_UNSUP,
             "encoder '%s' spreads one value over the steps of a sample, a stream has no end; use "
             "direct, rate or delta", r->encoder->info.name);
    HK_CHECK(e, d->normalise != HK_NORM_CHANNEL || d->augment.n_mean, HK_E_ARG,
             "data.normalise: channel needs the numbers of the training data: give the recipe of the run "
             "folder, or data.augment with mean and std");
    rules_with_steps(fit, sizeof fit);
    HK_CHECK(e, !learn || r->rule->step, HK_E_UNSUP, "rule '%s' needs whole samples, a stream has no end; "
             "rules that learn step by step: %s", r->rule->info.name, fit);
    return HK_OK;
}

static double key_of(const hk_node *l, const char *name)
{
    const hk_info *info = &l->ops->info;
    for (int k = 0; k < info->n_fields; k++)
        if (!strcmp(info->fields[k].name, name)) return hk_field_get(&info->fields[k], l->spec->cfg);
    return 0;
}

/* A norm over the batch of the instant has one row where the map is one position. */
static hk_status check_norms(const hk_net *net, hk_error *e)
{
    for (int32_t i = 0; i < net->n_node; i++) {
        const hk_node *l = &net->node[i];
        const bool norm = !strcmp(l->ops->info.name, "batchnorm"), membrane = key_of(l, "membrane_norm") > 0;
        const char *mode = norm ? "mode" : "norm_mode";
        HK_CHECK(e, l->rows > 1 || !(norm || membrane) || key_of(l, mode) > 0, HK_E_UNSUP,
                 "layer '%s' (%s): a stream shows one value per channel, which has no mean and deviation of "
                 "its own; set %s: eval", l->name, norm ? "batchnorm" : "membrane_norm", mode);
    }
    return HK_OK;
}

static hk_status take_buffers(hk_streamer *s, hk_error *e)
{
    const hk_shape f = s->recipe.data.shape;
    const hk_signal in = hk_recipe_input(&s->recipe);
    const size_t bytes = (size_t)in.shape.h * (size_t)in.shape.w * hk_row_bytes(in.kind, (size_t)in.shape.c);
    s->values = (size_t)f.h * (size_t)f.w * (size_t)f.c;
    s->frame = hk_alloc_zero(2 * s->values, sizeof *s->frame);
    s->input = hk_alloc_zero(1, bytes);
    HK_CHECK(e, s->frame && s->input, HK_E_NOMEM, "no memory for one step of input, %zu bytes", bytes);
    return HK_OK;
}

static hk_status open_parts(hk_streamer *s, const hk_streamer_opts *o, hk_error *e)
{
    hk_net_spec spec;
    hk_recipe *r = &s->recipe;
    HK_TRY(hk_recipe_load(r, o->recipe, o->set, o->n_set, e));
    HK_TRY(check_recipe(r, o->learn, e));
    HK_TRY(hk_recipe_shape(r, r->data.shape, r->data.classes, e));
    if (!r->data.steps) r->data.steps = r->train.T;      /* a frame of its own at every step */
    hk_recipe_spec(r, o->learn, o->learn, &spec);
    spec.batch = 1;
    spec.layer_major = false;                        /* there is no last step to wait for */
    const hk_host_kernels_cfg kernels = hk_recipe_kernels(r, o->threads);
    HK_TRY(hk_engine_open(&s->engine, &spec, &kernels, e));
    if (o->weights) HK_TRY(hk_weights_load(&s->engine.net, o->weights, e));
    if (o->learn) HK_TRY(check_norms(&s->engine.net, e));
    HK_TRY(take_buffers(s, e));
    s->engine.net.update = r->optim.update;
    s->engine.net.update.accumulate = 1;
    return hk_stream_open(&s->stream, &s->engine.net, o->learn, o->every, e);
}

hk_status hk_streamer_open(hk_streamer *s, const hk_streamer_opts *o, hk_error *e)
{
    memset(s, 0, sizeof *s);
    hk_status st = open_parts(s, o, e);
    if (st != HK_OK) hk_streamer_close(s);
    return st;
}

void hk_streamer_close(hk_streamer *s)
{
    hk_engine_close(&s->engine);
    hk_recipe_free(&s->recipe);
    hk_free(s->frame);
    hk_free(s->input);
    memset(s, 0, sizeof *s);
}

/* ---- steps -------------------------------------------------------------------------------------- */

/* The encoder sees two frames at most, this one and the one before. */
static const void *encode(hk_streamer *s, const float *x)
{
    const hk_recipe *r = &s->recipe;
    const hk_augment_at at = { .shape = r->data.shape, .steps = 1 };
    const bool first = s->stream.here == 0;
    float *now = s->frame + s->values;
    memcpy(s->frame, now, s->values * sizeof *now);
    hk_map_from_file(r->data.shape, x, now);
    hk_augment_norm(&r->data.augment, &at, now);
    const hk_encode_in in = { .x = first ? now : s->frame, .steps = first ? 1 : 2, .batch = 1,
                              .shape = r->data.shape,
                              .r = { (uint64_t)r->train.seed, (uint64_t)s->stream.steps } };
    r->encoder->step(r->encoder_cfg, &in, in.steps, in.steps, s->input);
    return s->input;
}

hk_status hk_streamer_push(hk_streamer *s, const float *x, int32_t label, hk_error *e)
{
    HK_TRY(hk_stream_step(&s->stream, encode(s, x), label, e));
    const float *z = hk_stream_output(&s->stream);
    s->best = 0;
    for (int32_t k = 1; k < s->recipe.data.classes; k++)
        if (z[k] > z[s->best]) s->best = k;
    if (label < 0) return HK_OK;
    s->labelled++;
    s->correct += s->best == label;
    s->loss += s->stream.loss;
    return HK_OK;
}

static double mean_rate(const hk_net *net)
{
    double sum = 0, neurons = 0;
    for (int32_t i = 0; i < net->n_node; i++) {
        const hk_node *l = &net->node[i];
        const double n = (double)l->out.shape.h * l->out.shape.w * l->out.shape.c;
        if (!l->spec->neuron) continue;
        sum += n * hk_node_rate(l);
        neurons += n;
    }
    return neurons > 0 ? sum / neurons : 0;
}

void hk_streamer_reset(hk_streamer *s)
{
    if (s->stream.here) s->sequences++;
    s->rate_steps += mean_rate(&s->engine.net) * (double)s->stream.here;
    hk_stream_reset(&s->stream);
}

double hk_streamer_rate(const hk_streamer *s)
{
    const double all = (double)s->stream.steps;
    const double here = mean_rate(&s->engine.net) * (double)s->stream.here;
    return all > 0 ? (s->rate_steps + here) / all : 0;
}

hk_status hk_streamer_save(const hk_streamer *s, const char *path, hk_error *e)
{
    const hk_net *net = &s->engine.net;
    for (int32_t i = 0; i < net->n_param; i++)
        for (size_t k = 0; k < net->param[i].n; k++)
            HK_CHECK(e, isfinite(net->param[i].w[k]), HK_E_NUM,
                     "%s.%s holds a value that is not finite after update %lld; %s stays as it was",
                     net->param[i].layer, net->param[i].name, (long long)net->updates, path);
    return hk_weights_save(net, path, NULL, e);
}
