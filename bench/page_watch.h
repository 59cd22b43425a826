/* Which pages of a block of memory a piece of code reads and writes, as the processor tells: pages are
 * made inaccessible, and the first read and the first write of each is a fault that is counted. Part of
 * `hillock bench`; Linux on x86-64, one thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_PAGE_WATCH_H
#define HK_PAGE_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "hillock_core.h"

enum { HKI_PAGE = 4096 };

typedef struct hki_watch {
    char  *base;                         /* zeroed pages; NULL: nothing is open                   */
    size_t bytes;                        /* of the block                                          */
    size_t armed;                        /* of its beginning, while watched                       */
    void (*seen)(void *self, bool write);    /* from a signal handler: it only counts             */
    void  *self;
    bool   failed;                       /* the system refused to protect: not all was seen         */
} hki_watch;

/* Takes a block of so many bytes; one at a time. First tried on its own pages. seen and self are the
 * caller's to set before arming. E_UNSUP: this system does not tell, or a watch is open; E_NOMEM. */
hk_status hki_watch_open(hki_watch *w, size_t bytes, hk_error *e);

/* From now on the first read and the first write of each page in the first `bytes` is seen, once; a page
 * that is written first is not seen to be read. Arming again forgets what was seen. */
void hki_watch_arm(hki_watch *w, size_t bytes);
void hki_watch_disarm(hki_watch *w);
void hki_watch_close(hki_watch *w);      /* all zero is allowed */

#endif
