/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <string.h>
#include <time.h>

#include "base/alloc.h"

const char *const hk_split_name[HK_SPLITS] = { "train", "val", "test" };

/* Random streams of the encoder that no training batch uses: see trainer.c. */
enum { EVAL_TAG = 0x65 };

double hk_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

uint64_t hk_hash(uint64_t hash, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) hash = (hash ^ p[i]) * 1099511628211u;
    return hash;
}

/* What may change when a run is resumed; all else is what its bits depend on. */
hk_status hk_session_hash(const hk_session_opts *o, const hk_recipe_data *d, uint64_t *hash,
                          hk_error *e)
{
    static const char *const free_keys[] = { "train.epochs=1", "train.threads=0", "train.layer_major=false" };
    enum { FREE = HK_COUNT(free_keys) };
    const char **set = hk_alloc(((size_t)o->n_set + FREE) * sizeof *set);
    HK_CHECK(e, set, HK_E_NOMEM, "no memory for %d assignments", o->n_set);
    for (int i = 0; i < o->n_set; i++) set[i] = o->set[i];
    for (int i = 0; i < FREE; i++) set[o->n_set + i] = free_keys[i];
    hk_recipe r;
    char *text = NULL;
    hk_status st = hk_recipe_read(&r, o->recipe, o->text, set, o->n_set + FREE, e);
    hk_free(set);
    if (st != HK_OK) return st;
    r.data.steps = d->steps;
    r.data.augment = d->augment;         /* with the normalisation that the data gave */
    st = hk_recipe_shape(&r, d->shape, d->classes, e);
    if (st == HK_OK) st = hk_recipe_print(&r, &text, e);
    if (st == HK_OK) *hash = hk_hash(HK_HASH, text, strlen(text));
    hk_free(text);
    hk_recipe_free(&r);
    return st;
}

/* A label must mean the same class in both sets. */
static hk_status check_names(const hk_dataset *a, const hk_dataset *b, hk_error *e)
{
    const int n = a->n_class < b->n_class ? a->n_class : b->n_class;
    for (int k = 0; k < n && a->class_name && b->class_name; k++)
        HK_CHECK(e, !strcmp(a->class_name[k], b->class_name[k]), HK_E_FORMAT,
                 "data set '%s': class %d is '%s' in the training set and '%s' in the test set",
                 a->ops->info.name, k, a->class_name[k], b->class_name[k]);
    return HK_OK;
}

static hk_status open_data(hk_session *s, hk_error *e)
{
    const hk_recipe_data *d = &s->recipe.data;
    HK_CHECK(e, d->ops, HK_E_ARG, "data.name is 'none': this command needs a data set");
    for (int i = 0; i < 2; i++) {
        hk_dataset_cfg cfg = { d->path, i ? "test" : "train", d->cfg };
        HK_TRY(hk_data_open(&s->data[i], d->ops, &cfg, e));
    }
    const hk_dataset *a = &s->data[0], *b = &s->data[1];
    const bool ragged = a->length || b->length;
    HK_CHECK(e,
             a->shape.h == b->shape.h && a->shape.w == b->shape.w && a->shape.c == b->shape.c &&
                 (a->steps == b->steps || ragged),
             HK_E_SHAPE, "data set '%s': training samples are %dx%dx%d in %d steps, test samples "
             "%dx%dx%d in %d", d->ops->info.name, a->shape.c, a->shape.h, a->shape.w, a->steps,
             b->shape.c, b->shape.h, b->shape.w, b->steps);
    HK_TRY(check_names(a, b, e));
    int classes = a->n_class > b->n_class ? a->n_class : b->n_class;
    s->recipe.data.steps = a->steps > b->steps ? a->steps : b->steps;
    HK_TRY(hk_recipe_normalise(&s->recipe, a, e));
    return hk_recipe_shape(&s->recipe, a->shape, classes, e);
}

static hk_status open_loader(hk_session *s, hk_split split, hk_error *e)
{
    const hk_recipe *r = &s->recipe;
    bool train = split == HK_SPLIT_TRAIN;
    hk_loader_cfg cfg = {
        .batch = r->train.batch, .seed = (uint64_t)r->train.seed, .split_seed = 0,
        .val_fraction = split == HK_SPLIT_TEST ? 0 : r->data.validation,
        .part = split == HK_SPLIT_TEST ? HK_PART_ALL : split == HK_SPLIT_VAL ? HK_PART_VAL
                                                                              : HK_PART_TRAIN,
        .stratify = true, .shuffle = train, .drop_last = train, .train = train,
        .augment = r->data.augment,
    };
    if (split == HK_SPLIT_VAL && r->data.validation <= 0) return HK_OK;
    return hk_loader_open(&s->loader[split], &s->data[split == HK_SPLIT_TEST], &cfg, e);
}

static hk_status open_parts(hk_session *s, const hk_session_opts *o, hk_error *e)
{
    HK_TRY(hk_recipe_read(&s->recipe, o->recipe, o->text, o->set, o->n_set, e));
    HK_TRY(open_data(s, e));
    HK_TRY(hk_session_hash(o, &s->recipe.data, &s->recipe_hash, e));
    HK_TRY(hk_feed_open(&s->feed, &s->recipe, s->data[0].length || s->data[1].length, e));
    hk_net_spec spec;
    memset(&spec, 0, sizeof spec);
    hk_recipe_spec(&s->recipe, o->learn, o->learn, &spec);
    hk_host_kernels_cfg kernels = hk_recipe_kernels(&s->recipe, o->threads);
    HK_TRY(hk_choices_open(&s->choices, &spec, &kernels, s->recipe.train.tune, &o->choice, e));
    kernels.choice = s->choices.row;
    kernels.n_choice = s->choices.n;
    HK_TRY(hk_engine_open(&s->engine, &spec, &kernels, e));
    for (int i = o->learn ? 0 : HK_SPLIT_VAL; i < HK_SPLITS; i++)
        HK_TRY(open_loader(s, (hk_split)i, e));
    return HK_OK;
}

hk_status hk_session_open(hk_session *s, const hk_session_opts *o, hk_error *e)
{
    memset(s, 0, sizeof *s);
    hk_status st = open_parts(s, o, e);
    if (st != HK_OK) hk_session_close(s);
    return st;
}

void hk_session_close(hk_session *s)
{
    for (int i = 0; i < HK_SPLITS; i++) hk_loader_close(s->loader[i]);
    hk_deploy_close(s->deploy);
    hk_engine_close(&s->engine);
    hk_choices_close(&s->choices);
    hk_feed_close(&s->feed);
    for (int i = 0; i < 2; i++)
        if (s->data[i].ops) hk_data_close(&s->data[i]);
    hk_recipe_free(&s->recipe);
    memset(s, 0, sizeof *s);
}

hk_status hk_session_measure(hk_session *s, hk_split split, hk_stats *out, hk_tick *tick,
                             void *self, bool *ended, hk_error *e)
{
    hk_loader *l = s->loader[split];
    HK_CHECK(e, l, HK_E_ARG, "there is no %s split: data.validation is 0", hk_split_name[split]);
    hk_stats_reset(out);
    if (ended) *ended = true;
    HK_TRY(hk_loader_seek(l, 0, 0, e));
    int64_t all = hk_loader_batches(l);
    for (int64_t done = 0;;) {
        hk_loaded got;
        hk_result r;
        double begun = hk_seconds();
        HK_TRY(hk_loader_next(l, &got, e));
        if (got.n == 0) return HK_OK;
        uint64_t stream = (uint64_t)EVAL_TAG << 56 | (uint64_t)split << 48 | (uint64_t)done;
        const hk_batch *batch = hk_feed_put(&s->feed, &got, stream);
        HK_TRY(s->deploy ? hk_deploy_infer(s->deploy, batch, NULL, &r, e)
                         : hk_net_infer(&s->engine.net, batch, &r, e));
        hk_stats_add(out, &s->engine.net, &r, hk_seconds() - begun);
        if (tick && !tick(self, out, ++done, all)) {
            if (ended) *ended = done == all;
            return HK_OK;
        }
    }
}
