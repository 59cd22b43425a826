/* Which rule reduces to which: where two must agree, on small random nets.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"
#include "two_state.h"

typedef struct rule_row { const hk_rule_ops *rule; const char *keys; } rule_row;

/* The online rules that learn weights. */
static const rule_row ONLINE[] = {
    { &hk_rule_sltt, NULL }, { &hk_rule_ottt_a, "bn_trace=exact" }, { &hk_rule_stop, "bn_trace=exact" },
};

static const double NEAR = 2e-5;

static void all_agree(const net_case *c)
{
    small *truth = random_gradients(c, &hk_rule_bptt, NULL);
    for (int i = 0; i < HK_COUNT(ONLINE); i++) {
        small *s = random_gradients(c, ONLINE[i].rule, ONLINE[i].keys);
        same_gradients(truth, s, ONLINE[i].rule == &hk_rule_stop, NEAR);
        random_close(s);
    }
    random_close(truth);
}

/* ---- T = 1, leak = 0 ----------------------------------------------------------------------------- */

static void one_step(void **state)
{
    (void)state;
    static const net_case rows[] = {
        { conv_layers, "leak=0.6 threshold=0.4", "kind=sum", { 6, 6, 2, false }, 1, 4, EACH_STEP, false, 5 },
        { conv_layers_eval, "leak=0.6 threshold=0.4", "kind=leaky", { 6, 6, 2, false }, 1, 4, AT_END, false, 6 },
    };
    /* At the first step nothing has leaked yet, so a leak has no gradient: leave those out. */
    for (int i = 0; i < HK_COUNT(rows); i++) {
        small *truth = random_gradients(&rows[i], &hk_rule_bptt, NULL);
        for (int k = 0; k < HK_COUNT(ONLINE); k++) {
            small *s = random_gradients(&rows[i], ONLINE[k].rule, ONLINE[k].keys);
            same_gradients(truth, s, false, NEAR);
            if (ONLINE[k].rule == &hk_rule_stop) {
                same_gradient(truth, s, "lif1", "threshold", NEAR);
                same_gradient(truth, s, "lif2", "threshold", NEAR);
                assert_true(small_param(s, "lif1", "leak")->g[0] == 0);
            }
            random_close(s);
        }
        random_close(truth);
    }
}

static void no_leak(void **state)
{
    (void)state;
    static const char *const neurons[] = { "leak=0 threshold=0.4", "leak=0 threshold=0.4 convention=B" };
    for (int i = 0; i < HK_COUNT(neurons); i++) {
        const net_case dense = { dense_layers, neurons[i], "kind=sum", VECTOR5, 9, 4, EACH_STEP, false, 11 };
        const net_case conv = { conv_layers_eval, neurons[i], "kind=leaky leak=0", IMAGE6, 5, 3, AT_END,
                                false, 12 };
        const net_case train = { conv_layers, neurons[i], "kind=mean", IMAGE6, 5, 3, EACH_STEP, false, 13 };
        all_agree(&dense);
        all_agree(&conv);
        all_agree(&train);
    }
}

/* ---- one layer, the top layer ---------------------------------------------------------------------- */

static const char *const EXACT[] = {
    "leak=0.7 threshold=0.5", "leak=0.7 threshold=0.5 convention=B", "leak=0.7 threshold=0.5 reset=none",
    "leak=0.7 threshold=0.5 input_scale=1-alpha", "leak=0.6 threshold=0.5 convention=B input_scale=1-alpha",
};

static void single_layer(void **state)
{
    (void)state;
    for (int i = 0; i < HK_COUNT(EXACT); i++) {
        const net_case c = { one_layer, EXACT[i], "kind=sum", VECTOR5, 12, 5, EACH_STEP, false, 21 };
        small *truth = random_gradients(&c, &hk_rule_bptt, NULL);
        small *stop = random_gradients(&c, &hk_rule_stop, NULL);
        small *ottt = random_gradients(&c, &hk_rule_ottt_a, NULL);
        same_gradients(truth, stop, true, NEAR);
        same_gradients(truth, ottt, false, NEAR);
        random_close(truth);
        random_close(stop);
        random_close(ottt);
    }
}

/* Thresholds and leaks stay exact where the weight trace is not: under a hard reset. */
static void single_layer_hard(void **state)
{
    (void)state;
    const net_case c = { one_layer, "leak=0.7 threshold=0.5 reset=hard v_reset=0.1", "kind=sum", VECTOR5,
                         12, 5, EACH_STEP, false, 22 };
    small *truth = random_gradients(&c, &hk_rule_bptt, NULL);
    small *stop = random_gradients(&c, &hk_rule_stop, "hard_reset_trace=ignore");
    small *part = random_gradients(&c, &hk_rule_stop, "W=false");
    same_gradient(truth, stop, "lif", "threshold", NEAR);
    same_gradient(truth, stop, "lif", "leak", NEAR);
    same_gradient(truth, part, "lif", "threshold", NEAR);
    same_gradient(truth, part, "lif", "leak", NEAR);
    assert_true(distance(15, small_param(truth, "fc", "weight")->g, small_param(stop, "fc", "weight")->g) >
                0.01 * largest(15, small_param(truth, "fc", "weight")->g));
    random_close(truth);
    random_close(stop);
    random_close(part);
}

static void top_layer(void **state)
{
    (void)state;
    for (int i = 0; i < HK_COUNT(EXACT); i++) {
        const net_case c = { classifier_layers, EXACT[i], "kind=count", VECTOR5, 12, 5, EACH_STEP, false,
                             31 };
        small *truth = random_gradients(&c, &hk_rule_bptt, NULL);
        small *stop = random_gradients(&c, &hk_rule_stop, NULL);
        same_gradient(truth, stop, "fc3", "weight", NEAR);
        same_gradient(truth, stop, "fc3", "bias", NEAR);
        same_gradient(truth, stop, "top", "threshold", NEAR);
        same_gradient(truth, stop, "top", "leak", NEAR);
        const hk_param *p = small_param(truth, "fc1", "weight"), *q = small_param(stop, "fc1", "weight");
        assert_true(distance(p->n, p->g, q->g) > 1e-3 * largest(p->n, p->g));    /* not so below */
        random_close(truth);
        random_close(stop);
    }
}

/* The head of a leaky readout, and a hidden layer below an instantaneous one. */
static void heads(void **state)
{
    (void)state;
    const net_case leaky = { dense_layers, "leak=0.7 threshold=0.4", "kind=leaky leak=0.8", VECTOR5, 10, 5,
                             EACH_STEP, false, 32 };
    const net_case sum = { dense_layers, "leak=0.7 threshold=0.4", "kind=sum", VECTOR5, 10, 5, EACH_STEP,
                           false, 33 };
    small *truth = random_gradients(&leaky, &hk_rule_bptt, NULL);
    small *ottt = random_gradients(&leaky, &hk_rule_ottt_a, NULL);
    small *odd = random_gradients(&leaky, &hk_rule_ottt_a, "head_trace=0.3");
    same_gradient(truth, ottt, "head", "weight", NEAR);
    same_gradient(truth, ottt, "head", "bias", NEAR);
    same_gradient(ottt, odd, "fc3", "weight", 0);
    assert_true(distance(21, small_param(odd, "head", "weight")->g, small_param(ottt, "head", "weight")->g) >
                1e-3);
    random_close(odd);
    random_close(truth);
    random_close(ottt);
    truth = random_gradients(&sum, &hk_rule_bptt, NULL);
    small *stop = random_gradients(&sum, &hk_rule_stop, NULL);
    static const char *const names[][2] = { { "head", "weight" }, { "head", "bias" }, { "fc3", "weight" },
                                            { "fc3", "bias" }, { "lif3", "threshold" }, { "lif3", "leak" } };
    for (int i = 0; i < HK_COUNT(names); i++) same_gradient(truth, stop, names[i][0], names[i][1], NEAR);
    random_close(truth);
    random_close(stop);
}

static void filtered_layer(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_synapse, "syn", "granularity=neuron alpha=0.7");
    one_layer(s, neuron, readout);
}

/* A filter below a hidden layer, and one below the head. */
static void filtered_head(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_conv2d, "conv", "out=3 padding=1");
    spiking_layer(s, "lif", NULL, neuron);
    small_layer(s, &hk_layer_synapse, "syn", "granularity=channel");
    small_layer(s, &hk_layer_avgpool2d, "pool", NULL);
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

/* Filters in front of weights: exact with traces wherever the weights are, not without. */
static void filters(void **state)
{
    (void)state;
    static const char *const names[][2] = { { "syn", "alpha" }, { "syn", "beta" } };
    const net_case rows[] = {
        { filtered_layer, EXACT[0], "kind=sum", VECTOR5, 12, 5, EACH_STEP, false, 61 },
        { filtered_layer, EXACT[1], "kind=count", VECTOR5, 12, 5, EACH_STEP, false, 62 },
        { filtered_layer, EXACT[4], "kind=count", VECTOR5, 12, 5, EACH_STEP, false, 63 },
        { filtered_head, "leak=0.7 threshold=0.3", "kind=leaky leak=0.8", IMAGE6, 8, 3, EACH_STEP, false, 64 },
        { filtered_head, "leak=0.7 threshold=0.3", "kind=sum", IMAGE6, 8, 3, EACH_STEP, false, 65 },
        { filtered_head, "leak=0.7 threshold=0.3", "kind=leaky leak=0.8", IMAGE6, 8, 3, AT_END, false, 66 },
    };
    for (int i = 0; i < HK_COUNT(rows); i++) {
        small *truth = random_gradients(&rows[i], &hk_rule_bptt, NULL);
        small *stop = random_gradients(&rows[i], &hk_rule_stop, NULL);
        small *ottt = random_gradients(&rows[i], &hk_rule_ottt_a, NULL);
        small *sltt = random_gradients(&rows[i], &hk_rule_sltt, NULL);
        for (int k = 0; k < HK_COUNT(names); k++) {
            same_gradient(truth, stop, names[k][0], names[k][1], NEAR);
            same_gradient(stop, ottt, names[k][0], names[k][1], 0);
            const hk_param *p = small_param(truth, "syn", names[k][1]), *q = small_param(sltt, "syn", names[k][1]);
            assert_true(distance(p->n, p->g, q->g) > 1e-3 * largest(p->n, p->g));
        }
        if (i < 3) same_gradient(truth, stop, "fc", "weight", NEAR);
        random_close(truth);
        random_close(stop);
        random_close(ottt);
        random_close(sltt);
    }
}

/* Affine parameters of the norm before the top neurons, filtered like a bias. */
static void norm_affine(void **state)
{
    (void)state;
    const net_case c = { conv_layers_eval, "leak=0.7 threshold=0.4", "kind=sum", IMAGE6, 6, 4, EACH_STEP,
                         false, 34 };
    small *truth = random_gradients(&c, &hk_rule_bptt, NULL);
    small *exact = random_gradients(&c, &hk_rule_stop, "bn_trace=exact");
    small *plain = random_gradients(&c, &hk_rule_stop, "bn_trace=plain");
    same_gradient(truth, exact, "bn2", "weight", NEAR);
    same_gradient(truth, exact, "bn2", "bias", NEAR);
    same_gradient(truth, exact, "conv2", "weight", NEAR);
    same_gradient(plain, exact, "conv2", "weight", 0);
    const hk_param *p = small_param(plain, "bn2", "weight"), *q = small_param(truth, "bn2", "weight");
    assert_true(distance(p->n, p->g, q->g) > 0.05 * largest(q->n, q->g));
    random_close(truth);
    random_close(exact);
    random_close(plain);
}

/* ---- rules among each other ----------------------------------------------------------------------- */

static void between_rules(void **state)
{
    (void)state;
    const net_case c = { conv_layers_eval, "leak=0.7 threshold=0.4", "kind=leaky leak=0.6", IMAGE6, 6, 4,
                         EACH_STEP, false, 41 };
    small *ottt = random_gradients(&c, &hk_rule_ottt_a, NULL);
    small *stop = random_gradients(&c, &hk_rule_stop, "T=false L=false");
    small *full = random_gradients(&c, &hk_rule_stop, NULL);
    same_gradients(ottt, stop, false, 0);
    same_gradients(ottt, full, false, 0);
    small *sltt = random_gradients(&c, &hk_rule_sltt, NULL);
    small *every = random_gradients(&c, &hk_rule_sltt_k, "K=6");
    same_gradients(sltt, every, false, 0);
    small *raw = random_gradients(&c, &hk_rule_ottt_a, "first_layer_trace=false");
    same_gradient(sltt, raw, "conv1", "weight", 0);
    same_gradient(sltt, raw, "conv1", "bias", 0);
    same_gradient(ottt, raw, "conv2", "weight", 0);
    small *mean = random_gradients(&c, &hk_rule_stop, "leak_reduction=mean");
    assert_near(small_param(mean, "lif1", "leak")->g,
                &(double){ (double)small_param(full, "lif1", "leak")->g[0] / (6 * 6 * 4) }, 1, 1e-6);
    same_gradient(mean, full, "lif1", "threshold", 0);
    small *untraced = random_gradients(&c, &hk_rule_stop, "weight_trace=none");
    same_gradients(sltt, untraced, false, 0);
    same_gradient(full, untraced, "lif1", "threshold", 0);
    small *const all[] = { ottt, stop, full, sltt, every, raw, mean, untraced };
    for (int i = 0; i < HK_COUNT(all); i++) random_close(all[i]);
}

/* The mean of SLTT-K over many draws is K / T of SLTT; rescaled, it is SLTT's. */
static void draws(const char *keys, double share)
{
    const net_case c = { dense_layers, "leak=0.7 threshold=0.4", "kind=sum", VECTOR5, 4, 3, EACH_STEP,
                         false, 42 };
    small *sltt = random_gradients(&c, &hk_rule_sltt, NULL), *some = random_net(&c, &hk_rule_sltt_k, keys);
    const hk_param *p = small_param(sltt, "fc2", "weight"), *q = small_param(some, "fc2", "weight");
    double sum[72] = { 0 };
    enum { DRAWS = 1200 };
    for (int k = 0; k < DRAWS; k++) {
        random_run(some, &c);
        for (size_t i = 0; i < p->n; i++) sum[i] += (double)q->g[i] / DRAWS;
    }
    for (size_t i = 0; i < p->n; i++)
        assert_true(fabs(sum[i] - share * (double)p->g[i]) < 0.1 * largest(p->n, p->g));
    random_close(sltt);
    random_close(some);
}

static void sltt_k_mean(void **state)
{
    (void)state;
    draws("K=2", 0.5);
    draws("K=2 rescale=true", 1);
}

/* Both neurons' gradients of a layer of two-state neurons under one rule. */
static void two_state_run(small *s, const net_case *c, const hk_neuron_ops *neuron,
                          const hk_rule_ops *rule, const char *keys)
{
    small_layer(s, &hk_layer_dense, "fc", "out=3");
    small_spiking(s, "lif", "threshold_granularity=channel leak_granularity=neuron", neuron, NULL,
                  &hk_surrogate_sigmoid, "slope=2");
    small_layer(s, &hk_layer_readout, "readout", NULL);
    small_rule(s, rule, keys);
    small_loss(s, &hk_loss_ce, NULL, EACH_STEP);
    small_open(s, c->in, c->T, c->batch);
    random_weights(s, c->seed);
    learn_all(s);
    random_run(s, c);
}

/* STOP's traces of a neuron with two states, against BPTT, the reset differentiated or not. */
static void two_states(void **state)
{
    (void)state;
    static const char *const keys[][2] = { { NULL, "W=false" },
                                           { "reset_grad=kept", "W=false trace_reset=kept" } };
    const net_case c = { NULL, NULL, NULL, VECTOR5, 10, 4, EACH_STEP, false, 43 };
    for (int i = 0; i < 2 * HK_COUNT(keys); i++) {
        const hk_neuron_ops *neuron = i % 2 ? &hk_neuron_clif : &two_state;
        small truth = { .n = 0 }, stop = { .n = 0 };
        two_state_run(&truth, &c, neuron, &hk_rule_bptt, keys[i / 2][0]);
        two_state_run(&stop, &c, neuron, &hk_rule_stop, keys[i / 2][1]);
        for (int p = 0; p < neuron->n_learn; p++)
            same_gradient(&truth, &stop, "lif", neuron->learn[p].name, NEAR);
        small_close(&truth);
        small_close(&stop);
    }
}

/* trace_reset: kept is BPTT with the reset gradient kept, for the neuron parameters of one layer and
 * of the top layer; cut is not. */
static void kept_reset(void **state)
{
    (void)state;
    static const char *const hard[] = { "leak=0.7 threshold=0.5 reset=hard v_reset=0.1",
                                        "leak=0.6 threshold=0.5 reset=hard input_scale=1-alpha" };
    const char *neurons[HK_COUNT(EXACT) + HK_COUNT(hard)];
    memcpy(neurons, EXACT, sizeof EXACT);
    memcpy(neurons + HK_COUNT(EXACT), hard, sizeof hard);
    for (int i = 0; i < HK_COUNT(neurons); i++) {
        const net_case one = { one_layer, neurons[i], "kind=sum", VECTOR5, 12, 5, EACH_STEP, false, 23 };
        const net_case top = { classifier_layers, neurons[i], "kind=count", VECTOR5, 12, 5, EACH_STEP,
                               false, 24 };
        for (int k = 0; k < 2; k++) {
            const char *layer = k ? "top" : "lif";
            small *truth = random_gradients(k ? &top : &one, &hk_rule_bptt, "reset_grad=kept");
            small *kept = random_gradients(k ? &top : &one, &hk_rule_stop, "W=false trace_reset=kept");
            small *cut = random_gradients(k ? &top : &one, &hk_rule_stop, "W=false");
            same_gradient(truth, kept, layer, "threshold", NEAR);
            same_gradient(truth, kept, layer, "leak", NEAR);
            const hk_param *p = small_param(cut, layer, "threshold"), *q = small_param(truth, layer, "threshold");
            assert_true(strstr(neurons[i], "reset=none") ||
                        distance(p->n, p->g, q->g) > 0.01 * largest(q->n, q->g));
            random_close(truth);
            random_close(kept);
            random_close(cut);
        }
    }
}

/* ---- an update at every step ------------------------------------------------------------------------ */

/* Largest difference of (first weights - last weights) / lr and the accumulated gradient of fc1. */
static double off_by(const net_case *c, const hk_param *truth, float lr)
{
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    c->layers(s, c->neuron, c->readout);
    small_rule(s, &hk_rule_ottt_o, NULL);
    small_loss(s, &hk_loss_ce, NULL, c->objective);
    s->net_spec.optim = &hk_optim_sgd;
    s->net_spec.optim_cfg = small_cfg(s, &hk_optim_sgd.info, "momentum=0");
    small_open(s, c->in, c->T, c->batch);
    random_weights(s, c->seed);
    s->net.update.lr = lr;
    hk_param *p = small_param(s, "fc1", "weight");
    float first[64];
    memcpy(first, p->w, p->n * sizeof *first);
    random_run(s, c);
    double most = 0;
    for (size_t i = 0; i < p->n; i++) {
        const double moved = ((double)first[i] - (double)p->w[i]) / (double)lr;
        most = fmax(most, fabs(moved - (double)truth->g[i]));
    }
    assert_int_equal(s->net.updates, c->T);
    random_close(s);
    return most;
}

static void online_updates(void **state)
{
    (void)state;
    const net_case c = { dense_layers, "leak=0.7 threshold=0.4", "kind=sum", VECTOR5, 6, 4, EACH_STEP,
                         false, 45 };
    small *truth = random_gradients(&c, &hk_rule_ottt_a, NULL);
    const hk_param *p = small_param(truth, "fc1", "weight");
    const double most = largest(p->n, p->g);
    const double coarse = off_by(&c, p, 0.2f), fine = off_by(&c, p, 0.05f);
    assert_true(coarse < 0.1 * most);
    assert_true(fine < coarse / 3 && fine > coarse / 6);         /* of first order in the rate */
    random_close(truth);
}

/* ---- order and window of BPTT ----------------------------------------------------------------------- */

static void layer_order(void **state)
{
    (void)state;
    static const net_case rows[] = {
        { conv_layers, "leak=0.7 threshold=0.4", "kind=leaky leak=0.6", { 6, 6, 2, false }, 6, 4, EACH_STEP, false, 51 },
        { conv_layers, "leak=0.7 threshold=0.4 reset=hard", "kind=mean", { 6, 6, 2, false }, 6, 4, AT_END, false, 52 },
        { conv_layers, "leak=0.7 threshold=0.4", "kind=last", { 6, 6, 2, false }, 6, 4, AT_END, true, 53 },
    };
    for (int i = 0; i < HK_COUNT(rows); i++) {
        small *step = random_gradients(&rows[i], &hk_rule_bptt, "reset_grad=kept");
        small *layer = random_gradients(&rows[i], &hk_rule_bptt, "reset_grad=kept order=layer");
        same_gradients(step, layer, true, 0);
        assert_memory_equal(hk_net_output(&step->net), hk_net_output(&layer->net), 12 * sizeof(float));
        random_close(step);
        random_close(layer);
    }
}

static void whole_window(void **state)
{
    (void)state;
    const net_case c = { conv_layers, "leak=0.7 threshold=0.4", "kind=leaky leak=0.6", IMAGE6, 6, 4,
                         EACH_STEP, false, 54 };
    small *full = random_gradients(&c, &hk_rule_bptt, NULL);
    static const char *const keys[] = { "window_kind=chunk window=6", "window_kind=chunk window=9",
                                        "window_kind=sliding window=6", "window_kind=sliding window=7" };
    for (int i = 0; i < HK_COUNT(keys); i++) {
        small *s = random_gradients(&c, &hk_rule_bptt, keys[i]);
        same_gradients(full, s, true, 0);
        random_close(s);
    }
    random_close(full);
}

/* A window of one step is SLTT for the weights, whether the window jumps or slides. */
static void window_of_one(void **state)
{
    (void)state;
    const net_case c = { conv_layers, "leak=0.7 threshold=0.4", "kind=sum", IMAGE6, 6, 4, EACH_STEP, false,
                         55 };
    small *sltt = random_gradients(&c, &hk_rule_sltt, NULL);
    small *chunk = random_gradients(&c, &hk_rule_bptt, "window_kind=chunk window=1");
    small *sliding = random_gradients(&c, &hk_rule_bptt, "window_kind=sliding window=1");
    same_gradients(sltt, chunk, false, NEAR);
    same_gradients(sltt, sliding, false, NEAR);
    same_gradients(chunk, sliding, true, NEAR);
    random_close(sltt);
    random_close(chunk);
    random_close(sliding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_step), cmocka_unit_test(no_leak), cmocka_unit_test(single_layer),
        cmocka_unit_test(single_layer_hard), cmocka_unit_test(top_layer), cmocka_unit_test(heads),
        cmocka_unit_test(norm_affine), cmocka_unit_test(filters), cmocka_unit_test(between_rules), cmocka_unit_test(sltt_k_mean),
        cmocka_unit_test(two_states), cmocka_unit_test(kept_reset),
        cmocka_unit_test(online_updates), cmocka_unit_test(layer_order),
        cmocka_unit_test(whole_window), cmocka_unit_test(window_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
