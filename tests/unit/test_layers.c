/* Layers against each other: what must be equal whatever the rule.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "layer/standardize.h"
#include "random_net.h"

static const double NEAR = 2e-5;

/* ---- convolution and dense ------------------------------------------------------------------------ */

typedef struct conv_pair { const char *conv; hk_shape in; } conv_pair;

static void conv_or_dense(small *s, const conv_pair *p, bool conv, const hk_rule_ops *rule)
{
    if (conv) small_layer(s, &hk_layer_conv2d, "w", p->conv);
    else small_layer(s, &hk_layer_flatten, "flat", NULL);
    if (!conv) small_layer(s, &hk_layer_dense, "w", "out=6");
    spiking_layer(s, "lif", "threshold_granularity=channel", "leak=0.6 threshold=0.4");
    small_layer(s, &hk_layer_flatten, "flat2", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", NULL);
    small_rule(s, rule, NULL);
    small_loss(s, &hk_loss_ce, NULL, EACH_STEP);
    small_open(s, p->in, 5, 3);
    random_weights(s, 3);
    learn_all(s);
}

/* A 1 x 1 kernel on a 1 x 1 map, and one that covers the whole map. */
static void full_kernel(void **state)
{
    (void)state;
    static const conv_pair pairs[] = { { "out=6 kernel=1", { 1, 1, 7, false } },
                                       { "out=6 kernel=4", { 4, 4, 3, false } } };
    static const hk_rule_ops *const rules[] = { &hk_rule_bptt, &hk_rule_stop, &hk_rule_sltt };
    for (int i = 0; i < HK_COUNT(pairs) * HK_COUNT(rules); i++) {
        const conv_pair *p = &pairs[i % HK_COUNT(pairs)];
        const net_case c = { .in = p->in, .T = 5, .batch = 3, .seed = 4 };
        small conv = { 0 }, dense = { 0 };
        conv_or_dense(&conv, p, true, rules[i / HK_COUNT(pairs)]);
        conv_or_dense(&dense, p, false, rules[i / HK_COUNT(pairs)]);
        random_run(&conv, &c);
        random_run(&dense, &c);
        same_gradients(&conv, &dense, rules[i / HK_COUNT(pairs)] != &hk_rule_sltt, NEAR);
        small_close(&conv);
        small_close(&dense);
    }
}

/* Groups are a convolution whose weights between groups are zero. */
static void groups(void **state)
{
    (void)state;
    enum { IN = 4, OUT = 6, GROUPS = 2, K = 9 };
    small pair[2] = { { .n = 0 }, { .n = 0 } };
    const net_case c = { .in = { 5, 5, IN, false }, .T = 4, .batch = 3, .seed = 8 };
    float narrow[OUT * IN / GROUPS * K], wide[OUT * IN * K] = { 0 };
    for (size_t i = 0; i < HK_COUNT(narrow); i++) narrow[i] = random_at(1, 1, i, -0.6f, 0.6f);
    for (size_t o = 0; o < OUT; o++)
        for (size_t i = 0; i < IN / GROUPS; i++)
            memcpy(wide + (o * IN + o / (OUT / GROUPS) * (IN / GROUPS) + i) * K,
                   narrow + (o * (IN / GROUPS) + i) * K, K * sizeof *wide);
    for (int i = 0; i < 2; i++) {
        small *s = &pair[i];
        small_layer(s, &hk_layer_conv2d, "first", "out=4 padding=1");
        spiking_layer(s, "lif0", NULL, "leak=0.6 threshold=0.4");
        small_layer(s, &hk_layer_conv2d, "conv", i ? "out=6 padding=1 stride=2 groups=2"
                                                   : "out=6 padding=1 stride=2");
        spiking_layer(s, "lif", NULL, "leak=0.6 threshold=0.4");
        small_layer(s, &hk_layer_gap, "gap", NULL);
        small_layer(s, &hk_layer_dense, "head", "out=3");
        small_layer(s, &hk_layer_readout, "readout", NULL);
        small_rule(s, &hk_rule_ottt_a, NULL);
        small_loss(s, &hk_loss_ce, NULL, EACH_STEP);
        small_open(s, c.in, c.T, c.batch);
        random_weights(s, 9);
        small_set(s, "conv", "weight", i ? narrow : wide);
        random_run(s, &c);
        small_grad(s, "conv", "weight", i ? narrow : wide);
    }
    for (size_t o = 0; o < OUT; o++)
        for (size_t i = 0; i < IN / GROUPS; i++)
            same_floats("conv", "weight", K, narrow + (o * (IN / GROUPS) + i) * K,
                        wide + (o * IN + o / (OUT / GROUPS) * (IN / GROUPS) + i) * K, NEAR);
    same_gradient(&pair[0], &pair[1], "first", "weight", NEAR);
    same_gradient(&pair[0], &pair[1], "head", "weight", NEAR);
    small_close(&pair[0]);
    small_close(&pair[1]);
}

/* ---- pools ------------------------------------------------------------------------------------------ */

/* A net whose pool sees the input, once as it is, once as the bits of neurons that copy it. */
static void pooled(small *s, const hk_layer_ops *pool, const char *keys, bool bits, const net_case *c,
                   const float *x)
{
    if (bits) small_spiking(s, "copy", "scale=2", &hk_neuron_if, "threshold=0.5 reset=none",
                            &hk_surrogate_triangle, NULL);
    small_layer(s, pool, "pool", keys);
    small_layer(s, &hk_layer_conv2d, "conv", "out=4 kernel=2 bias=false");
    spiking_layer(s, "lif", NULL, "leak=0.6 threshold=0.4");
    small_layer(s, &hk_layer_gap, "gap", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3 bias=false");
    small_layer(s, &hk_layer_readout, "readout", NULL);
    small_rule(s, &hk_rule_ottt_a, NULL);
    small_loss(s, &hk_loss_ce, NULL, EACH_STEP);
    small_open(s, c->in, c->T, c->batch);
    const char *const names[] = { "conv", "head" };
    for (int i = 0; i < 2; i++) {
        hk_param *p = small_param(s, names[i], "weight");
        for (size_t k = 0; k < p->n; k++) p->w[k] = random_at(2, (uint64_t)i, k, -0.7f, 0.7f);
    }
    hk_net_prepare(&s->net);
    small_run(s, x, random_labels(), NULL);
}

static void pools_of_bits(void **state)
{
    (void)state;
    static const struct { const hk_layer_ops *pool; const char *keys; } rows[] = {
        { &hk_layer_avgpool2d, "kernel=2 stride=2" }, { &hk_layer_avgpool2d, "kernel=3 stride=1" },
        { &hk_layer_maxpool2d, "kernel=2 stride=2" }, { &hk_layer_maxpool2d, "kernel=3 stride=2" },
    };
    const net_case c = { .in = { 7, 7, 35, false }, .T = 1, .batch = 2 };
    static float bits[2 * 7 * 7 * 35], twice[2 * 7 * 7 * 35];
    for (size_t i = 0; i < HK_COUNT(bits); i++) {
        bits[i] = random_at(6, 1, i, 0, 1) < 0.3f ? 1.0f : 0.0f;
        twice[i] = 2 * bits[i];
    }
    for (int i = 0; i < HK_COUNT(rows); i++) {
        small a = { 0 }, b = { 0 };
        pooled(&a, rows[i].pool, rows[i].keys, false, &c, twice);
        pooled(&b, rows[i].pool, rows[i].keys, true, &c, bits);
        assert_int_equal(b.node[1].out.kind, rows[i].pool == &hk_layer_avgpool2d ? HK_COUNTS : HK_BITS);
        same_gradient(&a, &b, "conv", "weight", NEAR);
        same_gradient(&a, &b, "head", "weight", NEAR);
        same_floats("readout", "output", 6, hk_net_output(&a.net), hk_net_output(&b.net), NEAR);
        small_close(&a);
        small_close(&b);
    }
}

/* On equal values the first in row order takes the error. */
static void max_ties(void **state)
{
    (void)state;
    small s = { 0 };
    small_layer(&s, &hk_layer_conv2d, "conv", "out=1 kernel=1");
    small_layer(&s, &hk_layer_maxpool2d, "pool", NULL);
    small_layer(&s, &hk_layer_flatten, "flat", NULL);
    small_layer(&s, &hk_layer_readout, "readout", NULL);
    small_rule(&s, &hk_rule_bptt, NULL);
    small_loss(&s, &hk_loss_mse, NULL, EACH_STEP);
    hk_error e;
    assert_int_equal(small_build(&s, (hk_shape){ 2, 2, 1, false }, 1, 1, &e), HK_OK);
    small_set(&s, "conv", "weight", (const float[]){ 1 });
    small_set(&s, "conv", "bias", (const float[]){ 0 });
    static const float frames[][4] = { { 0, 3, 3, 3 }, { 2, 2, 1, 2 }, { 0, 0, 0, 0 }, { 1, 2, 5, 5 } };
    static const int winner[] = { 1, 0, 0, 2 };
    for (int f = 0; f < 4; f++) {
        small_run(&s, frames[f], NULL, (const float[]){ -1 });
        const float *d = hk_dy(&s.node[0], 1);
        for (int i = 0; i < 4; i++)
            assert_float_equal(d[i], i == winner[f] ? frames[f][winner[f]] + 1 : 0, 1e-6);
    }
    small_close(&s);
}

/* ---- dropout ---------------------------------------------------------------------------------------- */

enum { DROP_T = 6, DROP_BATCH = 3, DROP_C = 40 };
typedef struct seen { float y[DROP_T][DROP_BATCH * DROP_C]; } seen;

static void look(void *self, hk_net *net, int t, hk_event what)
{
    seen *v = self;
    if (what == HK_AFTER_FORWARD)
        memcpy(v->y[t - 1], hk_slot(&net->readout->y, t), sizeof v->y[0]);
}

static void dropout(void **state)
{
    (void)state;
    small s = { 0 };
    small_layer(&s, &hk_layer_dropout, "drop", "p=0.4");
    small_layer(&s, &hk_layer_readout, "readout", NULL);
    small_rule(&s, &hk_rule_sltt, NULL);
    small_loss(&s, &hk_loss_mse, NULL, EACH_STEP);
    small_open(&s, (hk_shape){ 1, 1, DROP_C, false }, DROP_T, DROP_BATCH);
    static float x[DROP_T * DROP_BATCH * DROP_C], target[DROP_T * DROP_BATCH * DROP_C];
    static seen first, second;
    for (size_t i = 0; i < HK_COUNT(x); i++) x[i] = 1;
    s.net.watch = look;
    s.net.watch_self = &first;
    small_run(&s, x, NULL, target);
    s.net.watch_self = &second;
    small_run(&s, x, NULL, target);
    size_t kept = 0;
    for (size_t i = 0; i < DROP_BATCH * DROP_C; i++) {
        const float v = first.y[0][i];
        if (v != 0) assert_float_equal(v, 1 / 0.6f, 1e-6);
        kept += v != 0;
    }
    assert_in_range(kept, DROP_BATCH * DROP_C * 45 / 100, DROP_BATCH * DROP_C * 75 / 100);
    for (int t = 1; t < DROP_T; t++) assert_memory_equal(first.y[t], first.y[0], sizeof first.y[0]);
    assert_memory_not_equal(first.y[0], second.y[0], sizeof first.y[0]);
    assert_memory_not_equal(first.y[0], first.y[0] + DROP_C, DROP_C * sizeof(float));
    hk_error e;
    assert_int_equal(hk_net_infer(&s.net, &s.batch, NULL, &e), HK_OK);
    for (size_t i = 0; i < DROP_BATCH * DROP_C; i++) assert_true(second.y[0][i] == 1);
    small_close(&s);
}

/* ---- standardised weights ----------------------------------------------------------------------------- */

static void standardize(void **state)
{
    (void)state;
    const float w[] = { 1, 2, 3, 4 }, gain[] = { 1 };
    float g[] = { .3f, -.2f, .5f, .1f };
    float out[4], dgain[1] = { 0 };
    hk_standardize(&hk_kernels_ref, 4, 1, w, gain, out);
    assert_near(out, (const double[]){ -.580943, -.193648, .193648, .580943 }, 4, 2e-6);
    hk_standardize_back(&hk_kernels_ref, 4, 1, w, gain, g, dgain);
    assert_near(g, (const double[]){ .05422127, -.14329934, .12393457, -.0348565 }, 4, 2e-6);
    assert_float_equal(dgain[0], .3 * -.580943 + -.2 * -.193648 + .5 * .193648 + .1 * .580943, 2e-6);
}

/* Two outputs side by side, against central differences of sum G W^. */
static double paired(const float *w, const float *gain, const float *g)
{
    float out[18];
    hk_standardize(&hk_kernels_ref, 9, 2, w, gain, out);
    double sum = 0;
    for (int i = 0; i < 18; i++) sum += (double)g[i] * (double)out[i];
    return sum;
}

static void standardize_slope(void **state)
{
    (void)state;
    float w[18], g[18], gain[2] = { 0.8f, 1.7f }, dw[18], dgain[2] = { 0 };
    double want[18];
    for (size_t i = 0; i < 18; i++) {
        w[i] = random_at(7, 1, i, -1, 1);
        g[i] = random_at(7, 2, i, -1, 1);
    }
    memcpy(dw, g, sizeof dw);
    hk_standardize_back(&hk_kernels_ref, 9, 2, w, gain, dw, dgain);
    for (int i = 0; i < 18; i++) {
        const float keep = w[i], h = 0.01f;
        w[i] = keep + h;
        want[i] = paired(w, gain, g);
        w[i] = keep - h;
        want[i] = (want[i] - paired(w, gain, g)) / (2 * (double)h);
        w[i] = keep;
    }
    assert_near(dw, want, 18, 1e-3);
    for (int o = 0; o < 2; o++) {
        float only[2] = { 0, 0 };
        only[o] = 1;
        assert_float_equal(dgain[o], paired(w, only, g), 1e-5);
    }
}

/* ---- batches -------------------------------------------------------------------------------------------- */

/* Without batch statistics the gradient of a batch is the sum of those of its samples. */
static void batch_additivity(void **state)
{
    (void)state;
    static const struct { const hk_rule_ops *rule; const char *keys; } rows[] = {
        { &hk_rule_bptt, "reset_grad=kept" }, { &hk_rule_stop, "bn_trace=exact" }, { &hk_rule_sltt, NULL },
    };
    net_case c = { conv_layers_eval, "leak=0.7 threshold=0.4", "kind=sum", IMAGE6, 5, 4,
                   { .when = HK_EACH_STEP, .batch_sum = true }, false, 61 };
    for (int i = 0; i < HK_COUNT(rows); i++) {
        small *whole = random_net(&c, rows[i].rule, rows[i].keys);
        float *x = random_input(&c, c.seed);
        small_run(whole, x, random_labels(), NULL);
        net_case d = c;
        d.batch = 1;
        small *one = random_net(&d, rows[i].rule, rows[i].keys);
        float *y = malloc((size_t)c.T * one->frame * sizeof *y);
        float *sum = calloc(1, one->net.bytes[HK_R_GRAD]);
        assert_true(y && sum);
        for (int b = 0; b < c.batch; b++) {
            for (int t = 0; t < c.T; t++)
                memcpy(y + (size_t)t * one->frame, x + (size_t)t * whole->frame + (size_t)b * one->frame,
                       one->frame * sizeof *y);
            small_run(one, y, random_labels() + b, NULL);
            const float *g = one->region[HK_R_GRAD];
            for (size_t k = 0; k < one->net.bytes[HK_R_GRAD] / sizeof *g; k++) sum[k] += g[k];
        }
        memcpy(one->region[HK_R_GRAD], sum, one->net.bytes[HK_R_GRAD]);
        same_gradients(whole, one, rows[i].rule != &hk_rule_sltt, 5e-5);
        random_close(whole);
        random_close(one);
        free(sum);
        free(y);
        free(x);
    }
}

/* Samples that are padding change nothing: a batch of 2 in a net for 4. */
static void padding(void **state)
{
    (void)state;
    const net_case c = { conv_layers_eval, "leak=0.7 threshold=0.4", "kind=leaky", IMAGE6, 5, 4, EACH_STEP,
                         false, 62 };
    small *s = random_net(&c, &hk_rule_stop, NULL), *r = random_net(&c, &hk_rule_stop, NULL);
    float *x = random_input(&c, 1);
    hk_result out;
    hk_error e;
    small *const nets[] = { s, r };
    for (int k = 0; k < 2; k++) {
        small *n = nets[k];
        for (size_t i = 0; i < (size_t)c.T * n->frame && k; i++)
            if (i % n->frame >= n->frame / 2) x[i] = 1.5f - x[i];
        n->x = x;
        n->batch = (hk_batch){ .n = 2, .frame = small_frame, .self = n, .label = random_labels() };
        memset(n->region[HK_R_GRAD], 0, n->net.bytes[HK_R_GRAD]);
        assert_int_equal(hk_net_learn(&n->net, &n->batch, &out, &e), HK_OK);
        assert_int_equal(out.seen, 2);
    }
    same_gradients(s, r, true, 0);
    random_close(s);
    random_close(r);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_kernel), cmocka_unit_test(groups), cmocka_unit_test(pools_of_bits),
        cmocka_unit_test(max_ties), cmocka_unit_test(dropout), cmocka_unit_test(standardize),
        cmocka_unit_test(standardize_slope), cmocka_unit_test(batch_additivity),
        cmocka_unit_test(padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
