/* Channel attention: numbers by hand, and the same gradients however the steps are kept.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"

/* Means 1, 2, -1; a = v0 z[c-1] + v1 z[c] + v2 z[c+1]. */
static void known(void **state)
{
    (void)state;
    static const float x[] = { 0, 1, -2, 2, 3, 0 }, v[] = { 0.5f, -1, 0.25f };
    static const double a[] = { -1 + 0.5, 0.5 - 2 - 0.25, 1 + 1 };
    small s = { 0 };
    small_layer(&s, &hk_layer_seca, "seca", "kernel=3");
    small_layer(&s, &hk_layer_gap, "gap", NULL);
    small_layer(&s, &hk_layer_readout, "readout", "kind=last");
    small_rule(&s, &hk_rule_bptt, NULL);
    small_loss(&s, &hk_loss_mse, "form=half_sum", EACH_STEP);
    small_open(&s, (hk_shape){ 1, 2, 3, false }, 1, 1);
    small_set(&s, "seca", "weight", v);
    small_run(&s, x, NULL, (const float[]){ 0, 0, 0 });
    static const double z[] = { 1, 2, -1 };
    double y[3], q[3], dv[3] = { 0 };
    for (int c = 0; c < 3; c++) {
        const double g = 1 / (1 + exp(-a[c]));
        y[c] = g * z[c];
        q[c] = g * (1 - g) * y[c] * z[c];        /* dE/dy = y, and gap shares it out */
    }
    for (int k = 0; k < 3; k++)
        for (int c = 0; c < 3; c++)
            if (c + k - 1 >= 0 && c + k - 1 < 3) dv[k] += q[c] * z[c + k - 1];
    assert_near(hk_net_output(&s.net), y, 3, 1e-6);
    float got[3];
    small_grad(&s, "seca", "weight", got);
    assert_near(got, dv, 3, 1e-6);
    small_close(&s);
}

static void layers(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_seca, "seca0", NULL);
    small_layer(s, &hk_layer_conv2d, "conv1", "out=6 padding=1");
    small_layer(s, &hk_layer_seca, "seca1", "kernel=5");
    spiking_layer(s, "lif1", NULL, neuron);
    small_layer(s, &hk_layer_seca, "seca2", NULL);
    small_layer(s, &hk_layer_avgpool2d, "pool", NULL);
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

static void windows(void **state)
{
    (void)state;
    static const char *const keys[] = { "order=layer", "window_kind=chunk window=9", "window_kind=sliding window=4" };
    for (int constant = 0; constant < 2; constant++) {
        const net_case c = { layers, "leak=0.7 threshold=0.4", "kind=sum", IMAGE6, 4, 3, EACH_STEP, constant == 1, 54 };
        small *full = random_gradients(&c, &hk_rule_bptt, NULL);
        for (int i = 0; i < HK_COUNT(keys); i++) {
            small *s = random_gradients(&c, &hk_rule_bptt, keys[i]);
            same_gradients(full, s, true, i == 2 ? 2e-5 : 0);
            random_close(s);
        }
        small *one = random_gradients(&c, &hk_rule_bptt, "window_kind=chunk window=1");
        small *sltt = random_gradients(&c, &hk_rule_sltt, NULL), *sliding = random_gradients(&c, &hk_rule_bptt, "window_kind=sliding window=1");
        same_gradients(sltt, one, false, 2e-5);
        same_gradients(sltt, sliding, false, 2e-5);
        random_close(one);
        random_close(sltt);
        random_close(sliding);
        random_close(full);
    }
    net_case c = { layers, "leak=0.7 threshold=0.4", "kind=sum", IMAGE6, 4, 3, EACH_STEP, true, 55 };
    small *once = random_gradients(&c, &hk_rule_bptt, NULL);
    small *each = random_net(&c, &hk_rule_bptt, NULL);
    float *x = random_input(&c, c.seed);             /* the same frame at every step */
    random_close(each);
    c.constant = false;
    each = random_net(&c, &hk_rule_bptt, NULL);
    small_run(each, x, random_labels(), NULL);
    same_gradients(once, each, true, 2e-5);
    free(x);
    random_close(once);
    random_close(each);
}

static void refusal(void **state)
{
    (void)state;
    small s = { 0 };
    hk_error e;
    small_layer(&s, &hk_layer_seca, "seca", "kernel=4");
    small_layer(&s, &hk_layer_gap, "gap", NULL);
    small_layer(&s, &hk_layer_readout, "readout", NULL);
    small_rule(&s, &hk_rule_sltt, NULL);
    small_loss(&s, &hk_loss_ce, NULL, EACH_STEP);
    assert_int_equal(small_build(&s, (hk_shape){ 2, 2, 3, false }, 1, 1, &e), HK_E_ARG);
    assert_non_null(strstr(e.text, "odd"));
    small_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known), cmocka_unit_test(windows), cmocka_unit_test(refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
