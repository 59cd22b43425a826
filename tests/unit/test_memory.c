/* Memory: what is planned is what is used, online rules use the same whatever T, nothing reads what
 * it has not written, and the size of a tile changes no bit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"

typedef struct rule_row { const hk_rule_ops *rule; const char *keys; bool online; } rule_row;

/* Counts are bytes up to this T, and floats above: test_counts.c. */
static bool counts(const rule_row *r) { return r->rule == &hk_rule_snn2ann; }
static int longest(const rule_row *r) { return counts(r) ? 255 : 1000; }

static const rule_row ROWS[] = {
    { &hk_rule_bptt, "reset_grad=kept", false }, { &hk_rule_bptt, "order=layer", false },
    { &hk_rule_bptt, "window_kind=chunk window=3", true },
    { &hk_rule_bptt, "window_kind=sliding window=2", true },
    { &hk_rule_sltt, NULL, true }, { &hk_rule_sltt_k, "K=2", true }, { &hk_rule_ottt_a, NULL, true },
    { &hk_rule_ottt_o, NULL, true }, { &hk_rule_stop, NULL, true }, { &hk_rule_stop, "W=false", true },
    { &hk_rule_stop, "bn_trace=exact", true }, { &hk_rule_stop, "bn_trace=exact traces=bf16", true },
    { &hk_rule_snn2ann, NULL, true },
};

/* A float map with two readers, a dropout, a residual: every kind of lifetime. */
static void branch_layers(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=4 padding=1");
    const int map = s->n - 1;
    small_layer(s, &hk_layer_batchnorm, "bn1", NULL);
    spiking_layer(s, "lif1", "threshold_granularity=channel", neuron);
    small_layer(s, &hk_layer_conv2d, "conv2", "out=4 padding=1 standardize=true");
    hk_node_spec *add = small_layer(s, &hk_layer_add, "add", NULL);
    add->n_in = 2;
    add->in[1] = map;
    spiking_layer(s, "lif2", NULL, neuron);
    small_layer(s, &hk_layer_dropout, "drop", "p=0.2");
    small_layer(s, &hk_layer_avgpool2d, "pool", NULL);
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

static const net_case CASES[] = {
    { dense_layers, "leak=0.7 threshold=0.4", "kind=leaky leak=0.6", { 1, 1, 5, false }, 6, 4,
      { .when = HK_EACH_STEP }, false, 81 },
    { conv_layers, "leak=0.7 threshold=0.4", "kind=sum", { 6, 6, 2, false }, 6, 4,
      { .when = HK_EACH_STEP }, true, 82 },
    { branch_layers, "leak=0.7 threshold=0.4", "kind=sum", { 6, 6, 2, false }, 6, 4,
      { .when = HK_EACH_STEP }, false, 83 },
};

enum { N_CASE = HK_COUNT(CASES), N_ROW = HK_COUNT(ROWS) };

static small *prepare_net(const net_case *c, const rule_row *r)
{
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    c->layers(s, c->neuron, counts(r) ? "kind=mean" : c->readout);
    small_rule(s, r->rule, r->keys);
    small_loss(s, &hk_loss_ce, NULL, counts(r) ? AT_END : c->objective);
    s->net_spec.constant_input = c->constant;
    s->net_spec.optim = &hk_optim_adamw;
    s->net_spec.optim_cfg = small_cfg(s, &hk_optim_adamw.info, NULL);
    return s;
}

static small *start(const net_case *c, const rule_row *r, int tile)
{
    small *s = prepare_net(c, r);
    s->net_spec.tile = tile;
    small_open(s, c->in, c->T, c->batch);
    random_weights(s, c->seed);
    s->net.update.lr = 0.01f;
    return s;
}

/* ---- sizes -------------------------------------------------------------------------------------- */

static void sizes(const net_case *c, const rule_row *r, int T, size_t bytes[HK_REGIONS])
{
    small *s = prepare_net(c, r);
    small_open(s, c->in, T, c->batch);
    hk_error e;
    size_t again[HK_REGIONS];
    assert_int_equal(hk_net_plan(&s->net, bytes, &e), HK_OK);
    assert_int_equal(hk_net_plan(&s->net, again, &e), HK_OK);
    assert_memory_equal(again, bytes, sizeof again);
    assert_memory_equal(s->net.bytes, bytes, sizeof again);
    random_close(s);
}

/* Plan, and plan again, give what bind used; under every rule that works forward in time, or in a
 * window, a sample of a thousand steps takes no more than one of four. */
static void bytes_and_time(void **state)
{
    (void)state;
    for (int i = 0; i < N_CASE * N_ROW; i++) {
        const rule_row *r = &ROWS[i % N_ROW];
        size_t a[HK_REGIONS], b[HK_REGIONS], c[HK_REGIONS];
        sizes(&CASES[i / N_ROW], r, 4, a);
        sizes(&CASES[i / N_ROW], r, 64, b);
        sizes(&CASES[i / N_ROW], r, longest(r), c);
        for (int k = 0; k < HK_REGIONS; k++) {
            if (r->online || k != HK_R_TAPE) {
                assert_int_equal(a[k], b[k]);
                assert_int_equal(a[k], c[k]);
                continue;
            }
            assert_true(b[k] > a[k]);                                    /* and then linear */
            assert_int_equal((b[k] - a[k]) / 60, (c[k] - b[k]) / 936);
            assert_int_equal((b[k] - a[k]) % 60, 0);
        }
    }
}

/* ---- contents ------------------------------------------------------------------------------------- */

/* Weights and loss after three batches. */
typedef struct outcome { double loss; size_t n; float *w; } outcome;

static outcome finish_net(small *s)
{
    outcome o = { s->net.result.loss, s->net.bytes[HK_R_PARAM] / sizeof(float), NULL };
    o.w = malloc(o.n * sizeof *o.w);
    assert_non_null(o.w);
    memcpy(o.w, s->region[HK_R_PARAM], o.n * sizeof *o.w);
    random_close(s);
    return o;
}

static void poison(small *s)
{
    memset(s->region[HK_R_WORK], 0xff, s->net.bytes[HK_R_WORK]);         /* not a number, each float */
    memset(s->region[HK_R_TAPE], 0xff, s->net.bytes[HK_R_TAPE]);
}

static outcome learn(const net_case *c, const rule_row *r, int tile, bool poisoned)
{
    small *s = start(c, r, tile);
    float *x = random_input(c, c->seed);
    hk_error e;
    assert_int_equal(hk_net_plan(&s->net, NULL, &e), HK_OK);             /* harmless once bound */
    for (int k = 0; k < 3; k++) {
        if (poisoned) poison(s);
        small_run(s, x, random_labels(), NULL);
    }
    free(x);
    return finish_net(s);
}

static void assert_same(outcome a, outcome b, const rule_row *r, const char *what)
{
    assert_int_equal(a.n, b.n);
    for (size_t i = 0; i < a.n; i++)
        if (memcmp(&a.w[i], &b.w[i], sizeof *a.w))
            fail_msg("rule %s %s, %s: weight %zu is %.9g and %.9g", r->rule->info.name,
                     r->keys ? r->keys : "", what, i, (double)a.w[i], (double)b.w[i]);
    assert_memory_equal(&a.loss, &b.loss, sizeof a.loss);
    free(b.w);
}

static void stale_scratch(void **state)
{
    (void)state;
    for (int i = 0; i < N_CASE * N_ROW; i++) {
        const net_case *c = &CASES[i / N_ROW];
        const outcome clean = learn(c, &ROWS[i % N_ROW], 0, false);
        assert_same(clean, learn(c, &ROWS[i % N_ROW], 0, true), &ROWS[i % N_ROW], "poisoned");
        free(clean.w);
    }
}

/* A tile of one row, of a few, of all. */
static void tiles(void **state)
{
    (void)state;
    static const int tile[] = { 1, 64, 512, 4096 };
    for (int i = 0; i < N_CASE * N_ROW; i++) {
        const net_case *c = &CASES[i / N_ROW];
        const outcome first = learn(c, &ROWS[i % N_ROW], tile[0], false);
        for (int k = 1; k < HK_COUNT(tile); k++)
            assert_same(first, learn(c, &ROWS[i % N_ROW], tile[k], false), &ROWS[i % N_ROW],
                        "another tile");
        free(first.w);
    }
}

/* Two nets in one process, batch by batch in turn, learn what each learns alone. */
static void neighbours(void **state)
{
    (void)state;
    for (int i = 0; i + 1 < N_ROW; i++) {
        const net_case *c = &CASES[1], *d = &CASES[2];
        small *a = start(c, &ROWS[i], 0), *b = start(d, &ROWS[i + 1], 0);
        float *x = random_input(c, c->seed), *y = random_input(d, d->seed);
        for (int k = 0; k < 3; k++) {
            small_run(a, x, random_labels(), NULL);
            small_run(b, y, random_labels(), NULL);
        }
        const outcome one = finish_net(a), two = finish_net(b);
        assert_same(one, learn(c, &ROWS[i], 0, false), &ROWS[i], "beside another net");
        assert_same(two, learn(d, &ROWS[i + 1], 0, false), &ROWS[i + 1], "beside another net");
        free(one.w);
        free(two.w);
        free(x);
        free(y);
    }
}

/* The same net in one block, every region behind the other. */
static void one_block(void **state)
{
    (void)state;
    const net_case *c = &CASES[2];
    const rule_row *r = &ROWS[8];
    small *s = start(c, r, 0);
    float *x = random_input(c, c->seed);
    size_t total = 0;
    for (int k = 0; k < HK_REGIONS; k++) total += s->net.bytes[k];
    char *block = aligned_alloc(64, total);
    assert_non_null(block);
    memset(block, 0xff, total);
    void *base[HK_REGIONS];
    char *at = block;
    for (int k = 0; k < HK_REGIONS; at += s->net.bytes[k++]) base[k] = at;
    hk_error e;
    hk_result out;
    assert_int_equal(hk_net_bind(&s->net, base, &e), HK_OK);
    assert_int_equal(hk_net_bind(&s->net, base, &e), HK_OK);             /* and a second time */
    hk_net_init(&s->net);
    random_weights(s, c->seed);
    s->x = x;
    s->batch = (hk_batch){ .n = c->batch, .frame = small_frame, .self = s, .label = random_labels() };
    for (int k = 0; k < 3; k++)
        assert_int_equal(hk_net_learn(&s->net, &s->batch, &out, &e), HK_OK);
    outcome o = { out.loss, s->net.bytes[HK_R_PARAM] / sizeof(float), malloc(s->net.bytes[HK_R_PARAM]) };
    memcpy(o.w, base[HK_R_PARAM], s->net.bytes[HK_R_PARAM]);
    assert_same(o, learn(c, r, 0, false), r, "in one block");
    free(o.w);
    free(block);
    free(x);
    random_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_and_time), cmocka_unit_test(stale_scratch), cmocka_unit_test(tiles),
        cmocka_unit_test(neighbours), cmocka_unit_test(one_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
