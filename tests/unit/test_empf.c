/* Graded spikes, parameters per time step, and the EM-PF neuron that is made of them: the published
 * numbers, and BPTT against finite differences of the map as it is (it needs no smooth variant).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"

enum { STEPS = 5 };

static const float CURRENT[STEPS] = { .3f, .6f, .1f, .9f, .2f };
static const double G[STEPS] = { 0, -.3, 0, .1, 0 };         /* dE/ds of each step */

/* One neuron with the weight 1 in front, E = 1/2 sum (s - y)^2 with y = s - G. */
static void one_neuron(small *s, const char *layer, const hk_rule_ops *rule, const char *keys)
{
    small_layer(s, &hk_layer_dense, "fc", "out=1 bias=false");
    small_spiking(s, "n", layer, &hk_neuron_empf, "threshold=0.5 leak=0.5", &hk_surrogate_triangle, NULL);
    small_layer(s, &hk_layer_readout, "out", "kind=sum");
    small_rule(s, rule, keys);
    small_loss(s, &hk_loss_mse, "form=half_sum", (hk_objective){ .when = HK_EACH_STEP });
    small_open(s, (hk_shape){ 1, 1, 1, false }, STEPS, 1);
    small_set(s, "fc", "weight", (const float[]){ 1 });
    learn_all(s);
}

typedef struct seen { double m[STEPS], s[STEPS], delta[STEPS]; float d; } seen;

static void look(void *self, hk_net *net, int t, hk_event what)
{
    seen *w = self;
    hk_node *l = &net->node[1];
    if (what == HK_AFTER_FORWARD) {
        w->m[t - 1] = (double)*(const float *)hk_slot(&l->state[0], t);
        w->s[t - 1] = (double)*(const float *)hk_slot(&net->readout->y, t);
    } else {
        w->delta[t - 1] = (double)w->d;
        w->d = 0;
    }
}

/* Twice: the first run tells s, the second has the wanted dE/ds. */
static seen run(small *s)
{
    seen w = { .d = 0 };
    float y[STEPS] = { 0 };
    s->net.watch = look;
    s->net.watch_self = &w;
    s->net.node[1].watch_delta = &w.d;
    small_run(s, CURRENT, NULL, y);
    for (int t = 0; t < STEPS; t++) y[t] = (float)(w.s[t] - G[t]);
    small_run(s, CURRENT, NULL, y);
    return w;
}

static void equal(const double *got, const double *want, const char *what)
{
    for (int t = 0; t < STEPS; t++)
        if (fabs(got[t] - want[t]) > 1e-6) fail_msg("%s[%d]: got %.8g, expected %.8g", what, t + 1, got[t], want[t]);
}

static void gradient(small *s, const char *name, const double *want, size_t n)
{
    float g[STEPS];
    assert_int_equal(small_param(s, "n", name)->n, n);
    small_grad(s, "n", name, g);
    for (size_t k = 0; k < n; k++)
        if (fabs((double)g[k] - want[k]) > 1e-6) fail_msg("d%s[%zu]: got %.8g, expected %.8g", name, k, (double)g[k], want[k]);
}

static const float LEAK[STEPS] = { .5f, .6f, .4f, .5f, .7f }, THETA[STEPS] = { .5f, .45f, .5f, .4f, .5f };
static const double M[STEPS] = { .3, .78, .28, 1.04, .48 }, S[STEPS] = { 0, .33, 0, .64, 0 };

/* Parameters of every step, under BPTT and online. */
static void per_step(void **state)
{
    (void)state;
    static const struct { const hk_rule_ops *rule; const char *keys; double delta[STEPS], leak[STEPS], theta[STEPS]; } row[] = {
        { &hk_rule_bptt, "reset_grad=kept", { -.18, -.3, .05, .1, 0 }, { 0, -.09, .0225, .028, 0 }, { 0, .32, 0, -.1, 0 } },
        /* the gradient of the instant: v[t-1] chi G, -chi G */
        { &hk_rule_stop, "weight_trace=none trace_reset=kept", { 0, -.3, 0, .1, 0 }, { 0, -.09, 0, .028, 0 }, { 0, .3, 0, -.1, 0 } },
    };
    for (int i = 0; i < HK_COUNT(row); i++) {
        small s = { 0 };
        one_neuron(&s, "per_step=true", row[i].rule, row[i].keys);
        small_set(&s, "n", "leak", LEAK);
        small_set(&s, "n", "threshold", THETA);
        const seen w = run(&s);
        equal(w.m, M, "m");
        equal(w.s, S, "s");
        equal(w.delta, row[i].delta, "dI");
        gradient(&s, "leak", row[i].leak, STEPS);
        gradient(&s, "threshold", row[i].theta, STEPS);
        for (int t = 1; t <= STEPS + 2; t++)
            assert_true(hk_decay(&s.net.node[1], t) == LEAK[t < STEPS ? t - 1 : STEPS - 1]);
        small_close(&s);
    }
}

/* Quantised to two bits of 0.2; the membrane keeps what the exact spike leaves. */
static void quantised(void **state)
{
    (void)state;
    static const double sent[STEPS] = { 0, .4, 0, .6, 0 };
    small s = { 0 };
    one_neuron(&s, "per_step=true spike_bits=2 spike_step=0.2", &hk_rule_bptt, "reset_grad=kept");
    assert_int_equal(s.net.node[1].out.kind, HK_COUNTS);
    small_set(&s, "n", "leak", LEAK);
    small_set(&s, "n", "threshold", THETA);
    const seen w = run(&s);
    equal(w.m, M, "m");
    equal(w.s, sent, "sent");
    /* 0.64 is above the range of 0.6: nothing passes there, and so nothing before it */
    equal(w.delta, (const double[]){ -.18, -.3, 0, 0, 0 }, "dI");
    assert_near(&(float){ (float)hk_node_rate(&s.net.node[1]) }, &(double){ .4 }, 1, 1e-6);
    small_close(&s);
}

/* One leak and one threshold: the exact traces are the adjoint's sums. */
static void shared(void **state)
{
    (void)state;
    static const struct { const hk_rule_ops *rule; const char *keys; } row[] = {
        { &hk_rule_bptt, "reset_grad=kept" }, { &hk_rule_stop, "W=false trace_reset=kept" },
    };
    for (int i = 0; i < HK_COUNT(row); i++) {
        small s = { 0 };
        one_neuron(&s, NULL, row[i].rule, row[i].keys);
        run(&s);
        gradient(&s, "leak", (const double[]){ -.03 }, 1);
        gradient(&s, "threshold", (const double[]){ .225 }, 1);
        small_close(&s);
    }
}

static void one_graded(small *s, const char *layer, const char *readout)
{
    small_layer(s, &hk_layer_dense, "fc", "out=3");
    small_spiking(s, "n", layer, &hk_neuron_empf, "threshold=0.3 leak=0.6", &hk_surrogate_triangle, NULL);
    small_layer(s, &hk_layer_readout, "readout", readout);
}

/* Traces per synapse are exact in the weights of one layer, whatever the emission. */
static void synapses(void **state)
{
    (void)state;
    static const char *const keys[] = { "emission=graded", "emission=step", "emission=graded per_step=true",
                                        "emission=graded recurrent=false",
                                        "emission=graded spike_bits=3 spike_step=0.25" };
    for (int i = 0; i < HK_COUNT(keys); i++) {
        const net_case c = { one_graded, keys[i], "kind=sum", { 1, 1, 5, false }, 6, 4, EACH_STEP, false, 90 };
        const bool own = !strstr(keys[i], "per_step") && !strstr(keys[i], "recurrent");
        small *truth = random_gradients(&c, &hk_rule_bptt, "reset_grad=kept");
        small *stop = random_gradients(&c, &hk_rule_stop, "weight_trace=synapse trace_reset=kept");
        same_gradient(truth, stop, "fc", "weight", 2e-5);
        same_gradient(truth, stop, "fc", "bias", 2e-5);
        if (own) same_gradient(truth, stop, "n", "threshold", 2e-5);
        if (own) same_gradient(truth, stop, "n", "leak", 2e-5);
        random_close(truth);
        random_close(stop);
    }
}

/* ---- finite differences --------------------------------------------------------------------------- */

static double loss_of(small *s, const net_case *c)
{
    hk_net_prepare(&s->net);
    return random_run(s, c).loss;
}

/* Central difference; a kink within the step is told by the two halves' disagreement. */
static bool slope(small *s, const net_case *c, float *w, double *out)
{
    const float h = 2e-3f, kept = *w;
    double at[5];
    for (int k = 0; k < 5; k++) {
        *w = kept + h * (float)(k - 2) / 2;
        at[k] = loss_of(s, c);
    }
    *w = kept;
    const double wide = (at[4] - at[0]) / (2 * (double)h), left = (at[2] - at[0]) / (double)h,
                 right = (at[4] - at[2]) / (double)h;
    *out = (4 * (at[3] - at[1]) / (double)h - wide) / 3;
    return fabs(left - right) < 0.02 * (fabs(wide) + 1e-3);
}

static void check_slopes(const net_case *c)
{
    small *s = random_net(c, &hk_rule_bptt, "reset_grad=kept");
    random_run(s, c);
    float *g = malloc(s->net.bytes[HK_R_GRAD]);
    assert_non_null(g);
    memcpy(g, s->region[HK_R_GRAD], s->net.bytes[HK_R_GRAD]);
    int tried = 0, smooth = 0;
    for (int i = 0; i < s->net.n_param; i++) {
        hk_param *p = &s->param[i];
        const float *got = g + (p->g - (float *)s->region[HK_R_GRAD]);
        for (size_t k = 0; k < p->n && p->role != HK_BUFFER; k += 1 + p->n / 12) {
            double want;
            tried++;
            if (!slope(s, c, &p->w[k], &want)) continue;
            smooth++;
            if (fabs((double)got[k] - want) > 2e-3 * (1 + fabs(want)))
                fail_msg("%s.%s[%zu]: gradient %.7g, difference %.7g", p->layer, p->name, k, (double)got[k], want);
        }
    }
    assert_true(smooth * 3 > tried * 2);
    free(g);
    random_close(s);
}

static void graded_layers(small *s, const char *layer, const char *readout)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=5 padding=1");
    small_spiking(s, "n1", layer, &hk_neuron_empf, "threshold=0.3 leak=0.6", &hk_surrogate_triangle, NULL);
    small_layer(s, &hk_layer_avgpool2d, "pool", NULL);
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "fc2", "out=6");
    small_spiking(s, "n2", layer, &hk_neuron_lif, "threshold=0.3 leak=0.6", &hk_surrogate_triangle, NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

static void differences(void **state)
{
    (void)state;
    static const char *const layer[] = {
        "emission=graded", "emission=graded per_step=true scale=1.5", "emission=graded recurrent=false",
        "emission=graded per_step=true threshold_granularity=channel leak_granularity=neuron",
        "emission=graded membrane_norm=true", "emission=graded membrane_norm=true norm_mode=eval per_step=true",
    };
    for (int i = 0; i < HK_COUNT(layer); i++) {
        const net_case c = { graded_layers, layer[i], "kind=sum", { 6, 6, 2, false }, 4, 3, EACH_STEP, false,
                             60 + (uint64_t)i };
        check_slopes(&c);
    }
}

/* ---- what stays as it was --------------------------------------------------------------------------- */

/* per_step with equal values is the layer without it: its gradients add up to the shared one. */
static void steps_add_up(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *keys = i ? "emission=step" : "emission=graded";
        char each[64];
        hk_format(each, sizeof each, "%s per_step=true", keys);
        net_case c = { graded_layers, keys, "kind=sum", { 6, 6, 2, false }, 4, 3, EACH_STEP, false, 70 };
        small *one = random_gradients(&c, &hk_rule_bptt, NULL);
        c.neuron = each;
        small *all = random_net(&c, &hk_rule_bptt, NULL);
        for (int k = 0; k < all->net.n_param; k++)       /* random_net scatters arrays of thresholds */
            for (size_t j = 0; j < all->param[k].n; j++)
                all->param[k].w[j] = one->param[k].w[one->param[k].n == all->param[k].n ? j : 0];
        hk_net_prepare(&all->net);
        random_run(all, &c);
        same_gradient(one, all, "conv1", "weight", 1e-6);
        const hk_param *p = small_param(all, "n1", "leak");
        double sum = 0;
        for (size_t k = 0; k < p->n; k++) sum += (double)p->g[k];
        assert_int_equal(p->n, 4);
        assert_near(&(float){ (float)sum }, &(double){ (double)small_param(one, "n1", "leak")->g[0] }, 1, 1e-5);
        random_close(one);
        random_close(all);
    }
}

/* Layer by layer is step by step, in every kind of spike. */
static void orders(void **state)
{
    (void)state;
    static const char *const keys[] = { "emission=graded", "emission=graded spike_bits=4 spike_step=0.125",
                                        "emission=graded recurrent=false", "per_step=true emission=step",
                                        "emission=graded membrane_norm=true", "emission=step membrane_norm=true" };
    for (int i = 0; i < HK_COUNT(keys); i++) {
        const net_case c = { graded_layers, keys[i], "kind=sum", { 6, 6, 2, false }, 4, 3, EACH_STEP, false, 80 };
        small *step = random_gradients(&c, &hk_rule_bptt, "reset_grad=kept");
        small *layer = random_gradients(&c, &hk_rule_bptt, "reset_grad=kept order=layer");
        same_gradients(step, layer, false, 0);
        same_gradient(step, layer, "n1", "threshold", 0);
        random_close(step);
        random_close(layer);
    }
}

static void refusal(void **state)
{
    (void)state;
    small s = { 0 };
    hk_error e;
    small_layer(&s, &hk_layer_dense, "fc", "out=2");
    small_spiking(&s, "n", "spike_bits=4", &hk_neuron_lif, NULL, &hk_surrogate_triangle, NULL);
    small_layer(&s, &hk_layer_readout, "out", "kind=sum");
    small_rule(&s, &hk_rule_sltt, NULL);
    small_loss(&s, &hk_loss_ce, NULL, EACH_STEP);
    assert_int_equal(small_build(&s, (hk_shape){ 1, 1, 3, false }, 2, 1, &e), HK_E_ARG);
    assert_non_null(strstr(e.text, "emission: graded"));
    small_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(per_step), cmocka_unit_test(quantised), cmocka_unit_test(shared), cmocka_unit_test(synapses),
        cmocka_unit_test(differences), cmocka_unit_test(steps_add_up), cmocka_unit_test(orders),
        cmocka_unit_test(refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
