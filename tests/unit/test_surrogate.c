/* Surrogates: known values, and for every registered one and every combination of its switches: the
 * derivative is that of the primitive, and it is elementwise. Also the functions of base/math.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"

#include "base/math.h"

#define HK_SURROGATE(nm) extern const hk_surrogate_ops hk_surrogate_##nm;
#include "registry.def"

static const hk_surrogate_ops *const surrogates[] = {
#define HK_SURROGATE(nm) &hk_surrogate_##nm,
#include "registry.def"
};

/* ---- known values -------------------------------------------------------------------------------
 * phi, and F where a source has it, at z = -0.5, 0, 0.25, 1, to the digits that were printed. */

typedef struct known {
    const hk_surrogate_ops *ops;
    const char             *settings;
    double                  tol;
    double                  phi[4], primitive[4];
} known;

#define S(nm)   &hk_surrogate_##nm
#define NO_F    { (double)NAN, (double)NAN, (double)NAN, (double)NAN }

static const double at[4] = { -0.5, 0, 0.25, 1 };

static const known values[] = {
    { S(triangle), "", 1e-6, { .5, 1, .75, 0 }, { .125, .5, .71875, 1 } },
    { S(piecewise_exp), "", 1e-6, { .303265, .5, .389400, .183940 },
      { .303265, .5, .610600, .816060 } },
    { S(sigmoid), "", 1e-6, { .419974, 1, .786448, .070651 }, { .119203, .5, .731059, .982014 } },
    { S(soft_sign), "", 1e-6, { .25, 1, .444444, .111111 }, { .25, .5, .666667, .833333 } },
    { S(super_spike), "", 1e-6, { .444444, 1, .64, .25 }, NO_F },
    { S(atan), "", 1e-6, { .288400, 1, .618486, .092000 }, { .180454, .5, .711922, .901907 } },
    { S(nonzero_sign_log_abs), "", 1e-6, { .666667, 1, .8, .5 },
      { -.405465, 0, .223144, .693147 } },
    { S(erf), "", 1e-6, { .415107, 1.128379, .878783, .020667 },
      { .078650, .5, .760250, .997661 } },
    { S(leaky_relu), "", 1e-6, { .5, .5, .5, .01 }, { .25, .5, .625, 1 } },
    { S(fourier), "", 1e-6, { .461940, .5, .490393, .353553 }, { .256376, .5, .624198, .950158 } },
    { S(s2nn), "", 1e-6, { .419974, 1, .8, .5 }, { .119203, .5, .723144, 1.193147 } },
    { S(q_pseudo_spike), "", 1e-6, { .25, 1, .444444, .111111 }, { .25, .5, .666667, .833333 } },
    { S(leaky_k_relu), "", 1e-6, { 0, 1, 1, 1 }, { 0, 0, .25, 1 } },
    { S(log_tailed_relu), "", 1e-6, { 0, 0, 1, 1 }, { 0, 0, .25, 1 } },
    { S(fake_numerical), "", 1e-6, { .3, .3, .3, .3 }, NO_F },
    { S(rectangle), "edge=open", 1e-6, { 0, 1, 1, 0 }, { 0, .5, .75, 1 } },
    { S(rectangle), "", 1e-6, { 1, 1, 1, 0 }, { 0, .5, .75, 1 } },
    { S(multi_level), "levels=1", 1e-6, { 0, 1, 1, 1 }, { 0, 0, .25, 1 } },
    { S(fast_sigmoid), "", 1e-6, { .005487, 1, .019025, .001479 }, NO_F },
    { S(fast_sigmoid), "k=100", 1e-6, { .000384, 1, .001479, .000098 }, NO_F },
    { S(sigmoid), "slope=25", 1e-6, { .000093, 6.25, .048076, 0 }, NO_F },
    { S(spike_rate_escape), "", 1e-6, { 5.578254, 9.196986, 11.809164, 25 }, NO_F },
    { S(scaled_triangle), "", 1e-6, { .15, .3, .225, 0 }, NO_F },
    { S(tanh), "", 1e-6, { 0, 1, 0, 0 }, NO_F },
    { S(erfc), "", 1e-6, { 0, 1.128379, 0, 0 }, NO_F },
    { S(circ), "", 1e-6, { .999963, 1, .999991, .999850 }, NO_F },
    { S(slayer), "", 1e-6, { .606531, 1, .778801, .367879 }, NO_F },
    { S(slayer), "scale=0.05 width=100", 1e-6, { 4.98e-4, 5.00e-4, 4.99e-4, 4.95e-4 }, NO_F },
    { S(exponential), "", 1e-6, { .606531, 1, .778801, .367879 },
      { .606531, 1, 1.221199, 1.632121 } },
    { S(gaussian), "", 1e-6, { .483941, .797885, .704131, .107982 }, NO_F },
    { S(gaussian), "sigma=0.4", 1e-6, { .456623, .997356, .820402, .043821 }, NO_F },
    { S(multi_gaussian), "", 1e-6, { .258858, .439112, .385269, .043452 }, NO_F },
    { S(triangle), "width=2", 1e-6, { .375, .5, .4375, .25 }, { .28125, .5, .6171875, .875 } },
    { S(rectangle), "width=2", 1e-6, { .5, .5, .5, .5 }, { .25, .5, .625, 1 } },
    { S(fourier), "n=4", 1e-6, { .461940, 1.5, 1.183913, -.353553 }, NO_F },
};

static void test_known_values(void **unused)
{
    (void)unused;
    for (int k = 0; k < HK_COUNT(values); k++) {
        const known *e = &values[k];
        cfg_block cfg;
        configure(&e->ops->info, &cfg, e->settings);
        for (int i = 0; i < 4; i++) {
            float z = (float)at[i], phi;
            e->ops->derivative(1, &z, &phi, &cfg);
            near((double)phi, e->phi[i], e->tol, e->ops->info.name, i);
            if (isnan(e->primitive[i])) continue;
            const double f = e->ops->primitive(at[i], &cfg);
            near(f, e->primitive[i], e->tol, e->ops->info.name, 10 + i);
        }
    }
}

/* The area under phi of these is 1 for any parameter: F runs from 0 to 1. */
static void test_unit_area(void **unused)
{
    static const struct { const hk_surrogate_ops *ops; const char *settings; } unit[] = {
        { S(triangle), "width=0.5" },     { S(rectangle), "width=3" }, { S(sigmoid), "slope=3" },
        { S(piecewise_exp), "alpha=2" },  { S(gaussian), "sigma=2" },  { S(erf), "alpha=0.7" },
        { S(q_pseudo_spike), "alpha=3" }, { S(atan), "slope=1.5" },    { S(soft_sign), "alpha=5" },
    };
    (void)unused;
    for (int k = 0; k < HK_COUNT(unit); k++) {
        cfg_block cfg;
        configure(&unit[k].ops->info, &cfg, unit[k].settings);
        near(unit[k].ops->primitive(-1e9, &cfg), 0, 1e-6, unit[k].ops->info.name, 0);
        near(unit[k].ops->primitive(1e9, &cfg), 1, 1e-6, unit[k].ops->info.name, 1);
    }
}

/* ---- every surrogate ------------------------------------------------------------------------- */

static void each(void (*check)(const hk_surrogate_ops *o, const void *cfg))
{
    for (int k = 0; k < HK_COUNT(surrogates); k++) {
        cfg_block cfg;
        const hk_surrogate_ops *o = surrogates[k];
        const int count = combination(&o->info, &cfg, 0);
        for (int c = 0; c < count; c++) {
            combination(&o->info, &cfg, c);
            check(o, &cfg);
        }
    }
}

static void check_table(const hk_surrogate_ops *o, const void *cfg)
{
    (void)cfg;
    check_info(&o->info);
}

/* Central differences of width h and 2 h disagree only near a kink or a jump: there phi has no one
 * value to compare with. */
static void check_derivative(const hk_surrogate_ops *o, const void *cfg)
{
    const double h = 1e-5;
    int kinks = 0, points = 0;
    for (float z = -2.0f; z < 2.0f; z += 0.00371f, points++) {
        const double y = (double)z;
        const double near_by = (o->primitive(y + h, cfg) - o->primitive(y - h, cfg)) / (2 * h);
        const double wide = (o->primitive(y + 2 * h, cfg) - o->primitive(y - 2 * h, cfg)) / (4 * h);
        float phi;
        o->derivative(1, &z, &phi, cfg);
        if (fabs(near_by - wide) > 1e-4) kinks++;
        else near((double)phi, near_by, 5e-5, o->info.name, points);
    }
    if (kinks > 4) fail_msg("%s: %d of %d points are kinks", o->info.name, kinks, points);
}

/* Largest and smallest arguments give finite values, whatever is in between. */
static void check_extremes(const hk_surrogate_ops *o, const void *cfg)
{
    static const float z[] = { -1e30f, -1e10f, -1e3f, -1e-30f, -0.0f, 0, 1e-30f, 1e3f, 1e10f };
    float phi[HK_COUNT(z)];
    o->derivative(HK_COUNT(z), z, phi, cfg);
    for (int i = 0; i < HK_COUNT(z); i++)
        if (!isfinite(phi[i])) fail_msg("%s: %g at %g", o->info.name, (double)phi[i], (double)z[i]);
}

enum { N = 67 };

static void check_elementwise(const hk_surrogate_ops *o, const void *cfg)
{
    float z[N], phi[N], cut_phi[N];
    fill(z, N, -2, 2);
    o->derivative(N, z, phi, cfg);
    for (size_t cut = 0; cut <= N; cut += 11) {
        memset(cut_phi, 0xff, sizeof cut_phi);
        o->derivative(cut, z, cut_phi, cfg);
        for (size_t i = cut; i < N; i++) assert_true(isnan(cut_phi[i]));
        o->derivative(N - cut, z + cut, cut_phi + cut, cfg);
        same_bits(cut_phi, phi, N, o->info.name);
    }
    o->derivative(N, z, z, cfg);
    same_bits(z, phi, N, o->info.name);
}

static void test_table(void **unused) { (void)unused; each(check_table); }
static void test_derivative(void **unused) { (void)unused; each(check_derivative); }
static void test_extremes(void **unused) { (void)unused; each(check_extremes); }
static void test_elementwise(void **unused) { (void)unused; each(check_elementwise); }

/* ---- base/math.h ----------------------------------------------------------------------------- */

static double ulps(float found, double expected)
{
    const float rounded = fabsf((float)expected);
    return fabs((double)found - expected) / (double)(nextafterf(rounded, INFINITY) - rounded);
}

static void test_math(void **unused)
{
    (void)unused;
    for (float x = -87; x <= 88; x += 0.00731f) {
        assert_true(ulps(hk_exp(x), exp((double)x)) < 1);
        near(hk_exp_double((double)x) / exp((double)x), 1, 1e-15, "hk_exp_double", 0);
        near(hk_cos_turns((double)x), cos(6.283185307179586 * (double)x), 1e-13, "cos", 0);
    }
    for (float x = 1e-30f; x < 1e30f; x *= 1.0037f)
        assert_true(ulps(hk_log(x), log((double)x)) < 2);
    for (double x = 1e-300; x < 1e300; x *= 1.37)
        near(hk_log_double(x), log(x), 1e-15, "hk_log_double", 0);
    assert_true(hk_log_double(1) == 0 && isnan(hk_log_double((double)NAN)));
    assert_true(hk_exp(0) == 1 && hk_exp(-1e4f) == 0 && hk_exp(-INFINITY) == 0);
    assert_true(isfinite(hk_exp(1e4f)) && isnan(hk_exp(NAN)) && isnan(hk_exp_double((double)NAN)));
    assert_true(hk_log(1) == 0 && hk_sigmoid(0) == 0.5f);
    assert_true(hk_sigmoid(-200) < 1e-37f && hk_sigmoid(200) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values), cmocka_unit_test(test_unit_area),
        cmocka_unit_test(test_table),        cmocka_unit_test(test_derivative),
        cmocka_unit_test(test_extremes),     cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_math),
    };
    return cmocka_run_group_tests_name("surrogate", tests, NULL, NULL);
}
