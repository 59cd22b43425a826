/* The deployed form against the net that it was folded from.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"

#include "deploy/deploy.h"
#include "deploy/stage.h"

enum { BATCH = 4, CLASSES = 3 };

static const char *form, *ends, *neuron_keys, *pool_name;
static const hk_neuron_ops *neuron;
static bool by_two;                      /* every factor a power of two */

static const hk_layer_ops *pool(void)
{
    return strcmp(pool_name, "max") == 0 ? &hk_layer_maxpool2d : &hk_layer_avgpool2d;
}

static void layers(small *s, const char *layer, const char *readout)
{
    char first[96], conv[96], head[96];
    hk_format(first, sizeof first, "out=8 padding=1 weights=%s bias=%s", ends, by_two ? "false" : "true");
    hk_format(conv, sizeof conv, "out=70 kernel=2 stride=2 padding=1 weights=%s bias=false", form);
    hk_format(head, sizeof head, "out=3 weights=%s", ends);
    small_layer(s, &hk_layer_conv2d, "conv1", first);
    small_layer(s, &hk_layer_batchnorm, "bn1", NULL);
    small_spiking(s, "n1", layer, neuron, neuron_keys, &hk_surrogate_triangle, NULL);
    small_layer(s, pool(), "pool", NULL);
    small_layer(s, &hk_layer_conv2d, "conv2", conv);
    small_layer(s, &hk_layer_batchnorm, "bn2", NULL);
    small_layer(s, &hk_layer_dropout, "drop", "p=0.5");
    small_spiking(s, "n2", layer, neuron, neuron_keys, &hk_surrogate_triangle, NULL);
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", head);
    small_layer(s, &hk_layer_readout, "readout", readout);
}

/* A quarter of ones, else halves and zeros: small multiples of 1/2. */
static float dyadic(uint64_t stream, uint64_t i) { return floorf(random_at(8, stream, i, 0, 4)) / 2; }

/* Factors that are powers of two make both forms exact, so that they must agree to the bit. */
static void exact_weights(small *s)
{
    for (int i = 0; i < s->net.n_param; i++) {
        hk_param *p = &s->param[i];
        for (size_t k = 0; k < p->n; k++) {
            const float v = random_at(9, (uint64_t)i, k, -1, 1);
            if (p->role == HK_WEIGHT) p->w[k] = v < 0 ? -0.125f : 0.125f;
            if (p->role == HK_BIAS) p->w[k] = v < 0 ? -0.25f : 0.25f;
            if (p->role == HK_NORM) p->w[k] = p->name[0] == 'w' ? (v < 0 ? -2.0f : 0.5f) : (v < 0 ? 0.25f : 0);
            if (strcmp(p->name, "running_mean") == 0) p->w[k] = v < 0 ? 0.25f : -0.125f;
            if (strcmp(p->name, "running_var") == 0) p->w[k] = 1 - 1e-5f;
        }
    }
    hk_net_prepare(&s->net);
}

static small *build(const net_case *c, const char *layer)
{
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    c->layers(s, layer, c->readout);
    small_rule(s, &hk_rule_sltt, NULL);
    small_loss(s, &hk_loss_ce, NULL, c->objective);
    s->net_spec.constant_input = c->constant;
    small_open(s, c->in, c->T, c->batch);
    random_weights(s, c->seed);
    if (by_two) exact_weights(s);
    return s;
}

typedef struct result { float decision[BATCH * CLASSES]; double rate[2]; } result;

static hk_batch batch_of(small *s, const float *x)
{
    s->x = x;
    return (hk_batch){ .n = BATCH, .frame = small_frame, .self = s, .label = random_labels() };
}

static result net_says(small *s, const float *x)
{
    result r;
    hk_error e;
    hk_result out;
    s->batch = batch_of(s, x);
    if (hk_net_infer(&s->net, &s->batch, &out, &e)) fail_msg("%s", e.text);
    memcpy(r.decision, hk_net_output(&s->net), sizeof r.decision);
    r.rate[0] = hk_node_rate(&s->net.node[2]);
    r.rate[1] = hk_node_rate(&s->net.node[7]);
    return r;
}

static result deployed_says(small *s, const float *x, hk_deploy_size *size)
{
    result r;
    hk_error e;
    hk_result out;
    hk_deploy *d;
    s->net.training = false;
    s->net.live = 0;
    if (hk_deploy_open(&d, &s->net, &e)) fail_msg("%s", e.text);
    const hk_batch b = batch_of(s, x);
    for (int twice = 0; twice < 2; twice++)          /* nothing is left of the batch before */
        if (hk_deploy_infer(d, &b, r.decision, &out, &e)) fail_msg("%s", e.text);
    assert_int_equal(out.seen, BATCH);
    r.rate[0] = hk_node_rate(&s->net.node[2]);
    r.rate[1] = hk_node_rate(&s->net.node[7]);
    *size = hk_deploy_bytes(d);
    hk_deploy_close(d);
    return r;
}

static float *input(const net_case *c)
{
    float *x = random_input(c, c->seed);
    const size_t n = (size_t)(c->T * c->batch * c->in.h * c->in.w * c->in.c);
    for (size_t i = 0; i < n && by_two; i++) x[i] = dyadic(7, i);
    return x;
}

static const char *const KEYS[] = {
    "emission=graded spike_bits=4 spike_step=0.25", "emission=graded spike_bits=2 spike_step=0.5 per_step=true",
    "emission=step", "emission=step recurrent=false compare=>", "emission=graded", "emission=step scale=2",
};

static net_case a_case(const char *readout, bool constant)
{
    return (net_case){ layers, NULL, readout, { 6, 6, 2, false }, 3, BATCH, EACH_STEP, constant, 15 };
}

/* Powers of two, dyadic inputs: to the bit, spikes and all. */
static void exact(void **state)
{
    (void)state;
    by_two = true;
    neuron_keys = "threshold=0.5 leak=0.5";
    for (int i = 0; i < HK_COUNT(KEYS); i++)
        for (int k = 0; k < 4; k++) {
            hk_deploy_size size;
            neuron = strstr(KEYS[i], "emission=step") ? &hk_neuron_lif : &hk_neuron_empf;
            form = "binary";
            ends = k & 1 ? "float" : "binary";
            pool_name = k & 2 ? "max" : "avg";
            const net_case c = a_case(k & 2 ? "kind=sum" : "kind=leaky leak=0.5", k == 3);
            small *s = build(&c, KEYS[i]);
            float *x = input(&c);
            const result a = net_says(s, x), b = deployed_says(s, x, &size);
            assert_true(a.rate[0] > 0.05 && a.rate[1] > 0.05 && a.rate[1] < 0.95);
            if (memcmp(a.decision, b.decision, sizeof a.decision) != 0)
                fail_msg("%s %d: %g is not %g", KEYS[i], k, (double)a.decision[0], (double)b.decision[0]);
            assert_true(a.rate[0] == b.rate[0] && a.rate[1] == b.rate[1]);
            free(x);
            random_close(s);
        }
}

/* Any numbers, both codes, neurons of other models: within rounding. */
static void rounded(void **state)
{
    (void)state;
    by_two = false;
    static const struct { const hk_neuron_ops *ops; const char *keys, *layer; } row[] = {
        { &hk_neuron_empf, "threshold=0.3 leak=0.6", "emission=graded threshold_granularity=channel" },
        { &hk_neuron_empf, "threshold=0.3 leak=0.6", "emission=graded spike_bits=8 spike_step=0.0078125" },
        { &hk_neuron_lif, "threshold=0.4 leak=0.6", "threshold_granularity=neuron leak_granularity=channel" },
        { &hk_neuron_lif, "threshold=0.4 leak=0.6 convention=B input_scale=1-alpha", NULL },
        { &hk_neuron_if, "threshold=0.4 reset=none", NULL },
        { &hk_neuron_lif, "threshold=0.4 leak=0.6 reset=hard", NULL },
        { &hk_neuron_empf, "threshold=0.3 leak=0.6", "emission=graded membrane_norm=true" },
        { &hk_neuron_empf, "threshold=0.3 leak=0.6",
          "spike_bits=8 spike_step=0.0078125 membrane_norm=true leak_granularity=channel" },
        { &hk_neuron_lif, "threshold=0.4 leak=0.6", "membrane_norm=true" },
    };
    for (int i = 0; i < HK_COUNT(row); i++)
        for (int k = 0; k < 2; k++) {
            hk_deploy_size size;
            form = k ? "ternary" : "binary";
            ends = k ? "ternary" : "binary";
            pool_name = "avg";
            neuron = row[i].ops;
            neuron_keys = row[i].keys;
            const net_case c = a_case("kind=mean", k == 1);
            small *s = build(&c, row[i].layer);
            float *x = input(&c);
            const result a = net_says(s, x), b = deployed_says(s, x, &size);
            same_floats("readout", neuron->info.name, BATCH * CLASSES, a.decision, b.decision, 2e-2);
            assert_true(fabs(a.rate[0] - b.rate[0]) < 2e-3 && fabs(a.rate[1] - b.rate[1]) < 2e-3);
            assert_true(size.codes > 0 && size.floats > size.codes + size.numbers);
            free(x);
            random_close(s);
        }
}

enum { SIDE = 4, MOST_CI = 130, MOST_CO = 64, TAPS = 9 };

typedef struct shape { int32_t co, kernel, stride, padding, top; } shape;

/* Codes of -1, 0 (of two bits) and 1 as floats and as bits. */
static void put_codes(const hk_stage *s, float *w, uint64_t *plus, uint64_t *minus)
{
    const size_t co = (size_t)s->conv.co, ci = (size_t)s->conv.ci, taps = (size_t)(s->conv.kh * s->conv.kw);
    memset(plus, 0, hk_window_words(s) * co * sizeof *plus);
    memset(minus, 0, hk_window_words(s) * co * sizeof *minus);
    for (size_t p = 0; p < taps; p++)
        for (size_t c = 0; c < ci; c++)
            for (size_t o = 0; o < co; o++) {
                const float v = random_at(1, 51, (p * MOST_CI + c) * co + o, -1, 1);
                const int code = s->code_bits == 2 && fabsf(v) < 0.3f ? 0 : v < 0 ? -1 : 1;
                uint64_t bit;
                const size_t at = hk_code_at(s, p, c, o, &bit);
                w[(p * ci + c) * co + o] = (float)code;
                if (code > 0) plus[at] |= bit;
                if (code < 0) minus[at] |= bit;
            }
}

static void product(int32_t ci, shape f, int bits)
{
    static uint64_t plus[MOST_CO * TAPS * 3], minus[MOST_CO * TAPS * 3];
    static uint64_t scratch[8 * ((SIDE + 2) * (SIDE + 2) + TAPS) * 3];
    static float w[MOST_CI * TAPS * MOST_CO], want[SIDE * SIDE * MOST_CO], got[SIDE * SIDE * MOST_CO];
    static uint8_t x[SIDE * SIDE * MOST_CI];
    const int32_t out = (SIDE + 2 * f.padding - f.kernel) / f.stride + 1;
    const hk_conv g = { 1, SIDE, SIDE, ci, out, out, f.co, f.kernel, f.kernel, f.stride, f.stride, f.padding,
                        f.padding, 1 };
    hk_stage s = { .conv = g, .in = { { SIDE, SIDE, ci, false }, true, 1, f.top }, .code_bits = bits,
                   .words = ((size_t)ci + 31) / 32, .n = (size_t)(out * out * f.co) };
    const float above = (float)f.top + 1;
    for (size_t k = 0; k < (size_t)(SIDE * SIDE * ci); k++) x[k] = (uint8_t)random_at(1, 50, k, 0, above);
    put_codes(&s, w, plus, minus);
    s.w = w;
    hk_product(&s, x, NULL, want);
    s.plus = plus;
    s.minus = bits == 2 ? minus : NULL;
    assert_true(hk_product_scratch(&s) <= sizeof scratch);
    for (int vectors = 0; vectors <= hk_vector_popcount(); vectors++) {
        s.vectors = vectors;
        memset(got, 0, sizeof got);
        hk_product(&s, x, scratch, got);
        assert_memory_equal(want, got, s.n * sizeof *want);
    }
}

/* Population counts of bits against sums of products, at widths around a word and a block of outputs. */
static void products(void **state)
{
    (void)state;
    static const int32_t widths[] = { 1, 3, 31, 32, 33, 64, 65, MOST_CI };
    static const shape shapes[] = { { 37, 3, 2, 1, 15 }, { 32, 1, 1, 0, 1 }, { MOST_CO, 2, 1, 0, 255 },
                                    { 5, 3, 1, 1, 60 } };
    for (int i = 0; i < HK_COUNT(widths); i++)
        for (int k = 0; k < HK_COUNT(shapes); k++)
            for (int bits = 1; bits <= 2; bits++) product(widths[i], shapes[k], bits);
}

static void refused(void (*add)(small *s), const char *text)
{
    small s = { 0 };
    hk_error e;
    hk_deploy *d = NULL;
    add(&s);
    small_rule(&s, &hk_rule_sltt, NULL);
    small_loss(&s, &hk_loss_ce, NULL, EACH_STEP);
    small_open(&s, (hk_shape){ 4, 4, 2, false }, 2, 1);
    assert_int_equal(hk_deploy_open(&d, &s.net, &e), HK_E_UNSUP);
    if (!strstr(e.text, text)) fail_msg("'%s' does not say '%s'", e.text, text);
    small_close(&s);
}

static void tail(small *s)
{
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3 weights=binary");
    small_layer(s, &hk_layer_readout, "readout", "kind=sum");
}

static void a_sum(small *s)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=2 kernel=1 weights=binary");
    small_lif(s, "n", NULL, &hk_surrogate_triangle);
    small_layer(s, &hk_layer_conv2d, "conv2", "out=2 kernel=1 weights=binary");
    hk_node_spec *add = small_layer(s, &hk_layer_add, "sum", NULL);
    add->n_in = 2;
    add->in[1] = 1;
    tail(s);
}

static void sets_of_steps(small *s)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=2 kernel=1 weights=binary");
    small_layer(s, &hk_layer_batchnorm, "bn1", "running_steps=2");
    small_lif(s, "n", NULL, &hk_surrogate_triangle);
    tail(s);
}

static void a_clif(small *s)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=2 kernel=1 weights=binary");
    small_spiking(s, "n", NULL, &hk_neuron_clif, NULL, &hk_surrogate_triangle, NULL);
    tail(s);
}

static void a_pool(small *s)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=2 kernel=1 weights=binary");
    small_layer(s, &hk_layer_avgpool2d, "pool", NULL);
    small_lif(s, "n", NULL, &hk_surrogate_triangle);
    tail(s);
}

static void a_bit(small *s)              /* lowers the membrane by 1, whatever the unit */
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=2 kernel=1 weights=binary");
    small_spiking(s, "n", "emission=step", &hk_neuron_empf, NULL, &hk_surrogate_triangle, NULL);
    tail(s);
}

static void a_norm(small *s)             /* of a membrane that is lowered by the whole threshold */
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=2 kernel=1 weights=binary");
    small_spiking(s, "n", "membrane_norm=true", &hk_neuron_lif, "convention=B", &hk_surrogate_triangle, NULL);
    tail(s);
}

static void norms_of_steps(small *s)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=2 kernel=1 weights=binary");
    small_spiking(s, "n", "membrane_norm=true per_step=true", &hk_neuron_empf, NULL, &hk_surrogate_triangle, NULL);
    tail(s);
}

static void groups(small *s)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=2 kernel=1 groups=2 weights=binary");
    small_lif(s, "n", NULL, &hk_surrogate_triangle);
    tail(s);
}

static void refusals(void **state)
{
    (void)state;
    refused(a_sum, "conv2");
    refused(sets_of_steps, "running_steps: 1");
    refused(a_clif, "clif");
    refused(a_pool, "pool");
    refused(a_bit, "empf");
    refused(groups, "groups");
    refused(a_norm, "convention A");
    refused(norms_of_steps, "per_step: false");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact), cmocka_unit_test(rounded), cmocka_unit_test(products),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
