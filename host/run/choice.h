/* Which form each product of a net takes: measured on this machine, or read from a file.
 *
 * A table of choices is JSON: the machine it was measured on, and one row per geometry, product and
 * operand. Every run that measured or followed one keeps it as choice.json, so that it can be resumed
 * or repeated to the same bits; a folder of such files, one per machine, is the cache.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_CHOICE_H
#define HK_CHOICE_H

#include <jansson.h>

#include "hillock_ext.h"
#include "kernel/host_kernels.h"

#define HK_CHOICE_FILE "choice.json"

typedef struct hk_choices {
    hk_choice *row;                      /* owned                                                 */
    int32_t    n;                        /* 0: the fixed table                                    */
    json_t    *head;                     /* what the file says of the machine; NULL: this one     */
} hk_choices;

typedef struct hk_choice_opts {
    const char *file;                    /* a table to follow, then nothing is measured; or NULL  */
    const char *cache;                   /* folder of tables; NULL: everything is measured        */
    void      (*note)(void *self, const char *text);     /* how far the measuring is; or NULL     */
    void       *self;
} hk_choice_opts;

/* The choices for the products of a net that these kernels would compute. With o->file, its rows that
 * belong to the net; what it lacks stays with the fixed table. Else with `tune` those of the cache,
 * and measured ones where it has none, which it then gets. Else none.
 * E_IO, E_FORMAT: o->file cannot be read; E_ARG: none of its rows belongs to the net; E_NOMEM; errors
 * of hk_engine_plan. A cache that is corrupt or cannot be written is a note. */
hk_status hk_choices_open(hk_choices *c, const hk_net_spec *spec, const hk_host_kernels_cfg *kernels,
                          bool tune, const hk_choice_opts *o, hk_error *e);
void      hk_choices_close(hk_choices *c);       /* an all-zero *c is allowed */

/* choice_file.c. Reads at most 1 MiB and 4096 rows. machine NULL: of any machine; else a table of
 * another machine than these kernels' has no rows. E_IO, E_FORMAT: the message names file, row, key. */
hk_status hk_choices_read(hk_choices *c, const char *path, const hk_host_kernels *machine,
                          hk_error *e);
/* The same of a text; path is for messages. */
hk_status hk_choices_parse(hk_choices *c, const void *text, size_t n, const char *path,
                           const hk_host_kernels *machine, hk_error *e);
/* Replaces path as a whole. */
hk_status hk_choices_write(const hk_choices *c, const char *path, const hk_host_kernels *k,
                           hk_error *e);
/* A number for processor, instructions, threads and versions: what a table is valid for. */
hk_status hk_choices_machine(const hk_host_kernels *k, uint64_t *number, hk_error *e);

enum { HK_CHOICE_ROWS = 4096 };

#endif
