/* SPDX-License-Identifier: Apache-2.0 */
#include "choice.h"

#include <string.h>

#include "layer/eligibility.h"
#include "layer/traces.h"
#include "layer/weighted.h"
#include "base/alloc.h"
#include "engine.h"
#include "folder.h"
#include "io/file.h"
#include "kernel/tune.h"

/* A product of a net: whose it is, and its row, at first without form and density. */
typedef struct wanted { const char *layer; hk_choice row; bool known; } wanted;

typedef struct search {
    const hk_choice_opts *o;
    hk_host_kernels_cfg   cfg;
    hk_engine             engine;        /* planned, not run                                      */
    wanted               *want;
    int32_t               n, unknown;
    json_t               *head;          /* of o->file                                            */
} search;

void hk_choices_close(hk_choices *c)
{
    hk_free(c->row);
    json_decref(c->head);
    *c = (hk_choices){ 0 };
}

static void note(const hk_choice_opts *o, const char *text)
{
    if (o->note) o->note(o->self, text);
}

/* ---- what a net wants ---------------------------------------------------------------------------- */

static void add(search *s, const hk_node *l, hk_product product, hk_kind kind)
{
    const wanted w = { .layer = l->name,
                       .row = { .g = *l->args.g, .product = (int32_t)product, .kind = (int32_t)kind } };
    for (int32_t i = 0; i < s->n; i++)
        if (hk_choice_same(&s->want[i].row, &w.row)) return;
    s->want[s->n++] = w;
}

/* At most two kinds of input, forward and for the weights, and one of errors: five of a layer. */
enum { OF_A_LAYER = 5 };

static void add_layer(search *s, const hk_node *l)
{
    const hk_net *net = l->net;
    const bool traced = hk_weighted_traced(l) && !l->constant, counts = net->plan.counts;
    if (!l->args.g || l->args.g->groups != 1) return;
    add(s, l, HK_FORWARD, l->in[0].kind);
    if (counts) add(s, l, HK_FORWARD, l->other.kind[0]);
    if (!net->spec.learn) return;
    if (l->dx_want[0]) add(s, l, HK_BACKWARD_INPUT, HK_F32);
    if (!net->plan.weights || hk_eligible(l)) return;
    add(s, l, HK_BACKWARD_WEIGHT, traced ? hk_trace_kind(l) : l->in[0].kind);
    if (counts) add(s, l, HK_BACKWARD_WEIGHT, l->other.kind[0]);
}

static hk_status list_products(search *s, const hk_net_spec *spec, hk_error *e)
{
    s->cfg.choice = NULL;
    s->cfg.n_choice = 0;
    HK_TRY(hk_engine_plan(&s->engine, spec, &s->cfg, e));
    const hk_net *net = &s->engine.net;
    s->want = hk_alloc_zero(OF_A_LAYER * (size_t)net->n_node + 1, sizeof *s->want);
    HK_CHECK(e, s->want, HK_E_NOMEM, "choices: no memory for %d layers", net->n_node);
    for (int32_t i = 0; i < net->n_node && s->cfg.products != HK_WAY_REF; i++)
        if (net->node[i].args.g) add_layer(s, &net->node[i]);
    s->unknown = s->n;
    return HK_OK;
}

/* ---- where it comes from ------------------------------------------------------------------------- */

static void take_rows(search *s, const hk_choices *from)
{
    for (int32_t i = 0; i < s->n; i++)
        for (int32_t k = 0; k < from->n && !s->want[i].known; k++)
            if (hk_choice_same(&s->want[i].row, &from->row[k])) {
                s->want[i].row = from->row[k];
                s->want[i].known = true;
                s->unknown--;
            }
}

static hk_status from_file(search *s, hk_error *e)
{
    hk_choices c;
    char text[HK_PATH + 128];
    HK_TRY(hk_choices_read(&c, s->o->file, NULL, e));
    take_rows(s, &c);
    s->head = json_incref(c.head);
    hk_choices_close(&c);
    HK_CHECK(e, s->n == 0 || s->unknown < s->n, HK_E_ARG,
             "%s: no choice belongs to a product of this net; expected rows for its layers' maps at "
             "batch %d", s->o->file, s->engine.net.spec.batch);
    hk_format(text, sizeof text, "choices of %d products from %s, %d by the fixed table",
              s->n - s->unknown, s->o->file, s->unknown);
    note(s->o, text);
    return HK_OK;
}

/* The machine's file in the cache folder. */
static hk_status cache_path(const search *s, char *out, hk_error *e)
{
    uint64_t number;
    char name[48];
    HK_TRY(hk_choices_machine(&s->engine.kernels, &number, e));
    size_t n = hk_format(name, sizeof name, "choices-");
    for (int i = 60; i >= 0; i -= 4) name[n++] = "0123456789abcdef"[number >> i & 15];
    hk_format(name + n, sizeof name - n, ".json");
    return hk_run_path(s->o->cache, name, "", out, e);
}

/* Rows of the cache go first, so that of too many the oldest are left out. */
static hk_status store(const search *s, const hk_choices *old, const char *path, hk_error *e)
{
    hk_choices all = { .row = hk_alloc_zero((size_t)old->n + (size_t)s->n + 1, sizeof *all.row) };
    HK_CHECK(e, all.row, HK_E_NOMEM, "%s: no memory", path);
    int32_t left = old->n + s->n - HK_CHOICE_ROWS;
    for (int32_t i = 0; i < old->n; i++) {
        bool again = left-- > 0;
        for (int32_t k = 0; k < s->n; k++) again |= hk_choice_same(&old->row[i], &s->want[k].row);
        if (!again) all.row[all.n++] = old->row[i];
    }
    for (int32_t i = 0; i < s->n && all.n < HK_CHOICE_ROWS; i++) all.row[all.n++] = s->want[i].row;
    hk_status st = hk_mkdirs(s->o->cache, e);
    if (st == HK_OK) st = hk_choices_write(&all, path, &s->engine.kernels, e);
    hk_choices_close(&all);
    return st;
}

static hk_status measure(search *s, hk_error *e)
{
    const int32_t all = s->unknown;
    char text[160];
    for (int32_t i = 0, k = 0; i < s->n; i++) {
        wanted *w = &s->want[i];
        if (w->known) continue;
        hk_format(text, sizeof text, "tuning %s %s, %d of %d", w->layer,
                  hk_product_name(w->row.product), ++k, all);
        note(s->o, text);
        HK_TRY(hk_tune(&s->cfg, &w->row, e));
        w->known = true;
    }
    s->unknown = 0;
    return HK_OK;
}

/* What the cache has; a corrupt one counts as empty. */
static void from_cache(search *s, hk_choices *old, const char *path)
{
    hk_error why;
    char text[sizeof why.text + 32];
    if (!hk_file_exists(path)) return;
    if (hk_choices_read(old, path, &s->engine.kernels, &why) == HK_OK) {
        take_rows(s, old);
        return;
    }
    hk_format(text, sizeof text, "%s; measured anew", why.text);
    note(s->o, text);
}

static hk_status from_machine(search *s, hk_error *e)
{
    char path[HK_PATH] = "", text[HK_PATH + 128];
    hk_choices old = { 0 };
    hk_error why;
    if (s->o->cache) {
        HK_TRY(cache_path(s, path, e));
        from_cache(s, &old, path);
    }
    const int32_t measured = s->unknown;
    hk_status st = measure(s, e);
    if (st == HK_OK && measured && s->o->cache && store(s, &old, path, &why) != HK_OK)
        note(s->o, why.text);
    hk_choices_close(&old);
    hk_format(text, sizeof text, "choices of %d products: %d measured, %d from %s", s->n, measured,
              s->n - measured, s->o->cache ? path : "no cache");
    if (st == HK_OK) note(s->o, text);
    return st;
}

/* ---- both ---------------------------------------------------------------------------------------- */

static hk_status deliver(const search *s, hk_choices *c, hk_error *e)
{
    c->row = hk_alloc_zero((size_t)s->n + 1, sizeof *c->row);
    HK_CHECK(e, c->row, HK_E_NOMEM, "choices: no memory for %d rows", s->n);
    for (int32_t i = 0; i < s->n; i++)
        if (s->want[i].known) c->row[c->n++] = s->want[i].row;
    c->head = json_incref(s->head);
    return HK_OK;
}

static hk_status find(search *s, hk_choices *c, const hk_net_spec *spec, hk_error *e)
{
    HK_TRY(list_products(s, spec, e));
    HK_TRY(s->o->file ? from_file(s, e) : from_machine(s, e));
    return deliver(s, c, e);
}

hk_status hk_choices_open(hk_choices *c, const hk_net_spec *spec, const hk_host_kernels_cfg *kernels,
                          bool tune, const hk_choice_opts *o, hk_error *e)
{
    *c = (hk_choices){ 0 };
    if (!tune && !o->file) return HK_OK;
    search *s = hk_alloc_zero(1, sizeof *s);
    HK_CHECK(e, s, HK_E_NOMEM, "choices: no memory");
    s->o = o;
    s->cfg = *kernels;
    hk_status st = find(s, c, spec, e);
    json_decref(s->head);
    hk_free(s->want);
    hk_engine_close(&s->engine);
    hk_free(s);
    return st;
}
