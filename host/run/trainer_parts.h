/* Inside the trainer: its state, and what it writes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_TRAINER_PARTS_H
#define HK_TRAINER_PARTS_H

#include "checkpoint.h"
#include "folder.h"
#include "health.h"
#include "log.h"
#include "trainer.h"

typedef struct hki_trainer {
    const hk_train_opts *o;
    hk_session_opts open;                /* o->session, and which choices to follow               */
    bool        goes_on;                 /* from a checkpoint that the folder holds               */
    hk_session  s;
    hk_position at;
    hk_log      log;
    hk_health   health;
    hk_stats    val, test;
    hk_split    pass;                    /* what progress reports                                 */
    int64_t     batches;                 /* of a training epoch                                   */
    double      begun, before;           /* start of this sitting; seconds of earlier ones        */
    double      saved;                   /* time of the last checkpoint                           */
    int64_t     here;                    /* training batches of this sitting                      */
    double      pass_seconds;            /* they took                                             */
    char        last[HK_PATH], best[HK_PATH], report[HK_PATH], result[HK_PATH], choice[HK_PATH];
} hki_trainer;

/* trainer_folder.c: the paths, and which choices the run follows: when it goes on, those of its folder. */
hk_status hki_run_find(hki_trainer *t, hk_error *e);
/* Makes or checks the run folder, opens the log, loads the checkpoint. */
hk_status hki_run_open(hki_trainer *t, hk_error *e);
/* Both checkpoints and the picture; sums of t->at are as they shall be found. */
hk_status hki_run_save(hki_trainer *t, const char *folder, hk_error *e);
hk_status hki_run_result(hki_trainer *t, json_t *result, hk_error *e);

/* trainer_recipe.c: the hash of the recipe that the folder's checkpoint has to name. */
hk_status hki_run_recipe(const hki_trainer *t, uint64_t *expected, hk_error *e);

/* trainer_log.c: lines of metrics.jsonl. */
hk_status hki_log_run(hki_trainer *t, hk_error *e);
hk_status hki_log_step(hki_trainer *t, double lr, hk_error *e);
/* have: which of val and test were measured. */
hk_status hki_log_epoch(hki_trainer *t, const bool have[HK_SPLITS], double lr, hk_error *e);

#endif
