/* What cannot be trained is refused before anything runs, and the message names the rule, the layer
 * and what is missing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"

static const hk_shape MAP = { 4, 4, 2, false };

typedef struct row {
    void (*layers)(small *s, const char *keys);
    const char        *keys;             /* of the neuron or the readout */
    const hk_rule_ops *rule;
    const char        *rule_keys;
    hk_objective       objective;
    hk_status          status;
    const char        *words[5];
} row;

static void net_of(small *s, const char *layer, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=4 padding=1");
    spiking_layer(s, "lif1", layer, neuron);
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

static void with_layer(small *s, const char *keys) { net_of(s, keys, NULL, NULL); }
static void with_neuron(small *s, const char *keys) { net_of(s, NULL, keys, NULL); }
static void with_readout(small *s, const char *keys) { net_of(s, NULL, NULL, keys); }

static void no_readout(small *s, const char *keys)
{
    small_layer(s, &hk_layer_dense, "fc1", "out=4");
    spiking_layer(s, "lif1", NULL, keys);
}

static void dense_on_map(small *s, const char *keys)
{
    (void)keys;
    small_layer(s, &hk_layer_dense, "fc1", "out=4");
    small_layer(s, &hk_layer_readout, "readout", NULL);
}

static void readout_on_map(small *s, const char *keys)
{
    (void)keys;
    small_layer(s, &hk_layer_conv2d, "conv1", "out=4");
    small_layer(s, &hk_layer_readout, "readout", NULL);
}

static void one_conv(small *s, const char *keys)
{
    small_layer(s, &hk_layer_conv2d, "conv1", keys);
    small_layer(s, &hk_layer_gap, "gap", NULL);
    small_layer(s, &hk_layer_readout, "readout", NULL);
}

static void large_pool(small *s, const char *keys)
{
    (void)keys;
    small_layer(s, &hk_layer_maxpool2d, "pool1", "kernel=5");
    small_layer(s, &hk_layer_gap, "gap", NULL);
    small_layer(s, &hk_layer_readout, "readout", NULL);
}

static void unequal_add(small *s, const char *keys)
{
    (void)keys;
    small_layer(s, &hk_layer_conv2d, "conv1", "out=4 padding=1");
    hk_node_spec *add = small_layer(s, &hk_layer_add, "add1", NULL);
    add->n_in = 2;
    add->in[1] = -1;
    small_layer(s, &hk_layer_gap, "gap", NULL);
    small_layer(s, &hk_layer_readout, "readout", NULL);
}

static void half_add(small *s, const char *keys)
{
    (void)keys;
    small_layer(s, &hk_layer_add, "add1", NULL);
    small_layer(s, &hk_layer_gap, "gap", NULL);
    small_layer(s, &hk_layer_readout, "readout", NULL);
}

static void loop(small *s, const char *keys)
{
    net_of(s, NULL, keys, NULL);
    s->spec[0].in[0] = 1;
}

static void dead_end(small *s, const char *keys)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=4 padding=1");
    spiking_layer(s, "lif1", NULL, keys);
    small_layer(s, &hk_layer_conv2d, "stray", "out=4");
    small_layer(s, &hk_layer_gap, "gap", NULL)->in[0] = 1;
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", NULL);
}

static void custom(small *s, const char *keys, const hk_neuron_ops *neuron)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=4 padding=1");
    small_spiking(s, "lif1", keys, neuron, NULL, &hk_surrogate_triangle, NULL);
    small_layer(s, &hk_layer_gap, "gap", NULL);
    small_layer(s, &hk_layer_readout, "readout", NULL);
}

static void other_neuron(small *s, const char *keys)
{
    static hk_neuron_ops odd;            /* a neuron whose temporal Jacobian is not one number */
    odd = hk_neuron_lif;
    odd.info.name = "odd";
    odd.decay = NULL;
    custom(s, keys, &odd);
}

/* Neurons of which the trace decays with a number made of no learned parameter, or of the threshold. */
static void fixed_decay(small *s, const char *keys)
{
    static hk_neuron_ops fixed;
    fixed = hk_neuron_lif;
    fixed.decay_reads = 0;
    custom(s, keys, &fixed);
}

static void threshold_decay(small *s, const char *keys)
{
    static hk_neuron_ops odd;
    odd = hk_neuron_lif;
    odd.decay_reads = 1u << 0;
    custom(s, keys, &odd);
}

static void clif(small *s, const char *keys) { custom(s, keys, &hk_neuron_clif); }

/* A filter behind the weights, or with nothing behind it. */
static void filter_behind(small *s, const char *keys)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=4 padding=1");
    small_layer(s, &hk_layer_synapse, "syn", keys);
    spiking_layer(s, "lif1", NULL, NULL);
    small_layer(s, &hk_layer_gap, "gap", NULL);
    small_layer(s, &hk_layer_readout, "readout", NULL);
}

static void norm_before_filter(small *s, const char *keys)
{
    small_layer(s, &hk_layer_batchnorm, "bn1", NULL);
    small_layer(s, &hk_layer_synapse, "syn", keys);
    with_neuron(s, NULL);
}

static void filter_last(small *s, const char *keys)
{
    small_layer(s, &hk_layer_gap, "gap", NULL);
    small_layer(s, &hk_layer_synapse, "syn", keys);
}

#define STEP { .when = HK_EACH_STEP }
#define FINAL { .when = HK_FINAL }

static const row ROWS[] = {
    { with_layer, "leak_granularity=channel", &hk_rule_ottt_a, NULL, STEP, HK_E_UNSUP,
      { "'ottt_a'", "'lif1'", "one leak per layer", "channel" } },
    { with_layer, "leak_granularity=neuron", &hk_rule_stop, NULL, STEP, HK_E_UNSUP,
      { "'stop'", "'lif1'", "one leak per layer", "neuron" } },
    { with_layer, "leak_granularity=channel", &hk_rule_ottt_o, NULL, STEP, HK_E_UNSUP,
      { "'ottt_o'", "'lif1'" } },
    { with_layer, "leak_granularity=neuron", &hk_rule_stop, "W=false", STEP, HK_OK, { NULL } },
    { with_layer, NULL, &hk_rule_ottt_o, "weight_trace=none trace_floor=0.2", STEP, HK_E_UNSUP,
      { "'ottt_o'", "trace_floor is 0.2", "weight_trace: shared" } },
    { with_layer, NULL, &hk_rule_ottt_a, "weight_trace=none traces=bf16", STEP, HK_E_UNSUP,
      { "'ottt_a'", "traces is bf16", "keeps no trace" } },
    { with_layer, NULL, &hk_rule_stop, "weight_trace=none traces=bf16", STEP, HK_OK, { NULL } },
    { with_layer, NULL, &hk_rule_stop, "weight_trace=none T=false L=false traces=bf16", STEP, HK_E_UNSUP,
      { "'stop'", "keeps no trace" } },
    { with_layer, "leak_granularity=neuron", &hk_rule_sltt, NULL, STEP, HK_OK, { NULL } },
    { with_layer, "leak_granularity=channel", &hk_rule_bptt, NULL, STEP, HK_OK, { NULL } },
    { fixed_decay, "leak_granularity=channel", &hk_rule_stop, NULL, STEP, HK_OK, { NULL } },
    { fixed_decay, "threshold_granularity=neuron", &hk_rule_ottt_a, NULL, STEP, HK_OK, { NULL } },
    { threshold_decay, "leak_granularity=channel", &hk_rule_stop, NULL, STEP, HK_OK, { NULL } },
    { threshold_decay, "threshold_granularity=neuron", &hk_rule_stop, NULL, STEP, HK_E_UNSUP,
      { "'stop'", "'lif1'", "one 'threshold' per neuron", "threshold_granularity" } },
    { clif, NULL, &hk_rule_ottt_a, NULL, STEP, HK_E_UNSUP,
      { "'ottt_a'", "'conv1'", "complementary potential", "'clif'", "hard_reset_trace: ignore" } },
    { clif, NULL, &hk_rule_ottt_a, "hard_reset_trace=ignore", STEP, HK_OK, { NULL } },
    { clif, NULL, &hk_rule_stop, NULL, STEP, HK_E_UNSUP, { "'stop'", "'conv1'", "'clif'" } },
    { clif, "leak_granularity=channel", &hk_rule_stop, "hard_reset_trace=ignore", STEP, HK_E_UNSUP,
      { "'stop'", "'lif1'", "one 'leak' per channel", "'clif'" } },
    { clif, "leak_granularity=channel", &hk_rule_stop, "W=false", STEP, HK_OK, { NULL } },
    { clif, NULL, &hk_rule_sltt, NULL, STEP, HK_OK, { NULL } },
    { with_neuron, "reset=hard", &hk_rule_ottt_a, NULL, STEP, HK_E_UNSUP,
      { "'ottt_a'", "'conv1'", "'lif1'", "hard reset", "hard_reset_trace: ignore" } },
    { with_neuron, "reset=hard", &hk_rule_stop, NULL, STEP, HK_E_UNSUP, { "'stop'", "'conv1'", "'lif'" } },
    { with_neuron, "reset=hard", &hk_rule_stop, "hard_reset_trace=ignore", STEP, HK_OK, { NULL } },
    { with_neuron, "reset=hard", &hk_rule_stop, "W=false", STEP, HK_OK, { NULL } },
    { with_neuron, "reset=hard", &hk_rule_sltt, NULL, STEP, HK_OK, { NULL } },
    { other_neuron, NULL, &hk_rule_ottt_a, NULL, STEP, HK_E_UNSUP,
      { "'ottt_a'", "'conv1'", "'odd'", "decay", "sltt" } },
    { other_neuron, NULL, &hk_rule_sltt, NULL, STEP, HK_OK, { NULL } },
    { filter_behind, NULL, &hk_rule_ottt_a, NULL, STEP, HK_E_UNSUP,
      { "'ottt_a'", "'conv1'", "'syn'", "before the weights" } },
    { filter_behind, NULL, &hk_rule_stop, "W=false", STEP, HK_OK, { NULL } },
    { filter_behind, NULL, &hk_rule_sltt, NULL, STEP, HK_OK, { NULL } },
    { filter_behind, NULL, &hk_rule_bptt, NULL, STEP, HK_OK, { NULL } },
    { filter_behind, "alpha=0.05", &hk_rule_bptt, NULL, STEP, HK_E_ARG, { "'syn'", "alpha_min" } },
    { filter_behind, "beta=-1", &hk_rule_bptt, NULL, STEP, HK_E_ARG, { "'syn'", "beta_min" } },
    { norm_before_filter, NULL, &hk_rule_ottt_a, NULL, STEP, HK_OK, { NULL } },
    { norm_before_filter, NULL, &hk_rule_ottt_a, "bn_trace=exact", STEP, HK_E_UNSUP,
      { "'bn1'", "'syn'", "bn_trace: plain" } },
    { norm_before_filter, NULL, &hk_rule_snn2ann, NULL, FINAL, HK_E_UNSUP, { "'snn2ann'", "'syn'" } },
    { filter_last, NULL, &hk_rule_bptt, NULL, STEP, HK_E_SHAPE, { "'syn'", "readout" } },
    { with_readout, "kind=sum", &hk_rule_sltt, NULL, FINAL, HK_E_UNSUP,
      { "'sltt'", "'readout'", "final loss", "loss.when: step" } },
    { with_readout, "kind=mean", &hk_rule_ottt_a, NULL, FINAL, HK_E_UNSUP, { "'ottt_a'", "'readout'" } },
    { with_readout, "kind=count", &hk_rule_stop, NULL, FINAL, HK_E_UNSUP, { "'stop'", "'readout'" } },
    { with_readout, "kind=last", &hk_rule_stop, NULL, FINAL, HK_OK, { NULL } },
    { with_readout, "kind=leaky", &hk_rule_stop, NULL, FINAL, HK_OK, { NULL } },
    { with_readout, "kind=leaky", &hk_rule_ottt_o, NULL, FINAL, HK_E_UNSUP, { "'ottt_o'", "final" } },
    { with_readout, "kind=last", &hk_rule_sltt_k, "K=2", FINAL, HK_E_UNSUP, { "'sltt_k'", "final" } },
    { with_readout, NULL, &hk_rule_sltt_k, "K=7", STEP, HK_E_ARG, { "'sltt_k'", "K is 7", "T = 5" } },
    { with_readout, "kind=sum", &hk_rule_bptt, "window_kind=chunk window=3", FINAL, HK_E_UNSUP,
      { "'bptt'", "'readout'", "window of 3" } },
    { with_readout, "kind=mean", &hk_rule_bptt, "window_kind=sliding window=2", FINAL, HK_E_UNSUP,
      { "'bptt'", "'readout'" } },
    { with_readout, "kind=sum", &hk_rule_bptt, "window_kind=chunk window=5", FINAL, HK_OK, { NULL } },
    { with_readout, "kind=last", &hk_rule_bptt, "window_kind=chunk window=3", FINAL, HK_OK, { NULL } },
    { with_readout, NULL, &hk_rule_bptt, "order=layer window_kind=chunk window=2", STEP, HK_E_UNSUP,
      { "'bptt'", "order layer" } },
    { with_readout, "kind=mean", &hk_rule_snn2ann, NULL, STEP, HK_E_UNSUP, { "'snn2ann'", "loss.when: final" } },
    { with_readout, "kind=leaky", &hk_rule_snn2ann, NULL, FINAL, HK_E_UNSUP, { "'snn2ann'", "'readout'", "mean" } },
    { with_readout, "kind=last", &hk_rule_snn2ann, NULL, FINAL, HK_E_UNSUP, { "'snn2ann'", "'readout'" } },
    { with_layer, "learn_threshold=yes", &hk_rule_snn2ann, NULL, FINAL, HK_E_UNSUP, { "'snn2ann'", "'lif1.threshold'" } },
    { other_neuron, NULL, &hk_rule_snn2ann, NULL, FINAL, HK_OK, { NULL } },
    { with_readout, NULL, &hk_rule_stop, "W=false T=false L=false", STEP, HK_E_ARG, { "'stop'", "W, T, L" } },
    { no_readout, NULL, &hk_rule_bptt, NULL, STEP, HK_E_SHAPE, { "'fc1'", "flatten" } },
    { dense_on_map, NULL, &hk_rule_bptt, NULL, STEP, HK_E_SHAPE, { "'fc1'", "2x4x4", "flatten" } },
    { readout_on_map, NULL, &hk_rule_bptt, NULL, STEP, HK_E_SHAPE, { "'readout'", "4x2x2" } },
    { one_conv, "out=4 kernel=7 padding=1", &hk_rule_bptt, NULL, STEP, HK_E_SHAPE, { "'conv1'", "4x4", "7" } },
    { one_conv, "out=4 groups=3", &hk_rule_bptt, NULL, STEP, HK_E_SHAPE, { "'conv1'", "groups = 3" } },
    { one_conv, "kernel=3", &hk_rule_bptt, NULL, STEP, HK_E_ARG, { "'conv1'", "'out'" } },
    { large_pool, NULL, &hk_rule_bptt, NULL, STEP, HK_E_SHAPE, { "'pool1'", "5x5", "4x4" } },
    { unequal_add, NULL, &hk_rule_bptt, NULL, STEP, HK_E_SHAPE, { "'add1'", "4x4x4", "2x4x4" } },
    { half_add, NULL, &hk_rule_bptt, NULL, STEP, HK_E_SHAPE, { "'add1'", "2 inputs", "found 1" } },
    { loop, NULL, &hk_rule_bptt, NULL, STEP, HK_E_ARG, { "'conv1'", "before it" } },
    { dead_end, NULL, &hk_rule_bptt, NULL, STEP, HK_E_SHAPE, { "'stray'", "readout" } },
};

static void refuse(const row *r, hk_shape in)
{
    small s = { 0 };
    hk_error e = { 0 };
    r->layers(&s, r->keys);
    small_rule(&s, r->rule, r->rule_keys);
    small_loss(&s, &hk_loss_ce, NULL, r->objective);
    const hk_status st = small_build(&s, in, 5, 2, &e);
    const char *keys = r->keys ? r->keys : "";
    if (st != r->status)
        fail_msg("rule %s %s, %s: status %d, expected %d: %s", r->rule->info.name,
                 r->rule_keys ? r->rule_keys : "", keys, st, r->status, e.text);
    if (st != HK_OK && e.code != st) fail_msg("code %d beside status %d", e.code, st);
    for (int i = 0; i < HK_COUNT(r->words) && r->words[i]; i++)
        if (!strstr(e.text, r->words[i])) fail_msg("\"%s\" does not say %s", e.text, r->words[i]);
    small_close(&s);
}

static void rows(void **state)
{
    (void)state;
    for (int i = 0; i < HK_COUNT(ROWS); i++) refuse(&ROWS[i], MAP);
}

static void missing_readout(void **state)
{
    (void)state;
    const row r = { no_readout, NULL, &hk_rule_stop, NULL, STEP, HK_E_SHAPE, { "'lif1'", "readout" } };
    refuse(&r, VECTOR5);
}

/* ---- numbers of the net itself ----------------------------------------------------------------------- */

static hk_status build_with(void (*change)(hk_net_spec *n), hk_shape in, int T, hk_error *e)
{
    small s = { 0 };
    with_layer(&s, NULL);
    small_rule(&s, &hk_rule_bptt, NULL);
    small_loss(&s, &hk_loss_ce, NULL, (hk_objective)STEP);
    if (change) change(&s.net_spec);
    const hk_status st = small_build(&s, in, T, 2, e);
    small_close(&s);
    return st;
}

static void no_rule(hk_net_spec *n) { n->rule = NULL; }
static void no_loss(hk_net_spec *n) { n->loss = NULL; }
static void odd_align(hk_net_spec *n) { n->align = 48; }
static void many_shards(hk_net_spec *n) { n->shards = HK_MAX_SHARD + 1; }

static void numbers(void **state)
{
    (void)state;
    hk_error e;
    assert_int_equal(build_with(NULL, MAP, 0, &e), HK_E_ARG);
    assert_non_null(strstr(e.text, "T is 0"));
    assert_int_equal(build_with(NULL, (hk_shape){ 0, 4, 2, false }, 3, &e), HK_E_SHAPE);
    assert_int_equal(build_with(no_rule, MAP, 3, &e), HK_E_ARG);
    assert_int_equal(build_with(no_loss, MAP, 3, &e), HK_E_ARG);
    assert_int_equal(build_with(odd_align, MAP, 3, &e), HK_E_ARG);
    assert_int_equal(build_with(many_shards, MAP, 3, &e), HK_E_ARG);
    assert_int_equal(build_with(NULL, MAP, 3, &e), HK_OK);
}

static void batches(void **state)
{
    (void)state;
    const net_case c = { dense_layers, NULL, NULL, VECTOR5, 3, 4, STEP, false, 1 };
    small *s = random_net(&c, &hk_rule_bptt, NULL);
    hk_error e;
    int32_t label[4] = { 0, 1, 3, 0 };
    hk_batch b = { .n = 4, .frame = small_frame, .self = s, .label = label };
    assert_int_equal(hk_net_learn(&s->net, &b, NULL, &e), HK_E_ARG);
    assert_non_null(strstr(e.text, "label of sample 2 is 3"));
    b.n = 5;
    assert_int_equal(hk_net_learn(&s->net, &b, NULL, &e), HK_E_ARG);
    b.n = 4;
    b.label = NULL;
    assert_int_equal(hk_net_learn(&s->net, &b, NULL, &e), HK_E_ARG);
    assert_non_null(strstr(e.text, "labels or targets"));
    random_close(s);
}

/* A wish that the rule cannot grant, and accumulation under a rule that updates at every step. */
static void wishes(void **state)
{
    (void)state;
    static const struct { const hk_rule_ops *rule; const char *rule_keys, *layer, *word; } no[] = {
        { &hk_rule_sltt, NULL, "learn_threshold=yes", "lif1.threshold" },
        { &hk_rule_ottt_a, NULL, "learn_leak=yes", "lif1.leak" },
        { &hk_rule_stop, "T=false", "learn_threshold=yes", "stop with T" },
    };
    for (int i = 0; i < HK_COUNT(no); i++) {
        small s = { 0 };
        hk_error e;
        with_layer(&s, no[i].layer);
        small_rule(&s, no[i].rule, no[i].rule_keys);
        small_loss(&s, &hk_loss_ce, NULL, (hk_objective)STEP);
        assert_int_equal(small_build(&s, MAP, 3, 2, &e), HK_E_UNSUP);
        assert_non_null(strstr(e.text, no[i].word));
        small_close(&s);
    }
    const net_case c = { dense_layers, NULL, NULL, VECTOR5, 3, 4, STEP, false, 1 };
    small *s = random_net(&c, &hk_rule_ottt_o, NULL);
    hk_error e;
    const int32_t label[4] = { 0, 1, 2, 0 };
    const hk_batch b = { .n = 4, .frame = small_frame, .self = s, .label = label };
    s->net.update.accumulate = 2;
    assert_int_equal(hk_net_learn(&s->net, &b, NULL, &e), HK_E_UNSUP);
    assert_non_null(strstr(e.text, "accumulate is 2"));
    random_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows), cmocka_unit_test(missing_readout), cmocka_unit_test(numbers),
        cmocka_unit_test(batches), cmocka_unit_test(wishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
