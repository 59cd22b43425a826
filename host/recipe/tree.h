/* A recipe as written: maps, lists and words, each with the place it came from, so that every later
 * message can name it. YAML 1.2 without anchors, aliases and tags; JSON is a subset.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_TREE_H
#define HK_TREE_H

#include "arena.h"
#include "hillock_core.h"

/* Bounds that no honest recipe meets and that keep a hostile one cheap. */
enum { HK_TREE_BYTES = 1 << 20, HK_TREE_NODES = 1 << 16, HK_TREE_DEPTH = 16, HK_TREE_KEYS = 256 };

typedef enum hk_tree_kind { HK_TREE_NULL, HK_TREE_WORD, HK_TREE_LIST, HK_TREE_MAP } hk_tree_kind;

typedef struct hk_tree {
    hk_tree_kind    kind;
    bool            quoted;      /* a word in quotes is never a number, a truth value or null     */
    const char     *file;        /* file name, or "--set a.b=c"                                   */
    int             line, column;            /* of the value, from 1; 0: file says it all         */
    int             key_line, key_column;
    const char     *key;         /* of this entry in its map, or NULL                             */
    const char     *text;        /* a word's text; never NULL                                     */
    int             n;           /* children                                                      */
    struct hk_tree *first, *last, *next;
} hk_tree;

/* Where a value or its key stands, as the beginning of a message: "a.yaml:3:7: ". */
typedef struct hk_where { char text[192]; } hk_where;
hk_where hk_tree_where(const hk_tree *t);
hk_where hk_tree_where_key(const hk_tree *t);

/* Parses n bytes. file begins every message and must live as long as the arena; from where on lines
 * are counted is the caller's: with lines false only the file is named. An empty document is null.
 * E_FORMAT: file, line, column; E_NOMEM. */
hk_status hk_tree_parse(hk_arena *a, const char *text, size_t n, const char *file, bool lines,
                        hk_tree **out, hk_error *e);

/* Entry of a map; NULL when t is no map or has no such key. */
hk_tree *hk_tree_get(const hk_tree *t, const char *key);
/* Appends child to a list, or under key to a map. */
void     hk_tree_add(hk_tree *t, const char *key, hk_tree *child);

/* "a.b.c=value", the value YAML: replaces or inserts. Missing maps are made, a word on the way
 * becomes {name: word}, and a component that meets a list is a position from 0 or the `name` of
 * an entry. E_ARG: no '=', no such entry; E_FORMAT: the value. The assignment is copied. */
hk_status hk_tree_set(hk_arena *a, hk_tree *root, const char *assignment, hk_error *e);

/* Turns a word w into the map {name: w}, so that `rule: stop` is short for `rule: {name: stop}`. */
hk_status hk_tree_named(hk_arena *a, hk_tree *t, hk_error *e);

/* What a value is, for messages: "a list", "nothing", "'0.1'". */
const char *hk_tree_found(const hk_tree *t, char *out, size_t cap);

#endif
