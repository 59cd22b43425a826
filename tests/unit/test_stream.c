/* A stream of steps: the same bits as whole samples where the update times coincide, no error without a
 * label, the same memory and the same numbers after any number of steps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_stream.h"
#include "random_net.h"

#include <unistd.h>

enum { T = 9, SAMPLES = 7, ROUNDS = 3 };

typedef struct rule_row { const hk_rule_ops *rule; const char *keys; int32_t every; } rule_row;

static const rule_row RULES[] = {
    { &hk_rule_sltt, NULL, T },         { &hk_rule_ottt_a, "bn_trace=exact", T },
    { &hk_rule_stop, NULL, T },         { &hk_rule_stop, "W=false", T },
    { &hk_rule_ottt_o, NULL, 1 },       { &hk_rule_ottt_o, NULL, 5 },
    { &hk_rule_solsa, "points=0 T=true L=true", T },
};

static const net_case DENSE = { dense_layers, "leak=0.7 threshold=0.4", "kind=leaky leak=0.8", { 1, 1, 5, false },
                                T, 1, { .when = HK_EACH_STEP, .divide_by_T = true }, false, 61 };
static const net_case STEPS = { conv_layers_steps, "leak=0.6 threshold=0.4", "kind=sum", { 6, 6, 2, false }, T, 1,
                                { .when = HK_EACH_STEP, .divide_by_T = true }, false, 62 };
static const net_case CONV = { conv_layers_eval, "leak=0.6 threshold=0.4", "kind=sum", { 6, 6, 2, false }, T, 1,
                               { .when = HK_EACH_STEP, .divide_by_T = true }, false, 62 };

/* A net that learns with momentum, so that updates remember. */
static small *learner(const net_case *c, const rule_row *r)
{
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    c->layers(s, c->neuron, c->readout);
    small_rule(s, r->rule, r->keys);
    small_loss(s, &hk_loss_ce, NULL, c->objective);
    s->net_spec.optim = &hk_optim_sgd;
    s->net_spec.optim_cfg = small_cfg(s, &hk_optim_sgd.info, "momentum=0.9");
    small_open(s, c->in, c->T, 1);
    random_weights(s, c->seed);
    s->net.update.lr = 0.05f;
    return s;
}

static void good(hk_status st, const hk_error *e)
{
    if (st != HK_OK) fail_msg("%s", e->text);
}

static void same_weights(const small *a, const small *b)
{
    assert_memory_equal(a->region[HK_R_PARAM], b->region[HK_R_PARAM], a->net.bytes[HK_R_PARAM]);
    assert_memory_equal(a->region[HK_R_OPTIM], b->region[HK_R_OPTIM], a->net.bytes[HK_R_OPTIM]);
}

static void equals_samples(void **state)
{
    (void)state;
    const net_case *cases[] = { &DENSE, &CONV, &STEPS };
    for (int i = 0; i < HK_COUNT(RULES); i++)
        for (int k = 0; k < HK_COUNT(cases); k++) {
            if (RULES[i].rule == &hk_rule_solsa && cases[k] != &DENSE) continue;    /* dense layers only */
            small *whole = learner(cases[k], &RULES[i]), *steps = learner(cases[k], &RULES[i]);
            float *first = malloc(whole->net.bytes[HK_R_PARAM]);
            hk_stream s;
            hk_error e;
            memcpy(first, whole->region[HK_R_PARAM], whole->net.bytes[HK_R_PARAM]);
            good(hk_stream_open(&s, &steps->net, true, RULES[i].every, &e), &e);
            for (int n = 0; n < SAMPLES; n++) {
                const int32_t label = n % 3;
                float *x = random_input(cases[k], 200 + (uint64_t)n);
                double loss = 0;
                whole->x = x;
                whole->batch = (hk_batch){ .n = 1, .frame = small_frame, .self = whole, .label = &label };
                hk_result r;
                good(hk_net_learn(&whole->net, &whole->batch, &r, &e), &e);
                for (int t = 0; t < T; t++) {
                    good(hk_stream_step(&s, x + (size_t)t * steps->frame, label, &e), &e);
                    loss += s.loss / T;
                }
                hk_stream_reset(&s);
                free(x);
                assert_true(fabs(loss - r.loss) < 1e-6 * r.loss);
                same_weights(whole, steps);
            }
            assert_memory_not_equal(first, whole->region[HK_R_PARAM], whole->net.bytes[HK_R_PARAM]);
            assert_true(s.steps == SAMPLES * T && steps->net.updates == whole->net.updates);
            free(first);
            random_close(whole);
            random_close(steps);
        }
}

/* Labels at some steps: the gradient is that of a sample whose loss is nothing at the others. */
static void without_a_label(void **state)
{
    (void)state;
    const rule_row row = { &hk_rule_stop, NULL, 0 };
    small *a = learner(&DENSE, &row), *b = learner(&DENSE, &row);
    float *x = random_input(&DENSE, 5);
    hk_stream s;
    hk_error e;
    good(hk_stream_open(&s, &a->net, true, 0, &e), &e);
    for (int t = 0; t < T; t++) {
        good(hk_stream_step(&s, x + (size_t)t * a->frame, t % 4 == 2 ? 1 : -1, &e), &e);
        assert_true((s.loss > 0) == (t % 4 == 2) && s.pending == (t + 2) / 4);
    }
    hk_net_finish(&a->net);

    const int32_t label = 1;
    b->x = x;
    b->batch = (hk_batch){ .n = 1, .frame = small_frame, .self = b, .label = &label };
    b->net.batch = &b->batch;
    b->net.training = true;
    hk_net_begin(&b->net);
    for (int t = 1; t <= T; t++) {
        hk_net_forward(&b->net, t);
        if ((t - 1) % 4 == 2) hk_net_backward(&b->net, t, t, true);
    }
    hk_net_finish(&b->net);
    assert_memory_equal(a->region[HK_R_GRAD], b->region[HK_R_GRAD], a->net.bytes[HK_R_GRAD]);
    assert_true(largest(a->net.bytes[HK_R_GRAD] / 4, a->region[HK_R_GRAD]) > 1e-4);

    /* Only looked at, with labels or without: nothing is learned. */
    memset(a->region[HK_R_GRAD], 0, a->net.bytes[HK_R_GRAD]);
    good(hk_stream_open(&s, &a->net, false, 1, &e), &e);
    for (int t = 0; t < T; t++) good(hk_stream_step(&s, x + (size_t)t * a->frame, 1, &e), &e);
    assert_true(a->net.updates == 0 && s.loss > 0 && s.pending == 0);
    free(x);
    random_close(a);
    random_close(b);
}

/* Without pages of files: those of the program come in whenever new code runs. */
static size_t resident(void)
{
    long pages = 0, shared = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return 0;
    if (fscanf(f, "%*d %ld %ld", &pages, &shared) != 2) pages = shared = 0;
    fclose(f);
    return (size_t)(pages - shared) * (size_t)sysconf(_SC_PAGESIZE);
}

/* A hundred thousand steps: bounded numbers, no memory, and a trace scalar at its fixed point. */
static void goes_on(void **state)
{
    (void)state;
    const rule_row row = { &hk_rule_stop, NULL, 1 };
    small *a = learner(&DENSE, &row);
    a->net.update.lr = 1e-3f;
    a->net.update.lr_leak = 0;           /* so that the trace has a fixed point */
    float *x = random_input(&DENSE, 6);
    hk_stream s;
    hk_error e;
    size_t before = 0;
    good(hk_stream_open(&s, &a->net, true, 1, &e), &e);
    for (int64_t i = 0; i < 100000; i++) {
        if (i == 10000) before = resident();
        good(hk_stream_step(&s, x + (size_t)(i % T) * a->frame, (int32_t)(i % T % 3), &e), &e);
    }
    assert_true(s.steps == 100000 && a->net.updates == 100000 && a->net.live == 100000);
    /* The system counts pages as they are touched; 12 bytes a step would be more than this. */
    if (resident() > before + (1u << 20)) fail_msg("%zu bytes more", resident() - before);
    const hk_node *fc1 = &a->node[small_find(a, "fc1")];
    const float bt = fc1->bias_trace, leak = fc1->memory->decay;
    assert_true(bt == leak * bt + 1 && fabs((double)bt - 1 / (1 - (double)leak)) < 1e-5);
    for (int i = 0; i < a->net.n_node; i++) assert_true(hk_node_rate(&a->node[i]) <= 1);
    free(x);
    random_close(a);
}

static void refused(void **state)
{
    (void)state;
    const hk_objective final = { .when = HK_FINAL };
    static const struct { const hk_rule_ops *rule; const char *word; bool final; int batch; } rows[] = {
        { &hk_rule_bptt, "rule 'bptt' needs whole samples", false, 1 },
        { &hk_rule_sltt_k, "use a rule that learns step by step: sltt, ottt_a", false, 1 },
        { &hk_rule_stop, "found loss.when: final", true, 1 },
        { &hk_rule_solsa, "set points: 0", false, 1 },
        { &hk_rule_stop, "the net's batch is 2, expected 1", false, 2 },
    };
    for (int i = 0; i < HK_COUNT(rows); i++) {
        net_case c = DENSE;
        if (rows[i].final) c.objective = final;
        c.batch = rows[i].batch;
        small *a = random_net(&c, rows[i].rule, rows[i].rule == &hk_rule_solsa ? "early_stop=false" : NULL);
        hk_stream s;
        hk_error e;
        const hk_status st = hk_stream_open(&s, &a->net, true, 1, &e);
        assert_true(st == HK_E_UNSUP || st == HK_E_ARG);
        if (!strstr(e.text, rows[i].word)) fail_msg("'%s' does not say '%s'", e.text, rows[i].word);
        if (c.batch == 1) assert_int_equal(hk_stream_open(&s, &a->net, false, 1, &e), HK_OK);
        random_close(a);
    }
    const rule_row row = { &hk_rule_stop, NULL, 1 };
    small *a = learner(&DENSE, &row);
    float x[5] = { 0 };
    hk_stream s;
    hk_error e;
    good(hk_stream_open(&s, &a->net, true, 1, &e), &e);
    assert_int_equal(hk_stream_step(&s, x, 3, &e), HK_E_ARG);
    assert_non_null(strstr(e.text, "label is 3, expected 0 to 2"));
    x[2] = INFINITY;
    hk_status st = HK_OK;
    for (int i = 0; i < 3 && st == HK_OK; i++) st = hk_stream_step(&s, x, 0, &e);
    assert_int_equal(st, HK_E_NUM);
    random_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_samples), cmocka_unit_test(without_a_label), cmocka_unit_test(goes_on),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
