/* Several trainings side by side: variants of one recipe, each with the same seeds, and a table.
 *
 *   OUT/VARIANT-sSEED/     a run folder (trainer.h) for every row, trained in a process of its own,
 *                          so that its resident peak is its own
 *   OUT/compare.json       everything measured, rewritten whenever a row is done
 *   OUT/compare.md, .svg   the table and the picture of it
 *   OUT/compare.lock       held while a comparison is at work
 *
 * Every variant is trained once before the next seed begins. A row whose folder holds a finished
 * run is not trained again, whoever made it, and one that was cut off goes on, if the folder's recipe
 * says the same training: the same resolved recipe apart from data.path, train.threads and rates of
 * thresholds or leaks that the rule does not learn. Otherwise the comparison is refused before
 * anything runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_COMPARE_H
#define HK_COMPARE_H

#include <jansson.h>

#include "run/trainer.h"

enum { HK_COMPARE_VARIANTS = 256, HK_COMPARE_AXES = 8, HK_COMPARE_SEEDS = 1000,
       HK_COMPARE_JOBS = 64 };

typedef struct hk_compare_progress {
    int         row, rows;               /* the row that moved last, from 1; all of them          */
    const char *variant;
    int32_t     seed;
    hk_progress run;                     /* batches 0: nothing new has been heard                 */
    double      seconds_left;            /* of the whole comparison; 0: not known yet             */
} hk_compare_progress;

typedef struct hk_compare_opts {
    const char        *program;          /* the command `hillock`, which trains the rows          */
    const char        *recipe;
    const char *const *set;              /* assignments for every variant                         */
    int                n_set;
    const char *const *vary;             /* "KEY=VALUE,VALUE": an axis; all are multiplied        */
    int                n_vary;
    const char *const *variant;          /* "NAME=KEY=VALUE KEY=VALUE": together one axis         */
    int                n_variant;
    int32_t            seeds;            /* 1..seeds                                              */
    int32_t            threads;          /* of each process; 0: as the recipe says                */
    int32_t            jobs;             /* processes at a time                                   */
    const char        *out;
    bool               table_only;       /* train nothing, make the table of what is there        */
    /* Called at least every fifth of a second; false stops all runs with a checkpoint. */
    bool             (*progress)(void *self, const hk_compare_progress *p);
    void             (*note)(void *self, const char *text);      /* NULL is allowed */
    void              *self;
} hk_compare_opts;

typedef struct hk_compare_result {
    bool    stopped;                     /* progress said so; the same call goes on               */
    int     done, failed, rows;          /* failed: refused or ended with an error                */
    json_t *json;                        /* what compare.json holds; json_decref it               */
    char   *markdown;                    /* what compare.md holds; hk_free it                     */
} hk_compare_result;

/* A variant that the net or the rule refuses, and a run that fails, is a row with its reason;
 * the others go on. E_ARG: a key that no table knows, two variants that are the same training, a
 * folder of another comparison or with another run; nothing has been trained then. */
hk_status hk_compare(const hk_compare_opts *o, hk_compare_result *out, hk_error *e);

#endif
