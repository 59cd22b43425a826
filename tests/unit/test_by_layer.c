/* Inference layer by layer: every layer runs all steps before the next. The same bits as step by step where the
 * order of sums is the same, with as many outputs kept as there are steps, and no more.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"

#include "hillock_stream.h"

#include "../../host/kernel/host_kernels.h"

enum { T = 5, B = 3, C = 3 };

typedef struct seen { float logit[T][B * C]; double rate[16]; hk_result result; int32_t steps; } seen;

static void watch(void *self, hk_net *net, int t, hk_event what)
{
    seen *v = self;
    if (what == HK_AFTER_FORWARD) memcpy(v->logit[t - 1], hk_slot(&net->readout->y, t), sizeof v->logit[0]);
}

static small *open_net(const net_case *c, bool by_layer, const hk_kernels *kernels)
{
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    c->layers(s, c->neuron, c->readout);
    small_loss(s, &hk_loss_ce, NULL, c->objective);
    s->infer = true;
    s->net_spec.constant_input = c->constant;
    s->net_spec.layer_major = by_layer;
    s->net_spec.kernels = kernels;
    small_open(s, c->in, c->T, c->batch);
    assert_false(s->net.spec.learn);
    random_weights(s, c->seed);
    return s;
}

/* Two batches, so that what is left of the first would be seen; the first has all steps. */
static seen infer(const net_case *c, bool by_layer, const hk_kernels *kernels, const int32_t *length)
{
    seen v = { .steps = 0 };
    hk_error e;
    small *s = open_net(c, by_layer, kernels);
    float *other = random_input(c, c->seed + 1), *x = random_input(c, c->seed);
    s->batch = (hk_batch){ .n = B, .frame = small_frame, .self = s, .label = random_labels() };
    s->x = other;
    if (hk_net_infer(&s->net, &s->batch, &v.result, &e)) fail_msg("%s", e.text);
    s->batch.length = length;
    s->net.watch = watch;
    s->net.watch_self = &v;
    s->x = x;
    if (hk_net_infer(&s->net, &s->batch, &v.result, &e)) fail_msg("%s", e.text);
    v.steps = s->net.steps;
    for (int i = 0; i < s->net.n_node && i < HK_COUNT(v.rate); i++) v.rate[i] = hk_node_rate(&s->net.node[i]);
    free(other);
    free(x);
    random_close(s);
    return v;
}

static void same(const net_case *c, const hk_kernels *kernels, const int32_t *length, double tolerance)
{
    const seen a = infer(c, false, kernels, length), b = infer(c, true, kernels, length);
    assert_int_equal(a.steps, b.steps);
    same_floats("readout", "logits", (size_t)a.steps * B * C, a.logit[0], b.logit[0], tolerance);
    if (tolerance == 0) assert_memory_equal(a.rate, b.rate, sizeof a.rate);
    assert_int_equal(a.result.correct, b.result.correct);
    assert_int_equal(a.result.seen, b.result.seen);
    assert_true(fabs(a.result.loss - b.result.loss) <= tolerance);
}

/* ---- nets ---------------------------------------------------------------------------------------- */

/* Two states, counts, floats and a filter; a block of two branches, one of them constant if the input is. */
static void mixed_layers(small *s, const char *neuron, const char *readout)
{
    (void)neuron;
    small_layer(s, &hk_layer_conv2d, "conv1", "out=4 padding=1 standardize=true");
    small_spiking(s, "clif", NULL, &hk_neuron_clif, "threshold=0.4", &hk_surrogate_rectangle, NULL);
    small_layer(s, &hk_layer_conv2d, "conv2", "out=4 padding=1");
    hk_node_spec *add = small_layer(s, &hk_layer_add, "add", NULL);
    add->n_in = 2;
    add->in[1] = 0;
    small_spiking(s, "lif", "scale=1.5", &hk_neuron_lif, "threshold=0.5", &hk_surrogate_triangle, NULL);
    small_layer(s, &hk_layer_avgpool2d, "pool", NULL);
    small_layer(s, &hk_layer_conv2d, "conv3", "out=6 padding=1 weights=binary");
    small_layer(s, &hk_layer_dropout, "drop", "p=0.5");
    small_spiking(s, "empf", "spike_bits=4 per_step=true", &hk_neuron_empf, "threshold=0.3", &hk_surrogate_triangle,
                  NULL);
    small_layer(s, &hk_layer_seca, "seca", NULL);
    small_layer(s, &hk_layer_conv2d, "conv4", "out=6 kernel=1");
    small_spiking(s, "graded", "membrane_norm=true", &hk_neuron_empf, "threshold=0.3", &hk_surrogate_triangle, NULL);
    small_layer(s, &hk_layer_adaptive_avgpool2d, "adaptive", "size=2");
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

/* Bits that a pool hands on, in memory that others use before and after. */
static void pooled_layers(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=8 padding=1");
    spiking_layer(s, "lif1", NULL, neuron);
    small_layer(s, &hk_layer_maxpool2d, "pool", NULL);
    small_layer(s, &hk_layer_conv2d, "conv2", "out=16 padding=1");
    spiking_layer(s, "lif2", NULL, neuron);
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

static void filter_layers(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_synapse, "filter1", "granularity=channel");
    small_layer(s, &hk_layer_dense, "fc1", "out=9");
    spiking_layer(s, "lif1", "threshold_granularity=channel", neuron);
    small_layer(s, &hk_layer_synapse, "filter2", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

static const struct {
    void (*layers)(small *s, const char *neuron, const char *readout);
    const char *readout;
    hk_shape    in;
} NETS[] = {
    { dense_layers, "kind=leaky leak=0.6", { 1, 1, 5, false } },
    { classifier_layers, "kind=sum", { 1, 1, 5, false } },
    { conv_layers, "kind=sum", { 6, 6, 2, false } },
    { conv_layers_steps, "kind=mean", { 6, 6, 2, false } },
    { mixed_layers, "kind=last", { 6, 6, 2, false } },
    { filter_layers, "kind=sum", { 1, 1, 5, false } },
    { pooled_layers, "kind=sum", { 8, 8, 2, false } },
};

static net_case case_of(int i, bool constant)
{
    return (net_case){ NETS[i].layers, "leak=0.7 threshold=0.2", NETS[i].readout, NETS[i].in, T, B,
                       EACH_STEP, constant, 41 + (uint64_t)i };
}

/* The definition of the products sums in one order, whatever the batch. */
static void bits(void **state)
{
    (void)state;
    static const int32_t length[B] = { 4, 1, 3 };
    for (int i = 0; i < HK_COUNT(NETS); i++)
        for (int k = 0; k < 4; k++) {
            const net_case c = case_of(i, k & 1);
            same(&c, &hk_kernels_ref, k & 2 ? length : NULL, 0);
        }
}

/* Fast products may choose another form, or other pieces, for all steps together. */
static void rounded(void **state)
{
    (void)state;
    static const int32_t shorter[B] = { 3, 1, 2 };
    for (int way = HK_WAY_AUTO; way <= HK_WAY_DENSE; way++)
        for (int i = 0; i < HK_COUNT(NETS); i++) {
            hk_host_kernels k;
            hk_error e;
            const hk_host_kernels_cfg cfg = { .threads = 2, .products = (hk_product_way)way };
            if (hk_host_kernels_open(&k, &cfg, &e)) fail_msg("%s", e.text);
            const net_case c = case_of(i, i & 1);
            same(&c, &k.table, NULL, 1e-4);
            same(&c, &k.table, shorter, 1e-4);
            hk_host_kernels_close(&k);
        }
}

/* ---- memory -------------------------------------------------------------------------------------- */

static void planned(const net_case *c, bool by_layer, size_t bytes[HK_REGIONS])
{
    hk_error e;
    small *s = open_net(c, by_layer, &hk_kernels_ref);
    if (hk_net_plan(&s->net, bytes, &e)) fail_msg("%s", e.text);
    random_close(s);
}

/* States stay single; what is sent from layer to layer is there T times. */
static void memory(void **state)
{
    (void)state;
    net_case c = case_of(1, false);      /* 5 - 9 - 8 - 3 neurons, spikes in a word per sample */
    size_t one[HK_REGIONS], all[HK_REGIONS], more[HK_REGIONS];
    planned(&c, false, one);
    planned(&c, true, all);
    c.T = 2 * T;
    planned(&c, true, more);
    assert_true(all[HK_R_STATE] < one[HK_R_STATE]);      /* spikes are not among the states any more */
    assert_int_equal(all[HK_R_STATE], more[HK_R_STATE]);
    assert_int_equal(all[HK_R_PARAM], one[HK_R_PARAM]);
    const size_t sent = B * (5 * sizeof(float) + 3 * sizeof(uint32_t) + 3 * sizeof(float));
    assert_true(more[HK_R_TAPE] - all[HK_R_TAPE] <= T * sent + 5 * 64 && more[HK_R_TAPE] > all[HK_R_TAPE]);
}

static void no_stream(void **state)
{
    (void)state;
    net_case c = case_of(0, false);
    c.batch = 1;
    hk_error e;
    hk_stream stream;
    small *s = open_net(&c, true, &hk_kernels_ref);
    assert_int_equal(hk_stream_open(&stream, &s->net, false, 0, &e), HK_E_ARG);
    assert_non_null(strstr(e.text, "layer_major"));
    random_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits), cmocka_unit_test(rounded), cmocka_unit_test(memory), cmocka_unit_test(no_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
