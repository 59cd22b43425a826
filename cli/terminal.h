/* Progress for people: one line that is overwritten on a terminal, plain lines elsewhere.
 * Everything goes to stderr.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_TERMINAL_H
#define HK_TERMINAL_H

#include "run/trainer.h"

typedef struct hk_terminal {
    bool   quiet, live, color;           /* live: stderr is a terminal                            */
    double shown;                        /* time of the last update                               */
    int    width;                        /* characters of the line that stands there              */
} hk_terminal;

void hk_terminal_init(hk_terminal *t, bool quiet);
/* Shows p, behind `head` if it is not NULL: at most ten times a second on a terminal, otherwise at the end of each pass and every
 * ten seconds. */
void hk_terminal_progress(hk_terminal *t, const char *head, const hk_progress *p);
/* A line of its own above the progress. */
void hk_terminal_note(hk_terminal *t, const char *text);
/* Removes the progress line. */
void hk_terminal_clear(hk_terminal *t);

#endif
