/* CLIF with one weight in front, under BPTT and STOP, against dual numbers that run forward through
 * the equations in the paper's own order: membrane, spike, complementary potential, reset.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"

enum { W, THETA, LEAK, KINDS, STEPS = 12 };

typedef struct dual { double v, d[KINDS]; } dual;   /* a value and its derivatives */

static dual constant(double v) { return (dual){ .v = v }; }

static dual variable(double v, int k)
{
    dual x = constant(v);
    x.d[k] = 1;
    return x;
}

static dual sum(double fa, dual a, double fb, dual b)
{
    dual y = { .v = fa * a.v + fb * b.v };
    for (int k = 0; k < KINDS; k++) y.d[k] = fa * a.d[k] + fb * b.d[k];
    return y;
}

static dual product(dual a, dual b)
{
    dual y = { .v = a.v * b.v };
    for (int k = 0; k < KINDS; k++) y.d[k] = a.v * b.d[k] + b.v * a.d[k];
    return y;
}

/* A function of x, from its value and slope there. */
static dual function(dual x, double v, double slope)
{
    dual y = { .v = v };
    for (int k = 0; k < KINDS; k++) y.d[k] = slope * x.d[k];
    return y;
}

static dual logistic(dual x)
{
    const double y = 1 / (1 + exp(-x.v));
    return function(x, y, y * (1 - y));
}

static dual fire(dual z)
{
    const double slope = 3, y = 1 / (1 + exp(-slope * z.v));
    return function(z, z.v >= 0, slope * y * (1 - y));
}

typedef struct truth {
    double h[STEPS], trace[2][STEPS];    /* membrane; its derivatives to theta and leak */
    double grad[KINDS];
    int    spikes;
} truth;

/* E = 1/2 sum (s - y)^2. */
static truth by_duals(double w, double theta, double leak, const float *x, const float *y, bool kept)
{
    const dual dw = variable(w, W), th = variable(theta, THETA), a = variable(leak, LEAK);
    const dual k = sum(1, constant(1), -1, a);
    dual u = constant(0), m = constant(0);
    truth r = { .spikes = 0 };
    for (int t = 0; t < STEPS; t++) {
        const dual h = sum(1, product(a, u), (double)x[t], dw);
        const dual s = fire(sum(1, h, -1, th)), reset = kept ? s : constant(s.v);
        m = sum(1, product(m, logistic(product(k, h))), 1, reset);
        u = sum(1, h, -1, product(reset, sum(1, th, 1, logistic(m))));
        r.h[t] = h.v;
        r.trace[0][t] = h.d[THETA];
        r.trace[1][t] = h.d[LEAK];
        r.spikes += s.v > 0;
        for (int i = 0; i < KINDS; i++) r.grad[i] += (s.v - (double)y[t]) * s.d[i];
    }
    return r;
}

/* ---- against the engine ---------------------------------------------------------------------- */

typedef struct watched { float h[STEPS], trace[2][STEPS]; } watched;

static void look(void *self, hk_net *net, int t, hk_event what)
{
    watched *out = self;
    const hk_node *l = &net->node[1];
    if (what != HK_AFTER_FORWARD) return;
    out->h[t - 1] = *(const float *)hk_slot(&l->state[0], t);
    for (int p = 0; p < 2; p++)
        if (l->trace[p][0]) out->trace[p][t - 1] = *(const float *)l->trace[p][0];
}

static void compare(const hk_rule_ops *rule, const char *keys, bool weight, bool kept, uint64_t seed)
{
    float x[STEPS], y[STEPS], g;
    for (uint64_t t = 0; t < STEPS; t++) {
        x[t] = random_at(seed, 1, t, 0, 1.5f);
        y[t] = random_at(seed, 2, t, 0, 1) < 0.5f ? 1.0f : 0.0f;
    }
    const float w = random_at(seed, 3, 0, 0.9f, 1.6f), theta = random_at(seed, 3, 1, 0.4f, 0.9f),
                leak = random_at(seed, 3, 2, 0.3f, 0.9f);
    const truth want = by_duals((double)w, (double)theta, (double)leak, x, y, kept);
    assert_in_range(want.spikes, 2, STEPS - 1);

    small s = { 0 };
    watched got;
    small_layer(&s, &hk_layer_dense, "fc", "out=1 bias=false");
    small_spiking(&s, "n", NULL, &hk_neuron_clif, NULL, &hk_surrogate_sigmoid, "slope=3");
    small_layer(&s, &hk_layer_readout, "out", "kind=sum");
    small_rule(&s, rule, keys);
    small_loss(&s, &hk_loss_mse, "form=half_sum", (hk_objective){ .when = HK_EACH_STEP });
    small_open(&s, (hk_shape){ 1, 1, 1, false }, STEPS, 1);
    learn_all(&s);
    small_set(&s, "fc", "weight", &w);
    small_set(&s, "n", "threshold", &theta);
    small_set(&s, "n", "leak", &leak);
    s.net.watch = look;
    s.net.watch_self = &got;
    small_run(&s, x, NULL, y);
    assert_near(got.h, want.h, STEPS, 1e-5);
    if (weight) {
        small_grad(&s, "fc", "weight", &g);
        assert_near(&g, &want.grad[W], 1, 2e-5);
    } else {
        assert_near(got.trace[0], want.trace[0], STEPS, 1e-5);
        assert_near(got.trace[1], want.trace[1], STEPS, 1e-5);
    }
    small_grad(&s, "n", "threshold", &g);
    assert_near(&g, &want.grad[THETA], 1, 2e-5);
    small_grad(&s, "n", "leak", &g);
    assert_near(&g, &want.grad[LEAK], 1, 2e-5);
    small_close(&s);
}

static void dual_numbers(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        compare(&hk_rule_bptt, NULL, true, false, seed);
        compare(&hk_rule_bptt, "reset_grad=kept", true, true, seed);
        compare(&hk_rule_bptt, "order=layer reset_grad=kept", true, true, seed);
        compare(&hk_rule_stop, "W=false", false, false, seed);
        compare(&hk_rule_stop, "W=false trace_reset=kept", false, true, seed);
    }
}

/* ---- the weight trace ------------------------------------------------------------------------ */

static void one_clif(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_dense, "fc", "out=6");
    small_spiking(s, "n", NULL, &hk_neuron_clif, neuron, &hk_surrogate_sigmoid, "slope=3");
    small_layer(s, &hk_layer_readout, "out", readout);
}

/* With decay a it is not exact, and much nearer to the truth than no trace. */
static void weight_trace(void **state)
{
    (void)state;
    double with = 0, without = 0, size = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        const net_case c = { one_clif, "threshold=0.5", "kind=sum", VECTOR5, 12, 5, EACH_STEP,
                             false, seed };
        small *exact = random_gradients(&c, &hk_rule_bptt, NULL);
        small *trace = random_gradients(&c, &hk_rule_ottt_a, "hard_reset_trace=ignore");
        small *none = random_gradients(&c, &hk_rule_sltt, NULL);
        const hk_param *w = small_param(exact, "fc", "weight");
        for (size_t k = 0; k < w->n; k++) {
            const double g = (double)w->g[k];
            with += pow((double)small_param(trace, "fc", "weight")->g[k] - g, 2);
            without += pow((double)small_param(none, "fc", "weight")->g[k] - g, 2);
            size += g * g;
        }
        random_close(exact);
        random_close(trace);
        random_close(none);
    }
    print_message("weight gradient, distance to bptt: ottt_a %.3f, sltt %.3f\n", sqrt(with / size),
                  sqrt(without / size));
    assert_true(with > 1e-6 * size);
    assert_true(with < 0.05 * 0.05 * size && without > 0.2 * 0.2 * size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dual_numbers), cmocka_unit_test(weight_trace),
    };
    return cmocka_run_group_tests_name("clif", tests, NULL, NULL);
}
