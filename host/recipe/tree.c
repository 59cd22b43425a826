/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

#include "io/words.h"

#include <string.h>

static hk_where where(const char *file, int line, int column)
{
    hk_where w;
    char shown[128];
    size_t n = strlen(file);
    const char *tail = n < sizeof shown ? file : file + n - sizeof shown + 4;
    hk_printable(shown, sizeof shown, tail, sizeof shown);
    const char *cut = tail == file ? "" : "...";
    if (line) hk_format(w.text, sizeof w.text, "%s%s:%d:%d: ", cut, shown, line, column);
    else hk_format(w.text, sizeof w.text, "%s%s: ", cut, shown);
    return w;
}

hk_where hk_tree_where(const hk_tree *t) { return where(t->file, t->line, t->column); }

hk_where hk_tree_where_key(const hk_tree *t)
{
    return where(t->file, t->key ? t->key_line : t->line, t->key ? t->key_column : t->column);
}

hk_tree *hk_tree_get(const hk_tree *t, const char *key)
{
    if (!t || t->kind != HK_TREE_MAP) return NULL;
    for (hk_tree *c = t->first; c; c = c->next)
        if (strcmp(c->key, key) == 0) return c;
    return NULL;
}

void hk_tree_add(hk_tree *t, const char *key, hk_tree *child)
{
    child->key = key;
    child->next = NULL;
    if (t->last) t->last->next = child;
    else t->first = child;
    t->last = child;
    t->n++;
}

const char *hk_tree_found(const hk_tree *t, char *out, size_t cap)
{
    char shown[64];
    switch (t->kind) {
    case HK_TREE_NULL: return "nothing";
    case HK_TREE_LIST: return "a list";
    case HK_TREE_MAP:  return "a map of keys";
    case HK_TREE_WORD: break;
    }
    hk_printable(shown, sizeof shown, t->text, sizeof shown);
    hk_format(out, cap, "%s'%s'", t->quoted ? "the text " : "", shown);
    return out;
}

hk_status hk_tree_named(hk_arena *a, hk_tree *t, hk_error *e)
{
    if (t->kind != HK_TREE_WORD) return HK_OK;
    hk_tree *word = hk_arena_take(a, sizeof *word);
    HK_CHECK(e, word, HK_E_NOMEM, "out of memory for a recipe");
    *word = *t;
    word->key_line = t->line;
    word->key_column = t->column;
    t->kind = HK_TREE_MAP;
    t->first = t->last = NULL;
    t->n = 0;
    hk_tree_add(t, "name", word);
    return HK_OK;
}

/* ---- assignments ----------------------------------------------------------------------------- */

static hk_tree *in_list(const hk_tree *list, const char *part)
{
    int number = 0, i = 0;
    const char *p = part;
    for (; *p >= '0' && *p <= '9' && number < HK_TREE_NODES; p++) number = 10 * number + (*p - '0');
    for (hk_tree *c = list->first; c; c = c->next, i++) {
        const hk_tree *name = hk_tree_get(c, "name");
        if (!*p && i == number) return c;
        if (name && name->kind == HK_TREE_WORD && strcmp(name->text, part) == 0) return c;
    }
    return NULL;
}

/* The entry `part` of t, made when it is missing; t becomes a map unless it is a list. */
static hk_status enter(hk_arena *a, hk_tree *t, const char *part, hk_tree **out, const char *set,
                       hk_error *e)
{
    HK_TRY(hk_tree_named(a, t, e));
    if (t->kind == HK_TREE_LIST) {
        *out = in_list(t, part);
        HK_CHECK(e, *out, HK_E_ARG, "--set %s: no entry '%s' in a list of %d", set, part, t->n);
        return HK_OK;
    }
    t->kind = HK_TREE_MAP;
    *out = hk_tree_get(t, part);
    if (*out) return HK_OK;
    HK_CHECK(e, t->n < HK_TREE_KEYS, HK_E_ARG, "--set %s: too many keys", set);
    *out = hk_arena_take(a, sizeof **out);
    HK_CHECK(e, *out, HK_E_NOMEM, "out of memory for a recipe");
    (*out)->text = "";
    (*out)->file = t->file;
    hk_tree_add(t, part, *out);
    return HK_OK;
}

/* Replaces the value of t, keeping its place in the map. */
static void replace(hk_tree *t, const hk_tree *value)
{
    hk_tree *next = t->next;
    const char *key = t->key;
    *t = *value;
    t->key = key;
    t->next = next;
    t->key_line = t->key_column = 0;
}

/* `>` and `>=` would begin a folded text in YAML; here they are words. */
static hk_status value_of(hk_arena *a, const char *text, const char *file, hk_tree **out,
                          hk_error *e)
{
    if (*text != '>') return hk_tree_parse(a, text, strlen(text), file, false, out, e);
    hk_tree *t = hk_arena_take(a, sizeof *t);
    char *copy = hk_arena_text(a, text, strlen(text));
    HK_CHECK(e, t && copy, HK_E_NOMEM, "out of memory for a recipe");
    *t = (hk_tree){ .kind = HK_TREE_WORD, .quoted = true, .file = file, .text = copy };
    *out = t;
    return HK_OK;
}

hk_status hk_tree_set(hk_arena *a, hk_tree *root, const char *assignment, hk_error *e)
{
    enum { PREFIX = 6 };                                           /* "--set " */
    char shown[96];
    hk_printable(shown, sizeof shown, assignment, sizeof shown);
    const char *equal = strchr(assignment, '=');
    HK_CHECK(e, equal && equal > assignment, HK_E_ARG,
             "--set %s: expected section.key=value", shown);
    size_t n = strlen(assignment);
    HK_CHECK(e, n < HK_TREE_BYTES, HK_E_ARG, "--set: longer than %d bytes", (int)HK_TREE_BYTES);
    char *file = hk_arena_take(a, PREFIX + n + 1);
    char *path = hk_arena_text(a, assignment, (size_t)(equal - assignment));
    HK_CHECK(e, file && path, HK_E_NOMEM, "out of memory for a recipe");
    memcpy(file, "--set ", PREFIX);
    memcpy(file + PREFIX, assignment, n);

    hk_tree *value, *t = root;
    HK_TRY(value_of(a, equal + 1, file, &value, e));
    int depth = 0;
    for (char *part = path, *dot; part; part = dot) {
        dot = strchr(part, '.');
        if (dot) *dot++ = '\0';
        HK_CHECK(e, *part && ++depth <= HK_TREE_DEPTH, HK_E_ARG,
                 "--set %s: expected section.key=value", shown);
        HK_TRY(enter(a, t, part, &t, shown, e));
    }
    replace(t, value);
    return HK_OK;
}
