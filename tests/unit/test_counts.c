/* The count branch of rule snn2ann: the identity between the summed currents of the spiking net and
 * the input sums of the activation net, the unit that takes counts for activations, the gradient of
 * the sums against an activation net in double precision, thresholds that are raised.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "counts_net.h"

/* ---- identity ---------------------------------------------------------------------------------- */

/* The numbers of the specification: I = (0.5, -0.25, 0.25, 0.5), sum 1, one spike at the end. Set b,
 * beta and mu so that the constant b - mu + beta is 0 in binary, the thresholds are met exactly. */
static void fixture(float b, float beta, float mu, double tolerance)
{
    small s = { 0 };
    small_layer(&s, &hk_layer_dense, "fc", "out=1");
    small_layer(&s, &hk_layer_batchnorm, "bn", "mode=eval");
    fire(&s, "spike", "0.5");
    small_layer(&s, &hk_layer_dense, "head", "out=3");
    small_layer(&s, &hk_layer_readout, "readout", "kind=mean");
    open_counts(&s, "membrane_dropout=0", (hk_shape){ 1, 1, 2, false }, 4, 1);
    small_set(&s, "fc", "weight", (const float[]){ 0.5f, -0.25f });
    small_set(&s, "fc", "bias", &b);
    small_set(&s, "bn", "weight", (const float[]){ 2 });
    small_set(&s, "bn", "bias", &beta);
    small_set(&s, "bn", "running_mean", &mu);
    small_set(&s, "bn", "running_var", (const float[]){ 3.99999f });
    static const float x[] = { 1, 0, 0, 1, 1, 1, 1, 0 };
    seen *k = watched_run(&s, x);
    const int spike = small_find(&s, "spike");
    assert_true(fabs(k->current[spike][0] - 1) <= tolerance);
    assert_true(fabs((double)sum_of(&s, "spike")[0] - 1) <= tolerance);
    if (tolerance < 1e-6) assert_true(k->count[spike][0] == 1 && k->spike[spike][0] == 1);
    free(k);
    small_close(&s);
}

static void identity_fixture(void **state)
{
    (void)state;
    fixture(0.1f, 0.3f, 0.4f, 2e-6);
    fixture(0.125f, 0.375f, 0.5f, 1e-9);
}

/* Frames that change, or one that does not, which the net multiplies once. */
static void identity(int T, bool constant, const char *tile)
{
    const net_case c = { NULL, NULL, NULL, IMAGE, T, 3, AT_END, constant, 7 };
    small s = { 0 };
    linear_layers(&s, "mode=eval", "kind=mean");
    s.net_spec.constant_input = constant;
    s.net_spec.tile = atoi(tile);
    open_counts(&s, "unit=stsu membrane_dropout=0", IMAGE, T, 3);
    random_weights(&s, 7);
    float *x = random_input(&c, 7);
    seen *k = watched_run(&s, x);
    for (int j = 0; j < s.n; j++) {
        if (!s.node[j].spec->neuron) continue;
        double fired = 0, most = 0;
        const float *h = sum_of(&s, s.node[j].name);
        for (size_t i = 0; i < floats_of(&s.node[j]); i++) {
            fired += k->count[j][i];
            most = fmax(most, fabs((double)h[i]));
            if (!(fabs((double)h[i] - k->current[j][i]) <= 1e-5 * (1 + T)))
                fail_msg("%s[%zu]: sum %.8g, currents %.8g", s.node[j].name, i, (double)h[i],
                         k->current[j][i]);
        }
        assert_true(fired > 0 && most > 0.5);
    }
    free(k);
    free(x);
    small_close(&s);
}

static void identities(void **state)
{
    (void)state;
    identity(5, false, "0");
    identity(5, true, "64");
    identity(300, false, "0");           /* counts as floats */
}

/* ---- the unit ---------------------------------------------------------------------------------- */

/* n neurons that see the n inputs, under the threshold 0.5; a head that adds them up. */
static void units(small *s, int n, const char *rule, int T)
{
    char out[32];
    float *one = calloc((size_t)(n * n + 3 * n), sizeof *one);
    float *zero = calloc((size_t)n + 3, sizeof *zero);
    assert_true(one && zero);
    snprintf(out, sizeof out, "out=%d", n);
    small_layer(s, &hk_layer_dense, "fc", out);
    fire(s, "spike", "0.5");
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", "kind=sum");
    open_counts(s, rule, (hk_shape){ 1, 1, n, false }, T, 1);
    for (int i = 0; i < n; i++) one[i * n + i] = 1;
    small_set(s, "fc", "weight", one);
    small_set(s, "fc", "bias", zero);
    for (int i = 0; i < n; i++) one[i] = 1, one[n + i] = one[2 * n + i] = 0;
    small_set(s, "head", "weight", one);
    small_set(s, "head", "bias", zero);
    free(one);
    free(zero);
}

static void noisy_spike(void **state)
{
    (void)state;
    static const char *const rule[] = { "unit=stsu membrane_dropout=0", "unit=resu membrane_dropout=0" };
    static const float x[] = { 1.0f, -1.5f };
    for (int i = 0; i < 2; i++) {
        small s = { 0 };
        units(&s, 1, rule[i], 2);
        small_run(&s, x, LABEL, NULL);
        assert_true(sum_of(&s, "spike")[0] == -0.5f);
        assert_true(hk_net_output(&s.net)[0] == (i == 0 ? 1.0f : 0.0f));
        small_close(&s);
    }
}

/* pre = (0.8, -0.2, 0), counts (2, 1, 1): forward (2, 1, 1) and (2, 0, 0), gradient (1, 0, 0). */
static void override(void **state)
{
    (void)state;
    static const char *const rule[] = { "unit=stsu membrane_dropout=0", "unit=resu membrane_dropout=0" };
    static const float x[] = { 1, 1, 1, 1, -1.2f, -1, -1.2f, 0, 0 };
    for (int i = 0; i < 2; i++) {
        small s = { 0 };
        units(&s, 3, rule[i], 3);
        small_run(&s, x, LABEL, NULL);
        float down[3], up[3];
        small_grad(&s, "fc", "bias", down);
        small_grad(&s, "head", "bias", up);
        assert_true(hk_net_output(&s.net)[0] == (i == 0 ? 4.0f : 2.0f));
        assert_true(up[0] < 0 && fabsf(down[0] - up[0] / 3) < 1e-7f);    /* the head's has T in it */
        assert_true(down[1] == 0 && down[2] == 0);
        small_close(&s);
    }
}

/* ---- thresholds -------------------------------------------------------------------------------- */

/* Of a hundred neurons, `noisy` fire once and have a negative sum. */
static float raised(int noisy)
{
    small s = { 0 };
    float x[200];
    for (int i = 0; i < 100; i++) {
        x[i] = i < noisy ? 1.0f : 0.25f;
        x[100 + i] = i < noisy ? -1.5f : 0.0f;
    }
    units(&s, 100, "membrane_dropout=0", 2);
    small_set(&s, "spike", "threshold", (const float[]){ 0.4f });
    small_run(&s, x, LABEL, NULL);
    const float v = small_param(&s, "spike", "threshold")->w[0];
    small_close(&s);
    return v;
}

static void thresholds(void **state)
{
    (void)state;
    assert_true(fabsf(raised(11) - 0.41f) < 1e-6f);
    assert_true(raised(10) == 0.4f);
    small s = { 0 };
    small_layer(&s, &hk_layer_dense, "fc", "out=400");
    neuron(&s, "spike", "compare=> threshold_granularity=neuron threshold_init=uniform", "threshold=2");
    small_layer(&s, &hk_layer_dense, "head", "out=3");
    small_layer(&s, &hk_layer_readout, "readout", "kind=sum");
    open_counts(&s, NULL, (hk_shape){ 1, 1, 2, false }, 2, 1);
    const hk_param *p = small_param(&s, "spike", "threshold");
    double mean = 0, most = 0;
    assert_int_equal(p->n, 400);
    assert_false(p->learn);
    for (size_t i = 0; i < p->n; i++) {
        assert_true(p->w[i] >= 0 && p->w[i] < 2);
        mean += (double)p->w[i] / 400;
        most = fmax(most, (double)p->w[i]);
    }
    assert_true(fabs(mean - 1) < 0.1 && most > 1.9);
    small_close(&s);
}

/* Padding at the end of a batch counts for nothing. */
static void padding(void **state)
{
    (void)state;
    small s = { 0 };
    hk_error e;
    float x[2][2] = { { 1.0f, 1.0f }, { -0.25f, -1.5f } };       /* the second sample is noisy */
    small_layer(&s, &hk_layer_dense, "fc", "out=1");
    fire(&s, "spike", "0.5");
    small_layer(&s, &hk_layer_dense, "head", "out=3");
    small_layer(&s, &hk_layer_readout, "readout", "kind=sum");
    open_counts(&s, "membrane_dropout=0", (hk_shape){ 1, 1, 1, false }, 2, 2);
    small_set(&s, "fc", "weight", (const float[]){ 1 });
    small_set(&s, "fc", "bias", (const float[]){ 0 });
    s.x = x[0];
    for (int n = 1; n <= 2; n++) {
        s.batch = (hk_batch){ .n = n, .frame = small_frame, .self = &s, .label = LABEL };
        assert_int_equal(hk_net_learn(&s.net, &s.batch, NULL, &e), HK_OK);
        const float v = small_param(&s, "spike", "threshold")->w[0];
        assert_true(n == 1 ? v == 0.5f : fabsf(v - 0.51f) < 1e-6f);
    }
    small_close(&s);
}

/* ---- membrane dropout -------------------------------------------------------------------------- */

/* A membrane that only carries: U[2] = d U[1], 0 or U[1]/(1-p), and inference drops nothing. */
static void dropout(void **state)
{
    (void)state;
    enum { N = 2000 };
    static float x[2 * N];
    small s = { 0 };
    for (int i = 0; i < N; i++) x[i] = 1, x[N + i] = 0;
    neuron(&s, "spike", NULL, "reset=none threshold=100");
    small_layer(&s, &hk_layer_dense, "head", "out=3");
    small_layer(&s, &hk_layer_readout, "readout", "kind=sum");
    open_counts(&s, "membrane_dropout=0.25", (hk_shape){ 1, 1, N, false }, 2, 1);
    int kept = 0, both = 0;
    static float first[N];
    for (int run = 0; run < 2; run++) {
        seen *k = watched_run(&s, x);
        const float *after = k->before[0];           /* dropped after both steps */
        for (int i = 0; i < N; i++) {
            assert_true(after[i] == 0 || fabsf(after[i] - 16.0f / 9) < 1e-5f);
            if (run == 0) first[i] = after[i];
            kept += after[i] > 0;
            both += run == 1 && after[i] > 0 && first[i] > 0;
        }
        free(k);
    }
    assert_true(abs(kept - 2 * N * 9 / 16) < 150);               /* 3/4 of 3/4 */
    assert_true(abs(both - N * 81 / 256) < 150);                 /* another mask in the next batch */
    hk_error e;
    assert_int_equal(hk_net_infer(&s.net, &s.batch, NULL, &e), HK_OK);
    assert_true(sum_of(&s, "spike")[0] == 1 && sum_of(&s, "spike")[N - 1] == 1);
    small_close(&s);
}

/* ---- memory ------------------------------------------------------------------------------------ */

static void bytes_at(int T, size_t bytes[HK_REGIONS])
{
    small s = { 0 };
    linear_layers(&s, NULL, "kind=mean");
    open_counts(&s, NULL, IMAGE, T, 4);
    memcpy(bytes, s.net.bytes, sizeof s.net.bytes);
    small_close(&s);
}

/* Nothing depends on T but the byte or float of a count, and the tape, which holds what backward of
 * one step needs, not even on that: the steps keep no graph. */
static void memory(void **state)
{
    (void)state;
    size_t at[5][HK_REGIONS];
    static const int T[] = { 1, 4, 255, 256, 1000 };
    for (int i = 0; i < 5; i++) bytes_at(T[i], at[i]);
    for (int r = 0; r < HK_REGIONS; r++) {
        assert_true(at[0][r] == at[1][r] && at[1][r] == at[2][r]);
        assert_int_equal(at[3][r], at[4][r]);
        if (r != HK_R_STATE && r != HK_R_WORK) assert_int_equal(at[2][r], at[3][r]);
    }
    const size_t neurons = 4 * (6 * 6 * 4 + 6 * 6 * 4 + 2 * 2 * 5);
    assert_true(at[3][HK_R_STATE] - at[2][HK_R_STATE] <= 3 * neurons + 3 * 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_fixture), cmocka_unit_test(identities), cmocka_unit_test(noisy_spike),
        cmocka_unit_test(override), cmocka_unit_test(thresholds),
        cmocka_unit_test(padding), cmocka_unit_test(dropout), cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
