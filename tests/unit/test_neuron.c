/* For every registered neuron and every combination of its switches: local() is the derivative of
 * step(), and step() is elementwise.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"

#define HK_NEURON(nm) extern const hk_neuron_ops hk_neuron_##nm;
#include "registry.def"

static const hk_neuron_ops *const neurons[] = {
#define HK_NEURON(nm) &hk_neuron_##nm,
#include "registry.def"
};

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
        cmocka_unit_test(test_table),          cmocka_unit_test(test_local),
        cmocka_unit_test(test_gain_and_decay), cmocka_unit_test(test_decay_reads),
        cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_local_elementwise), cmocka_unit_test(test_silence),
    };
    return cmocka_run_group_tests_name("neuron", tests, NULL, NULL);
}
