/* A frame shown at every step: its product is formed once and its weight gradient once. That must be
 * the same net as one that is given T copies of the frame.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"

typedef struct rule_row { const hk_rule_ops *rule; const char *keys; } rule_row;

static const rule_row ROWS[] = {
    { &hk_rule_bptt, NULL }, { &hk_rule_bptt, "reset_grad=kept order=layer" },
    { &hk_rule_bptt, "window_kind=chunk window=3" }, { &hk_rule_bptt, "window_kind=sliding window=2" },
    { &hk_rule_sltt, NULL }, { &hk_rule_sltt_k, "K=3" },
    { &hk_rule_ottt_a, NULL }, { &hk_rule_ottt_a, "first_layer_trace=false" },
    { &hk_rule_ottt_a, "bias_trace=plain" }, { &hk_rule_ottt_a, "bias_trace=none" },
    { &hk_rule_ottt_o, NULL }, { &hk_rule_ottt_o, "first_layer_trace=false" },
    { &hk_rule_stop, "bn_trace=exact" }, { &hk_rule_stop, "first_layer_trace=false" },
    { &hk_rule_stop, "W=false" },
};

/* Two products and a pool before the first neuron: all of them constant. */
static void stem_layers(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=4 padding=1");
    small_layer(s, &hk_layer_maxpool2d, "pool1", NULL);
    small_layer(s, &hk_layer_conv2d, "conv2", "out=4 kernel=1 standardize=true");
    spiking_layer(s, "lif1", "threshold_granularity=channel", neuron);
    const int first = s->n - 1;
    small_layer(s, &hk_layer_conv2d, "conv3", "out=4 padding=1");
    spiking_layer(s, "lif2", NULL, neuron);
    hk_node_spec *add = small_layer(s, &hk_layer_add, "add", NULL);
    add->n_in = 2;
    add->in[1] = first;
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

/* Two batches with an update after each (OTTT_O: after each step); then weights and gradients of a
 * third are compared. */
static small *train(const net_case *c, const rule_row *r, bool constant)
{
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    c->layers(s, c->neuron, c->readout);
    small_rule(s, r->rule, r->keys);
    small_loss(s, &hk_loss_ce, NULL, c->objective);
    s->net_spec.constant_input = constant;
    s->net_spec.optim = &hk_optim_sgd;
    s->net_spec.optim_cfg = small_cfg(s, &hk_optim_sgd.info, "momentum=0.5");
    small_open(s, c->in, c->T, c->batch);
    random_weights(s, c->seed);
    s->net.update.lr = 0.05f;
    float *x = random_input(c, c->seed);
    for (int k = 0; k < 2; k++) small_run(s, x, random_labels(), NULL);
    s->net.spec.optim = NULL;
    learn_all(s);
    small_run(s, x, random_labels(), NULL);
    free(x);
    return s;
}

static void compare(const net_case *c)
{
    for (int i = 0; i < HK_COUNT(ROWS); i++) {
        small *one = train(c, &ROWS[i], true), *copies = train(c, &ROWS[i], false);
        for (int k = 0; k < one->net.n_param; k++) {
            const hk_param *p = &one->param[k], *q = &copies->param[k];
            char name[128];
            hk_format(name, sizeof name, "%s, rule %s %s", p->name, ROWS[i].rule->info.name,
                      ROWS[i].keys ? ROWS[i].keys : "");
            same_floats(p->layer, name, p->n, p->w, q->w, 1e-5);
            if (!p->g || largest(p->n, p->g) + largest(p->n, q->g) < 1e-7) continue;
            same_floats(p->layer, name, p->n, p->g, q->g, 5e-5);
        }
        assert_float_equal(one->net.result.loss, copies->net.result.loss, 1e-5);
        random_close(one);
        random_close(copies);
    }
}

static void dense_frame(void **state)
{
    (void)state;
    const net_case c = { dense_layers, "leak=0.7 threshold=0.4", "kind=leaky leak=0.6", VECTOR5, 5, 4,
                         EACH_STEP, true, 71 };
    compare(&c);
}

static void conv_frame(void **state)
{
    (void)state;
    const net_case c = { conv_layers, "leak=0.7 threshold=0.4", "kind=sum", IMAGE6, 5, 4, EACH_STEP, true,
                         72 };
    compare(&c);
}

static void stem_frame(void **state)
{
    (void)state;
    const net_case c = { stem_layers, "leak=0.7 threshold=0.4", "kind=sum", IMAGE6, 5, 3, EACH_STEP, true,
                         73 };
    compare(&c);
}

/* Nothing but a linear map of a constant frame: even the logits are constant. */
static void linear_layers(small *s, const char *neuron, const char *readout)
{
    (void)neuron;
    small_layer(s, &hk_layer_dense, "hidden", "out=4");
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

static void linear_frame(void **state)
{
    (void)state;
    const net_case c = { linear_layers, NULL, "kind=leaky leak=0.6", VECTOR5, 5, 4, EACH_STEP, true, 74 };
    compare(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_frame), cmocka_unit_test(conv_frame), cmocka_unit_test(stem_frame),
        cmocka_unit_test(linear_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
