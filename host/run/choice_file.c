/* Tables of choices as JSON:
 *
 *   {"format": "hillock choices 1", "hillock": "0.1.0", "cpu": "..", "instructions": "bf16", "threads": 2,
 *    "onednn": "2.6.3", "cblas": "..",
 *    "rows": [{"batch": 64, "map": [h, w, c], "out": 128, "kernel": [3, 3], "stride": [1, 1],
 *              "padding": [1, 1], "product": "forward", "operand": "bits", "form": "fp32",
 *              "events_below": 0.61}, ..]}
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "choice.h"
#include "describe.h"
#include "io/file.h"

#define FORMAT "hillock choices 1"
enum { FILE_BYTES = 1 << 20, SIDE_MOST = 1 << 20 };

static const char *const kinds[] = { "floats", "bits", "counts", "bf16" };

/* ---- what a table is valid for ----------------------------------------------------------------- */

static json_t *version_of(hk_dense_by vendor)
{
    const char *v = hk_vendor_version(vendor);
    return v ? json_string(v) : json_null();
}

static json_t *head_of(const hk_host_kernels *k)
{
    char cpu[256];
    hk_cpu_name(cpu, sizeof cpu);
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:o}", "format", FORMAT, "hillock", HK_VERSION,
                     "cpu", cpu, "instructions", hk_isa_name(k->isa), "threads", k->table.workers,
                     "onednn", version_of(HK_DENSE_ONEDNN), "cblas", version_of(HK_DENSE_CBLAS));
}

hk_status hk_choices_machine(const hk_host_kernels *k, uint64_t *number, hk_error *e)
{
    json_t *head = head_of(k);
    char *text = head ? json_dumps(head, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(head);
    HK_CHECK(e, text, HK_E_NOMEM, "choices: no memory");
    *number = hk_hash(HK_HASH, text, strlen(text));
    free(text);
    return HK_OK;
}

/* Whether every key of head has the same value in root. */
static bool same_machine(const json_t *root, const hk_host_kernels *k)
{
    json_t *head = head_of(k), *v;
    bool same = head != NULL;
    const char *key;
    json_object_foreach(head, key, v) { same = same && json_equal(v, json_object_get(root, key)); }
    json_decref(head);
    return same;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int word_of(const char *word, int n, const char *(*name)(int32_t))
{
    for (int i = 0; i < n; i++)
        if (!strcmp(word, name(i))) return i;
    return -1;
}

static const char *kind_name(int32_t kind) { return kinds[kind]; }

static bool inside(const json_int_t *v, int n, json_int_t least)
{
    for (int i = 0; i < n; i++)
        if (v[i] < least || v[i] > SIDE_MOST) return false;
    return true;
}

/* Geometry from v: batch, h, w, c, out, kernel, stride; pad: padding. */
static bool geometry(const json_int_t v[9], const json_int_t pad[2], hk_conv *g)
{
    if (!inside(v, 9, 1) || !inside(pad, 2, 0) || v[1] * v[2] > INT32_MAX / v[3]) return false;
    *g = (hk_conv){
        .batch = (int32_t)v[0], .hi = (int32_t)v[1], .wi = (int32_t)v[2], .ci = (int32_t)v[3],
        .co = (int32_t)v[4], .kh = (int32_t)v[5], .kw = (int32_t)v[6], .sh = (int32_t)v[7],
        .sw = (int32_t)v[8], .ph = (int32_t)pad[0], .pw = (int32_t)pad[1], .groups = 1,
    };
    const int32_t h = g->hi + 2 * g->ph - g->kh, w = g->wi + 2 * g->pw - g->kw;
    g->ho = h / g->sh + 1;
    g->wo = w / g->sw + 1;
    return h >= 0 && w >= 0;
}

static hk_status read_row(const json_t *j, const char *path, int i, hk_choice *out, hk_error *e)
{
    json_int_t v[9], pad[2];
    const char *product, *operand, *form;
    double below;
    json_error_t why;
    const int bad = json_unpack_ex((json_t *)(uintptr_t)j, &why, JSON_STRICT,
        "{s:I, s:[III!], s:I, s:[II!], s:[II!], s:[II!], s:s, s:s, s:s, s:F}", "batch", &v[0], "map",
        &v[1], &v[2], &v[3], "out", &v[4], "kernel", &v[5], &v[6], "stride", &v[7], &v[8], "padding",
        &pad[0], &pad[1], "product", &product, "operand", &operand, "form", &form, "events_below",
        &below);
    HK_CHECK(e, !bad, HK_E_FORMAT, "%s: row %d of the choices: %s", path, i, why.text);
    HK_CHECK(e, geometry(v, pad, &out->g), HK_E_FORMAT,
             "%s: row %d of the choices: no such convolution: batch, map, out, kernel, stride or "
             "padding is out of range", path, i);
    out->product = word_of(product, HK_PRODUCTS, hk_product_name);
    out->kind = word_of(operand, HK_COUNT(kinds), kind_name);
    out->form = word_of(form, HK_DENSE_FORMS, hk_dense_form_name);
    out->below = (float)below;
    HK_CHECK(e, out->product >= 0, HK_E_FORMAT, "%s: row %d of the choices: product is '%s', expected "
             "forward, input or weights", path, i, product);
    HK_CHECK(e, out->kind >= 0, HK_E_FORMAT, "%s: row %d of the choices: operand is '%s', expected "
             "floats, bits, counts or bf16", path, i, operand);
    HK_CHECK(e, out->form >= 0, HK_E_FORMAT, "%s: row %d of the choices: form is '%s', expected fp32, "
             "bf16, winograd, winograd_bf16, onednn, cblas or ref", path, i, form);
    HK_CHECK(e, below >= 0 && below <= 2, HK_E_FORMAT,
             "%s: row %d of the choices: events_below is %g, expected 0 to 2", path, i, below);
    return HK_OK;
}

static hk_status read_rows(hk_choices *c, const json_t *root, const char *path, hk_error *e)
{
    const json_t *rows = json_object_get(root, "rows");
    const size_t n = json_array_size(rows);
    HK_CHECK(e, json_is_array(rows) && n <= HK_CHOICE_ROWS, HK_E_FORMAT,
             "%s: 'rows' is missing, or not a list of at most %d choices", path, HK_CHOICE_ROWS);
    c->row = hk_alloc_zero(n + 1, sizeof *c->row);
    HK_CHECK(e, c->row, HK_E_NOMEM, "%s: no memory for %zu choices", path, n);
    for (; (size_t)c->n < n; c->n++)
        HK_TRY(read_row(json_array_get(rows, (size_t)c->n), path, c->n, &c->row[c->n], e));
    return HK_OK;
}

static hk_status check_head(const json_t *root, const char *path, hk_error *e)
{
    static const char *const keys[] = { "format", "hillock", "cpu", "instructions", "threads",
                                        "onednn", "cblas", "rows" };
    const char *format = json_string_value(json_object_get(root, "format")), *key;
    json_t *v;
    HK_CHECK(e, format && !strcmp(format, FORMAT), HK_E_FORMAT,
             "%s: not a table of choices: format is '%s', expected '" FORMAT "'", path,
             format ? format : "none");
    json_object_foreach((json_t *)(uintptr_t)root, key, v) {
        bool known = false;
        for (int i = 0; i < HK_COUNT(keys); i++) known |= !strcmp(key, keys[i]);
        HK_CHECK(e, known, HK_E_FORMAT, "%s: unknown key '%s'", path, key);
    }
    return HK_OK;
}

hk_status hk_choices_parse(hk_choices *c, const void *text, size_t n, const char *path,
                           const hk_host_kernels *machine, hk_error *e)
{
    json_error_t why;
    *c = (hk_choices){ 0 };
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    HK_CHECK(e, root, HK_E_FORMAT, "%s: line %d: %s", path, why.line, why.text);
    hk_status st = check_head(root, path, e);
    if (st == HK_OK && (!machine || same_machine(root, machine))) st = read_rows(c, root, path, e);
    json_object_del(root, "rows");
    c->head = root;
    if (st != HK_OK) hk_choices_close(c);
    return st;
}

hk_status hk_choices_read(hk_choices *c, const char *path, const hk_host_kernels *machine,
                          hk_error *e)
{
    void *text;
    size_t n;
    *c = (hk_choices){ 0 };
    HK_TRY(hk_file_read(path, FILE_BYTES, &text, &n, e));
    hk_status st = hk_choices_parse(c, text, n, path, machine, e);
    hk_free(text);
    return st;
}

/* ---- writing --------------------------------------------------------------------------------- */

static json_t *row_json(const hk_choice *c)
{
    const hk_conv *g = &c->g;
    return json_pack("{s:i, s:[iii], s:i, s:[ii], s:[ii], s:[ii], s:s, s:s, s:s, s:f}", "batch",
                     g->batch, "map", g->hi, g->wi, g->ci, "out", g->co, "kernel", g->kh, g->kw,
                     "stride", g->sh, g->sw, "padding", g->ph, g->pw, "product",
                     hk_product_name(c->product), "operand", kinds[c->kind], "form",
                     hk_dense_form_name(c->form), "events_below", (double)c->below);
}

hk_status hk_choices_write(const hk_choices *c, const char *path, const hk_host_kernels *k,
                           hk_error *e)
{
    json_t *root = c->head ? json_copy(c->head) : head_of(k), *rows = json_array();
    for (int32_t i = 0; i < c->n; i++) json_array_append_new(rows, row_json(&c->row[i]));
    json_object_set_new(root, "rows", rows);
    char *text = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    json_decref(root);
    HK_CHECK(e, text, HK_E_NOMEM, "%s: no memory", path);
    const size_t n = strlen(text);
    text[n] = '\n';
    hk_status st = hk_file_write(path, text, n + 1, e);
    free(text);
    return st;
}
