/* A run that an older build began: its recipe lacks keys that came later.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run_test.h"

enum { ROOM = 1 << 16 };

/* Replaces the first `old` in a file; what it then holds goes to out[ROOM]. */
static void edit(const char *folder, const char *name, const char *old, const char *new, char *out)
{
    size_t n;
    char path[HK_PATH];
    hk_error e;
    char *text = slurp(folder, name, &n);
    assert_true(n + strlen(new) < ROOM);
    memcpy(out, text, n);
    out[n] = 0;
    hk_free(text);
    char *at = strstr(out, old);
    if (!at) fail_msg("'%s' is not in %s", old, name);
    memmove(at + strlen(new), at + strlen(old), strlen(at + strlen(old)) + 1);
    memcpy(at, new, strlen(new));
    good(hk_run_path(folder, name, "", path, &e), &e);
    good(hk_file_write(path, out, strlen(out), &e), &e);
}

/* Makes the folder one of a build that did not know train.shards: the key is not in its recipe, and
 * the checkpoint names the text without it. */
static void make_older(const char *folder)
{
    static char text[ROOM];
    static const char key[] = "\"recipe\": \"";
    char named[sizeof key + 16], older[sizeof key + 16];
    size_t n;
    char *manifest = slurp(folder, "checkpoint/last/manifest.json", &n), *at = strstr(manifest, key);
    assert_non_null(at);
    memcpy(named, at, sizeof named - 1);
    named[sizeof named - 1] = 0;
    hk_free(manifest);

    edit(folder, "recipe.yaml", "  shards: 16\n", "", text);
    char *epochs = strstr(strstr(text, "\ntrain:\n"), "\n  epochs: 2");
    assert_non_null(epochs);
    epochs[11] = '1';
    const uint64_t h = hk_hash(HK_HASH, text, strlen(text));
    snprintf(older, sizeof older, "%s%016llx", key, (unsigned long long)h);
    edit(folder, "checkpoint/last/manifest.json", named, older, text);
}

static void begin(const char *folder, hk_train_opts *o)
{
    remove_run(folder);
    *o = options(folder);
    stop_after(o, 30);
    o->resume = true;
    make_older(folder);
}

static void it_goes_on(void **state)
{
    hk_train_opts whole = options("newer"), o;
    (void)state;
    remove_run("newer");
    train(&whole);
    begin("older", &o);
    train(&o);
    same_run("newer", "older");
}

static void a_changed_recipe_is_refused(void **state)
{
    static char text[ROOM];
    hk_train_opts o;
    hk_train_result r;
    hk_error e;
    (void)state;
    begin("changed", &o);
    edit("changed", "recipe.yaml", "  lr: 0.005\n", "  lr: 0.006\n", text);
    bad(hk_train(&o, &r, &e), HK_E_FORMAT, &e, "another recipe");
    o.session.recipe = "changed/recipe.yaml";              /* not even with itself */
    bad(hk_train(&o, &r, &e), HK_E_FORMAT, &e, "another recipe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_on),
        cmocka_unit_test(a_changed_recipe_is_refused),
    };
    write_recipe();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
