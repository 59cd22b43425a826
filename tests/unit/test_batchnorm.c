/* Batch norm with running statistics of the first steps: each step moves its own set, inference takes
 * it, and all steps behind share the last one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "small_net.h"

enum { T = 4, B = 2, SETS = 3 };

static small *net(const hk_rule_ops *rule, const char *keys, hk_error *e, hk_status *st)
{
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    small_layer(s, &hk_layer_batchnorm, "bn", keys);
    small_layer(s, &hk_layer_readout, "readout", rule == &hk_rule_snn2ann ? "kind=mean" : "kind=last");
    small_rule(s, rule, NULL);
    const hk_objective each = { .when = rule == &hk_rule_snn2ann ? HK_FINAL : HK_EACH_STEP };
    small_loss(s, &hk_loss_mse, NULL, each);
    *st = small_build(s, (hk_shape){ 1, 1, 1, false }, T, B, e);
    return s;
}

static void done(small *s)
{
    small_close(s);
    free(s);
}

/* Two batches; step t sees values m +- d: mean m, unbiased variance 2 d^2. */
static void sets(void **state)
{
    (void)state;
    static const float batch[2][T * B] = { { 1, 3, 2, 6, 5, 5, 7, 9 }, { 0, 0, -1, 3, 4, 8, -2, -4 } };
    static const float target[T * B];
    const hk_rule_ops *rules[] = { &hk_rule_sltt, &hk_rule_bptt };
    for (int r = 0; r < HK_COUNT(rules); r++) {
        hk_error e;
        hk_status st;
        small *s = net(rules[r], "momentum=0.5 running_steps=3", &e, &st);
        if (st) fail_msg("%s", e.text);
        double mean[SETS] = { 0 }, var[SETS] = { 1, 1, 1 };
        for (int i = 0; i < 2; i++) {
            small_run(s, batch[i], NULL, target);
            for (int t = 0; t < T; t++) {
                const int set = t < SETS ? t : SETS - 1;
                const double a = (double)batch[i][2 * t], b = (double)batch[i][2 * t + 1];
                mean[set] = 0.5 * mean[set] + 0.5 * (a + b) / 2;
                var[set] = 0.5 * var[set] + 0.5 * (a - b) * (a - b) / 2;
            }
        }
        const hk_param *m = small_param(s, "bn", "running_mean"), *v = small_param(s, "bn", "running_var");
        assert_int_equal(m->n, SETS);
        assert_true(m->file_rank == 2 && m->file_dim[0] == SETS && m->file_dim[1] == 1);
        assert_near(m->w, mean, SETS, 1e-6);
        assert_near(v->w, var, SETS, 1e-6);
        done(s);
    }
}

/* The readout keeps what the norm put out last: T steps of one input, for every T. */
static void inference(void **state)
{
    (void)state;
    const float x[T * B] = { 1, 2, 1, 2, 1, 2, 1, 2 }, mu[SETS] = { 0, 1, -1 }, var[SETS] = { 4, 1, 0.25f };
    hk_error e;
    hk_status st;
    small *s = net(&hk_rule_sltt, "running_steps=3", &e, &st);
    if (st) fail_msg("%s", e.text);
    small_set(s, "bn", "running_mean", mu);
    small_set(s, "bn", "running_var", var);
    for (int t = 1; t <= T; t++) {
        const int set = (t < SETS ? t : SETS) - 1;
        const double r = 1 / sqrt((double)var[set] + 1e-5);
        s->net.spec.T = t;
        s->x = x;
        s->batch = (hk_batch){ .n = B, .frame = small_frame, .self = s };
        hk_result out;
        assert_int_equal(hk_net_infer(&s->net, &s->batch, &out, &e), HK_OK);
        assert_near(hk_slot(&s->net.readout->y, t),
                    (const double[]){ (1 - (double)mu[set]) * r, (2 - (double)mu[set]) * r }, B, 1e-6);
    }
    done(s);
}

static void refused(void **state)
{
    (void)state;
    hk_error e;
    hk_status st;
    small *s = net(&hk_rule_snn2ann, "running_steps=2", &e, &st);
    assert_int_equal(st, HK_E_UNSUP);
    assert_non_null(strstr(e.text, "layer 'bn' (batchnorm)"));
    assert_non_null(strstr(e.text, "running_steps must be 1, found 2"));
    for (int i = 0; i < s->n_cfg; i++) free(s->cfg[i]);
    free(s->node);
    free(s->param);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(sets), cmocka_unit_test(inference), cmocka_unit_test(refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
