/* The resolved recipe as YAML. Reading it again gives the same recipe, and printing that the same
 * text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/alloc.h"
#include "io/number.h"
#include "parts.h"

#include <string.h>

typedef struct text {
    char  *at;
    size_t n, cap;
    bool   full;                         /* memory exhausted: what follows is dropped */
} text;

static void put(text *t, const char *s)
{
    size_t n = strlen(s);
    if (t->full) return;
    if (t->n + n + 1 > t->cap) {
        size_t cap = 2 * t->cap + n + 1024;
        char *at = hk_regrow(t->at, t->cap, cap);
        t->full = !at;
        if (!at) return;
        t->at = at;
        t->cap = cap;
    }
    memcpy(t->at + t->n, s, n + 1);
    t->n += n;
}

/* A word, in quotes where YAML needs them. */
static void put_word(text *t, const char *s)
{
    if (hk_key_plain(s)) {
        put(t, s);
        return;
    }
    put(t, "\"");
    for (; *s; s++) {
        char c[2] = { *s, 0 };
        if (*s == '"' || *s == '\\') put(t, "\\");
        put(t, c);
    }
    put(t, "\"");
}

static void put_int(text *t, long long v)
{
    char out[24];
    hk_format(out, sizeof out, "%lld", v);
    put(t, out);
}

/* Every field as "key: value": one a line, or joined by ", " in a flow map. */
static void put_fields(text *t, const hk_info *info, const void *cfg, bool lines)
{
    char value[96];
    for (int i = 0; i < info->n_fields; i++) {
        put(t, lines ? "  " : ", ");
        put(t, info->fields[i].name);
        put(t, ": ");
        put(t, hk_key_print(&info->fields[i], cfg, value, sizeof value));
        put(t, lines ? "\n" : "");
    }
}

static void put_lines(text *t, const hk_info *info, const void *cfg)
{
    put_fields(t, info, cfg, true);
}

static void put_flow(text *t, const hk_info *info, const void *cfg)
{
    put_fields(t, info, cfg, false);
}

static void put_head(text *t, const char *section, const char *name)
{
    put(t, section);
    put(t, ":\n  name: ");
    put_word(t, name);
    put(t, "\n");
}

/* {name: NAME, key: value, ...} */
static void put_member(text *t, const hk_info *info, const void *cfg)
{
    put(t, "{name: ");
    put_word(t, info->name);
    put_flow(t, info, cfg);
    put(t, "}");
}

/* ---- sections -------------------------------------------------------------------------------- */

static void put_numbers(text *t, const char *key, const float *v, int n)
{
    char out[HK_NUMBER];
    put(t, ", ");
    put(t, key);
    put(t, ": [");
    for (int i = 0; i < n; i++) {
        put(t, i ? ", " : "");
        put(t, hk_number_print(v[i], out));
    }
    put(t, "]");
}

static void put_augment(text *t, const hk_augment_cfg *c)
{
    put(t, "  augment: {crop_pad: ");
    put_int(t, c->crop_pad);
    put(t, c->flip ? ", flip: true" : ", flip: false");
    put(t, ", cutout: ");
    put_int(t, c->cutout);
    if (c->n_mean > 0) {
        put_numbers(t, "mean", c->mean, c->n_mean);
        put_numbers(t, "std", c->std, c->n_mean);
    }
    put(t, "}\n");
}

static bool has_key(const hk_dataset_ops *ops, const char *key)
{
    for (int i = 0; ops && i < ops->info.n_fields; i++)
        if (strcmp(ops->info.fields[i].name, key) == 0) return true;
    return false;
}

static void put_data(text *t, const hk_recipe *r)
{
    const hk_recipe_data *d = &r->data;
    put_head(t, "data", d->ops ? d->ops->info.name : "none");
    if (d->path[0]) {
        put(t, "  path: ");
        put_word(t, d->path);
        put(t, "\n");
    }
    put_lines(t, &hk_table_data, d);
    if (d->ops) put_lines(t, &d->ops->info, d->cfg);
    put_augment(t, &d->augment);
    if (d->shape.c) {
        put(t, "  shape: [");
        put_int(t, d->shape.c);
        for (int i = 0; i < 2 && (d->shape.h > 1 || d->shape.w > 1); i++) {
            put(t, ", ");
            put_int(t, i ? d->shape.w : d->shape.h);
        }
        put(t, "]\n");
    }
    if (d->classes && !has_key(d->ops, "classes")) {
        put(t, "  classes: ");
        put_int(t, d->classes);
        put(t, "\n");
    }
    put_head(t, "encode", r->encoder->info.name);
    put_lines(t, &r->encoder->info, r->encoder_cfg);
}

static void put_from(text *t, const hk_recipe *r, const hk_node_spec *s)
{
    const int32_t before = (int32_t)(s - r->node) - 1;
    if (s->n_in == 1 && s->in[0] == before) return;
    put(t, s->n_in > 1 ? ", from: [" : ", from: ");
    for (int k = 0; k < s->n_in; k++) {
        put(t, k ? ", " : "");
        put_word(t, s->in[k] < 0 ? "input" : r->node[s->in[k]].name);
    }
    if (s->n_in > 1) put(t, "]");
}

static void put_layer(text *t, const hk_recipe *r, const hk_parts *p, int32_t i)
{
    const hk_node_spec *s = &r->node[i];
    const bool own = p->note[i].own;
    put(t, "    - {type: ");
    put_word(t, own ? s->neuron->info.name : s->layer->info.name);
    put(t, ", name: ");
    put_word(t, s->name);
    put_from(t, r, s);
    if (own || !s->neuron) put_flow(t, &s->layer->info, s->cfg);
    if (own) {
        put_flow(t, &s->neuron->info, s->neuron_cfg);
        put(t, ", surrogate: ");
        put_member(t, &s->surrogate->info, s->surrogate_cfg);
    }
    put(t, "}\n");
}

static void put_net(text *t, const hk_recipe *r, const hk_parts *p)
{
    if (p->builder.info) {
        put_head(t, "net", p->builder.info->name);
        put_lines(t, p->builder.info, p->builder.cfg);
        put_lines(t, &hk_table_net, &p->weights);
    } else {
        put(t, "net:\n  layers:\n");
        for (int32_t i = 0; i < r->n_node; i++) put_layer(t, r, p, i);
    }
    const hk_spiking *s = &p->spiking;
    put_head(t, "neuron", s->neuron.info->name);
    put_lines(t, s->neuron.info, s->neuron.cfg);
    put_lines(t, s->layer.info, s->layer.cfg);
    put(t, "  surrogate: ");
    put_member(t, s->surrogate.info, s->surrogate.cfg);
    put(t, "\n");
}

static void put_learning(text *t, const hk_recipe *r, const hk_parts *p)
{
    const hk_recipe_optim *o = &r->optim;
    put_head(t, "rule", r->rule->info.name);
    put_lines(t, &r->rule->info, r->rule_cfg);
    put_head(t, "loss", r->loss->info.name);
    put_lines(t, &hk_table_objective, &p->objective);
    put_lines(t, &r->loss->info, r->loss_cfg);
    put_head(t, "optim", o->ops->info.name);
    put_lines(t, &hk_table_optim, &o->update);
    put_lines(t, &o->ops->info, o->cfg);
    put(t, "  schedule: {name: ");
    put_word(t, o->schedule->info.name);
    put_flow(t, &hk_table_schedule, o);
    put_flow(t, &o->schedule->info, o->schedule_cfg);
    put(t, "}\ntrain:\n");
    put_lines(t, &hk_table_train, &r->train);
}

hk_status hk_recipe_print(const hk_recipe *r, char **out, hk_error *e)
{
    const hk_parts *p = r->self;
    text t = { 0 };
    put_data(&t, r);
    put_net(&t, r, p);
    put_learning(&t, r, p);
    if (t.full) {
        hk_free(t.at);
        return hk_fail(e, HK_E_NOMEM, "out of memory for a recipe");
    }
    *out = t.at;
    return HK_OK;
}
