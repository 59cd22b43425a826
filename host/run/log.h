/* metrics.jsonl: one JSON object per line, only ever appended to. A killed process may leave half a
 * line; a resumed run cuts the file back to the length that its checkpoint names and goes on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_LOG_H
#define HK_LOG_H

#include <jansson.h>

#include "hillock_core.h"

typedef struct hk_log {
    int     fd;                          /* valid while path is not NULL */
    char   *path;                        /* owned                        */
    int64_t bytes;                       /* length of the file           */
} hk_log;

/* Opens path, keeping its first `keep` bytes (a shorter file is kept whole). On failure *l is
 * zero. */
hk_status hk_log_open(hk_log *l, const char *path, int64_t keep, hk_error *e);
void      hk_log_close(hk_log *l);

/* Appends one line; line is released in any case, NULL means that memory was exhausted while it was
 * built. E_IO, E_NOMEM. */
hk_status hk_log_put(hk_log *l, json_t *line, hk_error *e);

/* Waits until everything is on the device. */
hk_status hk_log_flush(hk_log *l, hk_error *e);

#endif
