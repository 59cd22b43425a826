/* Back-propagation by segments within a budget: the bits of the whole tape, less memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"

static size_t all_bytes(const small *s)
{
    size_t sum = 0;
    for (int r = 0; r < HK_REGIONS; r++) sum += s->net.bytes[r];
    return sum;
}

/* Gradients, running statistics, loss and rates of a batch. */
static void same_batch(small *a, const hk_result *ra, small *b, const hk_result *rb)
{
    same_gradients(a, b, true, 0);
    assert_true(ra->loss == rb->loss && ra->correct == rb->correct && ra->seen == rb->seen);
    for (int i = 0; i < a->net.n_param; i++)
        if (a->param[i].role == HK_BUFFER)
            assert_memory_equal(a->param[i].w, b->param[i].w, a->param[i].n * sizeof(float));
    for (int i = 0; i < a->net.n_node; i++)
        assert_true(hk_node_rate(&a->net.node[i]) == hk_node_rate(&b->net.node[i]));
    const size_t outputs = (size_t)a->net.spec.batch * (size_t)a->net.readout->out.shape.c;
    assert_memory_equal(hk_net_output(&a->net), hk_net_output(&b->net), outputs * sizeof(float));
}

/* Budgets from the whole tape down to the least that a net can live in. */
static void check(const net_case *c, const char *keys)
{
    char text[128];
    small *whole = random_net(c, &hk_rule_bptt, keys);
    const hk_result want = random_run(whole, c);
    const size_t most = all_bytes(whole);
    int32_t shorter = c->T + 1, lengths = 0;
    for (size_t budget = most;; budget -= most / 40) {
        small *s = calloc(1, sizeof *s);
        hk_error e;
        assert_non_null(s);
        c->layers(s, c->neuron, c->readout);
        snprintf(text, sizeof text, "%s budget=%.9g", keys, (double)budget / 1048576.0 + 1e-7);
        small_rule(s, &hk_rule_bptt, text);
        small_loss(s, &hk_loss_ce, NULL, c->objective);
        s->net_spec.constant_input = c->constant;
        const hk_status st = small_build(s, c->in, c->T, c->batch, &e);
        if (st != HK_OK) {
            assert_int_equal(st, HK_E_UNSUP);
            assert_non_null(strstr(e.text, "at least"));
            random_close(s);
            break;
        }
        assert_true(all_bytes(s) <= budget + 1);
        lengths += s->net.plan.window < shorter;
        shorter = s->net.plan.window;
        random_weights(s, c->seed);
        learn_all(s);
        const hk_result got = random_run(s, c);
        same_batch(whole, &want, s, &got);
        random_close(s);
    }
    assert_true(lengths > 2 && shorter < c->T / 2);
    random_close(whole);
}

static void test_dense(void **state)
{
    (void)state;
    const net_case c = { dense_layers, "leak=0.7 threshold=0.4", "kind=sum", VECTOR5, 13, 5, EACH_STEP,
                         false, 41 };
    check(&c, "reset_grad=kept");
}

static void test_conv_final_loss(void **state)
{
    (void)state;
    const net_case c = { conv_layers, "leak=0.7 threshold=0.4", "kind=mean", IMAGE6, 12, 4, AT_END, false, 42 };
    check(&c, "reset_grad=detached");
}

static void test_conv_constant_leaky(void **state)
{
    (void)state;
    const net_case c = { conv_layers, "leak=0.7 threshold=0.4 reset=hard", "kind=leaky leak=0.8", IMAGE6, 10,
                         3, EACH_STEP, true, 43 };
    check(&c, "reset_grad=kept");
}

static void graded_layers(small *s, const char *layer, const char *readout)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=5 padding=1 weights=ternary");
    small_layer(s, &hk_layer_seca, "seca", NULL);
    small_spiking(s, "n1", layer, &hk_neuron_empf, "threshold=0.3 leak=0.6", &hk_surrogate_triangle, NULL);
    small_layer(s, &hk_layer_avgpool2d, "pool", NULL);
    small_layer(s, &hk_layer_conv2d, "conv2", "out=4 kernel=2");
    small_spiking(s, "n2", layer, &hk_neuron_empf, "threshold=0.2 leak=0.6", &hk_surrogate_triangle, NULL);
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

/* Graded spikes are had again from the membrane; parameters of every step, codes and attention. */
static void test_graded(void **state)
{
    (void)state;
    static const char *const layer[] = { "per_step=true", "spike_bits=4 spike_step=0.125", "membrane_norm=true" };
    for (int i = 0; i < HK_COUNT(layer); i++) {
        const net_case c = { graded_layers, layer[i], "kind=sum", IMAGE6, 12, 3, EACH_STEP, false, 44 };
        check(&c, "reset_grad=kept");
    }
}

static void test_refuses_other_windows(void **state)
{
    (void)state;
    const char *const keys[] = { "budget=1 window_kind=chunk window=2", "budget=1 order=layer" };
    for (int i = 0; i < 2; i++) {
        small *s = calloc(1, sizeof *s);
        hk_error e;
        assert_non_null(s);
        dense_layers(s, "leak=0.7", "kind=sum");
        small_rule(s, &hk_rule_bptt, keys[i]);
        small_loss(s, &hk_loss_ce, NULL, EACH_STEP);
        assert_int_equal(small_build(s, VECTOR5, 6, 2, &e), HK_E_UNSUP);
        assert_non_null(strstr(e.text, "budget"));
        random_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_conv_final_loss),
        cmocka_unit_test(test_conv_constant_leaky),
        cmocka_unit_test(test_graded),
        cmocka_unit_test(test_refuses_other_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
