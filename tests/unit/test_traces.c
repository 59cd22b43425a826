/* Traces in bf16: the conversion against arithmetic in double, stored traces within their bound, gradients
 * close to those of float traces, equal where every trace is a short binary fraction, half the bytes,
 * and the same bits for any number of threads.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <float.h>

#include "../../host/kernel/host_kernels.h"
#include "base/bf16.h"
#include "random_net.h"

static const double UNIT = 1.0 / 256;

/* ---- conversion ----------------------------------------------------------------------------------- */

static void same_halves(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 1u << 16; h++) {
        const float x = hk_from_bf16((uint16_t)h);
        if (isnan(x)) assert_true(isnan(hk_from_bf16(hk_to_bf16(x))));
        else assert_int_equal(hk_to_bf16(x), h);
    }
}

/* The nearer neighbour, of equals the even one; the neighbours of x from its bits, toward zero and away.
 * Beyond the largest bf16 the next would be 2^128. */
static uint16_t nearest(float x)
{
    const uint32_t bits = hk_to_bits(x), low = bits >> 16;
    const double size = fabs((double)x), near = fabs((double)hk_from_bits(low << 16));
    const bool last = (low & 0x7fffu) == 0x7f7fu;
    const double far = last ? ldexp(1, 128) : fabs((double)hk_from_bits((low + 1) << 16));
    const double up = far - size, down = size - near;
    return (uint16_t)(up < down || (up == down && low & 1u) ? low + 1 : low);
}

static void rounding(void **state)
{
    (void)state;
    const hk_rng r = { 3, 1 };
    for (uint64_t i = 0; i < 200000; i++) {
        uint32_t bits = hk_rng_u32(r, i);
        if (i % 4 == 0) bits = (bits & 0xffff0000u) | 0x8000u;       /* half way */
        const float x = hk_from_bits(bits);
        if (!isfinite(x)) continue;
        if (hk_to_bf16(x) != nearest(x))
            fail_msg("%.9g: got %04x, expected %04x", (double)x, hk_to_bf16(x), nearest(x));
        if (fabsf(x) < FLT_MIN || fabsf(x) > 3e38f) continue;
        assert_true(fabs((double)hk_from_bf16(hk_to_bf16(x)) - (double)x) <= UNIT * fabs((double)x));
    }
    assert_int_equal(hk_to_bf16(FLT_MAX), 0x7f80);
    assert_int_equal(hk_to_bf16(-INFINITY), 0xff80);
    static const uint32_t nan[] = { 0x7f800001u, 0x7fffffffu, 0xff80ffffu, 0xffffffffu };
    for (int i = 0; i < HK_COUNT(nan); i++) assert_true(isnan(hk_from_bf16(hk_to_bf16(hk_from_bits(nan[i])))));
}

/* ---- one trace over many steps -------------------------------------------------------------------- */

enum { LINES = 5, STEPS = 80 };

typedef struct looker { float w[STEPS][LINES]; } looker;

static void look(void *self, hk_net *net, int t, hk_event what)
{
    looker *out = self;
    const uint16_t *stored = net->node[0].presynaptic;
    for (int i = 0; i < LINES && what == HK_AFTER_FORWARD; i++) out->w[t - 1][i] = hk_from_bf16(stored[i]);
}

/* One dense layer under OTTT with these keys, watched. */
static small *one_trace(const char *neuron, const char *keys, hk_watch *look_at, looker *seen)
{
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    one_layer(s, neuron, NULL);
    small_rule(s, &hk_rule_ottt_a, keys);
    small_loss(s, &hk_loss_ce, NULL, EACH_STEP);
    small_open(s, (hk_shape){ 1, 1, LINES, false }, STEPS, 1);
    s->net.watch = look_at;
    s->net.watch_self = seen;
    return s;
}

/* |w~ - exact| <= u / (1 - a) max |w~|; and when the input stops the trace goes on falling. */
static void within_bound(void **state)
{
    (void)state;
    const double a = (double)0.9f;
    looker seen;
    small *s = one_trace("leak=0.9 threshold=1", "traces=bf16", look, &seen);
    float x[STEPS][LINES];
    for (int t = 0; t < STEPS; t++)
        for (int i = 0; i < LINES; i++)
            x[t][i] = t < STEPS / 2 ? random_at(4, (uint64_t)i, (uint64_t)t, 0, 1) : 0;
    const int32_t label = 0;
    small_run(s, x[0], &label, NULL);
    for (int i = 0; i < LINES; i++) {
        double w = 0, most = 0, off = 0;
        for (int t = 0; t < STEPS; t++) {
            w = a * w + (double)x[t][i];
            most = fmax(most, w);
            off = fmax(off, fabs((double)seen.w[t][i] - w));
            assert_true(fabs((double)seen.w[t][i] - w) <= 1.01 * UNIT / (1 - a) * most);
            if (t >= STEPS / 2) assert_true(seen.w[t][i] < seen.w[t - 1][i]);
        }
        assert_true(off > 0);
    }
    random_close(s);
}

static void look_floats(void *self, hk_net *net, int t, hk_event what)
{
    looker *out = self;
    if (what == HK_AFTER_FORWARD) memcpy(out->w[t - 1], net->node[0].presynaptic, sizeof out->w[0]);
}

/* trace_floor: the recursion with what is smaller in size set to 0, from the first step on. */
static void floored(void **state)
{
    (void)state;
    looker seen;
    small *s = one_trace("leak=0.5 threshold=1", "trace_floor=0.2", look_floats, &seen);
    float x[STEPS][LINES], w[LINES] = { 0 };
    for (int t = 0; t < STEPS; t++)
        for (int i = 0; i < LINES; i++) x[t][i] = random_at(5, (uint64_t)i, (uint64_t)t, -0.6f, 0.6f);
    const int32_t label = 0;
    small_run(s, x[0], &label, NULL);
    int cut = 0;
    for (int t = 0; t < STEPS; t++)
        for (int i = 0; i < LINES; i++) {
            w[i] = 0.5f * w[i] + x[t][i];
            if (fabsf(w[i]) < 0.2f) w[i] = 0, cut++;
            assert_true(seen.w[t][i] == w[i]);
        }
    assert_in_range(cut, STEPS * LINES / 10, STEPS * LINES / 2);
    random_close(s);
}

/* ---- gradients ------------------------------------------------------------------------------------- */

typedef struct row {
    net_case           c;
    const hk_rule_ops *rule;
    const char        *keys, *moved;     /* of the rule; parameters whose gradient comes from a rounded trace */
} row;

static void clif_layers(small *s, const char *neuron, const char *readout)
{
    for (int i = 0; i < 2; i++) {
        small_layer(s, &hk_layer_dense, i ? "fc2" : "fc1", i ? "out=7" : "out=9");
        small_spiking(s, i ? "lif2" : "lif1", NULL, &hk_neuron_clif, neuron, &hk_surrogate_sigmoid, "slope=2");
    }
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

static void filter_layers(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_synapse, "syn", "alpha=0.6");
    one_layer(s, neuron, readout);
}

/* Parameters of single steps: their trace is the local derivative alone. */
static void per_step_layers(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_dense, "fc1", "out=9");
    spiking_layer(s, "lif1", NULL, neuron);
    small_layer(s, &hk_layer_dense, "fc2", "out=9");
    spiking_layer(s, "lif2", "per_step=true", neuron);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

#define LIF "leak=0.7 threshold=0.4"
#define CASE(layers, neuron, readout, shape, seed) { layers, neuron, readout, shape, 6, 4, EACH_STEP, false, seed }

static const hk_shape FIVE = { 1, 1, 5, false }, MAP = { 6, 6, 2, false };

static int rows(row *out)
{
    int n = 0;
    out[n++] = (row){ CASE(dense_layers, LIF, "kind=leaky leak=0.6", FIVE, 11), &hk_rule_ottt_a, NULL,
                      "fc1.weight fc2.weight fc3.weight head.weight" };
    out[n++] = (row){ CASE(dense_layers, LIF, "kind=sum", FIVE, 12), &hk_rule_stop, "trace_reset=kept",
                      "fc2.weight lif1.threshold lif1.leak lif3.leak" };
    out[n++] = (row){ CASE(conv_layers, LIF, "kind=sum", MAP, 13), &hk_rule_stop, "bn_trace=exact",
                      "conv1.weight conv2.weight bn1.weight bn2.weight lif1.leak lif2.threshold" };
    out[n++] = (row){ CASE(conv_layers, LIF, "kind=sum", MAP, 14), &hk_rule_ottt_o, NULL, "conv2.weight" };
    out[n++] = (row){ CASE(clif_layers, "tau=3 threshold=0.4", "kind=sum", FIVE, 15), &hk_rule_stop,
                      "hard_reset_trace=ignore", "fc1.weight fc2.weight lif1.threshold lif2.leak" };
    out[n++] = (row){ CASE(per_step_layers, LIF, "kind=sum", FIVE, 16), &hk_rule_stop, NULL,
                      "fc1.weight lif1.leak lif2.leak" };
    out[n++] = (row){ CASE(dense_layers, LIF " reset=hard", "kind=sum", FIVE, 17), &hk_rule_stop,
                      "weight_trace=synapse", "fc1.weight fc1.bias fc3.weight lif3.leak" };
    out[n++] = (row){ CASE(clif_layers, "tau=3 threshold=0.4", "kind=sum", FIVE, 18), &hk_rule_ottt_a,
                      "weight_trace=synapse", "fc1.weight fc2.weight fc2.bias" };
    out[n++] = (row){ CASE(filter_layers, LIF, "kind=sum", FIVE, 19), &hk_rule_solsa, "points=0 T=true L=true",
                      "syn.alpha syn.beta fc.weight fc.bias lif.threshold lif.leak" };
    return n;
}

/* With traces in bf16 or not, by these kernels (NULL: the core's), on input x (NULL: random). */
static small *gradients(const row *r, bool bf16, const hk_kernels *kernels, const float *x)
{
    char keys[128];
    snprintf(keys, sizeof keys, "%s%s", r->keys ? r->keys : "", bf16 ? " traces=bf16" : "");
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    r->c.layers(s, r->c.neuron, r->c.readout);
    small_rule(s, r->rule, keys);
    small_loss(s, &hk_loss_ce, NULL, r->c.objective);
    s->net_spec.kernels = kernels;
    small_open(s, r->c.in, r->c.T, r->c.batch);
    random_weights(s, r->c.seed);
    learn_all(s);
    if (x) small_run(s, x, random_labels(), NULL);
    else random_run(s, &r->c);
    return s;
}

static double norm_of(size_t n, const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)a[i] - (b ? (double)b[i] : 0);
        sum += d * d;
    }
    return sqrt(sum);
}

/* Within 1 % of the gradient's norm; those of `moved` by more than nothing. */
static void close_gradients(void **state)
{
    (void)state;
    row all[16];
    const int n = rows(all);
    for (int i = 0; i < n; i++) {
        small *a = gradients(&all[i], false, NULL, NULL), *b = gradients(&all[i], true, NULL, NULL);
        for (int k = 0; k < a->net.n_param; k++) {
            const hk_param *p = &a->param[k], *q = &b->param[k];
            char name[64];
            if (p->role == HK_BUFFER) continue;
            snprintf(name, sizeof name, "%s.%s", p->layer, p->name);
            const double size = norm_of(p->n, p->g, NULL), off = norm_of(p->n, p->g, q->g);
            if (!(off <= 0.01 * size)) fail_msg("row %d, %s: off by %g of %g", i, name, off, size);
            if (strstr(all[i].moved, name) && !(off > 0)) fail_msg("row %d, %s: not moved", i, name);
        }
        random_close(a);
        random_close(b);
    }
}

/* Spikes and leaks of 1/2: a trace has as many bits as steps. The leak's own trace is of membranes. */
static void equal_gradients(void **state)
{
    (void)state;
    static const char *const keys[] = { "L=false", "L=false weight_trace=synapse" };
    hk_host_kernels k;
    hk_error e;
    assert_int_equal(hk_host_kernels_open(&k, NULL, &e), HK_OK);
    float x[6 * 4 * 5];
    for (int i = 0; i < HK_COUNT(x); i++) x[i] = random_at(21, 1, (uint64_t)i, 0, 1) > 0.5f ? 1 : 0;
    for (int i = 0; i < 4; i++) {
        const row r = { CASE(dense_layers, "leak=0.5 threshold=0.5", "kind=leaky leak=0.5", FIVE, 21),
                        &hk_rule_stop, keys[i % 2], NULL };
        const hk_kernels *table = i < 2 ? NULL : &k.table;
        small *a = gradients(&r, false, table, x), *b = gradients(&r, true, table, x);
        for (int q = 0; q < a->net.n_param; q++)
            if (a->param[q].role != HK_LEAK)
                same_gradient(a, b, a->param[q].layer, a->param[q].name, 0);
        random_close(a);
        random_close(b);
    }
    hk_host_kernels_close(&k);
}

/* ---- bytes, threads ---------------------------------------------------------------------------------- */

static size_t saved(size_t values) { return (4 * values + 63) / 64 * 64 - (2 * values + 63) / 64 * 64; }

/* What the arrays of a net's traces shrink by. */
static size_t saved_by(const small *s)
{
    size_t sum = 0;
    for (int i = 0; i < s->n; i++) {
        const hk_node *l = &s->net.node[i];
        const size_t out = l->rows * (size_t)l->out.shape.c;
        if (l->presynaptic) sum += saved(l->rows_in * (size_t)l->in[0].shape.c);
        for (int p = 0; p < HK_MAX_LEARN; p++)
            for (int k = 0; k < HK_MAX_STATE; k++) sum += l->trace[p][k] ? saved(out) : 0;
        if (l->ops == &hk_layer_batchnorm && l->buf[1]) sum += saved(out);
        const bool synapse = l->ops->operations && s->net.plan.weight_trace == HK_TRACE_SYNAPSE && !l->head;
        const size_t states = synapse ? (size_t)l->memory->spec->neuron->n_state : 0;
        const size_t lines = l->rows_in / (size_t)s->net.spec.batch * (size_t)l->in[0].shape.c;
        for (int k = 2; k < 6 && synapse; k++)           /* bias, weights, two of a filter */
            sum += l->buf[k] ? saved(states * out * (k == 2 ? 1 : lines)) : 0;
    }
    return sum;
}

/* bind has found that it took what was planned. Scratch may grow: a tile or a row is expanded. */
static void half_the_bytes(void **state)
{
    (void)state;
    row all[16];
    const int n = rows(all);
    for (int i = 0; i < n; i++) {
        small *a = gradients(&all[i], false, NULL, NULL), *b = gradients(&all[i], true, NULL, NULL);
        const size_t less = saved_by(a);
        assert_true(less > 0);
        for (int r = 0; r < HK_REGIONS; r++) {
            if (r == HK_R_STATE) assert_int_equal(a->net.bytes[r], b->net.bytes[r] + less);
            else if (r == HK_R_WORK) assert_in_range(b->net.bytes[r] - a->net.bytes[r], 0, 3 * 4 * 512);
            else assert_int_equal(a->net.bytes[r], b->net.bytes[r]);
        }
        random_close(a);
        random_close(b);
    }
}

/* Whether two runs gave a parameter a gradient, which then must be the same or near. */
static void same_run(small *a, small *b, double tolerance)
{
    for (int i = 0; i < a->net.n_param; i++) {
        const hk_param *p = &a->param[i];
        if (p->role != HK_BUFFER && largest(p->n, p->g) > 1e-7)
            same_gradient(a, b, p->layer, p->name, tolerance);
    }
}

/* One and three workers give the same bits, and what the definition of the products gives. */
static void workers(void **state)
{
    (void)state;
    row all[16];
    const int n = rows(all);
    for (int i = 0; i < n; i++) {
        small *s[3];
        for (int k = 0; k < 3; k++) {
            hk_host_kernels h;
            hk_error e;
            hk_host_kernels_cfg cfg = { .threads = k < 2 ? 1 : 3 };
            assert_int_equal(hk_host_kernels_open(&h, &cfg, &e), HK_OK);
            s[k] = gradients(&all[i], true, k ? &h.table : NULL, NULL);
            hk_host_kernels_close(&h);
        }
        same_run(s[1], s[2], 0);
        same_run(s[0], s[1], 2e-5);
        for (int k = 0; k < 3; k++) random_close(s[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_halves),     cmocka_unit_test(rounding),       cmocka_unit_test(within_bound),
        cmocka_unit_test(floored),
        cmocka_unit_test(close_gradients), cmocka_unit_test(equal_gradients),
        cmocka_unit_test(half_the_bytes),  cmocka_unit_test(workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
