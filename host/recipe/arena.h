/* Memory of a recipe: many small pieces, released together.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_ARENA_H
#define HK_ARENA_H

#include <stddef.h>

typedef struct hk_arena { struct hk_arena_block *last; } hk_arena;   /* {0} is empty */

/* Zeroed, 16-byte aligned; NULL when memory is exhausted. */
void *hk_arena_take(hk_arena *a, size_t bytes);
/* Copies n bytes and a terminating zero. */
char *hk_arena_text(hk_arena *a, const char *s, size_t n);
void  hk_arena_free(hk_arena *a);

#endif
