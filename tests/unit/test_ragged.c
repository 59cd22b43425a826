/* Batches whose samples have lengths of their own: the gradient is the sum of the samples' own, and
 * nothing behind a sample's end, in its input, its membranes or its labels, can be seen anywhere.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"

enum { T = 7, B = 5 };
static const int32_t LENGTH[B] = { 7, 3, 1, 5, 4 };

typedef struct rule_row { const hk_rule_ops *rule; const char *keys; bool final, summed; } rule_row;

static const rule_row RULES[] = {
    { &hk_rule_bptt, NULL, true, true },
    { &hk_rule_bptt, "order=layer", true, true },
    { &hk_rule_bptt, "reset_grad=kept", true, true },
    { &hk_rule_bptt, "window_kind=chunk window=3", false, false },
    { &hk_rule_bptt, "window_kind=sliding window=3", false, false },
    { &hk_rule_sltt, NULL, true, false },
    { &hk_rule_ottt_a, "bn_trace=exact", true, false },
    { &hk_rule_stop, "bn_trace=exact", true, false },
};

static small *make(const net_case *c, const rule_row *r, int steps, int batch)
{
    net_case own = *c;
    own.T = steps;
    own.batch = batch;
    return random_net(&own, r->rule, r->keys);
}

static hk_result run(small *s, const float *x, const int32_t *label, const int32_t *length, int n)
{
    hk_result out;
    hk_error e;
    s->x = x;
    s->batch = (hk_batch){ .n = n, .frame = small_frame, .self = s, .label = label, .length = length };
    memset(s->region[HK_R_GRAD], 0, s->net.bytes[HK_R_GRAD]);
    if (hk_net_learn(&s->net, &s->batch, &out, &e)) fail_msg("%s", e.text);
    return out;
}

/* Sample b alone, its frames behind one another. The caller frees. */
static float *alone(const net_case *c, const float *x, int b)
{
    const size_t one = (size_t)(c->in.h * c->in.w * c->in.c);
    float *out = malloc(T * one * sizeof *out);
    assert_non_null(out);
    for (size_t t = 0; t < T; t++)
        memcpy(out + t * one, x + (t * B + (size_t)b) * one, one * sizeof *out);
    return out;
}

/* What no one may look at. */
static void spoil(const net_case *c, float *x, float with)
{
    const size_t one = (size_t)(c->in.h * c->in.w * c->in.c);
    for (size_t t = 0; t < T; t++)
        for (size_t b = 0; b < B; b++)
            for (size_t k = 0; k < one && (int32_t)t >= LENGTH[b]; k++)
                x[(t * B + b) * one + k] = with * (float)(k % 3);
}

static void sum_of_samples(const net_case *c, const rule_row *r)
{
    net_case whole = *c;
    whole.T = T;
    whole.batch = B;
    float *x = random_input(&whole, c->seed);
    spoil(c, x, 9);
    small *all = make(c, r, T, B);
    const hk_result got = run(all, x, random_labels(), LENGTH, B);
    double *sum = calloc(all->net.bytes[HK_R_GRAD] / 4 + 1, sizeof *sum), loss = 0;
    int64_t correct = 0;
    for (int b = 0; b < B; b++) {
        small *one = make(c, r, LENGTH[b], 1);
        float *frames = alone(c, x, b);
        const hk_result part = run(one, frames, random_labels() + b, NULL, 1);
        loss += part.loss;
        correct += part.correct;
        assert_near(hk_net_output(&all->net) + 3 * b, (const double[]){ (double)hk_net_output(&one->net)[0],
                    (double)hk_net_output(&one->net)[1], (double)hk_net_output(&one->net)[2] }, 3, 1e-6);
        size_t at = 0;
        for (int i = 0; i < one->net.n_param; i++)
            for (size_t k = 0; one->param[i].g && k < one->param[i].n; k++) sum[at++] += (double)one->param[i].g[k];
        free(frames);
        random_close(one);
    }
    assert_true(fabs(got.loss - loss) <= 1e-6 * fabs(loss));
    assert_true(got.seen == B && got.correct == correct);
    size_t at = 0;
    for (int i = 0; i < all->net.n_param; i++) {
        if (!all->param[i].g) continue;
        assert_near(all->param[i].g, sum + at, all->param[i].n, 2e-5);
        at += all->param[i].n;
    }
    free(sum);
    free(x);
    random_close(all);
}

static void gradients(void **state)
{
    (void)state;
    static const struct { const char *readout; bool final, summed; } out[] = {
        { "kind=sum", false, false }, { "kind=mean", false, false }, { "kind=leaky leak=0.8", false, false },
        { "kind=last", true, false }, { "kind=leaky leak=0.8", true, false },
        { "kind=mean", true, true },  { "kind=sum", true, true },
    };
    for (int i = 0; i < HK_COUNT(RULES); i++)
        for (int k = 0; k < HK_COUNT(out); k++) {
            if ((out[k].final && !RULES[i].final) || (out[k].summed && !RULES[i].summed)) continue;
            const hk_objective o = { .when = out[k].final ? HK_FINAL : HK_EACH_STEP, .batch_sum = true,
                                     .divide_by_T = !out[k].final };
            const net_case dense = { dense_layers, "leak=0.7 threshold=0.4", out[k].readout, VECTOR5, T, B,
                                     o, false, 51 + (uint64_t)k };
            const net_case conv = { conv_layers_eval, "leak=0.6 threshold=0.4", out[k].readout, IMAGE6, T,
                                    B, o, false, 71 + (uint64_t)k };
            sum_of_samples(&dense, &RULES[i]);
            if (k % 2 == 0) sum_of_samples(&conv, &RULES[i]);
        }
}

/* Train-mode batch norm mixes samples, so here the test is that the tail is in none of its numbers. */
static void tails_are_unseen(void **state)
{
    (void)state;
    static const rule_row more[] = { { &hk_rule_ottt_o, NULL, false, false },
                                     { &hk_rule_sltt_k, "K=3", false, false } };
    const net_case c = { conv_layers, "leak=0.6 threshold=0.4", "kind=mean", IMAGE6, T, B, EACH_STEP, false, 91 };
    float *x = random_input(&c, c.seed), *y = random_input(&c, c.seed);
    spoil(&c, y, 50);
    for (int i = 0; i < HK_COUNT(RULES) + HK_COUNT(more); i++) {
        const rule_row *r = i < HK_COUNT(RULES) ? &RULES[i] : &more[i - HK_COUNT(RULES)];
        small *a = make(&c, r, T, B), *b = make(&c, r, T, B);
        const hk_result p = run(a, x, random_labels(), LENGTH, B), q = run(b, y, random_labels(), LENGTH, B);
        assert_true(p.loss == q.loss && p.correct == q.correct);
        for (int k = 0; k < a->net.n_param; k++) {
            assert_memory_equal(a->param[k].w, b->param[k].w, a->param[k].n * sizeof(float));
            if (a->param[k].g)
                assert_memory_equal(a->param[k].g, b->param[k].g, a->param[k].n * sizeof(float));
        }
        for (int k = 0; k < a->net.n_node; k++)
            assert_true(hk_node_rate(&a->node[k]) == hk_node_rate(&b->node[k]));
        random_close(a);
        random_close(b);
    }
    free(x);
    free(y);
}

/* Statistics over the steps that there are: samples of two steps and four, mean by hand. */
static void norm_counts_what_is_there(void **state)
{
    (void)state;
    small *s = calloc(1, sizeof *s);
    float x[4 * 2] = { 1, 3, 2, 6, 5, 99, 7, 99 };               /* [T][B] */
    const int32_t length[2] = { 4, 2 }, label[2] = { 0, 0 };
    small_layer(s, &hk_layer_batchnorm, "bn", "momentum=0.5");
    small_layer(s, &hk_layer_readout, "readout", "kind=sum");
    small_rule(s, &hk_rule_sltt, NULL);
    small_loss(s, &hk_loss_mse, NULL, EACH_STEP);
    small_open(s, (hk_shape){ 1, 1, 1, false }, 4, 2);
    run(s, x, label, length, 2);
    double mean = 0, var = 1;
    static const double m[] = { 2, 4, 5, 7 }, v[] = { 2, 8, 0, 0 };   /* unbiased; one value: as it is */
    for (int t = 0; t < 4; t++) {
        mean = 0.5 * mean + 0.5 * m[t];
        var = 0.5 * var + 0.5 * v[t];
    }
    assert_near(small_param(s, "bn", "running_mean")->w, &mean, 1, 1e-6);
    assert_near(small_param(s, "bn", "running_var")->w, &var, 1, 1e-6);
    random_close(s);
}

/* A batch that is not full is the same as a smaller one, batch statistics included. */
static void padding_is_not_there(void **state)
{
    (void)state;
    const net_case c = { conv_layers, "leak=0.6 threshold=0.4", "kind=sum", IMAGE6, T, B, EACH_STEP, false, 92 };
    const rule_row stop = { &hk_rule_stop, NULL, false, false };
    const size_t one = (size_t)(c.in.h * c.in.w * c.in.c);
    float *x = random_input(&c, c.seed), *less = malloc(T * 3 * one * sizeof *less);
    for (size_t t = 0; t < T; t++) memcpy(less + t * 3 * one, x + t * B * one, 3 * one * sizeof *x);
    small *part = make(&c, &stop, T, B), *full = make(&c, &stop, T, 3);
    const hk_result p = run(part, x, random_labels(), NULL, 3), q = run(full, less, random_labels(), NULL, 3);
    assert_true(p.seen == 3 && fabs(p.loss - q.loss) < 1e-6 * q.loss);
    same_gradients(part, full, true, 2e-5);
    for (int k = 0; k < part->net.n_node; k++)
        assert_true(fabs(hk_node_rate(&part->node[k]) - hk_node_rate(&full->node[k])) < 1e-12);
    random_close(part);
    random_close(full);
    free(x);
    free(less);
}

static void refused(void **state)
{
    (void)state;
    const net_case c = { dense_layers, NULL, "kind=sum", VECTOR5, T, B, EACH_STEP, false, 93 };
    small *s = random_net(&c, &hk_rule_sltt, NULL);
    float *x = random_input(&c, 1);
    hk_error e;
    static const int32_t bad[][B] = { { 7, 3, 0, 1, 1 }, { 7, 8, 1, 1, 1 } };
    s->x = x;
    for (int i = 0; i < 2; i++) {
        const hk_batch b = { .n = B, .frame = small_frame, .self = s, .label = random_labels(),
                             .length = bad[i] };
        assert_int_equal(hk_net_learn(&s->net, &b, NULL, &e), HK_E_ARG);
        assert_non_null(strstr(e.text, i ? "sample 1 has 8 steps, expected 1 to 7" : "sample 2 has 0 steps"));
    }
    free(x);
    random_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients), cmocka_unit_test(tails_are_unseen),
        cmocka_unit_test(norm_counts_what_is_there), cmocka_unit_test(padding_is_not_there),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
