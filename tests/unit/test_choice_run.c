/* Runs that follow a table of choices: files read and refused, the cache, and runs that are resumed or
 * repeated to the same bits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run_test.h"

#include "run/choice.h"

/* ---- what was said ----------------------------------------------------------------------------- */

static char said[8192];

static void note(void *self, const char *text)
{
    (void)self;
    const size_t n = strlen(said);
    snprintf(said + n, sizeof said - n, "%s\n", text);
}

static hk_train_opts noted(const char *out)
{
    hk_train_opts o = options(out);
    o.note = note;
    said[0] = '\0';
    return o;
}

static void says(const char *word)
{
    if (!strstr(said, word)) fail_msg("'%s' is not in: %s", word, said);
}

static bool said_nothing_of(const char *word) { return strstr(said, word) == NULL; }

static void put(const char *path, const void *text, size_t n)
{
    hk_error e;
    good(hk_file_write(path, text, n, &e), &e);
}

/* ---- files ------------------------------------------------------------------------------------- */

/* The products of the test recipe: 64 inputs to 24, 24 to 10, in an order of their own. What they take
 * differs from the fixed table in forms and in ways. */
static const char table[] =
    "{\"format\": \"hillock choices 1\", \"rows\": [\n"
    "{\"batch\": 64, \"map\": [8, 8, 1], \"out\": 24, \"kernel\": [8, 8], \"stride\": [1, 1],"
    " \"padding\": [0, 0], \"product\": \"weights\", \"operand\": \"floats\", \"form\": \"ref\","
    " \"events_below\": 0},\n"
    "{\"batch\": 64, \"map\": [1, 1, 24], \"out\": 10, \"kernel\": [1, 1], \"stride\": [1, 1],"
    " \"padding\": [0, 0], \"product\": \"input\", \"operand\": \"floats\", \"form\": \"ref\","
    " \"events_below\": 0.125},\n"
    "{\"batch\": 64, \"map\": [8, 8, 1], \"out\": 24, \"kernel\": [8, 8], \"stride\": [1, 1],"
    " \"padding\": [0, 0], \"product\": \"forward\", \"operand\": \"bits\", \"form\": \"ref\","
    " \"events_below\": 0.00999999978}]}\n";

static void files(void **state)
{
    hk_choices a, b;
    hk_host_kernels k;
    hk_error e;
    (void)state;
    good(hk_host_kernels_open(&k, NULL, &e), &e);
    put("a.json", table, sizeof table - 1);
    good(hk_choices_read(&a, "a.json", NULL, &e), &e);
    assert_int_equal(a.n, 3);
    assert_int_equal(a.row[0].product, HK_BACKWARD_WEIGHT);
    assert_int_equal(a.row[0].g.ho, 1);
    assert_int_equal(a.row[1].form, HK_BY_REF);
    assert_int_equal(a.row[2].kind, HK_BITS);
    good(hk_choices_write(&a, "b.json", &k, &e), &e);
    good(hk_choices_read(&b, "b.json", NULL, &e), &e);
    assert_int_equal(b.n, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(hk_choice_same(&a.row[i], &b.row[i]));
        assert_int_equal(a.row[i].form, b.row[i].form);
        assert_memory_equal(&a.row[i].below, &b.row[i].below, sizeof(float));
    }
    hk_choices_close(&b);
    /* It does not say that it is this machine's. */
    good(hk_choices_read(&b, "b.json", &k, &e), &e);
    assert_int_equal(b.n, 0);
    hk_choices_close(&b);
    json_decref(a.head);
    a.head = NULL;
    good(hk_choices_write(&a, "b.json", &k, &e), &e);
    good(hk_choices_read(&b, "b.json", &k, &e), &e);
    assert_int_equal(b.n, 3);
    hk_choices_close(&b);
    hk_choices_close(&a);
    hk_host_kernels_close(&k);
}

/* The table with one place changed. */
static void refused(const char *from, const char *to, const char *word)
{
    char text[sizeof table + 64];
    const char *at = strstr(table, from);
    hk_choices c;
    hk_error e;
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - table), table, to, at + strlen(from));
    put("bad.json", text, strlen(text));
    const size_t live = hk_alloc_counts().live;
    bad(hk_choices_read(&c, "bad.json", NULL, &e), HK_E_FORMAT, &e, word);
    assert_non_null(strstr(e.text, "bad.json"));
    assert_int_equal(hk_alloc_counts().live, live);
}

static void files_refused(void **state)
{
    hk_choices c;
    hk_error e;
    (void)state;
    for (size_t n = 0; n + 2 < sizeof table; n++) {
        put("bad.json", table, n);
        bad(hk_choices_read(&c, "bad.json", NULL, &e), HK_E_FORMAT, &e, "bad.json");
    }
    refused("choices 1", "choices 2", "hillock choices 1");
    refused("\"rows\"", "\"row\"", "unknown key 'row'");
    refused("\"form\"", "\"shape\"", "row 0");
    refused("\"form\": \"ref\"", "\"form\": \"ref\", \"layer\": 1", "layer");
    refused("\"ref\"", "\"mkl\"", "'mkl', expected fp32");
    refused("\"weights\"", "\"wieghts\"", "'wieghts'");
    refused("\"bits\"", "\"bytes\"", "row 2");
    refused("0.125", "-0.125", "events_below is -0.125");
    refused("0.125", "\"0.125\"", "row 1");
    refused("[8, 8, 1]", "[8, 8]", "row 0");
    refused("[8, 8, 1]", "[8, 8, 1, 1]", "row 0");
    refused("[8, 8, 1]", "[4, 8, 1]", "no such convolution");
    refused("[8, 8, 1]", "[8, 1048576, 1048576]", "no such convolution");
    refused("\"stride\": [1, 1]", "\"stride\": [0, 1]", "no such convolution");
    refused("\"batch\": 64", "\"batch\": 68719476736", "no such convolution");
    bad(hk_choices_read(&c, "nowhere.json", NULL, &e), HK_E_IO, &e, "nowhere.json");
}

/* What the fuzzer begins with is a table: from broken ones it finds no way to a good one. */
static void seeds_of_the_fuzzer(void **state)
{
    static const struct { const char *name; int rows; } seed[] = { { "one", 1 }, { "five", 5 } };
    const char *root = getenv("HILLOCK_SRC");
    char path[HK_PATH];
    hk_choices c;
    hk_error e;
    (void)state;
    if (!root) skip();
    for (int i = 0; i < HK_COUNT(seed); i++) {
        snprintf(path, sizeof path, "%s/tests/fuzz/corpus/fuzz_choice/%s", root, seed[i].name);
        good(hk_choices_read(&c, path, NULL, &e), &e);
        assert_int_equal(c.n, seed[i].rows);
        hk_choices_close(&c);
    }
}

/* ---- the cache --------------------------------------------------------------------------------- */

static const char *const tuned[] = { "train.tune=true" };

static hk_train_opts tuning(const char *out)
{
    hk_train_opts o = noted(out);
    o.session.set = tuned;
    o.session.n_set = 1;
    o.session.choice.cache = "cache";
    return o;
}

/* The one file in the cache. */
static void cached(char path[256])
{
    FILE *f = popen("ls cache/choices-*.json", "r");
    assert_non_null(f);
    assert_non_null(fgets(path, 256, f));
    path[strcspn(path, "\n")] = '\0';
    assert_int_equal(pclose(f), 0);
}

static void measured_once(void **state)
{
    char path[256];
    size_t n;
    (void)state;
    remove_run("cache");
    remove_run("first");
    remove_run("second");
    hk_train_opts o = tuning("first");
    train(&o);
    says("tuning fc1 forward, 1 of 5");
    says("tuning head weights, 5 of 5");
    says("choices of 5 products: 5 measured, 0 from cache/choices-");
    o = tuning("second");
    train(&o);
    assert_true(said_nothing_of("tuning"));
    says("choices of 5 products: 0 measured, 5 from cache/choices-");
    same_file("first", "second", "choice.json");
    same_run("first", "second");

    /* Cut short: said, measured anew and whole again. */
    cached(path);
    char *text = slurp(path, "", &n);
    put(path, text, n / 2);
    hk_free(text);
    remove_run("third");
    o = tuning("third");
    train(&o);
    says("measured anew");
    says("choices of 5 products: 5 measured");
    remove_run("fourth");
    o = tuning("fourth");
    train(&o);
    says("choices of 5 products: 0 measured");
}

/* Traces in bf16 are operands of their own. */
static void traces_in_bf16(void **state)
{
    static const char *const set[] = { "train.tune=true", "rule.traces=bf16" };
    size_t n;
    (void)state;
    remove_run("narrow");
    hk_train_opts o = tuning("narrow");
    o.session.set = set;
    o.session.n_set = 2;
    train(&o);
    char *text = slurp("narrow", "choice.json", &n);
    assert_non_null(strstr(text, "\"bf16\""));
    hk_free(text);
}

/* A cache that cannot be written costs a note. */
static void no_cache(void **state)
{
    (void)state;
    put("in-the-way", "x", 1);
    remove_run("first");
    hk_train_opts o = tuning("first");
    o.session.choice.cache = "in-the-way/cache";
    train(&o);
    says("in-the-way");
    says("choices of 5 products: 5 measured");
    remove_run("second");
    o = tuning("second");
    o.session.choice.cache = NULL;
    train(&o);
    says("choices of 5 products: 5 measured, 0 from no cache");
}

/* ---- runs -------------------------------------------------------------------------------------- */

static hk_train_opts following(const char *out)
{
    hk_train_opts o = noted(out);
    o.session.choice.file = "table.json";
    return o;
}

/* Rows decide what the net's products do. */
static void followed(void **state)
{
    hk_session s;
    hk_error e;
    hk_loaded got;
    hk_result r;
    (void)state;
    put("table.json", table, sizeof table - 1);
    hk_session_opts o = { .recipe = RECIPE, .threads = 1, .learn = true,
                          .choice = { .file = "table.json" } };
    good(hk_session_open(&s, &o, &e), &e);
    good(hk_loader_next(s.loader[HK_SPLIT_TRAIN], &got, &e), &e);
    good(hk_net_learn(&s.engine.net, hk_feed_put(&s.feed, &got, 7), &r, &e), &e);
    for (int32_t i = 0; i < s.engine.net.n_node; i++) {
        const hk_node *l = &s.engine.net.node[i];
        if (!l->args.g) continue;
        const hk_product_stat *stat = hk_host_kernels_stat(&s.engine.kernels, l->args.id);
        const bool fc1 = !strcmp(l->name, "fc1");
        assert_int_equal(stat->form[HK_FORWARD], fc1 ? HK_BY_REF : HK_BY_FP32);
        assert_int_equal(stat->way[HK_FORWARD], fc1 ? HK_WAY_DENSE : HK_WAY_EVENTS);
        if (!fc1) assert_int_equal(stat->form[HK_BACKWARD_INPUT], HK_BY_REF);
    }
    hk_session_close(&s);
}

static void resumed_with_its_table(void **state)
{
    static const int64_t stops[] = { 1, 53, 70 };
    (void)state;
    put("table.json", table, sizeof table - 1);
    remove_run("followed");
    remove_run("fixed");
    hk_train_opts o = following("followed"), fixed = noted("fixed");
    train(&fixed);
    train(&o);
    assert_false(hk_file_exists("fixed/choice.json"));
    says("choices of 3 products from table.json, 2 by the fixed table");
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        remove_run("parts");
        hk_train_opts part = following("parts");
        stop_after(&part, stops[i]);
        part.resume = true;
        part.session.choice.file = NULL;
        train(&part);
        same_run("followed", "parts");
        same_file("followed", "parts", "choice.json");
    }
    /* The kept table repeats the run. */
    remove_run("again");
    hk_train_opts again = noted("again");
    again.session.choice.file = "followed/choice.json";
    train(&again);
    same_run("followed", "again");
    /* A new run in the same folder has none. */
    hk_train_opts over = noted("again");
    over.force = true;
    train(&over);
    assert_false(hk_file_exists("again/choice.json"));
    same_run("fixed", "again");
}

static void resumed_when_tuned(void **state)
{
    hk_train_result r;
    hk_error e;
    (void)state;
    remove_run("cache");
    remove_run("whole");
    remove_run("parts");
    hk_train_opts whole = tuning("whole"), o = tuning("parts");
    train(&whole);
    stop_after(&o, 30);
    remove_run("cache");                 /* what the folder says counts, not what would be measured */
    o.resume = true;
    said[0] = '\0';
    stop_after(&o, 60);
    assert_true(said_nothing_of("tuning"));

    assert_int_equal(rename("parts/choice.json", "kept.json"), 0);
    bad(hk_train(&o, &r, &e), HK_E_IO, &e, "choice.json is missing");
    put("parts/choice.json", "{", 1);
    bad(hk_train(&o, &r, &e), HK_E_FORMAT, &e, "parts/choice.json");
    assert_int_equal(rename("kept.json", "parts/choice.json"), 0);
    train(&o);
    same_run("whole", "parts");
}

static void table_of_another_net(void **state)
{
    hk_train_result r;
    hk_error e;
    static const char *const other[] = { "train.batch=32" };
    (void)state;
    put("table.json", table, sizeof table - 1);
    remove_run("other");
    hk_train_opts o = following("other");
    o.session.set = other;
    o.session.n_set = 1;
    bad(hk_train(&o, &r, &e), HK_E_ARG, &e, "batch 32");
    o.session.choice.file = "nowhere.json";
    bad(hk_train(&o, &r, &e), HK_E_IO, &e, "nowhere.json");
}

static void no_memory(void **state)
{
    hk_error e;
    (void)state;
    put("table.json", table, sizeof table - 1);
    hk_session_opts o = { .recipe = RECIPE, .threads = 1, .learn = true,
                          .choice = { .file = "table.json" } };
    const size_t live = hk_alloc_counts().live;
    for (long n = 1;; n = n < 40 ? n + 1 : n + n / 8) {
        hk_session s;
        hk_alloc_fail_at(n);
        hk_status st = hk_session_open(&s, &o, &e);
        hk_alloc_fail_at(0);
        if (st == HK_OK) hk_session_close(&s);
        else assert_int_equal(st, HK_E_NOMEM);
        assert_int_equal(hk_alloc_counts().live, live);
        if (st == HK_OK) break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files),
        cmocka_unit_test(files_refused),
        cmocka_unit_test(seeds_of_the_fuzzer),
        cmocka_unit_test(measured_once),
        cmocka_unit_test(traces_in_bf16),
        cmocka_unit_test(no_cache),
        cmocka_unit_test(followed),
        cmocka_unit_test(resumed_with_its_table),
        cmocka_unit_test(resumed_when_tuned),
        cmocka_unit_test(table_of_another_net),
        cmocka_unit_test(no_memory),
    };
    write_recipe();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
