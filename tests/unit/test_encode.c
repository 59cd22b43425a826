/* Encoders: their defining property, every step a function of its arguments alone, and not a bit
 * beyond the channels there are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "encode/encode.h"
#include "registry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { B = 3, H = 4, W = 5, C = 35, T = 64, ROWS = B * H * W, WORDS = (C + 31) / 32 };

static float x[ROWS * C];
static uint32_t bits[ROWS * WORDS + 1];
static uint8_t cfg[64];

static const hk_encoder_ops *get(const char *name)
{
    const hk_encoder_ops *ops = (const hk_encoder_ops *)hk_family_find(HK_FAM_ENCODER, name);
    assert_non_null(ops);
    assert_true(ops->info.cfg_size <= sizeof cfg);
    hk_fields_default(&ops->info, cfg);
    return ops;
}

static void set(const hk_encoder_ops *ops, const char *key, double v)
{
    for (int i = 0; i < ops->info.n_fields; i++)
        if (!strcmp(ops->info.fields[i].name, key))
            assert_int_equal(hk_field_set(&ops->info, &ops->info.fields[i], cfg, v, NULL), HK_OK);
}

static hk_encode_in input(void)
{
    for (int i = 0; i < ROWS * C; i++) x[i] = (float)(i % 11) / 10;
    return (hk_encode_in){ .x = x, .batch = B, .shape = { H, W, C, false }, .r = { 7, 3 } };
}

static int bit(int row, int c) { return (int)(bits[row * WORDS + c / 32] >> c % 32 & 1); }

static void one_step(const hk_encoder_ops *ops, const hk_encode_in *in, int t, int steps)
{
    memset(bits, 0xa5, sizeof bits);
    ops->step(cfg, in, t, steps, bits);
    assert_int_equal(bits[ROWS * WORDS], 0xa5a5a5a5u);
    for (int i = 0; i < ROWS; i++) assert_int_equal(bits[i * WORDS + WORDS - 1] >> (C % 32), 0);
}

static void direct(void **state)
{
    (void)state;
    static float out[ROWS * C];
    const hk_encode_in in = input();
    const hk_encoder_ops *ops = get("direct");
    assert_true(ops->constant && ops->kind == HK_F32);
    ops->step(cfg, &in, 1, T, out);
    assert_memory_equal(out, x, sizeof out);
}

static void frames(void **state)
{
    (void)state;
    static float seq[3][ROWS * C], out[ROWS * C];
    hk_encode_in in = input();
    const hk_encoder_ops *ops = get("none");
    assert_true(!ops->constant && ops->kind == HK_F32);
    for (int t = 0; t < 3; t++)
        for (int i = 0; i < ROWS * C; i++) seq[t][i] = (float)(100 * t + i);
    in.x = seq[0];
    in.steps = 3;
    for (int t = 1; t <= 3; t++) {
        ops->step(cfg, &in, t, 4, out);
        assert_memory_equal(out, seq[t - 1], sizeof out);
    }
    ops->step(cfg, &in, 4, 4, out);
    for (int i = 0; i < ROWS * C; i++) assert_true(out[i] == 0);
}

/* The mean over N draws of probability p is within 5 standard deviations of p. */
static void rate(void **state)
{
    (void)state;
    static int fired[11], seen[11];
    hk_encode_in in = input();
    const hk_encoder_ops *ops = get("rate");
    assert_true(!ops->constant && ops->kind == HK_BITS);
    for (int t = 1; t <= T; t++) {
        one_step(ops, &in, t, T);
        for (int i = 0; i < ROWS * C; i++) {
            fired[i % 11] += bit(i / C, i % C);
            seen[i % 11]++;
        }
    }
    for (int k = 0; k < 11; k++) {
        const double p = k / 10.0, n = seen[k], sigma = sqrt(p * (1 - p) / n);
        assert_true(fabs(fired[k] / n - p) <= 5 * sigma);
    }
    uint32_t first[ROWS * WORDS];
    one_step(ops, &in, 5, T);
    memcpy(first, bits, sizeof first);
    one_step(ops, &in, 6, T);
    assert_memory_not_equal(first, bits, sizeof first);
    one_step(ops, &in, 5, 9);
    assert_memory_equal(first, bits, sizeof first);
    in.r.stream++;
    one_step(ops, &in, 5, T);
    assert_memory_not_equal(first, bits, sizeof first);
    set(ops, "gain", 0);
    one_step(ops, &in, 1, T);
    for (int i = 0; i < ROWS * WORDS; i++) assert_int_equal(bits[i], 0);
    set(ops, "gain", 10);
    one_step(ops, &in, 1, T);
    for (int i = 0; i < ROWS * C; i++) assert_int_equal(bit(i / C, i % C), i % 11 != 0);
}

static void latency(void **state)
{
    (void)state;
    static int at[ROWS * C], n[ROWS * C];
    const hk_encode_in in = input();
    const hk_encoder_ops *ops = get("latency");
    for (int floor = 0; floor < 2; floor++) {
        set(ops, "floor", floor ? 0.25 : 0);
        memset(n, 0, sizeof n);
        for (int t = 1; t <= 21; t++) {
            one_step(ops, &in, t, 21);
            for (int i = 0; i < ROWS * C; i++)
                if (bit(i / C, i % C)) at[i] = t, n[i]++;
        }
        for (int i = 0; i < ROWS * C; i++) {
            const bool fires = !floor || i % 11 >= 3;
            assert_int_equal(n[i], fires);
            if (fires) assert_int_equal(at[i], 21 - 2 * (i % 11));
        }
    }
    x[0] = NAN, x[1] = -5, x[2] = 5;
    set(ops, "floor", 0);
    one_step(ops, &in, 1, 1);
    assert_int_equal(bit(0, 0) + bit(0, 1) + bit(0, 2), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(direct),
        cmocka_unit_test(frames),
        cmocka_unit_test(rate),
        cmocka_unit_test(latency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
