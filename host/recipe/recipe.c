/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe.h"

#include "base/alloc.h"
#include "io/file.h"
#include "data/split.h"
#include "parts.h"

#include <string.h>

static hk_status check_sections(const hk_parts *p, hk_error *e)
{
    static const char *const known[] = { "data", "encode", "net", "neuron", "rule", "loss", "optim",
                                         "train" };
    hk_keys keys = { "recipe", NULL, 0, known, HK_COUNT(known) };
    char found[80];
    HK_CHECK(e, p->root->kind == HK_TREE_MAP, HK_E_ARG,
             "%sexpected the sections of a recipe, found %s", hk_tree_where(p->root).text,
             hk_tree_found(p->root, found, sizeof found));
    return hk_keys_read(&keys, p->root, e);
}

static hk_status resolve(hk_recipe *r, hk_parts *p, const char *text, size_t n, const char *name,
                         const char *const *set, int n_set, hk_error *e)
{
    const char *file = hk_arena_text(&p->arena, name, strlen(name));
    HK_CHECK(e, file, HK_E_NOMEM, "out of memory for a recipe");
    HK_TRY(hk_tree_parse(&p->arena, text, n, file, true, &p->root, e));
    for (int i = 0; i < n_set; i++) HK_TRY(hk_tree_set(&p->arena, p->root, set[i], e));
    HK_TRY(check_sections(p, e));
    HK_TRY(hk_part_data(r, p, e));
    HK_TRY(hk_part_neuron(p, e));
    HK_TRY(hk_part_net(r, p, e));
    HK_TRY(hk_part_learning(r, p, e));
    p->claimed = r->data.shape;
    p->claimed_classes = r->data.classes;
    p->claimed_steps = r->data.steps;
    return HK_OK;
}

hk_status hk_recipe_parse(hk_recipe *r, const char *text, size_t n, const char *name,
                          const char *const *set, int n_set, hk_error *e)
{
    memset(r, 0, sizeof *r);
    hk_parts *p = hk_alloc_zero(1, sizeof *p);
    HK_CHECK(e, p, HK_E_NOMEM, "out of memory for a recipe");
    r->self = p;
    hk_status st = resolve(r, p, text, n, name, set, n_set, e);
    if (st) hk_recipe_free(r);
    return st;
}

hk_status hk_recipe_load(hk_recipe *r, const char *path, const char *const *set, int n_set,
                         hk_error *e)
{
    void *text;
    size_t n;
    memset(r, 0, sizeof *r);
    HK_TRY(hk_file_read(path, HK_TREE_BYTES, &text, &n, e));
    hk_status st = hk_recipe_parse(r, text, n, path, set, n_set, e);
    hk_free(text);
    return st;
}

hk_status hk_recipe_read(hk_recipe *r, const char *path, const char *text, const char *const *set,
                         int n_set, hk_error *e)
{
    return text ? hk_recipe_parse(r, text, strlen(text), path, set, n_set, e)
                : hk_recipe_load(r, path, set, n_set, e);
}

void hk_recipe_free(hk_recipe *r)
{
    hk_parts *p = r->self;
    if (p) {
        hk_arena_free(&p->made);
        hk_arena_free(&p->arena);
        hk_free(p);
    }
    memset(r, 0, sizeof *r);
}

hk_host_kernels_cfg hk_recipe_kernels(const hk_recipe *r, int32_t threads)
{
    return (hk_host_kernels_cfg){ .threads = threads > 0 ? threads : r->train.threads,
                                  .precision = r->train.precision, .products = r->train.products };
}

hk_status hk_recipe_shape_from_data(hk_recipe *r, hk_error *e)
{
    if (r->data.shape.c && r->data.classes)
        return hk_recipe_shape(r, r->data.shape, r->data.classes, e);
    hk_dataset d;
    hk_dataset_cfg cfg = { .root = r->data.path, .split = "train", .member = r->data.cfg };
    hk_error inner;
    hk_status st = hk_data_open(&d, r->data.ops, &cfg, &inner);
    if (st) return hk_fail(e, st, "%s (give data.shape and data.classes to plan without the data)",
                           inner.text);
    if (!r->data.steps) r->data.steps = d.steps;
    st = hk_recipe_shape(r, d.shape, d.n_class, e);
    hk_data_close(&d);
    return st;
}

hk_signal hk_recipe_input(const hk_recipe *r)
{
    return hk_encode_form(r->encoder, r->encoder_cfg, r->data.shape);
}

hk_status hk_recipe_normalise(hk_recipe *r, const hk_dataset *train, hk_error *e)
{
    hk_recipe_data *d = &r->data;
    if (d->normalise != HK_NORM_CHANNEL || d->augment.n_mean) return HK_OK;
    return hk_data_normalise(train, (double)d->validation, &d->augment, e);
}

void hk_recipe_spec(const hk_recipe *r, bool learn, bool update, hk_net_spec *out)
{
    *out = (hk_net_spec){
        .node = r->node,
        .n_node = r->n_node,
        .input = hk_recipe_input(r),
        .constant_input = r->encoder->constant && r->data.steps == 0,
        .T = r->train.T,
        .batch = r->train.batch,
        .learn = learn,
        .layer_major = r->train.layer_major,
        .rule = r->rule,
        .rule_cfg = r->rule_cfg,
        .loss = r->loss,
        .loss_cfg = r->loss_cfg,
        .objective = r->objective,
        .optim = learn && update ? r->optim.ops : NULL,
        .optim_cfg = learn && update ? r->optim.cfg : NULL,
        .shards = r->train.shards,
        .seed = (uint64_t)r->train.seed,
    };
}
