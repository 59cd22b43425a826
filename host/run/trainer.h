/* A training run: epochs, validation, log, checkpoints, report, in a folder.
 *
 *   recipe.yaml            resolved
 *   environment.json       where it ran
 *   choice.json            which forms its products take, if it measured or was given a table
 *   metrics.jsonl          everything measured, one line per event
 *   checkpoint/last, best  see checkpoint.h
 *   report.svg             the picture of metrics.jsonl
 *   result.json            written at the end
 *
 * The best epoch is chosen on the validation split. The test set is looked at when training is over
 * (or after each epoch, if asked), and chooses nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_TRAINER_H
#define HK_TRAINER_H

#include <jansson.h>

#include "session.h"

typedef struct hk_train_opts {
    hk_session_opts session;
    const char *out;                     /* run folder                                            */
    bool        resume;                  /* go on from checkpoint/last; begin when there is none  */
    bool        force;                   /* remove a former run that is in the way                */
    bool        test_each_epoch;
    int64_t     checkpoint_batches;      /* 0: not by batches                                     */
    double      checkpoint_seconds;      /* 0: not by time; at the end of each epoch in any case  */
    /* Called after each batch; false stops the run with a checkpoint. NULL is allowed. */
    bool      (*progress)(void *self, const hk_progress *p);
    /* One line that a person should read (health, resumption, tuning). NULL is allowed. */
    void      (*note)(void *self, const char *text);
    void       *self;
} hk_train_opts;

typedef struct hk_train_result {
    bool    stopped;                     /* progress said so; `json` is NULL then                 */
    json_t *json;                        /* what result.json holds; json_decref it                */
} hk_train_result;

/* Runs to the end, or until stopped. E_ARG: the folder holds a run and neither resume nor force is
 * set; E_NUM: the loss is not finite, the last checkpoint stays; E_IO; the errors of all parts. */
hk_status hk_train(const hk_train_opts *o, hk_train_result *out, hk_error *e);

/* Learning rate of a batch (epoch and batch from 0). First the warm-up: from warmup_start times the base
 * rate up to it, linear, taken at the end of the batch so that none has rate 0. Then the schedule,
 * taken at the start of the batch, over the epochs that remain. */
double hk_learning_rate(const hk_recipe *r, int64_t epoch, int64_t batch, int64_t batches);

#endif
