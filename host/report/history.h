/* metrics.jsonl read back: the lines of a run, by kind, and columns of numbers taken from them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_HISTORY_H
#define HK_HISTORY_H

#include <jansson.h>

#include "chart.h"

typedef struct hki_history {
    json_t *run, *result;                /* one line each, the last one of its kind; NULL: none   */
    json_t *step, *epoch;                /* arrays of lines                                       */
} hki_history;

/* E_IO; E_FORMAT names the line. A half line at the end is ignored. Deinit in any case. */
hk_status hki_history_read(hki_history *h, const char *path, hk_error *e);
void      hki_history_deinit(hki_history *h);

/* Value at "a.b.c" below line, NaN when it is not a number. */
double hki_number(const json_t *line, const char *path);
/* Text at path, or otherwise. */
const char *hki_string(const json_t *line, const char *path, const char *otherwise);

/* A growing list of series. */
typedef struct hki_list {
    hki_series *at;
    int         n, cap;
    bool        failed;                  /* memory was exhausted                                  */
} hki_list;

/* Adds y(path) over "epoch" of lines; with band, path.mean between path.min and path.max. Nothing
 * is added when no line has a value. Returns the new series or NULL. */
hki_series *hki_list_add(hki_list *l, const json_t *lines, const char *name, const char *path,
                         bool band);
/* One series for each key of the object at path of the last line, coloured in its order. */
void hki_list_add_each(hki_list *l, const json_t *lines, const char *path, bool band);
void hki_list_deinit(hki_list *l);

#endif
