/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/file.h"
#include "parts.h"

/* ---- variants and rows ---------------------------------------------------------------------- */

static hk_status plan_variant(const hki_comparison *c, hki_variant *v, hk_error *e)
{
    hki_blueprint b;
    hk_error inner;
    hk_status st = hki_blueprint_open(&b, c->o->recipe, NULL, v->set, v->n_set, &inner);
    if (st) return hk_fail(e, st, "variant '%s': %s", v->name, inner.text);
    v->text = b.text;
    b.text = NULL;
    v->refused = b.refused;
    v->validation = b.recipe.data.validation > 0;
    v->epochs = b.recipe.train.epochs;
    v->planned = hk_engine_bytes(&b.engine);
    hki_blueprint_close(&b);
    return HK_OK;
}

static hk_status plan_variants(hki_comparison *c, hk_error *e)
{
    HK_TRY(hki_variants_make(c, e));
    for (int i = 0; i < c->n_variant; i++) {
        hki_variant *v = &c->variant[i];
        HK_TRY(plan_variant(c, v, e));
        for (int k = 0; k < i && *v->text; k++)
            HK_CHECK(e, strcmp(c->variant[k].text, v->text) != 0, HK_E_ARG,
                     "variants '%s' and '%s' are the same training (seeds are given with --seeds)",
                     c->variant[k].name, v->name);
    }
    return HK_OK;
}

/* Every variant once before the next seed. */
static hk_status make_rows(hki_comparison *c, hk_error *e)
{
    c->row = hk_arena_take(&c->arena, (size_t)c->o->seeds * (size_t)c->n_variant * sizeof *c->row);
    HK_CHECK(e, c->row, HK_E_NOMEM, "no memory for the rows of a comparison");
    for (int32_t s = 1; s <= c->o->seeds; s++)
        for (int i = 0; i < c->n_variant; i++) {
            hki_row *r = &c->row[c->n_row++];
            *r = (hki_row){ .variant = i, .seed = s };
            if (!c->variant[i].refused.code) HK_TRY(hki_row_look(c, r, e));
        }
    return HK_OK;
}

/* ---- the folder ----------------------------------------------------------------------------- */

static hk_status check_folder(const hki_comparison *c, hk_error *e)
{
    char path[HK_PATH];
    void *text;
    size_t n;
    json_error_t why;
    HK_TRY(hk_run_path(c->o->out, "compare.json", "", path, e));
    if (!hk_file_exists(path)) return HK_OK;
    HK_TRY(hk_file_read(path, 0, &text, &n, e));
    json_t *held = json_loadb(text, n, 0, &why);
    hk_free(text);
    HK_CHECK(e, held, HK_E_FORMAT, "%s:%d: %s", path, why.line, why.text);
    hk_status st = hki_summary_fits(c, held, e);
    json_decref(held);
    return st;
}

/* One at a time. The lock goes on to the children, so that none of a killed comparison is still
 * writing when the next one begins. */
static hk_status lock_folder(const hki_comparison *c, int *fd, hk_error *e)
{
    enum { TRIES = 40, NAP_US = 50000 };
    char path[HK_PATH];
    HK_TRY(hk_mkdirs(c->o->out, e));
    HK_TRY(hk_run_path(c->o->out, "compare.lock", "", path, e));
    *fd = open(path, O_RDWR | O_CREAT, 0666);
    HK_CHECK(e, *fd >= 0, HK_E_IO, "%s: cannot be opened: %s", path, strerror(errno));
    int left = TRIES;
    while (flock(*fd, LOCK_EX | LOCK_NB) && left > 0) {
        left--;
        usleep(NAP_US);
    }
    HK_CHECK(e, left > 0, HK_E_ARG, "%s: another comparison is at work there", c->o->out);
    return HK_OK;
}

static hk_status write_text(const hki_comparison *c, const char *name, const char *text,
                            hk_error *e)
{
    char path[HK_PATH];
    HK_TRY(hk_run_path(c->o->out, name, "", path, e));
    return hk_file_write(path, text, strlen(text), e);
}

static hk_status write_all(const hki_comparison *c, const json_t *j, const char *markdown,
                           hk_error *e)
{
    char path[HK_PATH];
    char *text = json_dumps(j, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    HK_CHECK(e, text, HK_E_NOMEM, "%s: no memory for the table", c->o->out);
    size_t n = strlen(text);
    text[n] = '\n'; /* in the place of the terminating zero */
    hk_status st = hk_run_path(c->o->out, "compare.json", "", path, e);
    if (st == HK_OK) st = hk_file_write(path, text, n + 1, e);
    free(text);
    HK_TRY(st);
    HK_TRY(write_text(c, "compare.md", markdown, e));
    HK_TRY(hk_run_path(c->o->out, "compare.svg", "", path, e));
    return hki_picture(j, path, e);
}

hk_status hki_compare_write(const hki_comparison *c, json_t **json, char **markdown, hk_error *e)
{
    char *text = NULL;
    json_t *j = hki_summary(c);
    hk_status st = j ? HK_OK : hk_fail(e, HK_E_NOMEM, "%s: no memory for the table", c->o->out);
    if (st == HK_OK) st = hki_markdown(j, &text, e);
    if (st == HK_OK) st = write_all(c, j, text, e);
    if (st == HK_OK && json) *json = json_incref(j);
    if (st == HK_OK && markdown)
        *markdown = text;
    else
        hk_free(text);
    json_decref(j);
    return st;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static hk_status check_options(const hk_compare_opts *o, hk_error *e)
{
    HK_CHECK(e, o->seeds >= 1 && o->seeds <= HK_COMPARE_SEEDS, HK_E_ARG,
             "seeds is %d, expected 1 to %d", (int)o->seeds, HK_COMPARE_SEEDS);
    HK_CHECK(e, o->jobs >= 1 && o->jobs <= HK_COMPARE_JOBS, HK_E_ARG,
             "jobs is %d, expected 1 to %d", (int)o->jobs, HK_COMPARE_JOBS);
    return HK_OK;
}

static void tell_refused(const hki_comparison *c)
{
    char text[700];
    for (int i = 0; i < c->n_variant; i++) {
        if (!c->variant[i].refused.code || !c->o->note) continue;
        hk_format(text, sizeof text, "%s: refused: %s", c->variant[i].name,
                  c->variant[i].refused.text);
        c->o->note(c->o->self, text);
    }
}

static hk_status compare(hki_comparison *c, int *lock, hk_compare_result *out, hk_error *e)
{
    HK_TRY(check_options(c->o, e));
    HK_TRY(plan_variants(c, e));
    HK_TRY(check_folder(c, e));
    HK_TRY(make_rows(c, e));
    if (!c->o->table_only) HK_TRY(lock_folder(c, lock, e));
    HK_TRY(hk_mkdirs(c->o->out, e));
    HK_TRY(hki_compare_write(c, NULL, NULL, e));
    tell_refused(c);
    if (!c->o->table_only) HK_TRY(hki_run_rows(c, e));
    out->stopped = c->stopped;
    out->rows = c->n_row;
    for (int i = 0; i < c->n_row; i++) {
        out->done += c->row[i].state == HKI_DONE;
        out->failed += c->row[i].state == HKI_FAILED || c->variant[c->row[i].variant].refused.code;
    }
    return hki_compare_write(c, &out->json, &out->markdown, e);
}

hk_status hk_compare(const hk_compare_opts *o, hk_compare_result *out, hk_error *e)
{
    *out = (hk_compare_result){ 0 };
    hki_comparison *c = hk_alloc_zero(1, sizeof *c);
    HK_CHECK(e, c, HK_E_NOMEM, "no memory for a comparison, %zu bytes", sizeof *c);
    c->o = o;
    int lock = -1;
    hk_status st = compare(c, &lock, out, e);
    if (lock >= 0) close(lock);
    for (int i = 0; i < c->n_row; i++) json_decref(c->row[i].run);
    for (int i = 0; i < c->n_variant; i++) hk_free(c->variant[i].text);
    hk_arena_free(&c->arena);
    hk_free(c);
    return st;
}
