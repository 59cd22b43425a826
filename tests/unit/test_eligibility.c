/* Traces per synapse: the published vectors, forward dual numbers, and BPTT, which they equal in one layer
 * and in the top layer, with the reset differentiated or not, under any reset, leak and neuron.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"
#include "two_state.h"

#define SUMMED ((hk_objective){ .when = HK_EACH_STEP })

static const double NEAR = 2e-5;

/* ---- vectors: SOLSA's neuron ---------------------------------------------------------------------- */

typedef struct fixture {
    const char   *neuron;
    int           T, lines;
    const float  *x, *w;
    const double *y;                     /* targets */
    const double *dw, *v;
    double        dalpha, dbeta, dleak;
} fixture;

/* A filter, weights and one neuron, E = 1/2 sum (s - y)^2. */
static small *solsa_neuron(const fixture *f, const hk_rule_ops *rule, const char *keys)
{
    small *s = calloc(1, sizeof *s);
    float y[8];
    assert_non_null(s);
    small_layer(s, &hk_layer_synapse, "syn", NULL);
    small_layer(s, &hk_layer_dense, "fc", "out=1 bias=false");
    small_spiking(s, "lif", "compare=>", &hk_neuron_lif, f->neuron, &hk_surrogate_gaussian, NULL);
    small_layer(s, &hk_layer_readout, "out", "kind=count");
    small_rule(s, rule, keys);
    small_loss(s, &hk_loss_mse, "form=half_sum", SUMMED);
    small_open(s, (hk_shape){ 1, 1, f->lines, false }, f->T, 1);
    learn_all(s);
    small_set(s, "fc", "weight", f->w);
    for (int t = 0; t < f->T; t++) y[t] = (float)f->y[t];
    small_run(s, f->x, NULL, y);
    return s;
}

static void expect(small *s, const char *layer, const char *name, const double *want, size_t n)
{
    float g[8];
    small_grad(s, layer, name, g);
    for (size_t i = 0; i < n; i++) assert_float_equal(g[i], want[i], 1e-6);
}

static void check_fixture(const fixture *f)
{
    static const struct { const hk_rule_ops *rule; const char *keys; } rows[] = {
        { &hk_rule_solsa, "points=0 T=true L=true" }, { &hk_rule_bptt, "reset_grad=kept" },
        { &hk_rule_stop, "weight_trace=synapse trace_reset=kept" },
    };
    small *last = NULL;
    for (int i = 0; i < HK_COUNT(rows); i++) {
        small *s = solsa_neuron(f, rows[i].rule, rows[i].keys);
        expect(s, "fc", "weight", f->dw, (size_t)f->lines);
        expect(s, "syn", "alpha", &f->dalpha, 1);
        expect(s, "syn", "beta", &f->dbeta, 1);
        expect(s, "lif", "leak", &f->dleak, 1);
        if (last) same_gradient(last, s, "lif", "threshold", NEAR);
        if (last) random_close(last);
        last = s;
    }
    const float *v = hk_slot(&last->net.node[2].state[0], f->T);
    assert_float_equal(v[0], f->v[f->T - 1], 2e-6);
    random_close(last);
}

static const float X1[] = { 1, 1, 0, 1 }, W1[] = { .6f };
static const double Y1[] = { 0, 1, 0, 1 }, DW1[] = { 1.466603 };
static const double V1[] = { .54, 1.296, 1.0714, 1.40676 };
static const fixture ONE_LINE = { "convention=B leak=0.5 reset_amount=0.5", 4, 1, X1, W1, Y1, DW1, V1,
                                  1.264612, .977735, 1.094017 };

/* Given dE/ds of 0.5 -0.3 0.8 0.1 -0.6, as targets beside the spikes 0 1 1 1 1. */
static const float X2[] = { 1, 0, 0, 1, 1, 1, 0, 0, 1, 0 }, W2[] = { .7f, .4f };
static const double Y2[] = { -.5, 1.3, .2, .9, 1.6 };
static const double DW2[] = { .261081, .016005 }, V2[] = { .63, 1.242, 1.9453, 2.11452, 2.664943 };
static const double DW3[] = { .559174, .384654 }, V3[] = { .63, 1.242, 1.4453, 1.36452, 1.789943 };
static const fixture TWO_LINES = { "convention=B leak=0.5 reset_amount=0.5", 5, 2, X2, W2, Y2, DW2, V2,
                                   .049178, .210176, .018998 };
static const fixture FULL_RESET = { "convention=B leak=0.5", 5, 2, X2, W2, Y2, DW3, V3, .071632, .605871,
                                    .262332 };

static void vectors(void **state)
{
    (void)state;
    check_fixture(&ONE_LINE);
    check_fixture(&TWO_LINES);
    check_fixture(&FULL_RESET);
}

/* e[t] itself, after each step. */
static void look(void *self, hk_net *net, int t, hk_event what)
{
    float *out = self;
    if (what == HK_AFTER_FORWARD) memcpy(out + 2 * (t - 1), net->node[1].buf[3], 2 * sizeof *out);
}

static void eligibilities(void **state)
{
    (void)state;
    static const double want[] = { .9, 0, .713899, .9, 1.479299, 1.521274, 1.411857, 1.483218, 2.061809,
                                   1.219450 };
    small *s = solsa_neuron(&FULL_RESET, &hk_rule_solsa, "points=0");
    float e[10], y[5];
    for (int t = 0; t < 5; t++) y[t] = (float)Y2[t];
    s->net.watch = look;
    s->net.watch_self = e;
    small_run(s, X2, NULL, y);
    assert_near(e, want, 10, 1e-6);
    random_close(s);
}

/* The released code: F of the step before in e, filters from the instant times (1 - .1^t) / .9. */
static void released(void **state)
{
    (void)state;
    const double one = 1.467956, two[] = { -.082065, .105440 };
    small *s = solsa_neuron(&ONE_LINE, &hk_rule_solsa, "points=0 compat=true");
    expect(s, "fc", "weight", &one, 1);
    /* only step 3 errs: d = phi, dF = .6 d, F[2] = 1.71, s[3] = 0 */
    const double d = .789791, alpha = .6 * d * 1.71 * 1.11, beta = 0;
    expect(s, "syn", "alpha", &alpha, 1);
    expect(s, "syn", "beta", &beta, 1);
    random_close(s);
    s = solsa_neuron(&TWO_LINES, &hk_rule_solsa, "points=0 compat=true");
    expect(s, "fc", "weight", two, 2);
    random_close(s);
}

/* ---- dual numbers ----------------------------------------------------------------------------------- */

typedef struct dual { double v, d; } dual;

static dual number(double v) { return (dual){ v, 0 }; }
static dual plus(dual a, dual b) { return (dual){ a.v + b.v, a.d + b.d }; }
static dual times(dual a, dual b) { return (dual){ a.v * b.v, a.v * b.d + a.d * b.v }; }
static dual spike(dual u, dual theta)
{
    const double z = u.v - theta.v, phi = 0.7978845608 * exp(-2 * z * z);       /* sigma .5 */
    return (dual){ z > 0, phi * (u.d - theta.d) };
}

enum { LINES = 3, OUT = 2, STEPS = 11, SAMPLES = 2, PARAMS = LINES * (OUT + 2) + OUT + 2 };

/* Parameters: W [out][in], bias [out], alpha [in], beta [in], leak, theta. */
static dual loss_of(const dual *p, const float *x, const float *y)
{
    const dual *W = p, *bias = W + OUT * LINES, *alpha = bias + OUT, *beta = alpha + LINES;
    const dual leak = beta[LINES], theta = beta[LINES + 1];
    dual E = number(0);
    for (int b = 0; b < SAMPLES; b++) {
        dual F[LINES] = { { 0, 0 } }, u[OUT] = { { 0, 0 } }, s[OUT] = { { 0, 0 } };
        for (int t = 0; t < STEPS; t++) {
            for (int i = 0; i < LINES; i++)
                F[i] = plus(times(alpha[i], F[i]),
                            times(beta[i], number((double)x[(t * SAMPLES + b) * LINES + i])));
            for (int j = 0; j < OUT; j++) {
                dual in = bias[j];
                for (int i = 0; i < LINES; i++) in = plus(in, times(W[j * LINES + i], F[i]));
                u[j] = plus(plus(times(leak, u[j]), in), times(number(-0.4), s[j]));
                s[j] = spike(u[j], theta);
                const dual err = plus(s[j], number(-(double)y[(t * SAMPLES + b) * OUT + j]));
                E = plus(E, times(number(0.5 / SAMPLES), times(err, err)));
            }
        }
    }
    return E;
}

static void dual_numbers(void **state)
{
    (void)state;
    static const char *const names[][2] = { { "fc", "weight" }, { "fc", "bias" }, { "syn", "alpha" },
                                            { "syn", "beta" }, { "lif", "leak" }, { "lif", "threshold" } };
    small s = { 0 };
    small_layer(&s, &hk_layer_synapse, "syn", "granularity=neuron alpha=0.6");
    small_layer(&s, &hk_layer_dense, "fc", "out=2");
    small_spiking(&s, "lif", "compare=>", &hk_neuron_lif, "convention=B leak=0.6 reset_amount=0.4",
                  &hk_surrogate_gaussian, NULL);
    small_layer(&s, &hk_layer_readout, "out", "kind=count");
    small_rule(&s, &hk_rule_solsa, "points=0 T=true L=true");
    small_loss(&s, &hk_loss_mse, "form=half_sum", SUMMED);
    small_open(&s, (hk_shape){ 1, 1, LINES, false }, STEPS, SAMPLES);
    random_weights(&s, 5);
    float x[STEPS * SAMPLES * LINES], y[STEPS * SAMPLES * OUT], file[LINES * OUT], got[PARAMS];
    for (int i = 0; i < HK_COUNT(x); i++) x[i] = random_at(5, 1, (uint64_t)i, -0.3f, 1);
    for (int i = 0; i < HK_COUNT(y); i++) y[i] = i % 3 == 0 ? 1.0f : 0.0f;
    for (int i = 0; i < LINES; i++) small_param(&s, "syn", "alpha")->w[i] += 0.1f * (float)i;
    dual p[PARAMS];
    small_run(&s, x, NULL, y);
    for (int k = 0, at = 0; k < HK_COUNT(names); k++) {
        const hk_param *q = small_param(&s, names[k][0], names[k][1]);
        hk_param_get(q, q->w, file);
        hk_param_get(q, q->g, got + at);
        for (size_t i = 0; i < q->n; i++) p[at++] = number((double)file[i]);
    }
    double want[PARAMS];
    for (int k = 0; k < PARAMS; k++) {
        p[k].d = 1;
        want[k] = loss_of(p, x, y).d;
        p[k].d = 0;
    }
    assert_near(got, want, PARAMS, 1e-5);
    small_close(&s);
}

/* ---- against BPTT ------------------------------------------------------------------------------------- */

static void one(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_synapse, "syn", "granularity=neuron alpha=0.7");
    small_layer(s, &hk_layer_dense, "fc3", "out=3");
    spiking_layer(s, "top", "threshold_granularity=channel leak_granularity=neuron", neuron);
    small_layer(s, &hk_layer_readout, "readout", readout);
}

/* Two layers below, one of them a convolution whose counts the filter reads; bits into the top weights. */
static void two(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_dense, "fc1", "out=9");
    spiking_layer(s, "lif1", NULL, neuron);
    one(s, neuron, readout);
}

static void bits(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_dense, "fc1", "out=40");
    spiking_layer(s, "lif1", "scale=1.5", neuron);
    small_layer(s, &hk_layer_dense, "fc3", "out=3 standardize=true");
    spiking_layer(s, "top", "leak_granularity=channel scale=0.5", neuron);
    small_layer(s, &hk_layer_readout, "readout", readout);
}

/* The frame itself, weighted once per sample where it is constant. */
static void frames(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "fc3", "out=3");
    spiking_layer(s, "top", "leak_granularity=neuron", neuron);
    small_layer(s, &hk_layer_readout, "readout", readout);
}

static void other(small *s, const hk_neuron_ops *neuron, const char *keys)
{
    small_layer(s, &hk_layer_synapse, "syn", "granularity=layer");
    small_layer(s, &hk_layer_dense, "fc3", "out=3");
    small_spiking(s, "top", NULL, neuron, keys, &hk_surrogate_gaussian, NULL);
    small_layer(s, &hk_layer_readout, "readout", "kind=count");
}

static void two_states(small *s, const char *keys, const char *readout) { (void)readout, other(s, &two_state, keys); }
static void clif(small *s, const char *keys, const char *readout) { (void)readout, other(s, &hk_neuron_clif, keys); }
static void plif(small *s, const char *keys, const char *readout) { (void)readout, other(s, &hk_neuron_plif, keys); }

static void same_top(small *truth, small *s)
{
    for (int i = 0; i < truth->net.n_param; i++) {
        const hk_param *p = &truth->param[i];
        const bool top = !strcmp(p->layer, "syn") || !strcmp(p->layer, "fc3") || !strcmp(p->layer, "top");
        if (top && p->role != HK_BUFFER && largest(p->n, p->g) > 1e-6)
            same_gradient(truth, s, p->layer, p->name, NEAR);
    }
}

static void equals_bptt(void **state)
{
    (void)state;
    static const struct {
        void (*layers)(small *, const char *, const char *);
        const char *neuron;
        bool constant;
    } rows[] = {
        { one, "leak=0.7 threshold=0.5", false },
        { one, "leak=0.7 threshold=0.5 reset=hard v_reset=0.1", false },
        { one, "leak=0.6 threshold=0.5 convention=B input_scale=1-alpha reset_amount=0.3", false },
        { two, "leak=0.7 threshold=0.4", false }, { two, "leak=0.7 threshold=0.4 reset=hard", false },
        { bits, "leak=0.7 threshold=0.4 convention=B", false }, { frames, "leak=0.7 threshold=0.4", false },
        { frames, "leak=0.7 threshold=0.4 reset=hard", true }, { frames, "leak=0.7 threshold=0.4", true },
        { two_states, NULL, false }, { clif, NULL, false }, { plif, "threshold=0.5", false },
    };
    for (int i = 0; i < HK_COUNT(rows); i++) {
        const bool map = rows[i].layers == frames;
        const net_case c = { rows[i].layers, rows[i].neuron, "kind=count", map ? IMAGE6 : VECTOR5, 9, 4,
                             EACH_STEP, rows[i].constant, 71 + (uint64_t)i };
        small *cut = random_gradients(&c, &hk_rule_bptt, NULL);
        small *kept = random_gradients(&c, &hk_rule_bptt, "reset_grad=kept");
        small *stop = random_gradients(&c, &hk_rule_stop, "weight_trace=synapse");
        small *solsa = random_gradients(&c, &hk_rule_solsa, "points=0 T=true L=true");
        same_top(cut, stop);
        same_top(kept, solsa);
        const hk_param *p = small_param(cut, "fc3", "weight"), *q = small_param(solsa, "fc3", "weight");
        assert_true(distance(p->n, p->g, q->g) > 1e-4 * largest(p->n, p->g));      /* the reset counts */
        small *const all[] = { cut, kept, stop, solsa };
        for (int k = 0; k < HK_COUNT(all); k++) random_close(all[k]);
    }
}

/* One leak, soft reset cut: what one trace for all outputs gives. */
static void equals_shared(void **state)
{
    (void)state;
    const net_case c = { dense_layers, "leak=0.7 threshold=0.4", "kind=leaky leak=0.8", VECTOR5, 10, 5,
                         EACH_STEP, false, 91 };
    static const char *const keys[][2] = { { "bias_trace=plain", "bias_trace=plain weight_trace=synapse" },
                                           { "first_layer_trace=false",
                                             "first_layer_trace=false weight_trace=synapse" },
                                           { NULL, "weight_trace=synapse" } };
    for (int i = 0; i < HK_COUNT(keys); i++) {
        small *shared = random_gradients(&c, &hk_rule_ottt_a, keys[i][0]);
        small *each = random_gradients(&c, &hk_rule_ottt_a, keys[i][1]);
        same_gradients(shared, each, false, NEAR);
        same_gradient(shared, each, "head", "weight", 0);
        random_close(shared);
        random_close(each);
    }
}

/* ---- memory, tiles --------------------------------------------------------------------------------- */

static void sizes(int T, const char *keys, size_t bytes[HK_REGIONS])
{
    const net_case c = { two, "leak=0.7 threshold=0.4", "kind=count", VECTOR5, T, 4, EACH_STEP, false, 1 };
    small *s = random_net(&c, &hk_rule_solsa, keys);
    memcpy(bytes, s->net.bytes, sizeof s->net.bytes);
    random_close(s);
}

/* Planned is allocated (hk_net_bind checks it, the guards see the rest); the same for any T, but for the
 * record of the search: four bytes for each step. */
static void memory(void **state)
{
    (void)state;
    size_t a[HK_REGIONS], b[HK_REGIONS], c[HK_REGIONS];
    sizes(10, "points=0", a);
    sizes(1000, "points=0", b);
    sizes(10000, "points=0", c);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_equal(a, c, sizeof a);
    assert_true(a[HK_R_STATE] > 4 * sizeof(float) * 3 * (9 * 3 + 5 * 9));  /* e, two p in the top */
    sizes(1000, "points=4", b);
    sizes(10000, "points=4", c);
    for (int r = 0; r < HK_REGIONS; r++) {
        if (r != HK_R_BUFFER) assert_int_equal(b[r], a[r]);
        assert_in_range(c[r] - b[r], r == HK_R_BUFFER ? 4 * 9000 - 64 : 0, r == HK_R_BUFFER ? 4 * 9000 + 64 : 0);
    }
}

static void tiles(void **state)
{
    (void)state;
    const net_case c = { two, "leak=0.7 threshold=0.4", "kind=count", VECTOR5, 9, 5, EACH_STEP, false, 3 };
    small *want = random_gradients(&c, &hk_rule_solsa, "points=0");
    for (int tile = 1; tile < 100; tile += 40) {
        small *s = calloc(1, sizeof *s);
        assert_non_null(s);
        c.layers(s, c.neuron, c.readout);
        small_rule(s, &hk_rule_solsa, "points=0");
        small_loss(s, &hk_loss_ce, NULL, c.objective);
        s->net_spec.tile = tile;
        small_open(s, c.in, c.T, c.batch);
        random_weights(s, c.seed);
        memset(s->region[HK_R_WORK], 0xff, s->net.bytes[HK_R_WORK]);
        memset(s->region[HK_R_TAPE], 0xff, s->net.bytes[HK_R_TAPE]);
        random_run(s, &c);
        same_gradient(want, s, "fc1", "weight", 0);
        same_gradient(want, s, "fc3", "weight", 0);
        same_gradient(want, s, "syn", "alpha", 0);
        same_gradient(want, s, "syn", "beta", 0);
        random_close(s);
    }
    random_close(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors), cmocka_unit_test(eligibilities), cmocka_unit_test(released),
        cmocka_unit_test(dual_numbers), cmocka_unit_test(equals_bptt), cmocka_unit_test(equals_shared),
        cmocka_unit_test(memory), cmocka_unit_test(tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
