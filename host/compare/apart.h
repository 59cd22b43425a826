/* A training in a process of its own, which says over a pipe how far it is: `hillock train` started
 * with --tell FD. Its address space is fresh, so its resident peak is that of a run by hand.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_COMPARE_APART_H
#define HK_COMPARE_APART_H

#include <sys/types.h>

#include "run/trainer.h"

typedef enum hki_word { HKI_SAYS_PROGRESS, HKI_SAYS_NOTE, HKI_SAYS_END } hki_word;

typedef struct hki_message {
    hki_word    word;
    hk_progress progress;
    bool        stopped;                 /* END: at a checkpoint, because it was told to          */
    hk_error    error;                   /* END: code HK_OK or why it failed; NOTE: the text      */
} hki_message;

/* ---- the parent's side ---------------------------------------------------------------------- */

typedef struct hki_child {
    pid_t  pid;                          /* 0: none                                               */
    int    fd;                           /* read end, does not block                              */
    int    row;
    double seconds, seconds_left;        /* of its run, as last heard                             */
    bool   ended;                        /* END was heard                                         */
} hki_child;

/* Starts `program train ...` for o's recipe, assignments, threads and folder, resuming what is
 * there. The child dies with its parent. */
hk_status hki_child_start(hki_child *c, const char *program, const hk_train_opts *o, int row,
                          hk_error *e);
/* The next message; false when none is waiting. */
bool hki_child_hear(hki_child *c, hki_message *out);
/* Asks it to stop at a checkpoint. */
void hki_child_stop(const hki_child *c);
/* Waits for its end; returns the status of waitpid. */
int  hki_child_end(hki_child *c);

/* ---- the child's side ----------------------------------------------------------------------- */

/* Trains with o (its callbacks are replaced) and says everything into fd; `stopped` is asked
 * after each batch. */
void hki_train_apart(const hk_train_opts *o, int fd, bool (*stopped)(void));

#endif
