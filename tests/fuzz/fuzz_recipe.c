/* Any bytes as a recipe: no crash, and what is accepted prints to what is accepted again.
 *
 * The input is the text, or, up to its first zero byte, an assignment of --set and behind it the
 * text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/alloc.h"
#include "recipe/recipe.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses 4 KiB on a quoted word with some fifty escapes. */
const char *__lsan_default_suppressions(void) { return "leak:libfyaml"; }

static void print_again(hk_recipe *r)
{
    hk_error e;
    hk_recipe again;
    char *once = NULL, *twice = NULL;
    if (hk_recipe_print(r, &once, &e)) return;
    if (hk_recipe_parse(&again, once, strlen(once), "again", NULL, 0, &e)) abort();
    if (hk_recipe_print(&again, &twice, &e) || strcmp(once, twice)) abort();
    hk_recipe_free(&again);
    hk_free(once);
    hk_free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const uint8_t *zero = n ? memchr(data, 0, n) : NULL;
    const char *set = zero ? (const char *)data : NULL;
    const char *text = zero ? (const char *)zero + 1 : (const char *)data;
    const size_t length = n - (size_t)(text - (const char *)data);
    hk_recipe r;
    hk_error e;
    if (n > 65536 || hk_recipe_parse(&r, n ? text : "", length, "fuzz", &set, set != NULL, &e))
        return 0;
    print_again(&r);
    const hk_shape s = r.data.shape;
    if (s.c && (int64_t)s.h * s.w * s.c <= 1 << 16)
        (void)hk_recipe_shape(&r, s, r.data.classes, &e);
    hk_recipe_free(&r);
    return 0;
}
