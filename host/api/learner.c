/* SPDX-License-Identifier: Apache-2.0 */
#include "hillock.h"

#include <string.h>

#include "base/alloc.h"
#include "run/describe.h"
#include "run/engine.h"
#include "run/feed.h"
#include "run/locate.h"
#include "run/weights.h"

#ifndef HK_VERSION
#  define HK_VERSION "unknown"
#endif

/* Random streams of the encoder: a learning batch its number, inference one of its own. */
#define INFER_STREAM ((uint64_t)0x65 << 56)

struct hk_learner {
    hk_recipe recipe;
    hk_engine engine;                    /* without regions in a plan                             */
    hk_feed   feed;
    int32_t   steps;                     /* time axis of a sample, 0: none                        */
    float    *x;                         /* [steps or 1][batch][h][w][c]                          */
    uint64_t  batches;                   /* learned so far                                        */
    double    rate;
};

const char *hk_version(void) { return HK_VERSION; }

/* ---- open ----------------------------------------------------------------------------------- */

static hk_status load(hk_learner *l, const hk_source *s, hk_error *e)
{
    HK_CHECK(e, s->path || s->text, HK_E_ARG, "a recipe is wanted: path or text");
    HK_TRY(hk_recipe_read(&l->recipe, s->path ? s->path : "recipe", s->path ? NULL : s->text,
                          s->set, s->n_set, e));
    HK_TRY(hk_recipe_shape_from_data(&l->recipe, e));
    const bool axis = l->recipe.encoder->time == HK_TIME_AXIS || l->recipe.data.steps > 0;
    l->steps = l->recipe.data.steps = axis ? l->recipe.train.T : 0;
    l->rate = 1;
    return HK_OK;
}

static size_t input_floats(const hk_learner *l)
{
    const hk_shape s = l->recipe.data.shape;
    const size_t frame = (size_t)s.h * (size_t)s.w * (size_t)s.c;
    return (size_t)(l->steps ? l->steps : 1) * (size_t)l->recipe.train.batch * frame;
}

static hk_status open_parts(hk_learner *l, const hk_source *s, bool take, hk_error *e)
{
    hk_net_spec spec;
    HK_TRY(load(l, s, e));
    hk_recipe_spec(&l->recipe, !s->infer_only, !s->infer_only, &spec);
    const hk_host_kernels_cfg kernels = hk_recipe_kernels(&l->recipe, s->threads);
    if (!take) return hk_engine_plan(&l->engine, &spec, &kernels, e);
    HK_TRY(hk_engine_open(&l->engine, &spec, &kernels, e));
    HK_TRY(hk_feed_open(&l->feed, &l->recipe, false, e));
    l->x = hk_alloc(input_floats(l) * sizeof *l->x);
    HK_CHECK(e, l->x, HK_E_NOMEM, "no memory for a batch of input, %zu bytes",
             input_floats(l) * sizeof *l->x);
    return HK_OK;
}

static hk_status open_learner(hk_learner **out, const hk_source *s, bool take, hk_error *e)
{
    *out = NULL;
    hk_learner *l = hk_alloc_zero(1, sizeof *l);
    HK_CHECK(e, l, HK_E_NOMEM, "no memory for a learner, %zu bytes", sizeof *l);
    hk_status st = open_parts(l, s, take, e);
    if (st == HK_OK) *out = l;
    else hk_learner_destroy(l);
    return st;
}

hk_status hk_learner_create(hk_learner **out, const hk_source *source, hk_error *e)
{
    return open_learner(out, source, true, e);
}

void hk_learner_destroy(hk_learner *l)
{
    if (!l) return;
    hk_free(l->x);
    hk_feed_close(&l->feed);
    hk_engine_close(&l->engine);
    hk_recipe_free(&l->recipe);
    hk_free(l);
}

/* ---- what it is ----------------------------------------------------------------------------- */

static hk_memory memory_of(const hk_learner *l)
{
    const size_t *b = l->engine.bytes;
    const size_t input = input_floats(l) * sizeof *l->x + hk_feed_bytes(&l->recipe);
    return (hk_memory){ b[HK_R_PARAM], b[HK_R_GRAD], b[HK_R_OPTIM], b[HK_R_BUFFER], b[HK_R_STATE],
                        b[HK_R_TAPE], b[HK_R_PACKED], b[HK_R_WORK], l->engine.table_bytes, input,
                        hk_engine_bytes(&l->engine) + input };
}

void hk_learner_describe(const hk_learner *l, hk_learner_info *out)
{
    const hk_recipe *r = &l->recipe;
    *out = (hk_learner_info){
        .channels = r->data.shape.c, .height = r->data.shape.h, .width = r->data.shape.w,
        .steps = l->steps ? l->steps : 1, .classes = l->engine.net.readout->out.shape.c,
        .T = r->train.T, .batch = r->train.batch,
        .parameters = hk_count_learned(&l->engine.net), .neurons = hk_count_neurons(&l->engine.net),
        .memory = memory_of(l),
    };
}

hk_status hk_learner_plan(const hk_source *source, hk_learner_info *out, hk_error *e)
{
    hk_learner *l;
    HK_TRY(open_learner(&l, source, false, e));
    hk_learner_describe(l, out);
    hk_learner_destroy(l);
    return HK_OK;
}

void hk_learner_set_rate(hk_learner *l, double factor) { l->rate = factor; }

/* ---- a batch -------------------------------------------------------------------------------- */

static hk_status check_batch(const hk_learner *l, const hk_samples *b, bool labels, hk_error *e)
{
    const int32_t batch = l->recipe.train.batch, classes = l->engine.net.readout->out.shape.c;
    HK_CHECK(e, b->x, HK_E_ARG, "a batch without x");
    HK_CHECK(e, b->n >= 1 && b->n <= batch, HK_E_ARG,
             "a batch of %d samples, expected 1 to train.batch, %d", (int)b->n, (int)batch);
    HK_CHECK(e, b->label || !labels, HK_E_ARG, "a batch without labels cannot be learned");
    for (int32_t i = 0; b->label && i < b->n; i++)
        HK_CHECK(e, b->label[i] >= 0 && b->label[i] < classes, HK_E_ARG,
                 "label %d of the batch is %d, expected 0 to %d", (int)i, (int)b->label[i],
                 (int)classes - 1);
    return HK_OK;
}

/* The caller's frames to memory order, normalised. */
static const hk_batch *feed(hk_learner *l, const hk_samples *b, uint64_t stream)
{
    const hk_shape s = l->recipe.data.shape;
    const size_t frame = (size_t)s.h * (size_t)s.w * (size_t)s.c;
    const hk_augment_at at = { .shape = s, .steps = 1 };
    const size_t frames = (size_t)(l->steps ? l->steps : 1) * (size_t)b->n;
    for (size_t i = 0; i < frames; i++) {
        hk_map_from_file(s, b->x + i * frame, l->x + i * frame);
        hk_augment_norm(&l->recipe.data.augment, &at, l->x + i * frame);
    }
    const hk_loaded loaded = { .x = l->x, .label = b->label, .n = b->n, .steps = l->steps };
    return hk_feed_put(&l->feed, &loaded, stream);
}

static double mean_rate(const hk_net *net)
{
    double sum = 0, neurons = 0;
    for (int32_t i = 0; i < net->n_node; i++) {
        const hk_node *l = &net->node[i];
        if (!l->spec->neuron) continue;
        const double n = (double)l->out.shape.h * l->out.shape.w * l->out.shape.c;
        sum += n * hk_node_rate(l);
        neurons += n;
    }
    return neurons > 0 ? sum / neurons : 0;
}

static void score(const hk_learner *l, const hk_result *r, hk_score *out)
{
    if (out)
        *out = (hk_score){ r->loss, (int32_t)r->correct, (int32_t)r->seen,
                           mean_rate(&l->engine.net) };
}

hk_status hk_learner_learn(hk_learner *l, const hk_samples *batch, hk_score *out, hk_error *e)
{
    hk_net *net = &l->engine.net;
    hk_result r;
    HK_CHECK(e, net->spec.learn, HK_E_ARG, "this learner was created to infer only");
    HK_TRY(check_batch(l, batch, true, e));
    net->update = l->recipe.optim.update;
    net->update.lr = (float)((double)net->update.lr * l->rate);
    HK_TRY(hk_net_learn(net, feed(l, batch, l->batches++), &r, e));
    score(l, &r, out);
    return HK_OK;
}

hk_status hk_learner_infer(hk_learner *l, const hk_samples *batch, float *scores, hk_score *out,
                           hk_error *e)
{
    hk_net *net = &l->engine.net;
    hk_result r;
    HK_TRY(check_batch(l, batch, false, e));
    HK_TRY(hk_net_infer(net, feed(l, batch, INFER_STREAM), &r, e));
    const size_t classes = (size_t)net->readout->out.shape.c;
    if (scores) memcpy(scores, hk_net_output(net), (size_t)batch->n * classes * sizeof *scores);
    score(l, &r, out);
    return HK_OK;
}

/* ---- weights -------------------------------------------------------------------------------- */

hk_status hk_learner_save(const hk_learner *l, const char *path, hk_error *e)
{
    return hk_weights_save(&l->engine.net, path, NULL, e);
}

hk_status hk_learner_load(hk_learner *l, const char *path, hk_error *e)
{
    hk_located at;
    HK_TRY(hk_run_locate(path, true, &at, e));
    return hk_weights_load(&l->engine.net, *at.weights ? at.weights : path, e);
}
