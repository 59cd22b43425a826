/* What depends on the shape of the data: the builder's layers, and the shape of every layer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/alloc.h"
#include "parts.h"

#include <string.h>

typedef struct shape_text { char text[48]; } shape_text;

static shape_text name_of(hk_shape s)
{
    shape_text t;
    if (s.h == 1 && s.w == 1) hk_format(t.text, sizeof t.text, "[%d]", (int)s.c);
    else hk_format(t.text, sizeof t.text, "[%d, %d, %d]", (int)s.c, (int)s.h, (int)s.w);
    return t;
}

static hk_status check_claims(const hk_recipe *r, const hk_parts *p, hk_shape shape,
                              int32_t classes, hk_error *e)
{
    const hk_shape c = p->claimed;
    HK_CHECK(e, shape.h >= 1 && shape.w >= 1 && shape.c >= 1 && classes >= 1, HK_E_ARG,
             "%sthe data have shape %s and %d classes, expected at least 1 of each",
             hk_tree_where(p->root).text, name_of(shape).text, (int)classes);
    HK_CHECK(e, !c.c || (c.h == shape.h && c.w == shape.w && c.c == shape.c), HK_E_SHAPE,
             "%sdata.shape is %s, but the data have %s (channels, height, width)",
             hk_tree_where(p->root).text, name_of(c).text, name_of(shape).text);
    HK_CHECK(e, !p->claimed_classes || p->claimed_classes == classes, HK_E_SHAPE,
             "%sdata.classes is %d, but the data have %d", hk_tree_where(p->root).text,
             (int)p->claimed_classes, (int)classes);
    HK_CHECK(e, !p->claimed_steps || p->claimed_steps == r->data.steps, HK_E_SHAPE,
             "%sdata.steps is %d, but the data have %d", hk_tree_where(p->root).text,
             (int)p->claimed_steps, (int)r->data.steps);
    return hk_augment_check(&r->data.augment, shape, e);
}

/* Lets the builder write its list, and reads that like one that stands in the file. */
static hk_status build(hk_recipe *r, hk_parts *p, hk_shape shape, int32_t classes, hk_error *e)
{
    const hk_builder_ops *ops = (const hk_builder_ops *)p->builder.info;
    char file[80];
    void *list;
    r->n_node = 0;
    r->node = NULL;
    hk_arena_free(&p->made);
    size_t n = hk_format(file, sizeof file, "builder %s", ops->info.name);
    hk_layers l = { .parts = p, .file = hk_arena_text(&p->made, file, n) };
    HK_CHECK(e, l.file, HK_E_NOMEM, "out of memory for a recipe");
    HK_TRY(hk_part_take(&p->made, sizeof(hk_tree), &list, e));
    l.list = list;
    *l.list = (hk_tree){ .kind = HK_TREE_LIST, .file = l.file, .text = "" };
    ops->build(&l, shape, classes, p->builder.cfg);
    if (l.status) return hk_fail(e, l.status, "%s", l.error.text);
    HK_TRY(hk_layers_weights(&l, &p->weights, e));
    return hk_part_layers(r, p, l.list, e);
}

static hk_status infer_one(hk_net *net, hk_node *l, const hk_note *note, hk_error *e)
{
    hk_error inner;
    const hk_where where = hk_tree_where(note->tree);
    for (int k = 0; k < l->spec->n_in; k++) {
        const int32_t from = l->spec->in[k];
        l->from[k] = from >= 0 ? &net->node[from] : NULL;
        l->in[k] = from >= 0 ? net->node[from].out : net->spec.input;
    }
    l->out = l->in[0];
    hk_status st = l->ops->infer(l, &inner);
    if (st) return hk_fail(e, st, "%s%s", where.text, inner.text);
    const hk_shape in = l->in[0].shape;
    const int64_t channels = in.flat ? (int64_t)in.c * in.h * in.w : in.c;
    HK_CHECK(e, !note->channels || note->channels == channels, HK_E_SHAPE,
             "%slayer '%s' (%s): the recipe says %d input channels, but there are %lld", where.text,
             l->name, l->ops->info.name, (int)note->channels, (long long)channels);
    return HK_OK;
}

static hk_status infer(const hk_recipe *r, const hk_parts *p, hk_node *node, hk_error *e)
{
    hk_net net = { .node = node, .n_node = r->n_node };
    hk_recipe_spec(r, false, false, &net.spec);
    for (int32_t i = 0; i < r->n_node; i++) {
        hk_node *l = &node[i];
        l->spec = &r->node[i];
        l->ops = l->spec->layer;
        l->name = l->spec->name;
        l->net = &net;
        l->index = i;
        HK_TRY(infer_one(&net, l, &p->note[i], e));
    }
    const hk_shape out = node[r->n_node - 1].out.shape;
    const int64_t have = (int64_t)out.c * out.h * out.w;
    HK_CHECK(e, have == r->data.classes, HK_E_SHAPE,
             "%slayer '%s' is the last and has %lld outputs, but there are %d classes",
             hk_tree_where(p->note[r->n_node - 1].tree).text, node[r->n_node - 1].name,
             (long long)have, (int)r->data.classes);
    return HK_OK;
}

hk_status hk_recipe_shape(hk_recipe *r, hk_shape shape, int32_t classes, hk_error *e)
{
    hk_parts *p = r->self;
    HK_TRY(check_claims(r, p, shape, classes, e));
    r->data.shape = shape;
    r->data.classes = classes;
    if (p->builder.info) HK_TRY(build(r, p, hk_recipe_input(r).shape, classes, e));
    hk_node *node = hk_alloc_zero((size_t)r->n_node, sizeof *node);
    HK_CHECK(e, node, HK_E_NOMEM, "out of memory for a recipe");
    hk_status st = infer(r, p, node, e);
    hk_free(node);
    return st;
}
