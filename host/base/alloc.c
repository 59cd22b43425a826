/* SPDX-License-Identifier: Apache-2.0 */
#include "alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

/* The size stands in the 64 bytes before each block, so that live bytes can be counted exactly. */
typedef struct header { size_t bytes; } header;

static atomic_long   fail_at;
static atomic_long   requests;
static atomic_size_t live, peak;

static void count(size_t bytes)
{
    size_t now = atomic_fetch_add(&live, bytes) + bytes;
    size_t old = atomic_load(&peak);
    while (now > old && !atomic_compare_exchange_weak(&peak, &old, now)) {}
}

static int refused(void)
{
    atomic_fetch_add(&requests, 1);
    if (atomic_load(&fail_at) == 0) return 0;
    if (atomic_load(&fail_at) == 1) return 1;
    atomic_fetch_sub(&fail_at, 1);
    return 0;
}

void *hk_alloc(size_t bytes)
{
    if (refused() || bytes > SIZE_MAX - 2 * ALIGN) return NULL;
    size_t whole = (bytes + 2 * ALIGN - 1) / ALIGN * ALIGN;
    char *p = aligned_alloc(ALIGN, whole);
    if (!p) return NULL;
    ((header *)(void *)p)->bytes = bytes;
    count(bytes);
    return p + ALIGN;
}

void *hk_alloc_zero(size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size) return NULL;
    void *p = hk_alloc(n * size);
    return p ? memset(p, 0, n * size) : NULL;
}

void *hk_regrow(void *p, size_t old_bytes, size_t bytes)
{
    void *q = hk_alloc(bytes);
    if (!q) return NULL;
    if (p) memcpy(q, p, old_bytes < bytes ? old_bytes : bytes);
    hk_free(p);
    return q;
}

char *hk_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = hk_alloc(n);
    return p ? memcpy(p, s, n) : NULL;
}

void hk_free(void *p)
{
    if (!p) return;
    char *base = (char *)p - ALIGN;
    atomic_fetch_sub(&live, ((header *)(void *)base)->bytes);
    free(base);
}

void hk_alloc_fail_at(long n) { atomic_store(&fail_at, n); }

hk_alloc_count hk_alloc_counts(void)
{
    return (hk_alloc_count){ atomic_load(&requests), atomic_load(&live), atomic_load(&peak) };
}
