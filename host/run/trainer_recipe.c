/* Which recipe a checkpoint may name.
 *
 * A checkpoint names its recipe by a hash of the text that hk_session hashes. A build that knows more
 * keys prints a longer text of the same recipe, and would refuse the checkpoints of an older one. So
 * the folder's recipe.yaml is asked: if it says today what the recipe at hand says, then the hash of
 * the file itself, as the older build wrote it, is the one to expect. Whoever changed the file has
 * changed that hash, too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "base/alloc.h"
#include "io/file.h"
#include "trainer_parts.h"

/* In section train: the number of key becomes this digit, as hk_session puts it aside. */
static void put_aside(char *text, const char *key, char digit)
{
    char *section = strstr(text, "\ntrain:\n"), *at = section ? strstr(section, key) : NULL;
    if (!at) return;
    at += strlen(key);
    *at++ = digit;
    char *end = at + strspn(at, "0123456789");
    memmove(at, end, strlen(end) + 1);
}

static bool same_today(const hki_trainer *t, const char *path)
{
    const hk_session_opts o = { .recipe = path, .learn = true };
    uint64_t hash;
    return hk_session_hash(&o, &t->s.recipe.data, &hash, NULL) == HK_OK &&
           hash == t->s.recipe_hash;
}

hk_status hki_run_recipe(const hki_trainer *t, uint64_t *expected, hk_error *e)
{
    char path[HK_PATH];
    void *text;
    size_t n;
    *expected = t->s.recipe_hash;
    HK_TRY(hk_run_path(t->o->out, "recipe.yaml", "", path, e));
    if (!hk_file_exists(path) || !same_today(t, path)) return HK_OK;
    HK_TRY(hk_file_read(path, 0, &text, &n, e));
    put_aside(text, "\n  epochs: ", '1');
    put_aside(text, "\n  threads: ", '0');
    *expected = hk_hash(HK_HASH, text, strlen(text));
    hk_free(text);
    return HK_OK;
}
