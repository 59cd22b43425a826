/* Neurons: known runs, forward and adjoint, and the three traces of a LIF.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"

#define HK_NEURON(nm)    extern const hk_neuron_ops hk_neuron_##nm;
#define HK_SURROGATE(nm) extern const hk_surrogate_ops hk_surrogate_##nm;
#include "registry.def"

/* ---- known runs ---------------------------------------------------------------------------------
 * Input 0.6 0.9 0.3 1.1 0.2, dL/ds 0.5 -0.3 0.8 0.1 -0.6, arc tangent of slope 2. h is the membrane
 * before reset, v after; dleak is dL/dw with k = sigmoid(w) = 1 - leak. Computed elsewhere, in
 * double precision, by reverse-mode differentiation. */

typedef struct known {
    const char          *what;
    const hk_neuron_ops *neuron;
    const char          *settings;
    bool                 attached;
    double               h[5], v[5], dx[5];
    double               dth, dleak;     /* NAN: not known */
} known;

/* A LIF's leak is 1 - k, so dL/dw = -k (1 - k) dL/dleak. */
static double run_dleak(const neuron_run *r)
{
    if (r->neuron != &hk_neuron_lif) return r->dparam[1];
    const double a = (double)r->learn[1];
    return -a * (1 - a) * r->dparam[1];
}

#define HARD_H  { .6, 1.2, .3, 1.25, .2 }
#define HARD_V  { .6, 0, .3, 0, .2 }
#define SOFT_H  { .6, 1.2, .4, 1.3, .35 }
#define SOFT_V  { .6, .2, .4, .3, .35 }
#define HARD_ATTACHED { 0.081390, -0.293141, 0.181447, 0.093548, -0.082006 }, -0.081036, 0.036955
#define HARD_DETACHED { 0.086320, -0.215087, 0.168002, 0.061849, -0.082006 }, -0.095697, 0.027624
#define SOFT_ATTACHED { 0.136064, -0.188804, 0.185719, 0.025661, -0.116056 }, -0.124155, 0.025173
#define SOFT_DETACHED { 0.129613, -0.128501, 0.173171, -0.005069, -0.116056 }, -0.119942, 0.019828
#define DECAY_H { .3, .6, .15, .625, .1 }
#define DECAY_V { .3, 0, .15, 0, .1 }
#define DECAY_DETACHED { 0.110976, -0.136525, 0.202735, 0.043320, -0.116318 }, -0.301581, 0.031691
#define SHIFT_H { .1, .333333, 0, .333333, -.033333 }
#define SHIFT_V { .1, -.1, 0, -.1, -.033333 }
#define SHIFT_DETACHED { 0.053549, -0.098915, 0.163204, 0.032972, -0.095392 }, -0.298143, 0.017162

static const known known_runs[] = {
    { "if soft", &hk_neuron_if, "", false, { .6, 1.5, .8, 1.9, 1.1 }, { .6, .5, .8, .9, .1 },
      { 0.145925, -0.047939, 0.038582, -0.534984, -0.546102 }, (double)NAN, (double)NAN },
    { "lif hard", &hk_neuron_lif, "reset=hard", true, HARD_H, HARD_V, HARD_ATTACHED },
    { "lif hard", &hk_neuron_lif, "reset=hard", false, HARD_H, HARD_V, HARD_DETACHED },
    { "lif soft", &hk_neuron_lif, "", true, SOFT_H, SOFT_V, SOFT_ATTACHED },
    { "lif soft", &hk_neuron_lif, "", false, SOFT_H, SOFT_V, SOFT_DETACHED },
    { "lif scaled", &hk_neuron_lif, "reset=hard input_scale=1-alpha threshold=0.5", false, DECAY_H,
      DECAY_V, DECAY_DETACHED },
    { "lif to Vr", &hk_neuron_lif,
      "reset=hard input_scale=1-alpha threshold=0.3 leak=0.66666666667 v_reset=-0.1", false,
      SHIFT_H, SHIFT_V, SHIFT_DETACHED },
    { "plif hard", &hk_neuron_plif, "decay_input=0", true, HARD_H, HARD_V, HARD_ATTACHED },
    { "plif hard", &hk_neuron_plif, "decay_input=0", false, HARD_H, HARD_V, HARD_DETACHED },
    { "plif soft", &hk_neuron_plif, "decay_input=0 reset=soft", true, SOFT_H, SOFT_V,
      SOFT_ATTACHED },
    { "plif soft", &hk_neuron_plif, "decay_input=0 reset=soft", false, SOFT_H, SOFT_V,
      SOFT_DETACHED },
    { "plif decay", &hk_neuron_plif, "threshold=0.5", false, DECAY_H, DECAY_V, DECAY_DETACHED },
    { "plif to Vr", &hk_neuron_plif, "threshold=0.3 tau=3 v_reset=-0.1", false, SHIFT_H, SHIFT_V,
      SHIFT_DETACHED },
};

static double after_reset(const neuron_run *r, int t)
{
    const hk_info *info = &r->neuron->info;
    const hk_field *reset = field_of(info, "reset");
    const double u = (double)r->state[0][t], s = (double)r->s[t];
    if ((int)hk_field_get(reset, &r->cfg) != hk_field_word(reset, "hard"))
        return u - (double)r->learn[0] * s;
    return (1 - s) * u + s * hk_field_get(field_of(info, "v_reset"), &r->cfg);
}

static void test_known_runs(void **unused)
{
    static const float  x[] = { 0.6f, 0.9f, 0.3f, 1.1f, 0.2f };
    static const double ds[] = { 0.5, -0.3, 0.8, 0.1, -0.6 };
    static const float  spikes[] = { 0, 1, 0, 1, 0 };
    (void)unused;
    for (int k = 0; k < HK_COUNT(known_runs); k++) {
        const known *e = &known_runs[k];
        neuron_run r;
        run_make(&r, e->neuron, e->settings, &hk_surrogate_atan, "");
        r.T = 5;
        r.attached = e->attached;
        memcpy(r.x + 1, x, sizeof x);
        memcpy(r.ds + 1, ds, sizeof ds);
        run_forward(&r);
        run_backward(&r);
        for (int t = 1; t <= r.T; t++) {
            near((double)r.state[0][t], e->h[t - 1], 1e-6, e->what, t);
            near(after_reset(&r, t), e->v[t - 1], 1e-6, e->what, t);
            near(r.dx[t], e->dx[t - 1], 1e-6, e->what, t);
            if (e->neuron != &hk_neuron_if) assert_true(r.s[t] == spikes[t - 1]);
        }
        if (isnan(e->dth)) continue;
        near(r.dparam[0], e->dth, 1e-6, e->what, 100);
        near(run_dleak(&r), e->dleak, 1e-6, e->what, 200);
    }
}

/* One weight w = 0.7 in front of a LIF neuron, x = 1 1 0, target spikes y = 0 0 1, and
 * E = 1/2 sum (s - y)^2: BPTT with the reset detached equals the products of the three forward
 * traces, BPTT with it kept does not. */
static void test_three_factors(void **unused)
{
    static const double u[] = { .7, 1.05, .025 }, d[] = { 0, .951229, -.377192 };
    static const double trace_w[] = { 1, 1.5, .75 }, trace_th[] = { 0, 0, -.5 };
    static const double trace_a[] = { 0, .7, .4 }, y[] = { 0, 0, 1 };
    static const double expected[2][3] = { { 1.143950, -.385441, .514984 },
                                           { 1.064110, -.215902, .640562 } };
    (void)unused;
    for (int kept = 0; kept < 2; kept++) {
        neuron_run r;
        run_make(&r, &hk_neuron_lif, "", &hk_surrogate_exponential, "");
        r.T = 3;
        r.attached = kept;
        r.x[1] = r.x[2] = 0.7f;
        run_forward(&r);
        for (int t = 1; t <= 3; t++) r.ds[t] = (double)r.s[t] - y[t - 1];
        run_backward(&r);
        double w = 0, dw = 0, dth = 0, da = 0;
        for (int t = 1; t <= 3; t++) {
            const double now = r.ds[t] * (double)r.phi[t];
            near((double)r.state[0][t], u[t - 1], 1e-6, "U", t);
            near(now, d[t - 1], 1e-6, "d", t);
            near(r.trace_x[t], 0.7 * trace_w[t - 1], 1e-6, "trace of w", t);
            near(r.trace[0][t], trace_th[t - 1], 1e-6, "trace of threshold", t);
            near(r.trace[1][t], trace_a[t - 1], 1e-6, "trace of leak", t);
            w += r.dx[t] * (t < 3);
            dw += now * r.trace_x[t] / 0.7;
            dth += now * (r.trace[0][t] - 1);
            da += now * r.trace[1][t];
        }
        near(w, expected[kept][0], 1e-6, "dw", kept);
        near(r.dparam[0], expected[kept][1], 1e-6, "dtheta", kept);
        near(r.dparam[1], expected[kept][2], 1e-6, "dalpha", kept);
        near(dw, expected[0][0], 1e-6, "STOP dw", kept);
        near(dth, expected[0][1], 1e-6, "STOP dtheta", kept);
        near(da, expected[0][2], 1e-6, "STOP dalpha", kept);
    }
}

/* CLIF with a rectangle of width 1, reset differentiated; h, m, u of a step as the paper has them. */
static void test_complementary(void **unused)
{
    static const float  x[] = { 0.8f, 0.9f, 0.7f, 1.1f, 0.2f }, spikes[] = { 0, 1, 0, 1, 0 };
    static const double ds[] = { 0.5, -0.3, 0.8, 0.1, -0.6 };
    static const double h[] = { .8, 1.3, 0.484471, 1.342235, -0.027634 };
    static const double m[] = { 0, 1, 0.560264, 1.370757, 0.680644 };
    static const double u[] = { .8, -0.431059, 0.484471, -0.455267, -0.027634 };
    static const double dx[2][5] = { { .5, -.3, .8, 0, 0 }, { 0.577569, -0.323192, .05, .1, 0 } };
    (void)unused;
    for (int k = 0; k < 2; k++) {        /* LIF, CLIF */
        neuron_run r;
        double dw = 0;
        run_make(&r, k ? &hk_neuron_clif : &hk_neuron_lif, "", &hk_surrogate_rectangle, "");
        r.T = 5;
        r.attached = true;
        memcpy(r.x + 1, x, sizeof x);
        memcpy(r.ds + 1, ds, sizeof ds);
        run_forward(&r);
        run_backward(&r);
        for (int t = 1; t <= 5; t++) {
            near(r.dx[t], dx[k][t - 1], 1e-6, "dx", t);
            dw += r.dx[t] * (double)r.x[t];
            if (!k) continue;
            const double U = (double)r.state[0][t], s = (double)r.s[t];
            const double M = (double)r.state[1][t] / (1 + exp(-U / 2)) + s;
            near(U, h[t - 1], 1e-6, "h", t);
            near(M, m[t - 1], 1e-6, "m", t);
            near(U - s * (1 + 1 / (1 + exp(-M))), u[t - 1], 1e-6, "u", t);
            if (t < 5) near((double)r.state[1][t + 1], m[t - 1], 1e-6, "M", t);
            assert_true(r.s[t] == spikes[t - 1]);
        }
        if (k) near(dw, 0.316182, 1e-6, "dw", 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_runs), cmocka_unit_test(test_three_factors),
        cmocka_unit_test(test_complementary),
    };
    return cmocka_run_group_tests_name("neuron_known", tests, NULL, NULL);
}
