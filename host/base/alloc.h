/* The one door to the heap for everything in host/, so that tests can make the N-th request fail.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_ALLOC_H
#define HK_ALLOC_H

#include <stddef.h>

/* 64-byte aligned; NULL when memory is exhausted or bytes overflows. Zero bytes give a valid block. */
void *hk_alloc(size_t bytes);
void *hk_alloc_zero(size_t count, size_t size);
/* Like realloc, keeping 64-byte alignment; old_bytes is the size the block has now. On failure the
 * old block stays valid and NULL is returned. */
void *hk_regrow(void *p, size_t old_bytes, size_t bytes);
char *hk_strdup(const char *s);
void  hk_free(void *p);                       /* NULL is allowed */

/* Tests: the n-th request from now on fails, and every later one (n >= 1); 0 switches it off. */
void hk_alloc_fail_at(long n);
/* Requests since the program began, and bytes alive now and at most. */
typedef struct hk_alloc_count { long requests; size_t live, peak; } hk_alloc_count;
hk_alloc_count hk_alloc_counts(void);

#endif
