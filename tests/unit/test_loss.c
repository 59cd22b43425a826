/* Losses: known values, and for every registered one and every combination of its switches: dz is
 * the derivative of the value.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"

#define HK_LOSS(nm) extern const hk_loss_ops hk_loss_##nm;
#include "registry.def"

static const hk_loss_ops *const losses[] = {
#define HK_LOSS(nm) &hk_loss_##nm,
#include "registry.def"
};

enum { C = 10 };

/* ---- known values -------------------------------------------------------------------------------
 * z = 1 2 4, target 0 1 0 or 0.1 0.8 0.1. log S = log(e^-3 + e^-2 + 1) = 0.169846, so that CE is
 * 2.169846 and 2.069846. Squares to the one-hot target: 1 + 1 + 16, to the smoothed one:
 * 0.81 + 1.44 + 15.21, to the constant 1: 0 + 1 + 9, to 2: 1 + 0 + 4. */

typedef struct known {
    const hk_loss_ops *ops;
    const char        *settings;
    double             onehot, smooth;
} known;

#define CE_ONEHOT 2.1698460
#define CE_SMOOTH 2.0698460

static const known values[] = {
    { &hk_loss_ce, "", CE_ONEHOT, CE_SMOOTH },
    { &hk_loss_mse, "", 9, 8.73 },
    { &hk_loss_mse, "form=mean", 6, 5.82 },
    { &hk_loss_mse, "mse_form=mean", 6, 5.82 },
    { &hk_loss_ce_mse_onehot, "", .95 * CE_ONEHOT + .05 * 6, .95 * CE_SMOOTH + .05 * 5.82 },
    { &hk_loss_ce_mse_onehot, "lam=0.25", .75 * CE_ONEHOT + .25 * 6, .75 * CE_SMOOTH + .25 * 5.82 },
    { &hk_loss_ce_mse_constant, "", .95 * CE_ONEHOT + .5 / 3, .95 * CE_SMOOTH + .5 / 3 },
    { &hk_loss_ce_mse_constant, "constant=2", .95 * CE_ONEHOT + .25 / 3,
      .95 * CE_SMOOTH + .25 / 3 },
    { &hk_loss_tet, "", .95 * CE_ONEHOT + .5 / 3, .95 * CE_SMOOTH + .5 / 3 },
};

static void test_known_values(void **unused)
{
    static const float z[] = { 1, 2, 4 }, onehot[] = { 0, 1, 0 }, smooth[] = { 0.1f, 0.8f, 0.1f };
    float dz[3];
    (void)unused;
    for (int k = 0; k < HK_COUNT(values); k++) {
        const known *e = &values[k];
        cfg_block cfg;
        configure(&e->ops->info, &cfg, e->settings);
        near(e->ops->eval(3, z, onehot, dz, &cfg), e->onehot, 1e-7, e->ops->info.name, 0);
        near(e->ops->eval(3, z, smooth, dz, &cfg), e->smooth, 1e-7, e->ops->info.name, 1);
    }
}

/* Adding a constant to all logits changes nothing, however large it is; p of a far logit is 0. */
static void test_stable(void **unused)
{
    static const float low[] = { -1, 0, 2 }, high[] = { 4095, 4096, 4098 };
    static const float far[] = { -3e38f, 3e38f, 0 };
    static const float target[] = { 0, 1, 0 };
    float dz[3], dz_high[3];
    (void)unused;
    const double a = hk_loss_ce.eval(3, low, target, dz, NULL);
    const double b = hk_loss_ce.eval(3, high, target, dz_high, NULL);
    assert_true(a == b);
    same_bits(dz, dz_high, 3, "dz");
    near(hk_loss_ce.eval(3, far, target, dz, NULL), 0, 0, "far", 0);
    for (int k = 0; k < 3; k++) near((double)dz[k], 0, 1e-30, "far dz", k);
}

/* What is not finite is seen in the value. */
static void test_not_finite(void **unused)
{
    const float bad[] = { NAN, INFINITY };
    (void)unused;
    for (int k = 0; k < HK_COUNT(losses); k++)
        for (int i = 0; i < 2 * C; i++) {
            float z[C] = { 0 }, target[C] = { [3] = 1 }, dz[C];
            cfg_block cfg;
            hk_fields_default(&losses[k]->info, &cfg);
            z[i / 2] = bad[i % 2];
            assert_false(isfinite(losses[k]->eval(C, z, target, dz, &cfg)));
        }
}

/* ---- every loss ------------------------------------------------------------------------------ */

/* All z are multiples of 2^-12 and h is 2^-7, so that z + h is exact. */
static void check_gradient(const hk_loss_ops *o, const void *cfg, int n)
{
    float z[C], target[C], dz[C], scrap[C];
    for (int k = 0; k < n; k++) z[k] = (float)(floor(uniform(-3, 3) * 4096) / 4096);
    fill(target, C, 0, 0.5);
    o->eval(n, z, target, dz, cfg);
    for (int k = 0; k < n; k++) {
        const float kept = z[k];
        double slope = 0;
        for (int half = 0; half < 2; half++) {
            const float h = half ? 0.00390625f : 0.0078125f;
            z[k] = kept + h;
            double up = o->eval(n, z, target, scrap, cfg);
            z[k] = kept - h;
            double down = o->eval(n, z, target, scrap, cfg);
            double now = (up - down) / (2 * (double)h);
            slope = half ? (4 * now - slope) / 3 : now;
        }
        z[k] = kept;
        near((double)dz[k], slope, 2e-7, o->info.name, k);
    }
}

static void test_gradient(void **unused)
{
    (void)unused;
    for (int k = 0; k < HK_COUNT(losses); k++) {
        const hk_loss_ops *o = losses[k];
        cfg_block cfg;
        check_info(&o->info);
        const int count = combination(&o->info, &cfg, 0);
        for (int c = 0; c < count; c++) {
            combination(&o->info, &cfg, c);
            check_gradient(o, &cfg, 1);
            check_gradient(o, &cfg, 2);
            check_gradient(o, &cfg, C);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values), cmocka_unit_test(test_stable),
        cmocka_unit_test(test_not_finite),   cmocka_unit_test(test_gradient),
    };
    return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
