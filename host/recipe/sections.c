/* Sections data, encode, rule, loss, optim and train.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "parts.h"

#include <string.h>

static const char *const name_only[] = { "name" };

/* A section that is one member and its keys, besides those of `common`. */
static hk_status read_member(hk_parts *p, hk_family family, const char *section, const char *def,
                             hk_target common, const hk_keys *more, hk_member *out, hk_error *e)
{
    hk_tree *map = hk_tree_get(p->root, section);
    hk_member base = { hk_family_find(family, def), NULL };
    HK_TRY(hk_part_member(&p->arena, family, section, map, base, out, e));
    hk_target target[] = { { out->info, out->cfg }, common };
    hk_keys keys = { section, target, common.info ? 2 : 1, name_only, 1 };
    if (more) {
        keys.other = more->other;
        keys.n_other = more->n_other;
    }
    return hk_keys_read(&keys, map, e);
}

/* ---- data ------------------------------------------------------------------------------------ */

static hk_status read_norm(const hk_tree *map, hk_augment_cfg *cfg, hk_error *e)
{
    static const char section[] = "data.augment";
    const hk_tree *mean = hk_tree_get(map, "mean"), *std = hk_tree_get(map, "std");
    double m[HK_AUGMENT_CHANNELS], s[HK_AUGMENT_CHANNELS];
    int n = 0, k = 0;
    if (!mean && !std) return HK_OK;
    const hk_tree *at = mean ? mean : std;
    HK_CHECK(e, mean && std, HK_E_ARG, "%s%s: mean and std are given together, found only %s",
             hk_tree_where_key(at).text, section, at->key);
    HK_TRY(hk_key_numbers(section, mean, HK_AUGMENT_CHANNELS, m, &n, e));
    HK_TRY(hk_key_numbers(section, std, HK_AUGMENT_CHANNELS, s, &k, e));
    HK_CHECK(e, n == k, HK_E_ARG, "%s%s: mean has %d numbers and std %d, expected as many",
             hk_tree_where(std).text, section, n, k);
    hk_error inner;
    hk_status st = hk_augment_set_norm(cfg, m, s, n, &inner);
    if (st) return hk_fail(e, st, "%s%s", hk_tree_where(mean).text, inner.text);
    return HK_OK;
}

static hk_status read_augment(const hk_tree *map, hk_augment_cfg *cfg, hk_error *e)
{
    static const char *const other[] = { "mean", "std" };
    hk_target target = { &hk_augment_info, cfg };
    hk_keys keys = { "data.augment", &target, 1, other, HK_COUNT(other) };
    HK_TRY(hk_keys_read(&keys, map, e));
    return read_norm(map, cfg, e);
}

/* Some data sets have `classes` among their own keys; then that is where it is read. */
static const hk_field *own_classes(const hk_recipe_data *d)
{
    return d->ops ? hk_field_find(&d->ops->info, "classes") : NULL;
}

static hk_status read_classes(hk_recipe_data *d, const hk_tree *map, hk_error *e)
{
    const hk_tree *classes = hk_tree_get(map, "classes");
    const hk_field *own = own_classes(d);
    if (!classes) return HK_OK;
    if (!own) return hk_key_whole("data", classes, 1, 1 << 20, &d->classes, e);
    HK_TRY(hk_key_set("data", &d->ops->info, own, d->cfg, classes, e));
    d->classes = (int32_t)hk_field_get(own, d->cfg);
    return HK_OK;
}

static hk_status read_shape(hk_recipe_data *d, const hk_tree *map, hk_error *e)
{
    enum { MOST = 1 << 28 };             /* values of a frame */
    const hk_tree *shape = hk_tree_get(map, "shape");
    int32_t v[3] = { 0 }, n = 0;
    char found[80];
    if (!shape) return HK_OK;
    HK_CHECK(e, shape->kind == HK_TREE_LIST && (shape->n == 1 || shape->n == 3), HK_E_ARG,
             "%sdata.shape: expected [F] or [C, H, W], found %s", hk_tree_where(shape).text,
             hk_tree_found(shape, found, sizeof found));
    double values = 1;
    for (const hk_tree *c = shape->first; c; c = c->next, n++) {
        HK_TRY(hk_key_whole("data.shape", c, 1, MOST, &v[n], e));
        values *= v[n];
    }
    HK_CHECK(e, values <= MOST, HK_E_ARG, "%sdata.shape: %g values, at most %d",
             hk_tree_where(shape).text, values, (int)MOST);
    d->shape = n == 1 ? (hk_shape){ 1, 1, v[0], false } : (hk_shape){ v[1], v[2], v[0], false };
    return HK_OK;
}

static hk_status read_path(hk_recipe_data *d, const hk_tree *map, hk_error *e)
{
    const hk_tree *path = hk_tree_get(map, "path");
    const char *text = "";
    if (path && path->kind != HK_TREE_NULL) HK_TRY(hk_key_word("data", path, &text, e));
    size_t n = strlen(text);
    HK_CHECK(e, n < sizeof d->path, HK_E_ARG, "%sdata.path: longer than %d bytes",
             hk_tree_where(path).text, (int)sizeof d->path - 1);
    for (size_t i = 0; i < n; i++)
        HK_CHECK(e, (unsigned char)text[i] >= 32 && text[i] != 127, HK_E_ARG,
                 "%sdata.path: byte %zu is a control character", hk_tree_where(path).text, i + 1);
    memcpy(d->path, text, n + 1);
    return HK_OK;
}

hk_status hk_part_data(hk_recipe *r, hk_parts *p, hk_error *e)
{
    static const char *const other[] = { "name", "path", "shape", "classes", "augment" };
    hk_keys keys = { "data", NULL, 0, other, HK_COUNT(other) };
    hk_recipe_data *d = &r->data;
    hk_member set = { 0 };
    hk_fields_default(&hk_augment_info, &d->augment);
    for (int i = 0; i < hk_table_data.n_fields; i++)
        HK_TRY(hk_field_set(&hk_table_data, &hk_table_data.fields[i], d,
                            hk_table_data.fields[i].def, e));
    hk_tree *map = hk_tree_get(p->root, "data");
    if (map) HK_TRY(hk_tree_named(&p->arena, map, e));
    const hk_tree *name = hk_tree_get(map, "name");
    HK_CHECK(e, name, HK_E_ARG, "%sdata.name is missing: a data set, or none",
             hk_tree_where(map ? map : p->root).text);
    hk_target common = { &hk_table_data, d };
    if (name->kind == HK_TREE_NULL || strcmp(name->text, "none") == 0) {
        keys.target = &common;
        keys.n_target = 1;
        HK_TRY(hk_keys_read(&keys, map, e));
    } else {
        HK_TRY(read_member(p, HK_FAM_DATASET, "data", "digits", common, &keys, &set, e));
        d->ops = (const hk_dataset_ops *)set.info;
        d->cfg = set.cfg;
    }
    HK_TRY(read_path(d, map, e));
    HK_TRY(read_classes(d, map, e));
    HK_TRY(read_shape(d, map, e));
    HK_TRY(read_augment(hk_tree_get(map, "augment"), &d->augment, e));
    HK_CHECK(e, d->ops || (d->shape.c && d->classes), HK_E_ARG,
             "%sdata: name none needs shape and classes", hk_tree_where(name).text);

    hk_member encoder;
    HK_TRY(read_member(p, HK_FAM_ENCODER, "encode", "direct", (hk_target){ 0 }, NULL, &encoder, e));
    r->encoder = (const hk_encoder_ops *)encoder.info;
    r->encoder_cfg = encoder.cfg;
    return HK_OK;
}

/* ---- learning -------------------------------------------------------------------------------- */

static hk_status read_schedule(hk_recipe *r, hk_parts *p, hk_error *e)
{
    static const char section[] = "optim.schedule";
    hk_tree *map = hk_tree_get(hk_tree_get(p->root, "optim"), "schedule");
    hk_member base = { hk_family_find(HK_FAM_SCHEDULE, "constant"), NULL }, m;
    HK_TRY(hk_part_member(&p->arena, HK_FAM_SCHEDULE, section, map, base, &m, e));
    hk_target target[] = { { m.info, m.cfg }, { &hk_table_schedule, &r->optim } };
    hk_keys keys = { section, target, HK_COUNT(target), name_only, 1 };
    r->optim.schedule = (const hk_schedule_ops *)m.info;
    r->optim.schedule_cfg = m.cfg;
    return hk_keys_read(&keys, map, e);
}

hk_status hk_part_learning(hk_recipe *r, hk_parts *p, hk_error *e)
{
    static const char *const optim_other[] = { "name", "schedule" };
    const hk_keys optim_keys = { .other = optim_other, .n_other = HK_COUNT(optim_other) };
    hk_member rule, loss, optim;
    HK_TRY(read_member(p, HK_FAM_RULE, "rule", "stop", (hk_target){ 0 }, NULL, &rule, e));
    r->rule = (const hk_rule_ops *)rule.info;
    r->rule_cfg = rule.cfg;

    hk_fields_default(&hk_table_objective, &p->objective);
    hk_target objective = { &hk_table_objective, &p->objective };
    HK_TRY(read_member(p, HK_FAM_LOSS, "loss", "ce", objective, NULL, &loss, e));
    r->loss = (const hk_loss_ops *)loss.info;
    r->loss_cfg = loss.cfg;
    r->objective = (hk_objective){ p->objective.when, p->objective.batch == 1,
                                   p->objective.divide_by_T, p->objective.smoothing };

    hk_fields_default(&hk_table_optim, &r->optim.update);
    hk_target rates = { &hk_table_optim, &r->optim.update };
    HK_TRY(read_member(p, HK_FAM_OPTIM, "optim", "sgd", rates, &optim_keys, &optim, e));
    r->optim.ops = (const hk_optim_ops *)optim.info;
    r->optim.cfg = optim.cfg;
    HK_TRY(read_schedule(r, p, e));

    hk_fields_default(&hk_table_train, &r->train);
    hk_target train = { &hk_table_train, &r->train };
    hk_keys keys = { "train", &train, 1, NULL, 0 };
    HK_TRY(hk_keys_read(&keys, hk_tree_get(p->root, "train"), e));
    r->optim.update.accumulate = r->train.accumulate;
    return HK_OK;
}
