/* Weights that products take in place of those that are learned: products that have them packed need no copy,
 * and the gradient needs no array of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"

#include "../../host/kernel/host_kernels.h"
#include "layer/weighted.h"

enum { T = 4, BATCH = 3 };

/* "": plain; groups=2: products that are not packed. */
static small *open_net(const hk_kernels *kernels, const char *what)
{
    char keys[96];
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    snprintf(keys, sizeof keys, "out=16 padding=1 %s", what);
    small_layer(s, &hk_layer_conv2d, "conv1", keys);
    spiking_layer(s, "lif1", NULL, "leak=0.7 threshold=0.4");
    small_layer(s, &hk_layer_conv2d, "conv2", keys);
    spiking_layer(s, "lif2", NULL, "leak=0.7 threshold=0.4");
    small_layer(s, &hk_layer_gap, "gap", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", "kind=sum");
    small_rule(s, &hk_rule_stop, NULL);
    small_loss(s, &hk_loss_ce, NULL, EACH_STEP);
    s->net_spec.kernels = kernels;
    small_open(s, (hk_shape){ 6, 6, 16, false }, T, BATCH);
    random_weights(s, 31);
    return s;
}

/* Regions of a net with standardised weights against those of the plain one, which lacks two gains. */
static void bytes(void **state)
{
    (void)state;
    hk_host_kernels k;
    hk_error e;
    assert_int_equal(hk_host_kernels_open(&k, NULL, &e), HK_OK);
    for (int i = 0; i < 4; i++) {
        const hk_kernels *table = i < 2 ? &k.table : NULL;
        const bool grouped = i % 2;
        small *plain = open_net(table, grouped ? "groups=2" : "");
        small *s = open_net(table, grouped ? "groups=2 standardize=true" : "standardize=true");
        const size_t weights = (i == 0 ? 0 : 2 * 4 * 16 * 9 * (size_t)(grouped ? 8 : 16)), gains = 2 * 4 * 16;
        assert_int_equal(s->net.bytes[HK_R_STATE], plain->net.bytes[HK_R_STATE]);
        assert_int_equal(s->net.bytes[HK_R_GRAD], plain->net.bytes[HK_R_GRAD] + gains);
        assert_int_equal(s->net.bytes[HK_R_PACKED], plain->net.bytes[HK_R_PACKED] + weights);
        assert_int_equal(small_param(s, "conv2", "weight")->used == NULL, i == 0);
        random_close(plain);
        random_close(s);
    }
    hk_host_kernels_close(&k);
}

/* By the host's products and by the core's: gradients, and the weights that a deployment asks for. A vendor's
 * products read the weights beside what is packed. */
static void same_as_core(hk_dense_by dense)
{
    hk_host_kernels k;
    hk_error e;
    const hk_host_kernels_cfg cfg = { .products = dense == HK_DENSE_OWN ? HK_WAY_AUTO : HK_WAY_DENSE, .dense = dense };
    if (dense != HK_DENSE_OWN && !hk_vendor_version(dense)) return;
    assert_int_equal(hk_host_kernels_open(&k, &cfg, &e), HK_OK);
    const net_case c = { NULL, NULL, NULL, { 6, 6, 16, false }, T, BATCH, EACH_STEP, false, 31 };
    small *a = open_net(&k.table, "standardize=true"), *b = open_net(NULL, "standardize=true");
    random_run(a, &c);
    random_run(b, &c);
    same_gradients(a, b, true, 1e-4);
    float used[16 * 16 * 9];
    hk_weighted_used(&a->net.node[2], used);
    same_floats("conv2", "weight", HK_COUNT(used), used, small_param(b, "conv2", "weight")->used, 0);
    random_close(a);
    random_close(b);
    hk_host_kernels_close(&k);
}

static void gradients(void **state)
{
    (void)state;
    same_as_core(HK_DENSE_OWN);
    same_as_core(HK_DENSE_ONEDNN);
    same_as_core(HK_DENSE_CBLAS);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(bytes), cmocka_unit_test(gradients) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
