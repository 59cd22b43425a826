/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

#include "io/words.h"
#include "io/number.h"

#include <math.h>
#include <string.h>

enum { NAMES = 128 };

/* ---- one value ------------------------------------------------------------------------------- */

/* A float whose default is NaN has a second way of being: null. */
static bool may_be_null(const hk_field *f) { return f->type == HK_FLOAT && isnan(f->def); }

const char *hk_key_expected(const hk_field *f, char *out, size_t cap)
{
    size_t n = 0;
    switch (f->type) {
    case HK_BOOL:
        hk_format(out, cap, "true or false");
        break;
    case HK_INT:
        hk_format(out, cap, "a whole number from %lld to %lld", (long long)f->min,
                  (long long)f->max);
        break;
    case HK_FLOAT:
        hk_format(out, cap, "a number from %g to %g%s", f->min, f->max,
                  may_be_null(f) ? ", or null" : "");
        break;
    case HK_ENUM:
        for (int i = 0; i <= (int)f->max; i++) {
            char word[32];
            hk_field_word_at(f, i, word, sizeof word);
            n += hk_format(out + n, cap - n, "%s%s",
                           i == 0 ? "" : i == (int)f->max ? " or " : ", ", word);
        }
        break;
    }
    return out;
}

static hk_status mismatch(const char *section, const hk_field *f, const hk_tree *v, hk_error *e)
{
    char expected[160], found[80];
    return hk_fail(e, HK_E_ARG, "%s%s.%s: expected %s, found %s", hk_tree_where(v).text, section,
                   f->name, hk_key_expected(f, expected, sizeof expected),
                   hk_tree_found(v, found, sizeof found));
}

static bool truth(const char *s, double *out)
{
    static const char *const words[] = { "false", "False", "FALSE", "true", "True", "TRUE" };
    for (int i = 0; i < HK_COUNT(words); i++)
        if (strcmp(s, words[i]) == 0) {
            *out = i >= 3;
            return true;
        }
    return false;
}

hk_status hk_key_set(const char *section, const hk_info *info, const hk_field *f, void *cfg,
                     const hk_tree *v, hk_error *e)
{
    double x = 0;
    if (v->kind == HK_TREE_NULL && may_be_null(f)) {
        float none = NAN;
        memcpy((char *)cfg + f->offset, &none, sizeof none);
        return HK_OK;
    }
    if (v->kind != HK_TREE_WORD) return mismatch(section, f, v, e);
    bool fits = false;
    switch (f->type) {
    case HK_ENUM:
        x = hk_field_word(f, v->text);
        fits = x >= 0;
        break;
    case HK_BOOL:
        fits = !v->quoted && truth(v->text, &x);
        break;
    case HK_INT:
        fits = !v->quoted && hk_number_parse(v->text, &x) && x == floor(x);
        break;
    case HK_FLOAT:
        fits = !v->quoted && hk_number_parse(v->text, &x);
        break;
    }
    if (!fits || x < f->min || x > f->max) return mismatch(section, f, v, e);
    return hk_field_set(info, f, cfg, x, e);
}

bool hk_key_plain(const char *s)
{
    static const char *const taken[] = { "true", "True", "TRUE", "false", "False", "FALSE", "null",
                                         "Null", "NULL" };
    for (int i = 0; i < HK_COUNT(taken); i++)
        if (strcmp(s, taken[i]) == 0) return false;
    if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z'))) return false;
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
              *s == '_'))
            return false;
    return true;
}

const char *hk_key_print(const hk_field *f, const void *cfg, char *out, size_t cap)
{
    double v = hk_field_get(f, cfg);
    char word[64];
    switch (f->type) {
    case HK_FLOAT:
        if (isnan(v)) hk_format(out, cap, "null");
        else hk_format(out, cap, "%s", hk_number_print((float)v, word));
        break;
    case HK_INT:
        hk_format(out, cap, "%lld", (long long)v);
        break;
    case HK_BOOL:
        hk_format(out, cap, "%s", v != 0 ? "true" : "false");
        break;
    case HK_ENUM:
        hk_field_word_at(f, (int)v, word, sizeof word);
        hk_format(out, cap, hk_key_plain(word) ? "%s" : "\"%s\"", word);
        break;
    }
    return out;
}

/* ---- sections -------------------------------------------------------------------------------- */

static hk_status unknown(const hk_keys *k, const hk_tree *entry, hk_error *e)
{
    const char *names[NAMES];
    int n = 0;
    for (int i = 0; i < k->n_other && n < NAMES; i++) names[n++] = k->other[i];
    for (int i = 0; i < k->n_target; i++)
        for (int j = 0; j < k->target[i].info->n_fields && n < NAMES; j++)
            names[n++] = k->target[i].info->fields[j].name;
    const char *near = hk_nearest(entry->key, names, n);
    char shown[64], known[200];
    hk_printable(shown, sizeof shown, entry->key, sizeof shown);
    if (near) hk_format(known, sizeof known, "; nearest is '%s'", near);
    else {
        const char *of = k->n_target == 1 ? k->target[0].info->name : NULL;
        size_t at = of ? hk_format(known, sizeof known, "; known of '%s' are", of)
                       : hk_format(known, sizeof known, "; known are");
        for (int i = 0; i < n; i++)
            at += hk_format(known + at, sizeof known - at, "%s %s", i ? "," : "", names[i]);
    }
    return hk_fail(e, HK_E_ARG, "%s%s: unknown key '%s'%s", hk_tree_where_key(entry).text,
                   k->section, shown, known);
}

static bool is_other(const hk_keys *k, const char *key)
{
    for (int i = 0; i < k->n_other; i++)
        if (strcmp(k->other[i], key) == 0) return true;
    return false;
}

hk_status hk_keys_read(const hk_keys *k, const hk_tree *map, hk_error *e)
{
    char found[80];
    if (!map || map->kind == HK_TREE_NULL) return HK_OK;
    HK_CHECK(e, map->kind == HK_TREE_MAP, HK_E_ARG, "%s%s: expected a map of keys, found %s",
             hk_tree_where(map).text, k->section, hk_tree_found(map, found, sizeof found));
    for (const hk_tree *c = map->first; c; c = c->next) {
        if (is_other(k, c->key)) continue;
        const hk_field *f = NULL;
        for (int i = 0; i < k->n_target && !f; i++) {
            f = hk_field_find(k->target[i].info, c->key);
            if (f) HK_TRY(hk_key_set(k->section, k->target[i].info, f, k->target[i].cfg, c, e));
        }
        if (!f) return unknown(k, c, e);
    }
    return HK_OK;
}

hk_status hk_keys_required(const hk_keys *k, const hk_tree *map, const hk_where *where, hk_error *e)
{
    for (int i = 0; i < k->n_target; i++) {
        const hk_info *info = k->target[i].info;
        for (int j = 0; j < info->n_fields; j++) {
            const hk_field *f = &info->fields[j];
            char expected[160];
            HK_CHECK(e, !(f->def < f->min || f->def > f->max) || hk_tree_get(map, f->name),
                     HK_E_ARG, "%s%s: key '%s' is missing, expected %s", where->text, k->section,
                     f->name, hk_key_expected(f, expected, sizeof expected));
        }
    }
    return HK_OK;
}

/* ---- values without a table ------------------------------------------------------------------ */

static hk_status no(const char *section, const hk_tree *v, const char *expected, hk_error *e)
{
    char found[80];
    return hk_fail(e, HK_E_ARG, "%s%s%s%s: expected %s, found %s", hk_tree_where(v).text, section,
                   v->key ? "." : "", v->key ? v->key : "", expected,
                   hk_tree_found(v, found, sizeof found));
}

hk_status hk_key_word(const char *section, const hk_tree *v, const char **out, hk_error *e)
{
    if (v->kind != HK_TREE_WORD) return no(section, v, "a word", e);
    *out = v->text;
    return HK_OK;
}

hk_status hk_key_whole(const char *section, const hk_tree *v, double lo, double hi, int32_t *out,
                       hk_error *e)
{
    double x;
    char expected[64];
    hk_format(expected, sizeof expected, "a whole number from %lld to %lld", (long long)lo,
              (long long)hi);
    if (v->kind != HK_TREE_WORD || v->quoted || !hk_number_parse(v->text, &x) || x != floor(x) ||
        x < lo || x > hi)
        return no(section, v, expected, e);
    *out = (int32_t)x;
    return HK_OK;
}

hk_status hk_key_numbers(const char *section, const hk_tree *v, int cap, double *out, int *n,
                         hk_error *e)
{
    char expected[64];
    hk_format(expected, sizeof expected, "a list of 1 to %d numbers", cap);
    const hk_tree *c = v->kind == HK_TREE_LIST ? v->first : v;
    if (v->kind == HK_TREE_LIST && (v->n < 1 || v->n > cap)) return no(section, v, expected, e);
    for (*n = 0; c; c = v->kind == HK_TREE_LIST ? c->next : NULL) {
        if (c->kind != HK_TREE_WORD || c->quoted || !hk_number_parse(c->text, &out[*n]))
            return no(section, v, expected, e);
        ++*n;
    }
    return HK_OK;
}
