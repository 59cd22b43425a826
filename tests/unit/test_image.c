/* Exported nets: the self-test of every rule and form of weights, steps against samples, constants
 * that come back, images that do not belong to this core, memory that runs out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "export/snapshot.h"
#include "io/file.h"

static const char recipe_text[] =
    "data: {name: none, shape: [2, 6, 6], classes: 5}\n"
    "net:\n"
    "  layers:\n"
    "    - {type: conv2d, name: conv1, out: 6, kernel: 3, padding: 1}\n"
    "    - {type: spiking, name: lif1}\n"
    "    - {type: avgpool2d, name: pool1, kernel: 2, stride: 2}\n"
    "    - {type: flatten, name: flat}\n"
    "    - {type: dense, name: head, out: 5}\n"
    "    - {type: readout, name: readout}\n"
    "neuron: {threshold: 0.3}\n"
    "rule: {name: stop}\n"
    "optim: {name: sgd, lr: 0.05}\n"
    "train: {T: 4, batch: 8, seed: 9}\n";

#define RECIPE "image.yaml"

static void good(hk_status st, const hk_error *e)
{
    if (st != HK_OK) fail_msg("%s", e->text);
}

static int write_recipe(void **state)
{
    hk_error e;
    (void)state;
    return hk_file_write(RECIPE, recipe_text, strlen(recipe_text), &e);
}

static hk_export_opts options(const char *const *set, int n)
{
    return (hk_export_opts){ .recipe = RECIPE, .set = set, .n_set = n, .out = "net" };
}

/* ---- self-test ------------------------------------------------------------------------------- */

static void every_rule(void **state)
{
    static const char *const sets[][2] = {
        { "rule=stop" }, { "rule=bptt" }, { "rule=sltt" }, { "rule=ottt_a" }, { "rule=ottt_o" },
        { "rule=sltt_k", "rule.K=2" }, { "rule=bptt", "rule.order=layer" }, { "neuron={name: plif, reset: soft}" },
        { "neuron=clif", "rule.hard_reset_trace=ignore" }, { "neuron.membrane_norm=true", "rule=sltt" },
        { "neuron={name: empf, membrane_norm: true, per_step: true}", "rule={name: stop, weight_trace: none}" },
        { "encode=rate" }, { "optim=adamw" }, { "loss=mse" }, { "neuron.leak_granularity=channel",
        "rule={name: stop, W: false}" }, { "rule.traces=bf16" },
    };
    (void)state;
    for (int i = 0; i < HK_COUNT(sets); i++) {
        hk_snapshot s;
        hk_error e;
        hk_export_opts o = options(sets[i], sets[i][1] ? 2 : 1);
        good(hk_snapshot_open(&s, &o, &e), &e);
        good(hk_model_self_test(&s.model, &e), &e);
        s.self[1].spikes ^= 1;
        assert_int_equal(hk_model_self_test(&s.model, &e), HK_E_NUM);
        assert_non_null(strstr(e.text, "sample 1: spikes"));
        hk_snapshot_close(&s);
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void steps_make_a_sample(void **state)
{
    hk_snapshot s;
    hk_error e;
    int32_t best = -1;
    float sum[5] = { 0 };
    (void)state;
    hk_export_opts o = options(NULL, 0);
    good(hk_snapshot_open(&s, &o, &e), &e);
    hk_model *m = &s.model;
    const size_t bytes = s.image.bytes[HK_R_PARAM];

    good(hk_model_infer(m, s.frame[0], &best, &e), &e);
    hk_model_begin(m, false);
    for (int t = 0; t < 4; t++) {
        const float *z = hk_model_infer_step(m, s.frame[0]);
        for (int k = 0; k < 5; k++) sum[k] += z[k];
    }
    assert_int_equal(best, hk_largest(5, sum));

    good(hk_model_learn(m, s.frame[0], 3, NULL, &e), &e);
    const uint32_t whole = hk_digest(HK_DIGEST, m->net.base[HK_R_PARAM], bytes);
    hk_model_load(m);
    assert_int_not_equal(whole, hk_digest(HK_DIGEST, m->net.base[HK_R_PARAM], bytes));
    hk_model_begin(m, true);
    for (int t = 0; t < 4; t++) good(hk_model_learn_step(m, s.frame[0], 3, &e), &e);
    hk_model_update(m);
    assert_int_equal(whole, hk_digest(HK_DIGEST, m->net.base[HK_R_PARAM], bytes));

    assert_int_equal(hk_model_learn_step(m, s.frame[0], 5, &e), HK_E_ARG);
    hk_snapshot_close(&s);
}

static void a_step_needs_an_online_rule(void **state)
{
    static const char *const set[] = { "rule=bptt" };
    hk_snapshot s;
    hk_error e;
    (void)state;
    hk_export_opts o = options(set, 1);
    good(hk_snapshot_open(&s, &o, &e), &e);
    hk_model_begin(&s.model, true);
    assert_int_equal(hk_model_learn_step(&s.model, s.frame[0], 1, &e), HK_E_UNSUP);
    assert_non_null(strstr(e.text, "bptt"));
    hk_snapshot_close(&s);
}

/* ---- constants ------------------------------------------------------------------------------- */

static float largest_difference(const hk_snapshot *a, const hk_snapshot *b)
{
    const float *x = a->model.net.param[0].w, *y = b->model.net.param[0].w;
    float most = 0;
    for (size_t i = 0; i < a->model.net.param[0].n; i++) most = fmaxf(most, fabsf(x[i] - y[i]));
    return most;
}

static void constants_come_back(void **state)
{
    hk_snapshot s[3];
    hk_error e;
    (void)state;
    for (int f = 0; f < 3; f++) {
        hk_export_opts o = options(NULL, 0);
        o.form = (hk_form)f;
        good(hk_snapshot_open(&s[f], &o, &e), &e);
    }
    const float bound = 1 / sqrtf(18);       /* of the weights, uniform with 18 inputs */
    assert_true(largest_difference(&s[0], &s[1]) <= bound * 0x1p-11f);
    assert_true(largest_difference(&s[0], &s[1]) > 0);
    assert_true(largest_difference(&s[0], &s[2]) <= bound / 254 * 1.0001f);
    assert_true(largest_difference(&s[0], &s[2]) > 0);
    for (int f = 0; f < 3; f++) hk_snapshot_close(&s[f]);
}

/* Every half that is a number, through a parameter and back. */
static void halves(void **state)
{
    hk_snapshot s;
    hk_error e;
    (void)state;
    hk_export_opts o = options(NULL, 0);
    good(hk_snapshot_open(&s, &o, &e), &e);
    const size_t n = s.model.net.param[0].n;
    uint16_t *half = hk_alloc(n * sizeof *half);
    s.constant[0] = (hk_constant){ half, NULL, HK_FORM_F16 };
    for (uint32_t h = 0; h < 0x7c00; h += (uint32_t)n) {
        for (size_t i = 0; i < n; i++) half[i] = (uint16_t)((h + i) % 0x7c00);
        hk_model_load(&s.model);
        for (size_t i = 0; i < n; i++) {
            const int e5 = half[i] >> 10, f10 = half[i] & 1023;
            const float want = e5 ? ldexpf((float)(1024 + f10), e5 - 25) : ldexpf((float)f10, -24);
            assert_true(s.model.net.param[0].w[i] == want);
        }
    }
    hk_free(half);
    hk_snapshot_close(&s);
}

/* ---- what does not fit ------------------------------------------------------------------------ */

static void another_core(void **state)
{
    hk_snapshot s;
    hk_error e;
    (void)state;
    hk_export_opts o = options(NULL, 0);
    good(hk_snapshot_open(&s, &o, &e), &e);
    s.image.bytes[HK_R_STATE] += 8;
    assert_int_equal(hk_model_open(&s.model, &s.image, s.node, s.param, s.memory, &e), HK_E_ARG);
    assert_non_null(strstr(e.text, "export the net again"));
    hk_snapshot_close(&s);
}

/* Memory does not depend on T under an online rule. */
static void memory_over_time(void **state)
{
    static const char *const set[] = { "train.T=400" };
    hk_snapshot a, b;
    hk_error e;
    (void)state;
    hk_export_opts short_ = options(NULL, 0), long_ = options(set, 1);
    good(hk_snapshot_open(&a, &short_, &e), &e);
    good(hk_snapshot_open(&b, &long_, &e), &e);
    assert_memory_equal(a.image.bytes, b.image.bytes, sizeof a.image.bytes);
    hk_snapshot_close(&a);
    hk_snapshot_close(&b);
}

static void out_of_memory(void **state)
{
    hk_export_opts o = options(NULL, 0);
    hk_export_result r;
    hk_error e;
    (void)state;
    const size_t live = hk_alloc_counts().live;
    for (long n = 1;; n++) {
        hk_alloc_fail_at(n);
        const hk_status st = hk_export(&o, &r, &e);
        hk_alloc_fail_at(0);
        assert_int_equal(hk_alloc_counts().live, live);
        if (st == HK_OK) break;
        assert_int_equal(st, HK_E_NOMEM);
    }
    assert_true(r.memory > 0 && r.constants > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule),         cmocka_unit_test(steps_make_a_sample),
        cmocka_unit_test(a_step_needs_an_online_rule),
        cmocka_unit_test(constants_come_back), cmocka_unit_test(halves),
        cmocka_unit_test(another_core),       cmocka_unit_test(memory_over_time),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, write_recipe, NULL);
}
