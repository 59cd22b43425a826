/* Data sets: generated miniature files of every member come back value for value, and whatever is
 * cut short or out of range is refused with a message.
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
#include "../../host/data/decode.h"
#include "../../host/io/file.h"

#include "data_files.h"

#include <unistd.h>

extern const hk_dataset_ops hk_dataset_idx, hk_dataset_cifar10, hk_dataset_cifar100,
    hk_dataset_images, hk_dataset_npz, hk_dataset_digits;

static hk_error err;

static const int64_t npz_label[] = { 2, 0, 1, 2 };

/* All tests share one folder. */
static int setup(void **state)
{
    char *name = strdup("/tmp/test_data_XXXXXX");
    char path[64];
    *state = name;
    if (!mkdtemp(name) || chdir(name)) return -1;
    make_idx("idx", false);
    make_idx("idxgz", true);
    mkdir("cifar", 0777);
    for (int k = 1; k <= 5; k++) {
        snprintf(path, sizeof path, "cifar/data_batch_%d.bin%s", k, k == 2 ? ".gz" : "");
        make_cifar(path, k, 1, k == 2);
    }
    make_cifar("cifar/test_batch.bin", 2, 1, false);
    mkdir("cifar100", 0777);
    make_cifar("cifar100/train.bin", 2, 2, false);
    make_tree("tree", "train", pack_name, 6, false);
    make_tree("tree", "test", &pack_name[2], 2, false);
    make_tree("jpg", "train", pack_name, 1, true);
    make_tree("jpg", "test", pack_name, 1, true);
    make_tar("tar", "some_train.tar", false);
    make_tar("targz", "train.tar.gz", true);
    mkdir("npz", 0777);
    make_npz("npz/train.npz", HK_DT_U8, 4, (int64_t[]){ 4, 3, 2, 2 }, npz_label);
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

static hk_status open_at(hk_dataset *d, const hk_dataset_ops *ops, const char *root,
                         const char *split)
{
    memset(&err, 0, sizeof err);
    return hk_data_open(d, ops, &(hk_dataset_cfg){ root, split, NULL }, &err);
}

static void open_ok(hk_dataset *d, const hk_dataset_ops *ops, const char *root, const char *split)
{
    hk_status st = open_at(d, ops, root, split);
    if (st != HK_OK) fail_msg("%s", err.text);
}

static void refused(const hk_dataset_ops *ops, const char *root, const char *split,
                    hk_status code, const char *word)
{
    hk_dataset d;
    assert_int_equal(open_at(&d, ops, root, split), code);
    if (!strstr(err.text, word)) fail_msg("'%s' does not name '%s'", err.text, word);
    assert_null(d.self);
    hk_data_close(&d);
}

static int32_t label_of(const hk_dataset *d, int64_t i)
{
    int32_t label = -1;
    assert_int_equal(hk_data_get(d, i, NULL, &label, &err), HK_OK);
    return label;
}

/* ---- values -------------------------------------------------------------------------------- */

static void test_idx(void **state)
{
    (void)state;
    uint64_t digest = 0;
    for (int gz = 0; gz < 2; gz++) {
        hk_dataset d;
        float x[12];
        open_ok(&d, &hk_dataset_idx, gz ? "idxgz" : "idx", "train");
        assert_true(d.n == 6 && d.n_class == 10 && d.steps == 0 && hk_data_floats(&d) == 12);
        assert_true(d.shape.h == 3 && d.shape.w == 4 && d.shape.c == 1);
        for (int i = 0; i < 6; i++) {
            hk_data_get(&d, i, x, NULL, &err);
            assert_int_equal(label_of(&d, i), i % 3);
            for (size_t k = 0; k < 12; k++)
                assert_true(x[k] == (float)pixel(i, k) / 255.0f);
        }
        assert_int_equal(hk_data_get(&d, 6, x, NULL, &err), HK_E_ARG);
        assert_int_equal(hk_data_get(&d, -1, x, NULL, &err), HK_E_ARG);
        assert_true(gz == 0 || d.digest == digest);
        digest = d.digest;
        hk_data_close(&d);
    }
    refused(&hk_dataset_idx, "idx", "test", HK_E_IO, "t10k-images-idx3-ubyte");
    refused(&hk_dataset_idx, "idx", "valid", HK_E_ARG, "valid");
    refused(&hk_dataset_idx, "", "train", HK_E_ARG, "root");
}

static void test_cifar(void **state)
{
    (void)state;
    static float x[CIFAR];
    hk_dataset d;
    open_ok(&d, &hk_dataset_cifar10, "cifar", "train");
    assert_true(d.n == 15 && d.n_class == 10 && d.shape.h == 32 && d.shape.c == 3);
    assert_string_equal(d.variant, "15 of 50000 images");
    assert_int_equal(label_of(&d, 14), 4);          /* the fifth of the fifth file */
    hk_data_get(&d, 14, x, NULL, &err);
    for (size_t p = 0; p < 1024; p++)
        for (size_t c = 0; c < 3; c++)
            assert_true(x[3 * p + c] == (float)pixel(4, 1024 * c + p) / 255.0f);
    hk_data_close(&d);
    open_ok(&d, &hk_dataset_cifar100, "cifar100", "train");
    assert_true(d.n == 2 && d.n_class == 100 && label_of(&d, 1) == 1);
    hk_data_close(&d);
}

static void check_pack(const char *root, const int *want, const int32_t *label)
{
    static float x[COLOUR];
    hk_dataset d;
    open_ok(&d, &hk_dataset_images, root, "train");
    assert_true(d.n == 6 && d.n_class == 3 && d.shape.h == SIDE && d.shape.c == 3);
    assert_string_equal(d.class_name[1], "a-b");
    assert_string_equal(d.variant, "PNG");
    for (int i = 0; i < 6; i++) {
        assert_int_equal(label_of(&d, i), label[i]);
        hk_data_get(&d, i, x, NULL, &err);
        for (size_t k = 0; k < COLOUR; k++)
            assert_true(x[k] == (float)pixel(want[i], k) / 255.0f);
    }
    hk_data_close(&d);
}

static void test_images(void **state)
{
    (void)state;
    static const int by_name[] = { 4, 1, 3, 2, 5, 0 }, by_list[] = { 2, 4, 3, 5, 0, 1 };
    static const int32_t sorted[] = { 0, 0, 1, 2, 2, 2 }, listed[] = { 2, 0, 1, 2, 2, 0 };
    hk_dataset d;
    check_pack("tree", by_name, sorted);
    check_pack("tar", by_name, sorted);
    check_pack("tar/some_train.tar", by_name, sorted);
    check_pack("targz", by_name, sorted);
    put("targz/any_train_labels.u8", "\2\0\1\2\2\0", 6);
    check_pack("targz", by_list, listed);
    put("targz/any_train_labels.u8", "\2\0\1\2\2\2", 6);
    refused(&hk_dataset_images, "targz", "train", HK_E_FORMAT, "class c");
    put("targz/any_train_labels.u8", "\2\0\1\2\2\3", 6);
    refused(&hk_dataset_images, "targz", "train", HK_E_FORMAT, "expected 0 to 2");
    put("targz/any_train_labels.u8", "\2\0\1\2\2", 5);
    refused(&hk_dataset_images, "targz", "train", HK_E_FORMAT, "any_train_labels.u8");
    remove("targz/any_train_labels.u8");
    open_ok(&d, &hk_dataset_images, "tree", "test");     /* holds a-b and c, numbered as in train */
    assert_true(d.n_class == 3 && label_of(&d, 0) == 1 && label_of(&d, 1) == 2);
    hk_data_close(&d);
    put("tree/batches.meta.txt", "c\r\na\na-b\nother\n", 16);
    open_ok(&d, &hk_dataset_images, "tree", "train");
    assert_true(d.n_class == 4 && label_of(&d, 0) == 0 && label_of(&d, 5) == 2);
    hk_data_close(&d);
    put("tree/batches.meta.txt", "c\na\n", 4);
    refused(&hk_dataset_images, "tree", "train", HK_E_FORMAT, "a-b/0.png");
    remove("tree/batches.meta.txt");
    open_ok(&d, &hk_dataset_images, "jpg", "train");
    assert_string_equal(d.variant, "JPEG quality 60, 4:2:0");
    hk_data_close(&d);
    put("tar/other_train.tar", "", 0);
    refused(&hk_dataset_images, "tar", "train", HK_E_ARG, "other_train.tar");
    remove("tar/other_train.tar");
    refused(&hk_dataset_images, "tar", "test", HK_E_IO, "*test.tar.gz");
}

static void test_png_kinds(void **state)
{
    (void)state;
    static const struct { unsigned format; size_t bytes; int c; } kind[] = {
        { PNG_FORMAT_GRAY, 12, 1 }, { PNG_FORMAT_RGBA, 48, 3 }, { PNG_FORMAT_GA, 24, 1 },
        { PNG_FORMAT_LINEAR_Y, 24, 1 }, { PNG_FORMAT_RGB_COLORMAP, 12, 3 },
    };
    hk_decoder *dec;
    uint8_t out[48];
    assert_int_equal(hk_decoder_open(&dec, &err), HK_OK);
    for (int k = 0; k < HK_COUNT(kind); k++) {
        blob b = make_png(1, kind[k].format, kind[k].bytes, 4, 3);
        hk_bytes file = { b.at, b.n, "x.png" };
        hk_shape s;
        assert_int_equal(hk_decoder_measure(dec, &file, &s, &err), HK_OK);
        assert_true(s.h == 3 && s.w == 4 && s.c == kind[k].c);
        assert_int_equal(hk_decoder_read(dec, &file, s, out, &err), HK_OK);
        if (kind[k].format == PNG_FORMAT_RGBA)
            for (size_t p = 0; p < 12; p++) assert_int_equal(out[3 * p + 1], pixel(1, 4 * p + 1));
        if (kind[k].format == PNG_FORMAT_GRAY)
            for (size_t p = 0; p < 12; p++) assert_int_equal(out[p], pixel(1, p));
        s.w = 5;
        assert_int_equal(hk_decoder_read(dec, &file, s, out, &err), HK_E_FORMAT);
        assert_non_null(strstr(err.text, "3x4x"));
        free(b.at);
    }
    hk_decoder_close(dec);
}

static void test_npz(void **state)
{
    (void)state;
    static const int64_t bad[] = { 0, -1, 2, 0 };
    hk_dataset d;
    float x[48];
    open_ok(&d, &hk_dataset_npz, "npz", "train");
    assert_true(d.n == 4 && d.n_class == 3 && d.steps == 0);
    assert_true(d.shape.h == 2 && d.shape.w == 2 && d.shape.c == 3);
    hk_data_get(&d, 1, x, NULL, &err);
    for (int p = 0; p < 4; p++)
        for (int c = 0; c < 3; c++) assert_true(x[3 * p + c] == (float)(12 + 4 * c + p) / 255.0f);
    hk_data_close(&d);
    make_npz("series.npz", HK_DT_F32, 5, (int64_t[]){ 4, 2, 3, 2, 2 }, npz_label);
    open_ok(&d, &hk_dataset_npz, "series.npz", "test");
    assert_true(d.steps == 2 && d.shape.c == 3 && hk_data_floats(&d) == 24);
    hk_data_get(&d, 3, x, NULL, &err);
    assert_true(x[12 + 3 * 1 + 2] == 72 + 12 + 4 * 2 + 1 - 3.5f);
    hk_data_close(&d);
    make_npz("series.npz", HK_DT_F32, 3, (int64_t[]){ 4, 5, 6 }, npz_label);
    open_ok(&d, &hk_dataset_npz, "series.npz", "test");
    assert_true(d.steps == 5 && d.shape.h == 1 && d.shape.w == 1 && d.shape.c == 6);
    hk_data_close(&d);
    make_npz("series.npz", HK_DT_F32, 2, (int64_t[]){ 4, 6 }, bad);
    refused(&hk_dataset_npz, "series.npz", "test", HK_E_FORMAT, "label of sample 1 is -1");
    refused(&hk_dataset_npz, "npz", "test", HK_E_IO, "npz");
}

static void test_digits(void **state)
{
    (void)state;
    const char *root = getenv("HILLOCK_SRC");
    char base[512], path[600];
    snprintf(base, sizeof base, "%s", root ? root : __FILE__);
    for (int k = 0; k < 3 && !root; k++)
        if (strrchr(base, '/')) *strrchr(base, '/') = '\0';
    for (int test = 0; test < 2; test++) {
        hk_dataset d;
        open_ok(&d, &hk_dataset_digits, NULL, test ? "test" : "train");
        assert_int_equal(d.n, test ? 1797 : 3823);
        snprintf(path, sizeof path, "%s/data/digits/optdigits.%s", base, test ? "tes" : "tra");
        void *text;
        size_t n;
        if (hk_file_read(path, 0, &text, &n, &err) != HK_OK) fail_msg("%s", err.text);
        assert_int_equal(crc32(0, text, (unsigned)n), test ? 0x2ebe3bb7u : 0x1c4503a4u);
        char *at = text;
        for (int64_t i = 0; i < d.n; i++) {
            float x[64];
            int32_t label;
            hk_data_get(&d, i, x, &label, &err);
            for (int k = 0; k < 64; k++, at++)
                assert_true(x[k] * 16 == (float)strtol(at, &at, 10));
            assert_int_equal(strtol(at, &at, 10), label);
        }
        hk_free(text);
        hk_data_close(&d);
    }
}

/* ---- what is refused ----------------------------------------------------------------------- */

typedef struct job {
    const hk_dataset_ops *ops;
    const char *root, *split, *file;     /* file: relative to root */
    size_t      record;                  /* a whole number of these is a shorter, valid file */
} job;

static const job jobs[] = {
    { &hk_dataset_idx, "idx", "train", "train-images-idx3-ubyte", 0 },
    { &hk_dataset_idx, "idx", "train", "train-labels-idx1-ubyte", 0 },
    { &hk_dataset_idx, "idxgz", "train", "train-images-idx3-ubyte.gz", 0 },
    { &hk_dataset_cifar10, "cifar", "test", "test_batch.bin", 1 + CIFAR },
    { &hk_dataset_cifar10, "cifar", "train", "data_batch_2.bin.gz", 0 },
    { &hk_dataset_cifar100, "cifar100", "train", "train.bin", 2 + CIFAR },
    { &hk_dataset_images, "tree", "train", "train/a-b/0.png", 0 },
    { &hk_dataset_images, "jpg", "test", "test/c/2.png", 0 },
    { &hk_dataset_images, "tar", "train", "some_train.tar", 0 },
    { &hk_dataset_images, "targz", "train", "train.tar.gz", 0 },
    { &hk_dataset_npz, "npz", "train", "train.npz", 0 },
};

static void test_truncation(void **state)
{
    (void)state;
    for (int k = 0; k < HK_COUNT(jobs); k++) {
        const job *j = &jobs[k];
        char path[128];
        void *data;
        size_t n;
        snprintf(path, sizeof path, "%s/%s", j->root, j->file);
        assert_int_equal(hk_file_read(path, 0, &data, &n, &err), HK_OK);
        size_t step = n > 2048 ? 13 : 1;
        for (size_t cut = 0; cut < n; cut += cut + 64 < n ? step : 1) {
            hk_dataset d;
            if (cut && j->record && cut % j->record == 0) continue;
            put(path, data, cut);
            if (open_at(&d, j->ops, j->root, j->split) == HK_OK)
                fail_msg("%s cut to %zu of %zu bytes was taken", path, cut, n);
            assert_true(strlen(err.text) > 10 && d.self == NULL);
        }
        put(path, data, n);
        hk_free(data);
        hk_dataset d;
        open_ok(&d, j->ops, j->root, j->split);
        hk_data_close(&d);
    }
}

static void test_range(void **state)
{
    (void)state;
    static const char labels[] = "train-labels-idx1-ubyte";
    uint8_t y[14] = { 0, 0, 8, 1, 0, 0, 0, 6, 0, 1, 10, 0, 1, 2 }, record[1 + CIFAR] = { 10 };
    mkdir("bad", 0777);
    make_idx("bad", false);
    put("bad/train-labels-idx1-ubyte", y, sizeof y);
    refused(&hk_dataset_idx, "bad", "train", HK_E_FORMAT, "label of sample 2 is 10, expected 0 to");
    y[7] = 5;
    put("bad/train-labels-idx1-ubyte", y, 13);
    refused(&hk_dataset_idx, "bad", "train", HK_E_FORMAT, labels);
    y[3] = 3;
    put("bad/train-labels-idx1-ubyte", y, sizeof y);
    refused(&hk_dataset_idx, "bad", "train", HK_E_FORMAT, "magic");
    put("bad/test_batch.bin", record, sizeof record);
    refused(&hk_dataset_cifar10, "bad", "test", HK_E_FORMAT, "expected 0 to 9");
}

static void test_memory(void **state)
{
    (void)state;
    static const job digits = { &hk_dataset_digits, NULL, "train", NULL, 0 };
    for (int k = 0; k <= HK_COUNT(jobs); k++) {
        const job *j = k < HK_COUNT(jobs) ? &jobs[k] : &digits;
        size_t live = hk_alloc_counts().live;
        hk_status st = HK_E_NOMEM;
        for (long n = 1; st != HK_OK; n++) {
            hk_dataset d;
            hk_alloc_fail_at(n);
            st = open_at(&d, j->ops, j->root, j->split);
            hk_alloc_fail_at(0);
            if (st != HK_OK && st != HK_E_NOMEM)
                fail_msg("%s, request %ld: code %d, %s", j->ops->info.name, n, st, err.text);
            hk_data_close(&d);
            assert_int_equal(hk_alloc_counts().live, live);
            assert_true(n < 10000);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idx),    cmocka_unit_test(test_cifar),
        cmocka_unit_test(test_images), cmocka_unit_test(test_png_kinds),
        cmocka_unit_test(test_npz),    cmocka_unit_test(test_digits),
        cmocka_unit_test(test_truncation), cmocka_unit_test(test_range),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
