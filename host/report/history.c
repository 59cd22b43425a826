/* SPDX-License-Identifier: Apache-2.0 */
#include "history.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "io/file.h"

static void keep(json_t **slot, json_t *line)
{
    json_decref(*slot);
    *slot = json_incref(line);
}

static hk_status take_line(hki_history *h, const char *text, size_t n, const char *path,
                           long number, hk_error *e)
{
    json_error_t why;
    json_t *line = json_loadb(text, n, 0, &why);
    HK_CHECK(e, json_is_object(line), HK_E_FORMAT, "%s: line %ld is not a JSON object: %s", path,
             number, line ? "another value" : why.text);
    const char *event = hki_string(line, "event", "");
    if (!strcmp(event, "run")) keep(&h->run, line);
    if (!strcmp(event, "result")) keep(&h->result, line);
    if (!strcmp(event, "step")) json_array_append(h->step, line);
    if (!strcmp(event, "epoch")) json_array_append(h->epoch, line);
    json_decref(line);
    return HK_OK;
}

hk_status hki_history_read(hki_history *h, const char *path, hk_error *e)
{
    void *data;
    size_t n;
    memset(h, 0, sizeof *h);
    h->step = json_array();
    h->epoch = json_array();
    HK_TRY(hk_file_read(path, 0, &data, &n, e));
    hk_status st = HK_OK;
    long number = 1;
    for (const char *p = data, *end = p + n, *stop; st == HK_OK && p < end;
         p = stop + 1, number++) {
        stop = memchr(p, '\n', (size_t)(end - p));
        if (!stop) break;
        st = take_line(h, p, (size_t)(stop - p), path, number, e);
    }
    hk_free(data);
    return st;
}

void hki_history_deinit(hki_history *h)
{
    json_decref(h->run);
    json_decref(h->result);
    json_decref(h->step);
    json_decref(h->epoch);
    memset(h, 0, sizeof *h);
}

/* ---- values --------------------------------------------------------------------------------- */

static const json_t *walk(const json_t *j, const char *path)
{
    char key[96];
    while (j && *path) {
        size_t n = strcspn(path, ".");
        hk_format(key, n + 1 < sizeof key ? n + 1 : sizeof key, "%s", path);
        j = json_object_get(j, key);
        path += path[n] ? n + 1 : n;
    }
    return j;
}

double hki_number(const json_t *line, const char *path)
{
    const json_t *j = walk(line, path);
    return json_is_number(j) ? json_number_value(j) : NAN;
}

const char *hki_string(const json_t *line, const char *path, const char *otherwise)
{
    const char *s = json_string_value(walk(line, path));
    return s ? s : otherwise;
}

/* ---- series --------------------------------------------------------------------------------- */

static hki_series *append(hki_list *l)
{
    if (l->n == l->cap) {
        int cap = 2 * l->cap + 8;
        hki_series *p = hk_regrow(l->at, (size_t)l->n * sizeof *p, (size_t)cap * sizeof *p);
        l->failed |= !p;
        if (!p) return NULL;
        l->at = p;
        l->cap = cap;
    }
    memset(&l->at[l->n], 0, sizeof *l->at);
    return &l->at[l->n++];
}

/* Value `leaf` below `path` of an epoch's line; the keys below path may contain any character. */
static double value(const json_t *line, const char *path, const char *key, const char *leaf)
{
    const json_t *j = walk(line, path);
    if (key) j = json_object_get(j, key);
    if (leaf) j = json_object_get(j, leaf);
    return json_is_number(j) ? json_number_value(j) : NAN;
}

static hki_series *add(hki_list *l, const json_t *lines, const char *path, const char *key,
                       bool band)
{
    size_t n = json_array_size(lines);
    bool any = false;
    for (size_t i = 0; i < n && !any; i++)
        any = isfinite(value(json_array_get(lines, i), path, key, band ? "mean" : NULL));
    hki_series *s = any ? append(l) : NULL;
    if (!s) return NULL;
    double *v = hk_alloc(4 * n * sizeof *v);
    l->failed |= !v;
    if (!v) {
        l->n--;
        return NULL;
    }
    s->n = (int)n;
    s->x = v;
    s->y = v + n;
    s->lo = band ? v + 2 * n : NULL;
    s->hi = band ? v + 3 * n : NULL;
    for (size_t i = 0; i < n; i++) {
        const json_t *line = json_array_get(lines, i);
        s->x[i] = hki_number(line, "epoch");
        s->y[i] = value(line, path, key, band ? "mean" : NULL);
        if (band) {
            s->lo[i] = value(line, path, key, "min");
            s->hi[i] = value(line, path, key, "max");
        }
    }
    return s;
}

hki_series *hki_list_add(hki_list *l, const json_t *lines, const char *name, const char *path,
                         bool band)
{
    hki_series *s = add(l, lines, path, NULL, band);
    if (s) hk_format(s->name, sizeof s->name, "%s", name);
    return s;
}

void hki_list_add_each(hki_list *l, const json_t *lines, const char *path, bool band)
{
    size_t n = json_array_size(lines);
    json_t *keys = (json_t *)walk(n ? json_array_get(lines, n - 1) : NULL, path);
    const char *key;
    json_t *ignored;
    int i = 0, all = (int)json_object_size(keys);
    json_object_foreach(keys, key, ignored) {
        hki_series *s = add(l, lines, path, key, band);
        if (!s) continue;
        hk_format(s->name, sizeof s->name, "%s", key);
        hki_ramp(i++, all, s->color);
    }
}

void hki_list_deinit(hki_list *l)
{
    for (int i = 0; i < l->n; i++) hk_free(l->at[i].x);
    hk_free(l->at);
    memset(l, 0, sizeof *l);
}
