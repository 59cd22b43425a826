/* The published test vectors of the rules: one neuron, a chain, a small net, a convolution.
 * All with E = 1/2 sum (s - y)^2, phi = exp(-|U - theta|), soft reset, convention A.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "small_net.h"

#define SUMMED ((hk_objective){ .when = HK_EACH_STEP })

typedef struct rule_case { const hk_rule_ops *rule; const char *keys; } rule_case;

static const rule_case BPTT = { &hk_rule_bptt, NULL };
static const rule_case KEPT = { &hk_rule_bptt, "reset_grad=kept" };
static const rule_case STOP = { &hk_rule_stop, NULL };
static const rule_case OTTT = { &hk_rule_ottt_a, NULL };
static const rule_case SLTT = { &hk_rule_sltt, NULL };

static small start(rule_case r)
{
    small s = { 0 };
    small_rule(&s, r.rule, r.keys);
    small_loss(&s, &hk_loss_mse, "form=half_sum", SUMMED);
    return s;
}

/* ---- 16.1: one neuron ---------------------------------------------------------------------------- */

static void one_neuron(rule_case r, double dw, double dtheta, double dalpha)
{
    small s = start(r);
    small_layer(&s, &hk_layer_dense, "fc", "out=1 bias=false");
    small_lif(&s, "lif", "leak=0.5 threshold=1", &hk_surrogate_exponential);
    small_layer(&s, &hk_layer_readout, "out", "kind=sum");
    small_open(&s, (hk_shape){ 1, 1, 1, false }, 3, 1);
    s.net.watch = NULL;
    small_param(&s, "lif", "threshold")->learn = true;
    small_param(&s, "lif", "leak")->learn = true;
    small_set(&s, "fc", "weight", (const float[]){ 0.7f });
    small_run(&s, (const float[]){ 1, 1, 0 }, NULL, (const float[]){ 0, 0, 1 });
    float g;
    small_grad(&s, "fc", "weight", &g);
    assert_float_equal(g, dw, 2e-6);
    small_grad(&s, "lif", "threshold", &g);
    assert_float_equal(g, dtheta, 2e-6);
    small_grad(&s, "lif", "leak", &g);
    assert_float_equal(g, dalpha, 2e-6);
    small_close(&s);
}

static void vector_1(void **state)
{
    (void)state;
    one_neuron(STOP, 1.143950, -0.385441, 0.514984);
    one_neuron(BPTT, 1.143950, -0.385441, 0.514984);
    one_neuron((rule_case){ &hk_rule_bptt, "order=layer" }, 1.143950, -0.385441, 0.514984);
    one_neuron(KEPT, 1.064110, -0.215902, 0.640562);
}

/* ---- 16.2: a chain -------------------------------------------------------------------------------- */

static void chain(rule_case r, const char *leak, double dw1, double dw2)
{
    small s = start(r);
    small_layer(&s, &hk_layer_dense, "fc1", "out=1 bias=false");
    small_lif(&s, "lif1", leak, &hk_surrogate_exponential);
    small_layer(&s, &hk_layer_dense, "fc2", "out=1 bias=false");
    small_lif(&s, "lif2", leak, &hk_surrogate_exponential);
    small_layer(&s, &hk_layer_readout, "out", "kind=sum");
    small_open(&s, (hk_shape){ 1, 1, 1, false }, 4, 1);
    small_set(&s, "fc1", "weight", (const float[]){ 0.7f });
    small_set(&s, "fc2", "weight", (const float[]){ 1.2f });
    small_run(&s, (const float[]){ 1, 1, 0, 1 }, NULL, (const float[]){ 0, 1, 0, 1 });
    float g;
    small_grad(&s, "fc1", "weight", &g);
    assert_float_equal(g, dw1, 2e-6);
    small_grad(&s, "fc2", "weight", &g);
    assert_float_equal(g, dw2, 2e-6);
    small_close(&s);
}

static void vector_2(void **state)
{
    (void)state;
    chain(BPTT, "leak=0.5", -0.752845, -0.096685);
    chain(OTTT, "leak=0.5", -0.478679, -0.096685);
    chain(STOP, "leak=0.5", -0.478679, -0.096685);
    chain(SLTT, "leak=0.5", -0.348130, 0);
    chain(KEPT, "leak=0.5", -0.368880, -0.010400);
    const rule_case all[] = { BPTT, OTTT, STOP, SLTT };
    for (int i = 0; i < 4; i++) chain(all[i], "leak=0", -0.654076, 0);
}

/* ---- 16.4: 3-4-2 ----------------------------------------------------------------------------------- */

static void net_342(rule_case r, const double *dw1, const double *dw2, const double *neuron)
{
    static const float w1[] = { .757f, .818f, .127f, -.681f, -.863f, -.251f, .591f, .890f, .371f,
                                -.490f, -.900f, -.483f };
    static const float w2[] = { .432f, -.333f, -.792f, -.523f, .227f, .768f, .603f, -.116f };
    static const float x[] = { 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0 };
    static const float y[] = { 1, 0, 1, 0, 1, 0, 1, 0, 1, 0 };
    small s = start(r);
    small_layer(&s, &hk_layer_dense, "fc1", "out=4 bias=false");
    small_spiking(&s, "hidden", "threshold_granularity=channel", &hk_neuron_lif,
                  "leak=0.5 threshold=0.6", &hk_surrogate_exponential, NULL);
    small_layer(&s, &hk_layer_dense, "fc2", "out=2 bias=false");
    small_spiking(&s, "top", "threshold_granularity=channel", &hk_neuron_lif,
                  "leak=0.5 threshold=0.5", &hk_surrogate_exponential, NULL);
    small_layer(&s, &hk_layer_readout, "out", "kind=sum");
    small_open(&s, (hk_shape){ 1, 1, 3, false }, 5, 1);
    small_set(&s, "fc1", "weight", w1);
    small_set(&s, "fc2", "weight", w2);
    const hk_result out = small_run(&s, x, NULL, y);
    assert_float_equal(out.loss, 4.5, 1e-6);
    float g[12];
    small_grad(&s, "fc1", "weight", g);
    assert_near(g, dw1, 12, 2e-6);
    small_grad(&s, "fc2", "weight", g);
    assert_near(g, dw2, 8, 2e-6);
    if (neuron) {
        small_grad(&s, "top", "threshold", g);
        assert_near(g, neuron, 2, 2e-6);
        small_grad(&s, "top", "leak", g);
        assert_near(g, neuron + 2, 1, 2e-6);
        small_grad(&s, "hidden", "threshold", g);
        assert_near(g, neuron + 3, 4, 2e-6);
        small_grad(&s, "hidden", "leak", g);
        assert_near(g, neuron + 7, 1, 3e-6);
    }
    small_close(&s);
}

static void vector_4(void **state)
{
    (void)state;
    static const double bptt[] = { -.285943, -.131531, -.228947, .516142, .347223, .641599,
                                   2.601795, 1.807475, 3.094887, .160639, .085002, .157612 };
    static const double ottt[] = { -.218250, -.059021, -.072598, .305206, .246575, .404132,
                                   1.581370, 1.227139, 1.858450, .108402, .052292, .081679 };
    static const double sltt[] = { -.188739, -.037884, .036928, .181919, .161854, .283954,
                                   .967800, .778697, 1.122183, .082256, .034195, .033343 };
    static const double top[] = { -2.545602, 0, -2.379956, 0, 3.153686, 0, 3.711036, 0 };
    static const double top_sltt[] = { -1.728703, 0, -1.389059, 0, 1.916438, 0, 2.620774, 0 };
    static const double neuron[] = { 1.938419, -3.711036, 2.488206,
                                     .225581, -.477957, -3.518188, -.121187, .154791 };
    net_342(BPTT, bptt, top, NULL);
    net_342(OTTT, ottt, top, NULL);
    net_342(STOP, ottt, top, neuron);
    net_342(SLTT, sltt, top_sltt, NULL);
}

/* ---- 16.6: convolution with trace and bias --------------------------------------------------------- */

static void convolution(rule_case r, const double *dk, double db)
{
    static const float x[] = { 1, 0, 1, 0, 1, 0, 1, 1, 0,  0, 1, 0, 1, 1, 1, 0, 0, 1,
                               1, 1, 0, 0, 0, 1, 1, 0, 1 };
    static const float y[] = { 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1 };
    small s = start(r);
    small_layer(&s, &hk_layer_conv2d, "conv", "out=1 kernel=2 bias=true");
    small_lif(&s, "lif", "leak=0.5 threshold=0.55", &hk_surrogate_exponential);
    small_layer(&s, &hk_layer_flatten, "flat", NULL);
    small_layer(&s, &hk_layer_dense, "eye", "out=4 bias=false");
    small_layer(&s, &hk_layer_readout, "out", "kind=sum");
    small_open(&s, (hk_shape){ 3, 3, 1, false }, 3, 1);
    small_set(&s, "conv", "weight", (const float[]){ .6f, -.3f, .4f, .5f });
    small_set(&s, "conv", "bias", (const float[]){ 0 });
    small_set(&s, "eye", "weight", (const float[]){ 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 });
    small_run(&s, x, NULL, y);
    float g[4];
    small_grad(&s, "conv", "weight", g);
    assert_near(g, dk, 4, 2e-6);
    small_grad(&s, "conv", "bias", g);
    assert_float_equal(g[0], db, 3e-6);
    small_close(&s);
}

static void vector_6(void **state)
{
    (void)state;
    static const double traced[] = { -.428897, -.751387, 2.318465, .063350 };
    static const double plain[] = { -.198402, -.858587, 2.306687, .775449 };
    convolution(OTTT, traced, .676522);
    convolution(STOP, traced, .676522);
    convolution(BPTT, traced, .676522);
    convolution(SLTT, plain, .846808);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_1), cmocka_unit_test(vector_2), cmocka_unit_test(vector_4),
        cmocka_unit_test(vector_6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
