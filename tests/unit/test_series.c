/* Sequences: .ts and .npz files come back value for value, also of unequal length; the loader lends the
 * lengths, the feed cuts them to T, and normalisation looks at the steps that there are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef _XOPEN_SOURCE
#  define _XOPEN_SOURCE 700
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../host/base/alloc.h"
#include "../../host/data/loader.h"
#include "../../host/data/split.h"
#include "../../host/run/feed.h"

#include "data_files.h"

#include <math.h>
#include <unistd.h>

extern const hk_dataset_ops hk_dataset_ts, hk_dataset_npz;

static hk_error err;

/* Two channels, cases of 3, 1 and 2 steps, three classes; one value is missing. */
static const char text[] =
    "# a comment\r\n"
    "@problemName Small\n@timeStamps false\n@missing true\n@univariate false\n@DIMENSIONS 2\n"
    "@equalLength false\n@classLabel true up Down 10 1\n\n@data\n"
    "1,?,3.5:-1e1,2,.5:Down\n"
    "# another\n"
    "7 : 8 : 10 \r\n"
    "?,6:nan,?:1\n";
static const char head[] = "@problemName p\n@missing false\n@classLabel true a b\n@data\n";

static int setup(void **state)
{
    char *name = strdup("/tmp/test_series_XXXXXX");
    *state = name;
    if (!mkdtemp(name) || chdir(name)) return -1;
    mkdir("ts", 0777);
    put("ts/Small_TRAIN.ts", text, sizeof text - 1);
    put_gz("ts/Small_TEST.ts.gz", text, sizeof text - 1);
    mkdir("one", 0777);
    return 0;
}

static int teardown(void **state)
{
    char name[64] = "rm -rf ";
    strcat(name, *state);
    int rc = chdir("/") || system(name);
    free(*state);
    return rc;
}

static void set(const hk_dataset_ops *ops, void *cfg, const char *key, double v)
{
    for (int i = 0; i < ops->info.n_fields; i++)
        if (!strcmp(ops->info.fields[i].name, key))
            assert_int_equal(hk_field_set(&ops->info, &ops->info.fields[i], cfg, v, NULL), HK_OK);
}

static hk_status open_key(hk_dataset *d, const hk_dataset_ops *ops, const char *root,
                          const char *split, const char *key, double value)
{
    unsigned char cfg[64];
    hk_fields_default(&ops->info, cfg);
    if (key) set(ops, cfg, key, value);
    memset(&err, 0, sizeof err);
    return hk_data_open(d, ops, &(hk_dataset_cfg){ root, split, cfg }, &err);
}

static void holds(const hk_dataset *d, int64_t i, int32_t label, int n, const float *want)
{
    float x[64];
    int32_t got = -1;
    assert_int_equal(hk_data_get(d, i, x, &got, &err), HK_OK);
    assert_int_equal(got, label);
    for (int k = 0; k < (int)hk_data_floats(d); k++) assert_true(x[k] == (k < n ? want[k] : 0.0f));
}

static void ts_values(void **state)
{
    (void)state;
    uint64_t digest = 0;
    for (int gz = 0; gz < 2; gz++) {
        hk_dataset d;
        if (open_key(&d, &hk_dataset_ts, "ts", gz ? "test" : "train", NULL, 0)) fail_msg("%s", err.text);
        assert_true(d.n == 3 && d.steps == 3 && d.shape.c == 2 && d.shape.h == 1 && d.n_class == 4);
        assert_true(d.length && d.length[0] == 3 && d.length[1] == 1 && d.length[2] == 2);
        assert_string_equal(d.class_name[1], "Down");
        holds(&d, 0, 1, 6, (const float[]){ 1, -10, 1, 2, 3.5f, .5f });     /* held */
        holds(&d, 1, 2, 2, (const float[]){ 7, 8 });
        holds(&d, 2, 3, 4, (const float[]){ 6, 0, 6, 0 });       /* from the first known; none: 0 */
        assert_true(gz == 0 || d.digest == digest);
        digest = d.digest;
        hk_data_close(&d);
    }
    hk_dataset d;
    assert_int_equal(open_key(&d, &hk_dataset_ts, "ts", "train", "missing", 1), HK_OK);
    holds(&d, 0, 1, 6, (const float[]){ 1, -10, 0, 2, 3.5f, .5f });
    hk_data_close(&d);
    assert_int_equal(open_key(&d, &hk_dataset_ts, "ts", "train", "missing", 2), HK_E_FORMAT);
    assert_non_null(strstr(err.text, "Small_TRAIN.ts, line 11: a value is missing"));
    put("ts/Other_TRAIN.ts", text, sizeof text - 1);
    assert_int_equal(open_key(&d, &hk_dataset_ts, "ts", "train", NULL, 0), HK_E_ARG);
    remove("ts/Other_TRAIN.ts");
    assert_int_equal(open_key(&d, &hk_dataset_ts, "one", "train", NULL, 0), HK_E_IO);
}

static void ts_refused(void **state)
{
    (void)state;
    static const struct { const char *head, *body, *word; hk_status code; } bad[] = {
        { "@classLabel true a b\n", "", "ends after line 1 without @data", HK_E_FORMAT },
        { "@classLabel true a b\n@data\n# nothing\n", "", "no case after @data", HK_E_FORMAT },
        { "@data\n", "1:a\n", "@classLabel true NAME", HK_E_UNSUP },
        { "@classLabel false\n@data\n", "1\n", "only classification", HK_E_UNSUP },
        { "@targetLabel true\n@data\n", "1:2\n", "regression", HK_E_UNSUP },
        { "@timestamps true\n@classLabel true a\n@data\n", "(0,1):a\n", "line 1: @timeStamps", HK_E_UNSUP },
        { "@equallength maybe\n", "", "@equalLength is 'maybe', expected true or false", HK_E_FORMAT },
        { "@sizes 3\n", "", "unknown directive '@sizes'", HK_E_FORMAT },
        { "@dimensions 0\n", "", "@dimensions is '0'", HK_E_FORMAT },
        { "@dimensions 99999999999999999999\n", "", "whole number from 1", HK_E_FORMAT },
        { "@univariate true\n@dimensions 2\n@classLabel true a\n@data\n", "1:1:a\n", "univariate", HK_E_FORMAT },
        { "@classLabel true a a\n", "", "class name 'a' is there twice", HK_E_FORMAT },
        { "@classLabel true a\n@classLabel true b\n", "", "line 2", HK_E_FORMAT },
        { head, "1,2:a\n1,x:b\n", "line 6: 'x' is not a number", HK_E_FORMAT },
        { head, "1,2:a\n1,:b\n", "'' is not a number", HK_E_FORMAT },
        { head, "1,2:a\n1e400:b\n", "'1e400' is not a number", HK_E_FORMAT },
        { head, "1,2:a\n1,?:b\n", "@missing is not true", HK_E_FORMAT },
        { head, "1,2:a\n1,2:c\n", "line 6: class 'c' is not in @classLabel", HK_E_FORMAT },
        { head, "1,2:3,4:a\n1,2:b\n", "1 channels, expected 2", HK_E_FORMAT },
        { head, "1,2:a\n1,2:3,4:b\n", "more than 1 channels", HK_E_FORMAT },
        { head, "1,2:3:a\n", "channel 2 has 1 values and channel 1 has 2", HK_E_FORMAT },
        { head, "1,2::a\n", "a channel has 0 values", HK_E_FORMAT },
        { head, "a\n", "expected values, a colon and a class", HK_E_FORMAT },
        { "@equalLength true\n@classLabel true a\n@data\n", "1,2:a\n1:a\n", "line 5: 1 steps, expected 2", HK_E_FORMAT },
        { "@equalLength true\n@seriesLength 3\n@classLabel true a\n@data\n", "1,2:a\n", "expected 3", HK_E_FORMAT },
        { "@seriesLength 1\n@classLabel true a\n@data\n", "1,2:a\n", "@seriesLength is 1", HK_E_FORMAT },
        { "@classLabel true 1 10\n@data\n", "1,2:1", "begins the name of another", HK_E_FORMAT },
    };
    for (int i = 0; i < HK_COUNT(bad); i++) {
        char file[512];
        hk_dataset d;
        const int n = snprintf(file, sizeof file, "%s%s", bad[i].head, bad[i].body);
        put("one/x_TRAIN.ts", file, (size_t)n);
        const hk_status st = open_key(&d, &hk_dataset_ts, "one", "train", NULL, 0);
        if (st != bad[i].code || !strstr(err.text, bad[i].word) || !strstr(err.text, "x_TRAIN.ts"))
            fail_msg("%d: code %d, '%s' does not name '%s'", i, st, err.text, bad[i].word);
        assert_null(d.self);
    }
}

/* Length of a line without blanks and the newline at its end. */
static size_t content(const char *line, size_t n)
{
    const char *end = memchr(line, '\n', n);
    if (end) n = (size_t)(end - line);
    while (n && strchr(" \r\n", line[n - 1])) n--;
    return n;
}

/* Cut inside a case, the file is refused; behind a case, with its newline or without, it is shorter. */
static void ts_truncated(void **state)
{
    (void)state;
    const size_t n = sizeof text - 1, first = (size_t)(strstr(text, ":Down") + 5 - text);
    int taken = 0;
    for (size_t cut = 0; cut < n; cut++) {
        hk_dataset d;
        size_t line = cut;
        while (line && text[line - 1] != '\n') line--;
        const size_t have = content(text + line, cut - line), all = content(text + line, n - line);
        const bool begun = have && text[have + line - 1] == '1';      /* of class 1, or 10? */
        const bool whole = cut >= first && (!have || text[line] == '#' || (have == all && !begun));
        put("one/x_TRAIN.ts", text, cut);
        const hk_status st = open_key(&d, &hk_dataset_ts, "one", "train", NULL, 0);
        if ((st == HK_OK) != whole) fail_msg("cut to %zu bytes: %s", cut, st ? err.text : "taken");
        taken += st == HK_OK;
        hk_data_close(&d);
    }
    assert_true(taken > 5);
}

static void npz_file(const char *path, const int64_t *dim, const float *x, const int64_t *length)
{
    hk_arrays list = { 0 };
    const int64_t label[3] = { 1, 0, 1 };
    assert_int_equal(hk_arrays_add(&list, "x", HK_DT_F32, 3, dim, x, &err), HK_OK);
    assert_int_equal(hk_arrays_add(&list, "label", HK_DT_I64, 1, dim, label, &err), HK_OK);
    if (length) assert_int_equal(hk_arrays_add(&list, "length", HK_DT_I64, 1, dim, length, &err), HK_OK);
    if (hk_npz_write(path, &list, &err)) fail_msg("%s", err.text);
    hk_arrays_clear(&list);
}

static void npz_series(void **state)
{
    (void)state;
    float x[3 * 4 * 2], turned[3 * 2 * 4];
    hk_dataset d;
    for (int i = 0; i < 24; i++) x[i] = (float)i;
    for (int i = 0; i < 24; i++) turned[i / 8 * 8 + i % 2 * 4 + i / 2 % 4] = (float)i;
    npz_file("nct.npz", (const int64_t[]){ 3, 2, 4 }, turned, NULL);
    assert_int_equal(open_key(&d, &hk_dataset_npz, "nct.npz", "train", "axes", 1), HK_OK);
    assert_true(d.steps == 4 && d.shape.c == 2 && !d.length);
    for (int i = 0; i < 3; i++) holds(&d, i, i != 1, 8, x + 8 * i);
    hk_data_close(&d);

    npz_file("len.npz", (const int64_t[]){ 3, 4, 2 }, x, (const int64_t[]){ 4, 1, 2 });
    assert_int_equal(open_key(&d, &hk_dataset_npz, "len.npz", "train", NULL, 0), HK_OK);
    assert_true(d.steps == 4 && d.length[0] == 4 && d.length[1] == 1 && d.length[2] == 2);
    holds(&d, 1, 0, 2, x + 8);
    holds(&d, 2, 1, 4, x + 16);
    hk_data_close(&d);
    npz_file("bad.npz", (const int64_t[]){ 3, 4, 2 }, x, (const int64_t[]){ 4, 0, 2 });
    assert_int_equal(open_key(&d, &hk_dataset_npz, "bad.npz", "train", NULL, 0), HK_E_FORMAT);
    assert_non_null(strstr(err.text, "sample 1 has 0 steps, expected 1 to 4"));

    for (int i = 10; i < 16; i++) x[i] = NAN;               /* sample 1 ends after one step ... */
    x[17] = NAN;
    npz_file("nan.npz", (const int64_t[]){ 3, 4, 2 }, x, NULL);
    assert_int_equal(open_key(&d, &hk_dataset_npz, "nan.npz", "train", "nan", 2), HK_E_FORMAT);
    assert_non_null(strstr(err.text, "value 1 of sample 2"));           /* ... and a hole is none */
    x[17] = 17;
    npz_file("nan.npz", (const int64_t[]){ 3, 4, 2 }, x, NULL);
    assert_int_equal(open_key(&d, &hk_dataset_npz, "nan.npz", "train", NULL, 0), HK_E_FORMAT);
    assert_int_equal(open_key(&d, &hk_dataset_npz, "nan.npz", "train", "nan", 1), HK_OK);
    assert_null(d.length);
    holds(&d, 1, 0, 2, x + 8);
    hk_data_close(&d);
    assert_int_equal(open_key(&d, &hk_dataset_npz, "nan.npz", "train", "nan", 2), HK_OK);
    assert_true(d.length[0] == 4 && d.length[1] == 1 && d.length[2] == 4);
    hk_data_close(&d);
}

/* Mean and deviation of the steps that there are, by hand; the loader leaves what is behind at 0. */
static void normalised(void **state)
{
    (void)state;
    hk_dataset d;
    hk_augment_cfg a = { 0 };
    hk_loader *l;
    hk_loaded b;
    assert_int_equal(open_key(&d, &hk_dataset_ts, "ts", "train", NULL, 0), HK_OK);
    assert_int_equal(hk_data_normalise(&d, 0, &a, &err), HK_OK);
    const double x[6] = { 1, 1, 3.5, 7, 6, 6 };
    double mean = 0, var = 0;
    for (int i = 0; i < 6; i++) mean += x[i] / 6;
    for (int i = 0; i < 6; i++) var += (x[i] - mean) * (x[i] - mean) / 6;
    assert_int_equal(a.n_mean, 2);
    assert_true(a.mean[0] == (float)mean && fabs((double)a.std[0] - sqrt(var)) < 1e-6);
    hk_loader_cfg cfg = { .batch = 3, .part = HK_PART_ALL, .augment = a };
    assert_int_equal(hk_loader_open(&l, &d, &cfg, &err), HK_OK);
    assert_int_equal(hk_loader_next(l, &b, &err), HK_OK);
    assert_true(b.n == 3 && b.steps == 3 && b.length[0] == 3 && b.length[1] == 1 && b.length[2] == 2);
    assert_true(fabs((double)b.x[2] - (7 - mean) / sqrt(var)) < 1e-6);      /* [steps][n][c] */
    assert_true(b.x[6 + 2] == 0 && b.x[6 + 3] == 0 && b.x[12 + 4] == 0);

    static const char recipe[] = "data: {name: none, shape: [2], classes: 4, steps: 3}\n"
                                 "encode: none\nnet: {name: mlp}\ntrain: {T: 2, batch: 3}\n";
    hk_recipe r;
    hk_feed f;
    if (hk_recipe_parse(&r, recipe, sizeof recipe - 1, "r", NULL, 0, &err)) fail_msg("%s", err.text);
    assert_int_equal(hk_recipe_shape(&r, d.shape, 4, &err), HK_OK);
    assert_int_equal(hk_feed_open(&f, &r, true, &err), HK_OK);
    const hk_batch *batch = hk_feed_put(&f, &b, 0);
    assert_true(batch->length[0] == 2 && batch->length[1] == 1 && batch->length[2] == 2);
    assert_memory_equal(batch->frame(batch->self, 2), b.x + 6, 6 * sizeof(float));
    hk_feed_close(&f);
    hk_recipe_free(&r);
    hk_loader_close(l);
    hk_data_close(&d);
}

static void memory(void **state)
{
    (void)state;
    static const char *const root[] = { "ts", "len.npz" };
    for (int k = 0; k < 2; k++) {
        const size_t live = hk_alloc_counts().live;
        hk_status st = HK_E_NOMEM;
        for (long n = 1; st != HK_OK; n++) {
            hk_dataset d;
            hk_alloc_fail_at(n);
            st = open_key(&d, k ? &hk_dataset_npz : &hk_dataset_ts, root[k], "train", NULL, 0);
            hk_alloc_fail_at(0);
            if (st != HK_OK && st != HK_E_NOMEM) fail_msg("request %ld: code %d, %s", n, st, err.text);
            hk_data_close(&d);
            assert_int_equal(hk_alloc_counts().live, live);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ts_values),  cmocka_unit_test(ts_refused), cmocka_unit_test(ts_truncated),
        cmocka_unit_test(npz_series), cmocka_unit_test(normalised), cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
