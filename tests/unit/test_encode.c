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

/* Three steps of one value per position: what an encoder writes for each, as floats of a channel. */
static void over_time(const hk_encoder_ops *ops, const float *seq, int steps, int channel, float *out)
{
    const hk_shape one = { 1, 1, 1, false };
    const hk_signal form = hk_encode_form(ops, cfg, one);
    for (int t = 1; t <= steps + 1; t++) {
        float got[4];
        const hk_encode_in in = { .x = seq, .steps = steps, .batch = 1, .shape = one, .r = { 1, 2 } };
        ops->step(cfg, &in, t, steps + 1, got);
        uint32_t word;
        memcpy(&word, got, sizeof word);
        out[t - 1] = form.kind == HK_BITS ? (float)(word >> channel & 1) : got[channel];
    }
}

/* Fixture of the specification, and the step behind the last frame. */
static void delta(void **state)
{
    (void)state;
    static const float seq[] = { 1, 2, 0, 2, 2.9f }, want[] = { 1, 1, -1, 1, 0 };
    const hk_encoder_ops *ops = get("delta");
    const hk_shape s = { 2, 3, 33, false };
    float got[6], off[6];
    hk_signal form = hk_encode_form(ops, cfg, s);
    assert_true(ops->time == HK_TIME_AXIS && form.kind == HK_BITS && form.shape.c == 66 && form.shape.h == 2);
    for (int first = 0; first < 2; first++)
        for (int one = 0; one < 2; one++) {
            set(ops, "threshold", 1);
            set(ops, "signs", one);
            set(ops, "first", first);
            over_time(ops, seq, 5, 0, got);
            if (!one) over_time(ops, seq, 5, 1, off);
            for (int t = 0; t < 5; t++)
                assert_true(got[t] - (one ? 0 : off[t]) == (first && t == 0 ? 0 : want[t]));
            assert_true(got[5] == 0);
        }
    form = hk_encode_form(ops, cfg, s);
    assert_true(form.kind == HK_F32 && form.shape.c == 33);
}

/* Two channels of 35: bit c up, bit 35 + c down, rows apart. */
static void delta_channels(void **state)
{
    (void)state;
    static float seq[2][ROWS * C];
    static uint32_t out[ROWS * 3 + 1];
    const hk_encoder_ops *ops = get("delta");
    for (int i = 0; i < ROWS * C; i++) seq[1][i] = i % 3 == 0 ? 1.0f : i % 3 == 1 ? -1.0f : 0.05f;
    const hk_encode_in in = { .x = seq[0], .steps = 2, .batch = B, .shape = { H, W, C, false } };
    out[ROWS * 3] = 0x5a5a5a5a;
    ops->step(cfg, &in, 2, 2, out);
    assert_int_equal(out[ROWS * 3], 0x5a5a5a5a);
    for (int i = 0; i < ROWS * C; i++)
        for (int down = 0; down < 2; down++) {
            const int k = i % C + (down ? C : 0);
            assert_int_equal(out[i / C * 3 + k / 32] >> k % 32 & 1, i % 3 == down);
        }
    for (int r = 0; r < ROWS; r++) assert_int_equal(out[r * 3 + 2] >> 6, 0);
}

static void direct_and_rate_over_time(void **state)
{
    (void)state;
    static const float seq[] = { 1, 0, 1, 0, 0.5f };
    float got[6];
    over_time(get("direct"), seq, 5, 0, got);
    for (int t = 0; t < 6; t++) assert_true(got[t] == (t < 5 ? seq[t] : 0));
    over_time(get("rate"), seq, 5, 0, got);
    for (int t = 0; t < 4; t++) assert_true(got[t] == seq[t]);
    assert_true(got[5] == 0);
    assert_true(get("latency")->time == HK_TIME_STATIC && get("none")->time == HK_TIME_AXIS);
}

/* Fixtures: latency at T = 5; the deviation of a rate over 100 steps at x = 0.3. */
static void fixtures(void **state)
{
    (void)state;
    static const float v[] = { 0, .02f, .25f, .5f, .75f, 1 };
    static const int at[] = { 4, 4, 3, 2, 1, 0 };
    hk_encode_in in = { .x = v, .batch = 1, .shape = { 1, 1, 6, false }, .r = { 3, 4 } };
    const hk_encoder_ops *ops = get("latency");
    for (int t = 1; t <= 5; t++) {
        uint32_t word;
        ops->step(cfg, &in, t, 5, &word);
        for (int k = 0; k < 6; k++) assert_int_equal(word >> k & 1, at[k] == t - 1);
    }
    enum { MANY = 4000 };
    static float x3[MANY];
    static int count[MANY];
    static uint32_t row[MANY / 32];
    double mean = 0, var = 0;
    for (int k = 0; k < MANY; k++) x3[k] = 0.3f;
    in = (hk_encode_in){ .x = x3, .batch = 1, .shape = { 1, 1, MANY, false }, .r = { 3, 4 } };
    ops = get("rate");
    for (int t = 1; t <= 100; t++) {
        ops->step(cfg, &in, t, 100, row);
        for (int k = 0; k < MANY; k++) count[k] += (int)(row[k / 32] >> k % 32 & 1);
    }
    for (int k = 0; k < MANY; k++) mean += count[k] / 100.0 / MANY;
    for (int k = 0; k < MANY; k++) var += (count[k] / 100.0 - mean) * (count[k] / 100.0 - mean) / MANY;
    assert_true(fabs(mean - 0.3) < 0.003 && fabs(sqrt(var) - 0.045826) < 0.002);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(direct),
        cmocka_unit_test(frames),
        cmocka_unit_test(rate),
        cmocka_unit_test(latency),
        cmocka_unit_test(delta),
        cmocka_unit_test(delta_channels),
        cmocka_unit_test(direct_and_rate_over_time),
        cmocka_unit_test(fixtures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
