/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include "base/alloc.h"

#include <stdint.h>
#include <string.h>

enum { ALIGN = 16, BLOCK = 16 * 1024 };

typedef struct hk_arena_block {
    struct hk_arena_block *before;
    size_t used, size;           /* bytes behind this header, whose size is a multiple of ALIGN */
    size_t pad;
} block;

static block *grow(hk_arena *a, size_t bytes)
{
    size_t size = bytes > BLOCK ? bytes : BLOCK;
    block *b = hk_alloc(sizeof *b + size);
    if (!b) return NULL;
    *b = (block){ a->last, 0, size, 0 };
    a->last = b;
    return b;
}

void *hk_arena_take(hk_arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 2) return NULL;
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    block *b = a->last;
    if (!b || b->size - b->used < bytes) b = grow(a, bytes);
    if (!b) return NULL;
    void *p = (char *)(b + 1) + b->used;
    b->used += bytes;
    return memset(p, 0, bytes);
}

char *hk_arena_text(hk_arena *a, const char *s, size_t n)
{
    char *p = n < SIZE_MAX / 2 ? hk_arena_take(a, n + 1) : NULL;
    if (p && n) memcpy(p, s, n);
    return p;
}

void hk_arena_free(hk_arena *a)
{
    for (block *b = a->last; b;) {
        block *before = b->before;
        hk_free(b);
        b = before;
    }
    a->last = NULL;
}
