/* Inside a comparison: variants, rows, and what stands in their folders.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_COMPARE_PARTS_H
#define HK_COMPARE_PARTS_H

#include "apart.h"
#include "compare.h"
#include "recipe/arena.h"
#include "run/folder.h"

/* A recipe as it would be trained, but without the memory of its net. */
typedef struct hki_blueprint {
    hk_recipe recipe;
    hk_engine engine;                    /* planned; all zero when refused                        */
    int32_t   seed;
    char     *text;                      /* the training it says, hk_alloc'ed; "" when refused    */
    hk_error  refused;                   /* code HK_OK, or why net or rule do not go together     */
} hki_blueprint;

/* From a file, or from a text when it is not NULL. Deinit after success only. */
hk_status hki_blueprint_open(hki_blueprint *b, const char *path, const char *text,
                             const char *const *set, int n_set, hk_error *e);
void      hki_blueprint_close(hki_blueprint *b);

typedef struct hki_variant {
    const char  *name, *folder;          /* folder: name in small letters, without odd characters */
    const char **set;                    /* [n_set] with those for all; one place more for a seed */
    int          n_set;
    char        *text;                   /* of its blueprint                                      */
    size_t       planned;
    bool         validation;             /* the best epoch is chosen on a validation split        */
    int32_t      epochs;
    hk_error     refused;
} hki_variant;

typedef enum hki_state { HKI_OPEN, HKI_CUT, HKI_RUNNING, HKI_DONE, HKI_FAILED } hki_state;

typedef struct hki_row {
    int       variant;
    int32_t   seed;
    hki_state state;
    json_t   *run;                       /* what was measured, when it is done                    */
    hk_error  why;                       /* when it failed                                        */
} hki_row;

typedef struct hki_comparison {
    const hk_compare_opts *o;
    hk_arena     arena;
    hki_variant *variant;
    int          n_variant;
    hki_row     *row;                    /* [seeds][n_variant]                                    */
    int          n_row;
    hki_child    child[HK_COMPARE_JOBS];
    hk_compare_progress progress;
    bool         stopped;
} hki_comparison;

/* variants.c: cuts text in place at separators that stand outside of brackets and quotes.
 * Returns the number of parts, -1: more than cap, -2: a bracket or quote is not closed. Blanks
 * do not make empty parts. */
int hki_split(char *text, char separator, char **out, int cap);
/* Fills variant, all but what a blueprint says. */
hk_status hki_variants_make(hki_comparison *c, hk_error *e);

/* rows.c: path of a row's folder, or of a file in it. */
hk_status hki_row_path(const hki_comparison *c, const hki_row *r, const char *name, char *out,
                       hk_error *e);
/* Looks into the folder: state and run. E_ARG: another run stands there. */
hk_status hki_row_look(const hki_comparison *c, hki_row *r, hk_error *e);

/* run.c: trains what is open until all is done or progress says stop. */
hk_status hki_run_rows(hki_comparison *c, hk_error *e);

/* summary.c: the whole as JSON, from variants and rows; NULL when memory is exhausted. */
json_t *hki_summary(const hki_comparison *c);
/* E_ARG: a summary read from a folder holds variants or seeds that c has not, or other ones. */
hk_status hki_summary_fits(const hki_comparison *c, const json_t *held, hk_error *e);

/* markdown.c, picture.c: from a summary; hk_alloc'ed. */
hk_status hki_markdown(const json_t *summary, char **out, hk_error *e);
hk_status hki_picture(const json_t *summary, const char *path, hk_error *e);

/* compare.c: writes compare.json, .md and .svg. json and markdown may be NULL, else the caller
 * owns. */
hk_status hki_compare_write(const hki_comparison *c, json_t **json, char **markdown, hk_error *e);

#endif
