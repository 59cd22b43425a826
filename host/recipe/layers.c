/* Section net: a list of layers, or a builder that makes one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "parts.h"

#include "io/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char input_name[] = "input";            /* `from: input` is the sample itself */

static bool legal(const char *s)
{
    for (const char *p = s; *p; p++) {
        bool word = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' ||
                    (*p >= '0' && *p <= '9');
        if (!word && (p == s || (*p != '.' && *p != '-'))) return false;
    }
    return *s && strlen(s) < 64;
}

/* ---- one layer ------------------------------------------------------------------------------- */

typedef struct one {                     /* what is being read */
    hk_recipe    *r;
    hk_parts     *p;
    hk_tree      *map;
    hk_node_spec *node;
    hk_note      *note;
    int32_t       index;
    char          label[96];             /* "net.layers[3] (conv1)" */
} one;

static hk_status unknown_type(const one *o, const hk_tree *type, hk_error *e)
{
    enum { MOST = 128 };
    const char *names[MOST];
    int n = 0;
    for (int i = 0; i < hk_family_count(HK_FAM_LAYER) && n < MOST; i++)
        names[n++] = hk_family_at(HK_FAM_LAYER, i)->name;
    for (int i = 0; i < hk_family_count(HK_FAM_NEURON) && n < MOST; i++)
        names[n++] = hk_family_at(HK_FAM_NEURON, i)->name;
    const char *near = hk_nearest(type->text, names, n);
    char shown[64];
    hk_printable(shown, sizeof shown, type->text, sizeof shown);
    return hk_fail(e, HK_E_ARG, "%s%s: unknown layer or neuron '%s'%s%s%s",
                   hk_tree_where(type).text, o->label, shown,
                   near ? "; nearest is '" : "; see 'hillock list ", near ? near : "layer", "'");
}

static hk_status read_name(one *o, const char *type, hk_error *e)
{
    const hk_tree *name = hk_tree_get(o->map, "name");
    char made[80], shown[64];
    hk_format(made, sizeof made, "%s%d", type, (int)o->index + 1);
    const char *text = made;
    if (name) HK_TRY(hk_key_word(o->label, name, &text, e));
    const hk_where where = hk_tree_where(name ? name : o->map);
    hk_printable(shown, sizeof shown, text, sizeof shown);
    HK_CHECK(e, legal(text) && strcmp(text, input_name) != 0, HK_E_ARG,
             "%s%s: '%s' is no name for a layer; expected 1 to 63 of A-Z a-z 0-9 _ . -, and not "
             "'%s'", where.text, o->label, shown, input_name);
    for (int32_t i = 0; i < o->index; i++)
        HK_CHECK(e, strcmp(o->r->node[i].name, text) != 0, HK_E_ARG,
                 "%s%s: the name '%s' is taken by layer %d", where.text, o->label, text, (int)i);
    o->node->name = hk_arena_text(&o->p->made, text, strlen(text));
    HK_CHECK(e, o->node->name, HK_E_NOMEM, "out of memory for a recipe");
    hk_format(o->label, sizeof o->label, "net.layers[%d] (%s)", (int)o->index, o->node->name);
    return HK_OK;
}

static hk_status find_from(const one *o, const hk_tree *word, int32_t *out, hk_error *e)
{
    const char *text, *near = NULL;
    HK_TRY(hk_key_word(o->label, word, &text, e));
    *out = -1;
    if (strcmp(text, input_name) == 0) return HK_OK;
    for (int32_t i = 0; i < o->index; i++) {
        const char *names[] = { near, o->r->node[i].name };
        if (strcmp(names[1], text) == 0) {
            *out = i;
            return HK_OK;
        }
        near = hk_nearest(text, names, HK_COUNT(names));
    }
    char shown[64];
    hk_printable(shown, sizeof shown, text, sizeof shown);
    return hk_fail(e, HK_E_ARG, "%s%s: from: no earlier layer is called '%s'%s%s%s",
                   hk_tree_where(word).text, o->label, shown, near ? "; nearest is '" : "",
                   near ? near : "", near ? "'" : "");
}

static hk_status read_from(one *o, hk_error *e)
{
    const hk_tree *from = hk_tree_get(o->map, "from");
    const bool list = from && from->kind == HK_TREE_LIST;
    const int want = o->node->layer->n_in, have = list ? from->n : 1;
    HK_CHECK(e, have == want, HK_E_ARG, "%s%s: %s reads %d inputs, found %d in `from`",
             hk_tree_where(from ? from : o->map).text, o->label, o->node->layer->info.name, want,
             have);
    o->node->n_in = want;
    o->node->in[0] = o->index - 1;
    if (!from) return HK_OK;
    int k = 0;
    for (const hk_tree *c = list ? from->first : from; c; c = list ? c->next : NULL)
        HK_TRY(find_from(o, c, &o->node->in[k++], e));
    return HK_OK;
}

static hk_status rename_keys(const one *o, hk_error *e)
{
    for (hk_tree *c = o->map->first; c; c = c->next) {
        const char *name = hk_synonym_key(c->key);
        HK_CHECK(e, name == c->key || !hk_tree_get(o->map, name), HK_E_ARG,
                 "%s%s: '%s' and '%s' are the same key", hk_tree_where_key(c).text, o->label,
                 c->key, name);
        c->key = name;
    }
    return HK_OK;
}

/* `in` and `channels` change nothing; they are compared with the inferred shape. */
static hk_status read_claims(one *o, hk_error *e)
{
    static const char *const keys[] = { "in", "channels" };
    for (int i = 0; i < HK_COUNT(keys); i++) {
        const hk_tree *claim = hk_tree_get(o->map, keys[i]);
        if (claim) HK_TRY(hk_key_whole(o->label, claim, 1, INT32_MAX, &o->note->channels, e));
    }
    return HK_OK;
}

static bool same(hk_member a, hk_member b)
{
    if (a.info != b.info) return false;
    for (int i = 0; i < a.info->n_fields; i++) {
        double x = hk_field_get(&a.info->fields[i], a.cfg),
               y = hk_field_get(&b.info->fields[i], b.cfg);
        if (x != y && (x == x || y == y)) return false;
    }
    return true;
}

static hk_status read_spiking(one *o, const hk_info *neuron, hk_error *e)
{
    static const char *const other[] = { "type", "name", "from", "in", "channels", "surrogate" };
    const hk_spiking *base = &o->p->spiking;
    hk_spiking s;
    s.neuron.info = neuron;
    HK_TRY(hk_part_take(&o->p->made, neuron->cfg_size, &s.neuron.cfg, e));
    if (neuron == base->neuron.info) memcpy(s.neuron.cfg, base->neuron.cfg, neuron->cfg_size);
    else hk_fields_default(neuron, s.neuron.cfg);
    HK_TRY(hk_part_spiking(&o->p->made, o->label, o->map, base, other, HK_COUNT(other), &s, e));
    o->node->cfg = s.layer.cfg;
    o->node->neuron = (const hk_neuron_ops *)s.neuron.info;
    o->node->neuron_cfg = s.neuron.cfg;
    o->node->surrogate = (const hk_surrogate_ops *)s.surrogate.info;
    o->node->surrogate_cfg = s.surrogate.cfg;
    o->note->own = !same(s.layer, base->layer) || !same(s.neuron, base->neuron) ||
                   !same(s.surrogate, base->surrogate);
    return HK_OK;
}

static hk_status read_plain(one *o, const hk_info *layer, hk_error *e)
{
    static const char *const other[] = { "type", "name", "from", "in", "channels" };
    void *cfg;
    HK_TRY(hk_part_take(&o->p->made, layer->cfg_size, &cfg, e));
    hk_fields_default(layer, cfg);
    hk_target target = { layer, cfg };
    hk_keys keys = { o->label, &target, 1, other, HK_COUNT(other) };
    const hk_where where = hk_tree_where(o->map);
    HK_TRY(hk_keys_read(&keys, o->map, e));
    HK_TRY(hk_keys_required(&keys, o->map, &where, e));
    o->node->cfg = cfg;
    return HK_OK;
}

static hk_status read_layer(one *o, hk_error *e)
{
    char found[80];
    hk_format(o->label, sizeof o->label, "net.layers[%d]", (int)o->index);
    HK_CHECK(e, o->map->kind == HK_TREE_MAP, HK_E_ARG, "%s%s: expected a map of keys, found %s",
             hk_tree_where(o->map).text, o->label, hk_tree_found(o->map, found, sizeof found));
    const hk_tree *type = hk_tree_get(o->map, "type");
    HK_CHECK(e, type, HK_E_ARG, "%s%s: key 'type' is missing", hk_tree_where(o->map).text,
             o->label);
    const char *word;
    HK_TRY(hk_key_word(o->label, type, &word, e));
    HK_TRY(read_name(o, word, e));
    HK_TRY(rename_keys(o, e));
    HK_TRY(read_claims(o, e));
    const hk_info *spiking = o->p->spiking.layer.info;
    const hk_info *layer = hk_family_find(HK_FAM_LAYER, hk_synonym_type(word));
    const hk_info *neuron = layer == spiking ? o->p->spiking.neuron.info
                            : layer          ? NULL
                                             : hk_family_find(HK_FAM_NEURON, word);
    if (!layer && !neuron) return unknown_type(o, type, e);
    o->node->layer = (const hk_layer_ops *)(neuron ? spiking : layer);
    HK_TRY(read_from(o, e));
    return neuron ? read_spiking(o, neuron, e) : read_plain(o, layer, e);
}

hk_status hk_part_layers(hk_recipe *r, hk_parts *p, hk_tree *list, hk_error *e)
{
    void *at;
    char found[80];
    HK_CHECK(e, list->kind == HK_TREE_LIST && list->n > 0, HK_E_ARG,
             "%snet.layers: expected a list of layers, found %s", hk_tree_where(list).text,
             list->kind == HK_TREE_LIST ? "an empty list"
                                        : hk_tree_found(list, found, sizeof found));
    HK_CHECK(e, list->n <= HK_RECIPE_LAYERS, HK_E_ARG, "%snet.layers: %d layers, at most %d",
             hk_tree_where(list).text, list->n, (int)HK_RECIPE_LAYERS);
    r->n_node = 0;
    HK_TRY(hk_part_take(&p->made, (size_t)list->n * sizeof *r->node, &at, e));
    r->node = at;
    HK_TRY(hk_part_take(&p->made, (size_t)list->n * sizeof *p->note, &at, e));
    p->note = at;
    for (hk_tree *c = list->first; c; c = c->next) {
        const int32_t i = r->n_node;
        one o = { .r = r, .p = p, .map = c, .node = &r->node[i], .note = &p->note[i], .index = i };
        p->note[i].tree = c;
        HK_TRY(read_layer(&o, e));
        r->n_node++;
    }
    return HK_OK;
}

/* ---- the section ----------------------------------------------------------------------------- */

hk_status hk_part_net(hk_recipe *r, hk_parts *p, hk_error *e)
{
    static const char *const list_only[] = { "layers" }, *const name_only[] = { "name" };
    hk_tree *map = hk_tree_get(p->root, "net");
    HK_CHECK(e, map && map->kind != HK_TREE_NULL, HK_E_ARG,
             "%ssection net is missing: the name of a builder, or layers",
             hk_tree_where(p->root).text);
    HK_TRY(hk_tree_named(&p->arena, map, e));
    hk_tree *layers = hk_tree_get(map, "layers");
    const hk_tree *name = hk_tree_get(map, "name");
    HK_CHECK(e, !layers || !name, HK_E_ARG, "%snet: expected name or layers, found both",
             hk_tree_where_key(layers ? layers : map).text);
    if (layers) {
        hk_keys keys = { "net", NULL, 0, list_only, 1 };
        HK_TRY(hk_keys_read(&keys, map, e));
        return hk_part_layers(r, p, layers, e);
    }
    HK_CHECK(e, name, HK_E_ARG, "%snet: expected the name of a builder, or layers",
             hk_tree_where(map).text);
    const hk_member base = { hk_family_at(HK_FAM_BUILDER, 0), NULL };
    HK_TRY(hk_part_member(&p->arena, HK_FAM_BUILDER, "net", map, base, &p->builder, e));
    hk_fields_default(&hk_table_net, &p->weights);
    hk_target target[] = { { p->builder.info, p->builder.cfg }, { &hk_table_net, &p->weights } };
    hk_keys keys = { "net", target, HK_COUNT(target), name_only, 1 };
    return hk_keys_read(&keys, map, e);
}

/* ---- the builder's side ---------------------------------------------------------------------- */

static hk_status add_word(hk_layers *l, hk_tree *map, const char *key, const char *text,
                          hk_error *e)
{
    void *at;
    HK_TRY(hk_part_take(&l->parts->made, sizeof(hk_tree), &at, e));
    char *copy = hk_arena_text(&l->parts->made, text, strlen(text));
    HK_CHECK(e, copy, HK_E_NOMEM, "out of memory for a recipe");
    hk_tree *t = at;
    *t = (hk_tree){ .kind = HK_TREE_WORD, .quoted = true, .file = l->file, .text = copy };
    hk_tree_add(map, key, t);
    return HK_OK;
}

static hk_status add_from(hk_layers *l, hk_tree *map, const char *const *from, hk_error *e)
{
    void *at;
    HK_TRY(hk_part_take(&l->parts->made, sizeof(hk_tree), &at, e));
    hk_tree *list = at;
    *list = (hk_tree){ .kind = HK_TREE_LIST, .file = l->file, .text = "" };
    for (int i = 0; i < 2; i++)
        if (from[i]) HK_TRY(add_word(l, list, NULL, from[i], e));
    hk_tree_add(map, "from", list);
    return HK_OK;
}

static hk_status add(hk_layers *l, const char *type, const char *name, const char *const *from,
                     const char *keys, hk_error *e)
{
    hk_tree *map;
    HK_TRY(hk_tree_parse(&l->parts->made, keys, strlen(keys), l->file, false, &map, e));
    HK_TRY(add_word(l, map, "type", type, e));
    HK_TRY(add_word(l, map, "name", name, e));
    if (from[0]) HK_TRY(add_from(l, map, from, e));
    hk_tree_add(l->list, NULL, map);
    return HK_OK;
}

static bool has_weights(const hk_tree *map)
{
    const char *type = hk_tree_get(map, "type")->text;
    return strcmp(type, "dense") == 0 || strcmp(type, "conv2d") == 0;
}

/* Section net's key `weights` to the layers that it means. */
hk_status hk_layers_weights(hk_layers *l, const hk_weights_cfg *c, hk_error *e)
{
    const hk_tree *first = NULL, *last = NULL;
    char word[16];
    if (!c->weights) return HK_OK;
    hk_field_word_at(&hk_table_net.fields[0], c->weights, word, sizeof word);
    for (const hk_tree *t = l->list->first; t; t = t->next)
        if (has_weights(t)) first = first ? first : t, last = t;
    for (hk_tree *t = l->list->first; t; t = t->next)
        if (has_weights(t) && !(c->ends && (t == first || t == last)))
            HK_TRY(add_word(l, t, "weights", word, e));
    return HK_OK;
}

void hk_layers_add(hk_layers *l, const char *type, const char *name, const char *from0,
                   const char *from1, const char *keys, ...)
{
    char text[512];
    const char *from[2] = { from0, from1 };
    va_list ap;
    if (l->status) return;
    text[0] = '{';
    va_start(ap, keys);
    int n = vsnprintf(text + 1, sizeof text - 2, keys, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof text - 2) {
        l->status =
            hk_fail(&l->error, HK_E_ARG, "%s: keys of layer %s are too long", l->file, name);
        return;
    }
    memcpy(text + 1 + n, "}", 2);
    l->status = add(l, type, name, from, text, &l->error);
}
