/* The only file that knows the YAML library: its events become a tree.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tree.h"

#include "io/words.h"

#include <libfyaml.h>
#include <string.h>

typedef struct parse {
    hk_arena   *arena;
    const char *file;
    bool        lines;
    struct fy_diag   *diag;
    struct fy_parser *parser;
    hk_tree    *open[HK_TREE_DEPTH];     /* lists and maps not yet closed                         */
    const char *key[HK_TREE_DEPTH];      /* key waiting for its value, per open map               */
    int         key_line[HK_TREE_DEPTH], key_column[HK_TREE_DEPTH];
    int         depth, nodes, documents;
    hk_tree    *root;
} parse;

/* The library's report goes to hk_error, not to the terminal. */
static void silent(struct fy_diag *diag, void *user, const char *buf, size_t n)
{
    (void)diag, (void)user, (void)buf, (void)n;
}

static void place(const parse *p, struct fy_token *token, int *line, int *column)
{
    const struct fy_mark *m = token ? fy_token_start_mark(token) : NULL;
    if (!p->lines || !m) return;
    *line = m->line + 1;
    *column = m->column + 1;
}

static hk_status refuse(const parse *p, struct fy_token *token, hk_error *e, const char *what)
{
    hk_tree at = { .file = p->file };
    place(p, token, &at.line, &at.column);
    return hk_fail(e, HK_E_FORMAT, "%s%s", hk_tree_where(&at).text, what);
}

static hk_status put(parse *p, hk_tree *t, hk_error *e)
{
    if (p->depth == 0) {
        p->root = t;
        return HK_OK;
    }
    int d = p->depth - 1;
    hk_tree *up = p->open[d];
    if (up->kind == HK_TREE_LIST) {
        hk_tree_add(up, NULL, t);
        return HK_OK;
    }
    t->key_line = p->key_line[d];
    t->key_column = p->key_column[d];
    if (!t->line) {                                   /* an empty value stands where its key does */
        t->line = t->key_line;
        t->column = t->key_column;
    }
    HK_CHECK(e, up->n < HK_TREE_KEYS, HK_E_FORMAT, "%smore than %d keys", hk_tree_where(t).text,
             (int)HK_TREE_KEYS);
    hk_tree_add(up, p->key[d], t);
    p->key[d] = NULL;
    return HK_OK;
}

static hk_status new_node(parse *p, struct fy_token *token, hk_tree_kind kind, hk_tree **out,
                          hk_error *e)
{
    if (++p->nodes > HK_TREE_NODES) return refuse(p, token, e, "too many values");
    hk_tree *t = hk_arena_take(p->arena, sizeof *t);
    HK_CHECK(e, t, HK_E_NOMEM, "out of memory for a recipe");
    t->kind = kind;
    t->file = p->file;
    t->text = "";
    place(p, token, &t->line, &t->column);
    *out = t;
    return HK_OK;
}

/* Whether the next event is a key of a map. */
static bool wants_key(const parse *p)
{
    return p->depth && p->open[p->depth - 1]->kind == HK_TREE_MAP && !p->key[p->depth - 1];
}

static bool is_null(const char *s)
{
    return !*s || !strcmp(s, "~") || !strcmp(s, "null") || !strcmp(s, "Null") || !strcmp(s, "NULL");
}

static hk_status put_key(parse *p, struct fy_token *token, const char *text, hk_error *e)
{
    int d = p->depth - 1;
    const hk_tree *twin = hk_tree_get(p->open[d], text);
    hk_tree at = { .file = p->file };
    char shown[64];
    place(p, token, &at.line, &at.column);
    HK_CHECK(e, *text, HK_E_FORMAT, "%sa key is empty", hk_tree_where(&at).text);
    hk_printable(shown, sizeof shown, text, sizeof shown);
    HK_CHECK(e, !twin, HK_E_FORMAT, "%skey '%s' is given twice (first in line %d)",
             hk_tree_where(&at).text, shown, twin->key_line);
    p->key[d] = text;
    p->key_line[d] = at.line;
    p->key_column[d] = at.column;
    return HK_OK;
}

static hk_status on_scalar(parse *p, const struct fy_event *event, hk_error *e)
{
    struct fy_token *token = event->scalar.value;
    if (event->scalar.anchor || event->scalar.tag)
        return refuse(p, token, e, "anchors and tags are not used in recipes");
    size_t n = 0;
    const char *s = token ? fy_token_get_text(token, &n) : "";
    if (!s) s = "", n = 0;
    if (memchr(s, '\0', n)) return refuse(p, token, e, "a zero byte in a text");
    const char *text = hk_arena_text(p->arena, s, n);
    HK_CHECK(e, text, HK_E_NOMEM, "out of memory for a recipe");
    if (wants_key(p)) return put_key(p, token, text, e);
    bool quoted = token && fy_token_scalar_style(token) != FYSS_PLAIN;
    hk_tree *t = NULL;
    HK_TRY(new_node(p, token, !quoted && is_null(text) ? HK_TREE_NULL : HK_TREE_WORD, &t, e));
    t->text = text;
    t->quoted = quoted;
    return put(p, t, e);
}

static hk_status on_open(parse *p, struct fy_token *token, bool marked, hk_tree_kind kind,
                         hk_error *e)
{
    if (marked) return refuse(p, token, e, "anchors and tags are not used in recipes");
    if (wants_key(p)) return refuse(p, token, e, "a key must be a word");
    if (p->depth == HK_TREE_DEPTH) return refuse(p, token, e, "nested too deeply");
    hk_tree *t = NULL;
    HK_TRY(new_node(p, token, kind, &t, e));
    HK_TRY(put(p, t, e));
    p->key[p->depth] = NULL;
    p->open[p->depth++] = t;
    return HK_OK;
}

static hk_status on_event(parse *p, struct fy_event *event, hk_error *e)
{
    switch (event->type) {
    case FYET_SCALAR:
        return on_scalar(p, event, e);
    case FYET_ALIAS:
        return refuse(p, event->alias.anchor, e, "aliases are not used in recipes");
    case FYET_MAPPING_START:
        return on_open(p, event->mapping_start.mapping_start,
                       event->mapping_start.anchor || event->mapping_start.tag, HK_TREE_MAP, e);
    case FYET_SEQUENCE_START:
        return on_open(p, event->sequence_start.sequence_start,
                       event->sequence_start.anchor || event->sequence_start.tag, HK_TREE_LIST, e);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        if (p->depth) p->depth--;
        return HK_OK;
    case FYET_DOCUMENT_START:
        if (p->documents++) return refuse(p, NULL, e, "more than one document");
        return HK_OK;
    default:
        return HK_OK;
    }
}

/* Message, line and column of the first complaint of the library. */
static hk_status complaint(const parse *p, hk_error *e)
{
    void *iter = NULL;
    struct fy_diag_error *first = fy_diag_errors_iterate(p->diag, &iter);
    hk_tree at = { .file = p->file };
    char shown[160];
    if (first && p->lines && first->line >= 0) {
        at.line = first->line > 0 ? first->line : 1;
        at.column = first->column > 0 ? first->column : 1;
    }
    const char *what = first && first->msg ? first->msg : "not YAML";
    return hk_fail(e, HK_E_FORMAT, "%s%s", hk_tree_where(&at).text,
                   hk_printable(shown, sizeof shown, what, sizeof shown));
}

static hk_status run(parse *p, const char *text, size_t n, hk_error *e)
{
    if (fy_parser_set_string(p->parser, text, n))
        return hk_fail(e, HK_E_NOMEM, "out of memory for a recipe");
    for (bool more = true; more;) {
        struct fy_event *event = fy_parser_parse(p->parser);
        if (!event) break;
        more = event->type != FYET_STREAM_END;
        hk_status st = on_event(p, event, e);
        fy_parser_event_free(p->parser, event);
        HK_TRY(st);
    }
    if (fy_diag_got_error(p->diag) || p->depth) return complaint(p, e);
    if (p->root) return HK_OK;
    return new_node(p, NULL, HK_TREE_NULL, &p->root, e);
}

/* What the library is not shown: it loops for ever on some malformed directives (0.7.12), and a
 * recipe needs neither those nor control characters. */
static hk_status screen(const parse *p, const char *text, size_t n, hk_error *e)
{
    hk_tree at = { .file = p->file };
    int line = 1, column = 1;
    for (size_t i = 0; i < n; i++, column++) {
        const unsigned char c = (unsigned char)text[i];
        const bool control = (c < 32 && c != '\n' && c != '\r' && c != '\t') || c == 127;
        const bool directive = c == '%' && column == 1;
        if (p->lines) at.line = line, at.column = column;
        HK_CHECK(e, !control, HK_E_FORMAT, "%sbyte %d: a recipe is a text file",
                 hk_tree_where(&at).text, (int)c);
        HK_CHECK(e, !directive, HK_E_FORMAT, "%sdirectives (%%) are not used in recipes",
                 hk_tree_where(&at).text);
        if (c != '\n' && c != '\r') continue;
        line += c == '\n';
        column = 0;
    }
    return HK_OK;
}

hk_status hk_tree_parse(hk_arena *a, const char *text, size_t n, const char *file, bool lines,
                        hk_tree **out, hk_error *e)
{
    parse p = { .arena = a, .file = file, .lines = lines };
    if (n > HK_TREE_BYTES) return refuse(&p, NULL, e, "longer than a recipe may be (1 MiB)");
    HK_TRY(screen(&p, text, n, e));
    struct fy_diag_cfg diag;
    fy_diag_cfg_default(&diag);
    diag.fp = NULL;
    diag.output_fn = silent;
    diag.colorize = false;
    p.diag = fy_diag_create(&diag);
    HK_CHECK(e, p.diag, HK_E_NOMEM, "out of memory for a recipe");
    fy_diag_set_collect_errors(p.diag, true);
    struct fy_parse_cfg cfg = { .search_path = "", .diag = p.diag,
                                .flags = FYPCF_JSON_NONE | FYPCF_SLOPPY_FLOW_INDENTATION };
    p.parser = fy_parser_create(&cfg);
    hk_status st = p.parser ? run(&p, text, n, e)
                            : hk_fail(e, HK_E_NOMEM, "out of memory for a recipe");
    if (p.parser) fy_parser_destroy(p.parser);
    fy_diag_destroy(p.diag);
    if (st == HK_OK) *out = p.root;
    return st;
}
