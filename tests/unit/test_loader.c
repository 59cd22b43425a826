/* The loader and augmentation: what a batch holds depends on data set, configuration and position
 * only.
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

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A data set without files: value k of sample i is a function of both, the class is i % 3, and one
 * sample may fail. */
enum { H = 5, W = 4, C = 2, MAP = H * W * C, MANY = 103 };

static hk_error err;

static float value_of(int64_t i, int k) { return (float)((31 * i + 7 * k) % 256 + 1) / 256.0f; }

static hk_status fake_get(const hk_dataset *d, int64_t i, float *out, int32_t *label, hk_error *e)
{
    int64_t *broken = d->self;
    if (i == *broken) return hk_fail(e, HK_E_IO, "sample %lld is broken", (long long)i);
    if (label) *label = (int32_t)(i % 3);
    for (size_t k = 0; out && k < hk_data_floats(d); k++) out[k] = value_of(i, (int)k);
    return HK_OK;
}

static const hk_dataset_ops fake_ops = { .info = { .name = "fake" }, .get = fake_get };
static int64_t none_broken = -1;

static hk_dataset fake(int32_t steps)
{
    return (hk_dataset){ .ops = &fake_ops, .self = &none_broken, .n = MANY, .n_class = 3,
                         .shape = { .h = H, .w = W, .c = C }, .steps = steps };
}

static hk_loader_cfg config(void)
{
    hk_loader_cfg c = { .batch = 8, .seed = 5, .split_seed = 6, .val_fraction = 0.2,
                        .shuffle = true, .train = true };
    c.augment = (hk_augment_cfg){ 2, true, 3, 2, { 0.5f, 0.25f }, { 0.5f, 2.0f } };
    return c;
}

static hk_loader *open_ok(const hk_dataset *d, const hk_loader_cfg *c)
{
    hk_loader *l;
    if (hk_loader_open(&l, d, c, &err) != HK_OK) fail_msg("%s", err.text);
    return l;
}

static hk_loaded next_ok(hk_loader *l)
{
    hk_loaded b;
    if (hk_loader_next(l, &b, &err) != HK_OK) fail_msg("%s", err.text);
    return b;
}

/* ---- augmentation -------------------------------------------------------------------------- */

static hk_augment_at at_sample(uint64_t sample)
{
    return (hk_augment_at){ { 1, 2 }, sample, { .h = H, .w = W, .c = C }, 1 };
}

static void test_crop(void **state)
{
    (void)state;
    bool seen[5][5] = { { false } };
    for (uint64_t s = 0; s < 400; s++) {
        hk_augment_at at = at_sample(s);
        float x[MAP], scratch[MAP], y[MAP];
        int fits = 0;
        for (int k = 0; k < MAP; k++) x[k] = y[k] = value_of(3, k);
        hk_augment_crop(&at, 2, x, scratch);
        for (int dy = -2; dy <= 2; dy++)
            for (int dx = -2; dx <= 2; dx++) {
                bool same = true;
                for (int k = 0; k < MAP; k++) {
                    int r = k / C / W + dy, q = k / C % W + dx;
                    bool in = r >= 0 && r < H && q >= 0 && q < W;
                    same = same && x[k] == (in ? y[(r * W + q) * C + k % C] : 0.0f);
                }
                if (same) seen[dy + 2][dx + 2] = true, fits++;
            }
        assert_int_equal(fits, 1);
    }
    for (int k = 0; k < 25; k++) assert_true(seen[k / 5][k % 5]);
    float small[MAP], scratch[MAP];
    for (uint64_t s = 0; s < 50; s++) {      /* padding far wider than the map */
        hk_augment_at at = at_sample(s);
        for (int k = 0; k < MAP; k++) small[k] = 1.0f;
        hk_augment_crop(&at, 100, small, scratch);
    }
}

static void test_flip_cutout_norm(void **state)
{
    (void)state;
    int flipped = 0;
    const hk_augment_cfg c = config().augment;
    for (uint64_t s = 0; s < 200; s++) {
        hk_augment_at at = at_sample(s);
        float x[MAP], y[MAP];
        for (int k = 0; k < MAP; k++) x[k] = y[k] = value_of(3, k);
        hk_augment_flip(&at, x);
        bool same = memcmp(x, y, sizeof x) == 0;
        for (int k = 0; k < MAP && !same; k++)
            assert_true(x[k] == y[(k / C / W * W + W - 1 - k / C % W) * C + k % C]);
        flipped += !same;
        for (int k = 0; k < MAP; k++) x[k] = y[k];
        hk_augment_cutout(&at, 3, x);
        int zeros = 0;
        for (int k = 0; k < MAP; k++) {
            zeros += x[k] == 0.0f;
            assert_true(x[k] == 0.0f || x[k] == y[k]);
        }
        assert_true(zeros >= 2 * 2 * C && zeros <= 3 * 3 * C);
        for (int k = 0; k < MAP; k++) x[k] = y[k];
        hk_augment_norm(&c, &at, x);
        for (int k = 0; k < MAP; k++) assert_true(x[k] == (y[k] - c.mean[k % C]) / c.std[k % C]);
    }
    assert_true(flipped > 70 && flipped < 130);
}

static void test_augment_cfg(void **state)
{
    (void)state;
    hk_augment_cfg c;
    hk_shape map = { .h = H, .w = W, .c = C }, vector = { .h = 1, .w = 1, .c = 9 };
    memset(&c, 0, sizeof c);
    hk_fields_default(&hk_augment_info, &c);
    assert_true(c.n_mean == 0 && c.crop_pad == 0 && !c.flip);
    assert_int_equal(hk_augment_check(&c, vector, &err), HK_OK);
    c.flip = true;
    assert_int_equal(hk_augment_check(&c, vector, &err), HK_E_SHAPE);
    assert_int_equal(hk_augment_check(&c, map, &err), HK_OK);
    const double mean[5] = { 0.1, 0.2, 0.3 }, std[5] = { 1, 2, 3 }, zero[1] = { 0 };
    assert_int_equal(hk_augment_set_norm(&c, mean, std, 3, &err), HK_OK);
    assert_true(c.n_mean == 3 && c.mean[2] == 0.3f && c.std[1] == 2.0f);
    assert_int_equal(hk_augment_check(&c, map, &err), HK_E_SHAPE);
    assert_int_equal(hk_augment_set_norm(&c, mean, std, HK_AUGMENT_CHANNELS + 1, &err),
                     HK_E_ARG);
    assert_int_equal(hk_augment_set_norm(&c, mean, zero, 1, &err), HK_E_ARG);
    assert_int_equal(c.n_mean, 3);
    for (int k = 0; k < hk_augment_info.n_fields; k++) {
        const hk_field *f = &hk_augment_info.fields[k];
        assert_int_equal(hk_field_set(&hk_augment_info, f, &c, f->max, &err), HK_OK);
        assert_true(hk_field_get(f, &c) == (double)(float)f->max);
    }
}

/* ---- loader -------------------------------------------------------------------------------- */

/* The batch computed without the loader, sample by sample. */
static void check_batch(const hk_dataset *d, const hk_loader_cfg *c, const hk_loaded *b)
{
    float x[3 * MAP], scratch[3 * MAP];
    int64_t steps = d->steps > 0 ? d->steps : 1;
    for (int64_t j = 0; j < b->n; j++) {
        hk_augment_at at = { { c->seed, (UINT64_C(0xd3) << 56) | (uint64_t)b->epoch },
                             (uint64_t)b->index[j], d->shape, (int32_t)steps };
        hk_data_get(d, b->index[j], x, NULL, &err);
        hk_augment_apply(&c->augment, &at, c->train, x, scratch);
        assert_int_equal(b->label[j], b->index[j] % 3);
        for (int64_t t = 0; t < steps; t++)
            assert_memory_equal(b->x + (t * b->n + j) * MAP, x + t * MAP, MAP * sizeof *x);
    }
}

static void test_epochs(void **state)
{
    (void)state;
    for (int32_t steps = 0; steps <= 3; steps++) {
        hk_dataset d = fake(steps);
        hk_loader_cfg c = config();
        hk_loader *l = open_ok(&d, &c);
        int64_t first[2] = { 0 };
        assert_true(hk_loader_samples(l) == 82 && hk_loader_batches(l) == 11);
        for (int64_t epoch = 0; epoch < 2; epoch++) {
            int seen[MANY] = { 0 };
            for (int64_t k = 0; k < 11; k++) {
                hk_loaded b = next_ok(l);
                assert_true(b.epoch == epoch && b.at == k && b.n == (k < 10 ? 8 : 2));
                check_batch(&d, &c, &b);
                for (int64_t j = 0; j < b.n; j++) assert_int_equal(seen[b.index[j]]++, 0);
                if (k == 0)
                    for (int j = 0; j < 8; j++) first[epoch] = 131 * first[epoch] + b.index[j];
            }
            hk_loaded end = next_ok(l);
            assert_true(end.n == 0 && end.epoch == epoch && end.at == 11);
        }
        assert_true(first[0] != first[1]);
        hk_loader_close(l);
    }
}

static void test_seek(void **state)
{
    (void)state;
    hk_dataset d = fake(0);
    hk_loader_cfg c = config();
    hk_loader *a = open_ok(&d, &c), *b = open_ok(&d, &c);
    for (int64_t epoch = 0; epoch < 3; epoch++)
        for (int64_t k = 0; k <= 11; k++) {
            hk_loaded x = next_ok(a), y;
            if (k % 3 == 0) next_ok(b);              /* leave the line of b */
            assert_int_equal(hk_loader_seek(b, epoch, k, &err), HK_OK);
            y = next_ok(b);
            assert_true(x.n == y.n && x.epoch == y.epoch && x.at == y.at && (k < 11 || x.n == 0));
            if (x.n == 0) continue;
            assert_memory_equal(x.x, y.x, (size_t)x.n * MAP * sizeof *x.x);
            assert_memory_equal(x.index, y.index, (size_t)x.n * sizeof *x.index);
        }
    assert_int_equal(hk_loader_seek(b, 0, 11, &err), HK_OK);
    assert_true(next_ok(b).n == 0 && next_ok(b).epoch == 1);
    assert_int_equal(hk_loader_seek(b, 0, 12, &err), HK_E_ARG);
    assert_int_equal(hk_loader_seek(b, -1, 0, &err), HK_E_ARG);
    hk_loader_close(a);
    hk_loader_close(b);
}

/* Marks the samples of a part; returns how many. */
static int64_t part_mark(const hk_dataset *d, hk_loader_cfg c, hk_part part, uint8_t *mark,
                         int64_t *per_class)
{
    c.part = part;
    hk_loader *l = open_ok(d, &c);
    int64_t n = 0;
    for (hk_loaded b = next_ok(l); b.n; b = next_ok(l))
        for (int64_t j = 0; j < b.n; j++, n++) {
            mark[b.index[j]]++;
            per_class[b.label[j]]++;
        }
    assert_int_equal(n, hk_loader_samples(l));
    hk_loader_close(l);
    return n;
}

static void test_split(void **state)
{
    (void)state;
    hk_dataset d = fake(0);
    for (int stratify = 0; stratify < 2; stratify++) {
        hk_loader_cfg c = config();
        uint8_t mark[MANY] = { 0 }, again[MANY] = { 0 }, other[MANY] = { 0 };
        int64_t val[3] = { 0 }, train[3] = { 0 }, dummy[3] = { 0 };
        c.stratify = stratify;
        assert_int_equal(part_mark(&d, c, HK_PART_VAL, mark, val), 21);
        c.seed = 77;                         /* another order, the same split */
        part_mark(&d, c, HK_PART_VAL, again, dummy);
        assert_memory_equal(mark, again, sizeof mark);
        c.split_seed = 7;
        part_mark(&d, c, HK_PART_VAL, other, dummy);
        assert_memory_not_equal(mark, other, sizeof mark);
        c.split_seed = 6;
        assert_int_equal(part_mark(&d, c, HK_PART_TRAIN, mark, train), 82);
        for (int i = 0; i < MANY; i++) assert_int_equal(mark[i], 1);
        if (stratify) assert_true(val[0] == 7 && val[1] == 7 && val[2] == 7);
        assert_int_equal(part_mark(&d, c, HK_PART_ALL, mark, train), MANY);
    }
}

static void test_options(void **state)
{
    (void)state;
    hk_dataset d = fake(0);
    hk_loader_cfg c = config();
    hk_loader *l;
    c.drop_last = true;
    c.shuffle = false;
    c.part = HK_PART_ALL;
    l = open_ok(&d, &c);
    assert_int_equal(hk_loader_batches(l), 12);
    for (int64_t k = 0; k < 12; k++) {
        hk_loaded b = next_ok(l);
        for (int64_t j = 0; j < 8; j++) assert_int_equal(b.index[j], 8 * k + j);
    }
    assert_int_equal(next_ok(l).n, 0);
    hk_loader_close(l);
    c.batch = MANY + 1;
    assert_int_equal(hk_loader_open(&l, &d, &c, &err), HK_E_ARG);
    assert_null(l);
    c.drop_last = false;
    l = open_ok(&d, &c);
    assert_int_equal(next_ok(l).n, MANY);
    hk_loader_close(l);
    c.batch = 0;
    assert_int_equal(hk_loader_open(&l, &d, &c, &err), HK_E_ARG);
    c.batch = 1;
    c.val_fraction = NAN;
    assert_int_equal(hk_loader_open(&l, &d, &c, &err), HK_E_ARG);
    c.val_fraction = 0;
    c.part = HK_PART_VAL;
    assert_int_equal(hk_loader_open(&l, &d, &c, &err), HK_E_ARG);
    assert_non_null(strstr(err.text, "validation"));
}

static void test_error_in_thread(void **state)
{
    (void)state;
    int64_t broken = 20;
    hk_dataset d = fake(0);
    hk_loader_cfg c = config();
    hk_loaded b;
    d.self = &broken;
    c.part = HK_PART_ALL;
    c.shuffle = false;
    hk_loader *l = open_ok(&d, &c);
    next_ok(l);
    next_ok(l);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(hk_loader_next(l, &b, &err), HK_E_IO);
        assert_string_equal(err.text, "sample 20 is broken");
    }
    assert_int_equal(hk_loader_seek(l, 0, 3, &err), HK_OK);
    assert_int_equal(next_ok(l).index[0], 24);
    hk_loader_close(l);
}

/* Two loaders of one data set in two threads give what one gives alone. */
static void *run_epochs(void *arg)
{
    hk_loader *l = arg;
    uint64_t *sum = calloc(1, sizeof *sum);
    hk_loaded b;
    for (int ends = 0; ends < 20 && hk_loader_next(l, &b, NULL) == HK_OK; ends += b.n == 0)
        for (int64_t k = 0; k < b.n * MAP; k++) {
            uint32_t bits;
            memcpy(&bits, &b.x[k], sizeof bits);
            *sum = *sum * 1000003 + bits;
        }
    return sum;
}

static void test_threads(void **state)
{
    (void)state;
    hk_dataset d = fake(0);
    hk_loader_cfg c = config();
    hk_loader *l[3];
    pthread_t t[2];
    void *sum[3];
    for (int k = 0; k < 3; k++) l[k] = open_ok(&d, &c);
    for (int k = 0; k < 2; k++) pthread_create(&t[k], NULL, run_epochs, l[k]);
    for (int k = 0; k < 2; k++) pthread_join(t[k], &sum[k]);
    sum[2] = run_epochs(l[2]);
    for (int k = 0; k < 3; k++) {
        assert_int_equal(*(uint64_t *)sum[k], *(uint64_t *)sum[2]);
        hk_loader_close(l[k]);
    }
    for (int k = 0; k < 3; k++) free(sum[k]);
}

static void test_memory(void **state)
{
    (void)state;
    hk_dataset d = fake(2);
    hk_loader_cfg c = config();
    hk_status st = HK_E_NOMEM;
    hk_loader *l = NULL;
    size_t live = hk_alloc_counts().live;
    for (long n = 1; st != HK_OK; n++) {
        hk_alloc_fail_at(n);
        st = hk_loader_open(&l, &d, &c, &err);
        hk_alloc_fail_at(0);
        assert_true(st == HK_OK || (st == HK_E_NOMEM && !l && hk_alloc_counts().live == live));
    }
    long before = hk_alloc_counts().requests;
    for (int k = 0; k < 30; k++) next_ok(l);
    assert_int_equal(hk_alloc_counts().requests, before);
    hk_loader_close(l);
    hk_loader_close(NULL);
    assert_int_equal(hk_alloc_counts().live, live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crop),    cmocka_unit_test(test_flip_cutout_norm),
        cmocka_unit_test(test_augment_cfg), cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_seek),    cmocka_unit_test(test_split),
        cmocka_unit_test(test_options), cmocka_unit_test(test_error_in_thread),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
