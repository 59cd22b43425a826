/* Neurons: known runs (forward, adjoint, traces), and for every registered neuron and every
 * combination of its switches: local() is the derivative of step(), and step() is elementwise.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"

#define HK_NEURON(nm)    extern const hk_neuron_ops hk_neuron_##nm;
#define HK_SURROGATE(nm) extern const hk_surrogate_ops hk_surrogate_##nm;
#include "registry.def"

static const hk_neuron_ops *const neurons[] = {
#define HK_NEURON(nm) &hk_neuron_##nm,
#include "registry.def"
};

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

/* ---- every neuron ---------------------------------------------------------------------------- */

/* Runs check for every neuron and combination of its switches. */
static void each(void (*check)(const hk_neuron_ops *o, const void *cfg))
{
    for (int k = 0; k < HK_COUNT(neurons); k++) {
        cfg_block cfg;
        const hk_neuron_ops *o = neurons[k];
        const int count = combination(&o->info, &cfg, 0);
        for (int c = 0; c < count; c++) {
            combination(&o->info, &cfg, c);
            check(o, &cfg);
        }
    }
}

static void check_table(const hk_neuron_ops *o, const void *cfg)
{
    check_info(&o->info);
    assert_in_range(o->n_state, 1, HK_MAX_STATE);
    assert_in_range(o->n_learn, 1, HK_MAX_LEARN);
    assert_non_null(o->step);
    assert_non_null(o->local);
    for (int p = 0; p < o->n_learn; p++) {
        const hk_learn *l = &o->learn[p];
        const float w = l->init(cfg);
        assert_int_equal(l->role, p ? HK_LEAK : HK_THRESHOLD);
        if (!(w >= l->lo && w <= l->hi))
            fail_msg("%s.%s: starts out of bounds", o->info.name, l->name);
    }
    if (o->decay_caveat && o->decay_caveat(cfg)) assert_true(strlen(o->decay_caveat(cfg)) > 10);
}

/* n neurons in arrays: the state before and after, and what local() says. */
enum { N = 67 };

typedef struct crowd {
    float x[N], spike[N], learn[HK_MAX_LEARN][N], prev[HK_MAX_STATE][N], state[HK_MAX_STATE][N];
    float jac[HK_MAX_STATE][HK_MAX_STATE][N], dspike[HK_MAX_STATE][N], dinput[HK_MAX_STATE][N];
    float dparam[HK_MAX_LEARN][HK_MAX_STATE][N];
} crowd;

static void crowd_make(crowd *g, const hk_neuron_ops *o, const void *cfg)
{
    memset(g, 0, sizeof *g);
    fill(g->x, N, -1, 2);
    for (int i = 0; i < N; i++) g->spike[i] = (float)(uniform(0, 1) < 0.5);
    for (int i = 0; i < o->n_state; i++) fill(g->prev[i], N, -1, 2);
    for (int p = 0; p < o->n_learn; p++) {
        const double w = (double)o->learn[p].init(cfg);
        fill(g->learn[p], N, w - 0.1, w + 0.1);
    }
}

/* Arguments for neurons first .. first + n - 1. */
static hk_neuron_step crowd_args(crowd *g, size_t first, size_t n, bool in_place)
{
    hk_neuron_step a = { .n = n, .x = g->x + first, .spike = g->spike + first };
    for (int p = 0; p < HK_MAX_LEARN; p++) a.learn[p] = g->learn[p] + first;
    for (int i = 0; i < HK_MAX_STATE; i++) {
        a.prev[i] = g->prev[i] + first;
        a.state[i] = (in_place ? g->prev[i] : g->state[i]) + first;
    }
    return a;
}

static hk_neuron_local crowd_local(crowd *g)
{
    hk_neuron_local d;
    for (int i = 0; i < HK_MAX_STATE; i++) {
        for (int j = 0; j < HK_MAX_STATE; j++) d.jac[i][j] = g->jac[i][j];
        for (int p = 0; p < HK_MAX_LEARN; p++) d.param[p][i] = g->dparam[p][i];
        d.spike[i] = g->dspike[i];
        d.input[i] = g->dinput[i];
    }
    return d;
}

/* Central difference of state[i] in one input array, h halved once to cancel the next order. */
static void difference(crowd *g, const hk_neuron_ops *o, const void *cfg, float *input, int i,
                       double *out)
{
    float kept[N], low[N];
    const float h = 0.125f;
    memcpy(kept, input, sizeof kept);
    for (int half = 0; half < 2; half++) {
        const float step = half ? h / 2 : h;
        hk_neuron_step a = crowd_args(g, 0, N, false);
        for (int k = 0; k < N; k++) input[k] = kept[k] - step;
        o->step(&a, cfg);
        memcpy(low, g->state[i], sizeof low);
        for (int k = 0; k < N; k++) input[k] = kept[k] + step;
        o->step(&a, cfg);
        for (int k = 0; k < N; k++) {
            /* the step that was taken, after rounding */
            const double run = (double)(kept[k] + step) - (double)(kept[k] - step);
            const double slope = ((double)g->state[i][k] - (double)low[k]) / run;
            out[k] = half ? (4 * slope - out[k]) / 3 : slope;
        }
    }
    memcpy(input, kept, sizeof kept);
}

static void compare(const float *found, const double *expected, const char *what)
{
    for (int k = 0; k < N; k++) near((double)found[k], expected[k], 2e-5, what, k);
}

static void check_local(const hk_neuron_ops *o, const void *cfg)
{
    static crowd g;
    crowd_make(&g, o, cfg);
    for (int known_x = 0; known_x < 2; known_x++) {
        hk_neuron_step a = crowd_args(&g, 0, N, false);
        hk_neuron_local d = crowd_local(&g);
        double slope[N];
        o->step(&a, cfg);
        if (!known_x) a.x = NULL;
        o->local(&a, &d, cfg);
        for (int i = 0; i < o->n_state; i++) {
            difference(&g, o, cfg, g.x, i, slope);
            compare(g.dinput[i], slope, "input");
            difference(&g, o, cfg, g.spike, i, slope);
            compare(g.dspike[i], slope, "spike");
            for (int j = 0; j < o->n_state; j++) {
                difference(&g, o, cfg, g.prev[j], i, slope);
                compare(g.jac[i][j], slope, "jac");
            }
            for (int p = 0; p < o->n_learn; p++) {
                difference(&g, o, cfg, g.learn[p], i, slope);
                compare(g.dparam[p][i], slope, o->learn[p].name);
            }
        }
    }
}

/* gain is dU/dx, and decay, where nothing is said against it, dU/dU. */
static void check_gain_and_decay(const hk_neuron_ops *o, const void *cfg)
{
    static crowd g;
    float gain[N], layer[HK_MAX_LEARN];
    crowd_make(&g, o, cfg);
    for (int p = 0; p < o->n_learn; p++) {
        layer[p] = o->learn[p].init(cfg);
        for (int k = 0; k < N; k++) g.learn[p][k] = layer[p];
    }
    hk_neuron_step a = crowd_args(&g, 0, N, false);
    hk_neuron_local d = crowd_local(&g);
    o->local(&a, &d, cfg);
    if (o->gain) {
        o->gain(N, a.learn, gain, cfg);
        same_bits(gain, g.dinput[0], N, "gain");
    }
    if (!o->decay || (o->decay_caveat && o->decay_caveat(cfg))) return;
    for (int k = 0; k < N; k++)
        near((double)g.jac[0][0][k], (double)o->decay(layer, cfg), 0, "decay", k);
}

/* decay_reads names the learned parameters that decay depends on, and no other. */
static void check_decay_reads(const hk_neuron_ops *o, const void *cfg)
{
    float w[HK_MAX_LEARN] = { 0 };
    if (!o->decay) {
        assert_int_equal(o->decay_reads, 0);
        return;
    }
    for (int p = 0; p < o->n_learn; p++) w[p] = o->learn[p].init(cfg);
    const float before = o->decay(w, cfg);
    for (int p = 0; p < o->n_learn; p++) {
        const float keep = w[p];
        w[p] = keep * 0.75f + 0.03125f;
        if ((o->decay(w, cfg) != before) != ((o->decay_reads >> p & 1) != 0))
            fail_msg("%s.%s: not what decay_reads says", o->info.name, o->learn[p].name);
        w[p] = keep;
    }
    assert_int_equal(o->decay_reads >> o->n_learn, 0);
}

static void check_elementwise(const hk_neuron_ops *o, const void *cfg)
{
    static crowd g, whole;
    for (size_t cut = 0; cut <= N; cut += 11) {
        crowd_make(&g, o, cfg);
        whole = g;
        hk_neuron_step a = crowd_args(&whole, 0, N, false);
        o->step(&a, cfg);
        for (int in_place = 0; in_place < 2; in_place++) {
            a = crowd_args(&g, 0, cut, in_place);
            o->step(&a, cfg);
            a = crowd_args(&g, cut, N - cut, in_place);
            o->step(&a, cfg);
            for (int i = 0; i < o->n_state; i++)
                same_bits(in_place ? g.prev[i] : g.state[i], whole.state[i], N, o->info.name);
        }
    }
}

static void check_local_elementwise(const hk_neuron_ops *o, const void *cfg)
{
    static crowd g, one;
    crowd_make(&g, o, cfg);
    one = g;
    hk_neuron_step a = crowd_args(&g, 0, N, false);
    hk_neuron_local d = crowd_local(&g);
    o->local(&a, &d, cfg);
    a = crowd_args(&one, 0, 1, false);
    d = crowd_local(&one);
    o->local(&a, &d, cfg);
    for (int i = 0; i < o->n_state; i++) {
        same_bits(one.dspike[i], g.dspike[i], 1, "spike");
        same_bits(one.dinput[i], g.dinput[i], 1, "input");
        for (int j = 0; j < o->n_state; j++) same_bits(one.jac[i][j], g.jac[i][j], 1, "jac");
        for (int p = 0; p < o->n_learn; p++)
            same_bits(one.dparam[p][i], g.dparam[p][i], 1, "param");
    }
    for (int k = 1; k < N; k++) assert_true(one.dspike[0][k] == 0);     /* nothing past the end */
}

static void check_silence(const hk_neuron_ops *o, const void *cfg)
{
    static crowd g;
    memset(&g, 0, sizeof g);
    for (int p = 0; p < o->n_learn; p++)
        for (int k = 0; k < N; k++) g.learn[p][k] = o->learn[p].init(cfg);
    for (int i = 0; i < o->n_state; i++)
        for (int k = 0; k < N; k++) g.prev[i][k] = o->rest ? o->rest(cfg, i) : 0.0f;
    for (int t = 0; t < 20; t++) {
        hk_neuron_step a = crowd_args(&g, 0, N, true);
        o->step(&a, cfg);
        for (int k = 0; k < N; k++)
            if (!(g.prev[0][k] < g.learn[0][k])) fail_msg("%s: fires without input", o->info.name);
    }
}

static void test_table(void **unused) { (void)unused; each(check_table); }
static void test_local(void **unused) { (void)unused; each(check_local); }
static void test_gain_and_decay(void **unused) { (void)unused; each(check_gain_and_decay); }
static void test_decay_reads(void **unused) { (void)unused; each(check_decay_reads); }
static void test_elementwise(void **unused) { (void)unused; each(check_elementwise); }
static void test_local_elementwise(void **unused) { (void)unused; each(check_local_elementwise); }
static void test_silence(void **unused) { (void)unused; each(check_silence); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_runs),     cmocka_unit_test(test_three_factors),
        cmocka_unit_test(test_table),          cmocka_unit_test(test_local),
        cmocka_unit_test(test_gain_and_decay), cmocka_unit_test(test_decay_reads),
        cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_local_elementwise), cmocka_unit_test(test_silence),
    };
    return cmocka_run_group_tests_name("neuron", tests, NULL, NULL);
}
