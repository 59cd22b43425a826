/* From gradients to weights: bounds, decay, accumulation, clipping, what is not learned.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"

static const net_case NET = { dense_layers, "leak=0.7 threshold=0.4", "kind=sum", { 1, 1, 5, false }, 6, 4,
                              { .when = HK_EACH_STEP }, false, 91 };

static small *open_with(const net_case *c, const hk_rule_ops *rule, const char *keys,
                        const hk_optim_ops *optim, const char *optim_keys)
{
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    c->layers(s, c->neuron, c->readout);
    small_rule(s, rule, keys);
    small_loss(s, &hk_loss_ce, NULL, c->objective);
    s->net_spec.optim = optim;
    s->net_spec.optim_cfg = small_cfg(s, &optim->info, optim_keys);
    small_open(s, c->in, c->T, c->batch);
    random_weights(s, c->seed);
    return s;
}

static small *open_sgd(const char *keys) { return open_with(&NET, &hk_rule_stop, NULL, &hk_optim_sgd, keys); }

static void run_once(small *s) { random_run(s, &NET); }

/* Rates far too large: thresholds and leaks stay where a neuron can live. */
static void bounds(void **state)
{
    (void)state;
    bool low = false, high = false;
    for (int sign = -1; sign <= 1; sign += 2) {
        small *s = open_sgd("momentum=0");
        s->net.update.lr = 1e-6f;
        s->net.update.lr_threshold = s->net.update.lr_leak = (float)sign * 1e9f;
        run_once(s);
        for (int i = 0; i < s->net.n_param; i++) {
            const hk_param *p = &s->param[i];
            for (size_t k = 0; k < p->n && of_neuron(p); k++) {
                assert_true(p->w[k] >= p->lo && p->w[k] <= p->hi);
                low |= p->w[k] == p->lo;
                high |= p->role == HK_LEAK && p->w[k] == p->hi;
            }
            if (p->role == HK_LEAK) assert_true(p->lo >= 0 && p->hi < 1);
            if (p->role == HK_THRESHOLD) assert_true(p->lo > 0);
        }
        random_close(s);
    }
    assert_true(low && high);
}

/* Weight decay pulls at weights, not at thresholds and leaks. */
static void decay(void **state)
{
    (void)state;
    const hk_optim_ops *const optim[] = { &hk_optim_sgd, &hk_optim_adamw, &hk_optim_rmsprop };
    for (int k = 0; k < HK_COUNT(optim); k++) {
        small *with = open_with(&NET, &hk_rule_stop, NULL, optim[k], "weight_decay=0.3");
        small *without = open_with(&NET, &hk_rule_stop, NULL, optim[k], "weight_decay=0");
        run_once(with);
        run_once(without);
        for (int i = 0; i < with->net.n_param; i++) {
            const hk_param *p = &with->param[i], *q = &without->param[i];
            if (of_neuron(p)) assert_memory_equal(p->w, q->w, p->n * sizeof *p->w);
            else if (p->role == HK_WEIGHT) assert_memory_not_equal(p->w, q->w, p->n * sizeof *p->w);
        }
        random_close(with);
        random_close(without);
    }
}

/* Gradients of derived weights are turned into those of the weights once, at the update. */
static void derived_layers(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_dense, "fc1", "out=6 standardize=true");
    spiking_layer(s, "lif1", NULL, neuron);
    small_layer(s, &hk_layer_dense, "fc2", "out=5 weights=ternary");
    spiking_layer(s, "lif2", NULL, neuron);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

/* Two batches of 4 and one update are one batch of 8. */
static void halves(const net_case *one)
{
    net_case both = *one;
    both.batch = 8;
    small *half = open_with(one, &hk_rule_stop, NULL, &hk_optim_sgd, "momentum=0.9");
    small *whole = open_with(&both, &hk_rule_stop, NULL, &hk_optim_sgd, "momentum=0.9");
    half->net.update.accumulate = 2;
    float *x = random_input(&both, 1), *y = malloc((size_t)NET.T * half->frame * sizeof *y);
    assert_non_null(y);
    hk_error e;
    for (int round = 0; round < 2; round++) {
        small_run(whole, x, random_labels(), NULL);
        for (int part = 0; part < 2; part++) {
            for (size_t t = 0; t < (size_t)NET.T; t++)
                memcpy(y + t * half->frame, x + t * whole->frame + (size_t)part * half->frame,
                       half->frame * sizeof *y);
            half->x = y;
            half->batch = (hk_batch){ .n = 4, .frame = small_frame, .self = half,
                                      .label = random_labels() + 4 * part };
            assert_int_equal(hk_net_learn(&half->net, &half->batch, NULL, &e), HK_OK);
            assert_int_equal(half->net.updates, round + part);
        }
        assert_int_equal(whole->net.updates, round + 1);
        for (int i = 0; i < half->net.n_param; i++)
            same_floats(half->param[i].layer, half->param[i].name, half->param[i].n, half->param[i].w,
                        whole->param[i].w, 1e-5);
    }
    random_close(half);
    random_close(whole);
    free(x);
    free(y);
}

static void accumulate(void **state)
{
    (void)state;
    net_case derived = NET;
    derived.layers = derived_layers;
    halves(&NET);
    halves(&derived);
}

/* What the rule does not learn stays, gradients are clear after an update, a step is -lr g. */
static void plain_step(void **state)
{
    (void)state;
    static const struct { const hk_rule_ops *rule; const char *keys; bool w, t, l; } rows[] = {
        { &hk_rule_stop, NULL, true, true, true }, { &hk_rule_stop, "T=false", true, false, true },
        { &hk_rule_stop, "L=false", true, true, false }, { &hk_rule_stop, "W=false", false, true, true },
        { &hk_rule_sltt, NULL, true, false, false }, { &hk_rule_bptt, NULL, true, false, false },
    };
    for (int k = 0; k < HK_COUNT(rows); k++) {
        small *s = open_with(&NET, rows[k].rule, rows[k].keys, &hk_optim_sgd, "momentum=0");
        small *g = random_gradients(&NET, rows[k].rule, rows[k].keys);
        small *before = open_with(&NET, rows[k].rule, rows[k].keys, &hk_optim_sgd, NULL);
        s->net.update.lr = 0.01f;
        s->net.update.lr_threshold = 0.5f;
        s->net.update.lr_leak = 2;
        run_once(s);
        for (int i = 0; i < s->net.n_param; i++) {
            const hk_param *p = &s->param[i];
            const bool learned = p->role == HK_THRESHOLD ? rows[k].t : p->role == HK_LEAK ? rows[k].l : rows[k].w;
            const double rate = 0.01 * (p->role == HK_THRESHOLD ? 0.5 : p->role == HK_LEAK ? 2 : 1);
            assert_true(p->learn == learned);
            for (size_t j = 0; j < p->n; j++) {
                const double start = (double)before->param[i].w[j];
                const double want = start - (learned ? rate * (double)g->param[i].g[j] : 0);
                assert_true(fabs((double)p->w[j] - want) < 1e-6);
                assert_true(p->g[j] == 0);
            }
        }
        random_close(s);
        random_close(g);
        random_close(before);
    }
}

/* Clipping bounds the length of the whole step. */
static void clipping(void **state)
{
    (void)state;
    small *s = open_sgd("momentum=0"), *before = open_sgd("momentum=0");
    s->net.update.lr = 1;
    s->net.update.clip_norm = 0.01f;
    run_once(s);
    double sum = 0;
    for (int i = 0; i < s->net.n_param; i++)
        for (size_t j = 0; j < s->param[i].n; j++) {
            const double d = (double)s->param[i].w[j] - (double)before->param[i].w[j];
            sum += d * d;
        }
    assert_float_equal(sqrt(sum), 0.01, 1e-5);
    random_close(s);
    random_close(before);
}

/* A loss that is not a number: the layer is named, no weight has moved. */
static void not_a_number(void **state)
{
    (void)state;
    small *s = open_sgd("momentum=0"), *before = open_sgd("momentum=0");
    float *x = random_input(&NET, 1);
    x[3] = NAN;
    s->x = x;
    s->batch = (hk_batch){ .n = 4, .frame = small_frame, .self = s, .label = random_labels() };
    hk_error e;
    hk_result r;
    /* A spike of nan is no spike, so the input's nan ends at the first layer: only a nan at the head
     * reaches the loss. */
    small_param(s, "head", "bias")->w[0] = small_param(before, "head", "bias")->w[0] = NAN;
    assert_int_equal(hk_net_learn(&s->net, &s->batch, &r, &e), HK_E_NUM);
    assert_non_null(strstr(e.text, "'lif1'"));
    assert_memory_equal(s->region[HK_R_PARAM], before->region[HK_R_PARAM], s->net.bytes[HK_R_PARAM]);
    random_close(s);
    random_close(before);
    free(x);
}

/* A weight that is not a number is found although the loss is finite: the neuron behind it is silent. */
static void silent_not_a_number(void **state)
{
    (void)state;
    small *s = open_sgd("momentum=0");
    float *x = random_input(&NET, 1);
    s->x = x;
    s->batch = (hk_batch){ .n = 4, .frame = small_frame, .self = s, .label = random_labels() };
    s->param[0].w[2] = NAN;
    hk_net_prepare(&s->net);
    hk_error e;
    hk_result r;
    assert_int_equal(hk_net_learn(&s->net, &s->batch, &r, &e), HK_E_NUM);
    assert_true(isfinite(r.loss));
    assert_non_null(strstr(e.text, s->param[0].layer));
    random_close(s);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds), cmocka_unit_test(decay), cmocka_unit_test(accumulate),
        cmocka_unit_test(plain_step), cmocka_unit_test(clipping), cmocka_unit_test(not_a_number),
        cmocka_unit_test(silent_not_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
