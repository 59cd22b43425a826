/* From a map of keys to configuration structs, by their tables.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_KEYS_H
#define HK_KEYS_H

#include "tree.h"

/* A table and the struct that it describes. */
typedef struct hk_target {
    const hk_info *info;
    void          *cfg;
} hk_target;

/* What a section may hold: the fields of its targets (earlier ones win), and other keys that the
 * caller reads itself. */
typedef struct hk_keys {
    const char        *section;          /* for messages: "optim.schedule"      */
    const hk_target   *target;
    int                n_target;
    const char *const *other;
    int                n_other;
} hk_keys;

/* Reads every key of map (NULL and null: none) into its target. Fields without a key keep what they
 * hold. E_ARG, with the place: unknown key and the nearest known one; wrong type or range with
 * section, key, expected and found. */
hk_status hk_keys_read(const hk_keys *k, const hk_tree *map, hk_error *e);

/* A field whose default is outside its range has none: the key must be there. E_ARG names it. */
hk_status hk_keys_required(const hk_keys *k, const hk_tree *map, const hk_where *where,
                           hk_error *e);

/* One value. */
hk_status hk_key_set(const char *section, const hk_info *info, const hk_field *f, void *cfg,
                     const hk_tree *value, hk_error *e);

/* Single values that no table describes. */
hk_status hk_key_word(const char *section, const hk_tree *value, const char **out, hk_error *e);
hk_status hk_key_whole(const char *section, const hk_tree *value, double lo, double hi,
                       int32_t *out, hk_error *e);
/* A list of 1..cap numbers, or one number alone. */
hk_status hk_key_numbers(const char *section, const hk_tree *value, int cap, double *out, int *n,
                         hk_error *e);

/* What a field expects, in words: "a whole number from 1 to 64", "true or false", "ge or gt". */
const char *hk_key_expected(const hk_field *f, char *out, size_t cap);

/* Whether a word needs no quotes: YAML would read it as this word and nothing else. */
bool hk_key_plain(const char *word);

/* A field as recipes write it: `0.5`, `true`, `">="`, `null`. */
const char *hk_key_print(const hk_field *f, const void *cfg, char *out, size_t cap);

#endif
