/* Gradients against finite differences. The spiking layer is compiled once more with a smooth firing
 * function, the primitive of the surrogate, so that the surrogate problem is the true one and BPTT
 * with the reset gradient kept must be the derivative of the loss, for every parameter.
 *
 * The library's own spiking layer stays out: its symbols are already defined here.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define HK_SMOOTH
#include "layer/spiking.c"
#include "layer/spiking_tile.c"
#undef HK_SMOOTH

#include "small_net.h"
#include "two_state.h"

#define STEP_MEAN ((hk_objective){ .when = HK_EACH_STEP, .divide_by_T = true })
#define STEP_SUM ((hk_objective){ .when = HK_EACH_STEP, .batch_sum = true, .smoothing = 0.1f })
#define FINAL ((hk_objective){ .when = HK_FINAL })

enum { BATCH = 3, MOST = 24 };           /* MOST: elements of a parameter that are tried */

static const hk_rng stream = { 20240607, 1 };
static uint64_t drawn;

static float draw(float lo, float hi) { return lo + (hi - lo) * hk_rng_uniform(stream, drawn++); }

/* Every parameter away from its first value, so that none has a special one. */
static void scatter(small *s)
{
    for (int i = 0; i < s->net.n_param; i++) {
        hk_param *p = &s->param[i];
        const bool buffer = p->role == HK_BUFFER;
        for (size_t k = 0; k < p->n; k++) {
            p->w[k] += draw(-0.15f, 0.15f);
            if (buffer) p->w[k] += draw(0, 0.3f);
        }
        p->learn = !buffer;
    }
    hk_net_prepare(&s->net);
}

typedef struct batch { float *x; int32_t label[BATCH]; } batch;

static double loss_of(small *s, const batch *b)
{
    s->net.samples = 0;                  /* the same dropout mask every time */
    hk_net_prepare(&s->net);
    return small_run(s, b->x, b->label, NULL).loss;
}

static double slope(small *s, const batch *b, float *w, double h)
{
    const float keep = *w, up = (float)((double)keep + h), down = (float)((double)keep - h);
    *w = up;
    const double more = loss_of(s, b);
    *w = down;
    const double less = loss_of(s, b);
    *w = keep;
    return (more - less) / ((double)up - (double)down);
}

/* Central differences with the error of order h^2 removed. */
static double derivative(small *s, const batch *b, float *w)
{
    const double h = 0.02;
    return (4 * slope(s, b, w, h / 2) - slope(s, b, w, h)) / 3;
}

static void check_param(small *s, const batch *b, hk_param *p, const float *g, double tolerance)
{
    const size_t stride = (p->n + MOST - 1) / MOST;
    double most = 0, want[MOST];
    size_t n = 0;
    for (size_t k = 0; k < p->n; k += stride) {
        want[n] = derivative(s, b, &p->w[k]);
        most = fmax(most, fabs(want[n++]));
    }
    for (size_t k = 0; k < n; k++) {
        const double got = (double)g[k * stride];
        if (!(fabs(got - want[k]) <= tolerance * most + 2e-5))
            fail_msg("%s.%s[%zu]: gradient %.7g, finite difference %.7g (largest %.3g)", p->layer,
                     p->name, k * stride, got, want[k], most);
    }
    if (most < 1e-5) fail_msg("%s.%s has no gradient to speak of: %g", p->layer, p->name, most);
}

/* Values of each channel that keep a distance, in random order: a max pool of them has no ties. */
static void draw_frames(float *x, hk_shape in, size_t frames)
{
    const size_t hw = (size_t)in.h * (size_t)in.w, c = (size_t)in.c;
    uint32_t order[64];
    assert_true(hw <= 64);
    for (size_t f = 0; f < frames; f++, x += hw * c)
        for (size_t k = 0; k < c; k++) {
            hk_rng_permute((hk_rng){ stream.seed, 2 + drawn++ }, (uint32_t)hw, order);
            for (size_t i = 0; i < hw; i++)
                x[i * c + k] = hw > 1 ? -0.5f + 2 * (float)order[i] / (float)hw : draw(-0.5f, 1.5f);
        }
}

static void check(small *s, hk_shape in, int T, double tolerance)
{
    small_rule(s, &hk_rule_bptt, "reset_grad=kept");
    small_open(s, in, T, BATCH);
    scatter(s);
    batch b = { calloc((size_t)T * s->frame, sizeof(float)), { 0, 2, 1 } };
    assert_non_null(b.x);
    draw_frames(b.x, in, (size_t)T * BATCH);
    loss_of(s, &b);
    float *g = malloc(s->net.bytes[HK_R_GRAD]);
    assert_non_null(g);
    memcpy(g, s->region[HK_R_GRAD], s->net.bytes[HK_R_GRAD]);
    for (int i = 0; i < s->net.n_param; i++) {
        hk_param *p = &s->param[i];
        if (p->role == HK_BUFFER) continue;
        check_param(s, &b, p, g + (p->g - (float *)s->region[HK_R_GRAD]), tolerance);
    }
    free(g);
    free(b.x);
    small_close(s);
}

static const hk_shape VECTOR = { 1, 1, 5, false }, IMAGE = { 6, 6, 2, false };

static void lif(small *s, const char *name, const char *layer, const char *neuron)
{
    small_spiking(s, name, layer, &hk_neuron_lif, neuron, &hk_surrogate_sigmoid, "slope=3");
}

static void head(small *s, const char *readout)
{
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

/* ---- nets ----------------------------------------------------------------------------------------- */

static void dense_net(void **state)
{
    (void)state;
    small s = { 0 };
    small_layer(&s, &hk_layer_dense, "fc1", "out=7");
    lif(&s, "lif1", "threshold_granularity=channel leak_granularity=neuron", "leak=0.6 threshold=0.7");
    small_layer(&s, &hk_layer_dense, "fc2", "out=6");
    small_spiking(&s, "lif2", NULL, &hk_neuron_lif, "convention=B leak=0.4 threshold=0.5",
                  &hk_surrogate_atan, NULL);
    head(&s, "kind=leaky leak=0.8");
    small_loss(&s, &hk_loss_ce, NULL, STEP_MEAN);
    check(&s, VECTOR, 6, 2e-3);
}

static void conv_net(void **state)
{
    (void)state;
    small s = { 0 };
    small_layer(&s, &hk_layer_conv2d, "conv1", "out=4 padding=1 bias=false");
    small_layer(&s, &hk_layer_batchnorm, "bn1", NULL);
    lif(&s, "lif1", "threshold_granularity=neuron", "leak=0.6 threshold=0.6");
    small_layer(&s, &hk_layer_avgpool2d, "pool1", NULL);
    small_layer(&s, &hk_layer_conv2d, "conv2", "out=6 kernel=2 padding=1 stride=2 groups=2");
    small_layer(&s, &hk_layer_batchnorm, "bn2", "mode=eval");
    lif(&s, "lif2", "threshold_granularity=channel leak_granularity=channel", "leak=0.5");
    small_layer(&s, &hk_layer_flatten, "flat", NULL);
    head(&s, "kind=sum");
    small_loss(&s, &hk_loss_ce_mse_onehot, "lam=0.3", STEP_SUM);
    check(&s, IMAGE, 4, 2e-3);
}

/* A layer whose outputs keep the order, or the reverse order, of its inputs in each channel. */
static void scaling(small *s)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=4 kernel=1 groups=2");
}

/* Spikes that are normalised before they are weighted, and a max pool. */
static void norm_of_spikes(void **state)
{
    (void)state;
    small s = { 0 };
    scaling(&s);
    small_layer(&s, &hk_layer_maxpool2d, "pool1", NULL);
    lif(&s, "lif1", NULL, "leak=0.6 threshold=0.6");
    small_layer(&s, &hk_layer_batchnorm, "bn1", NULL);
    small_layer(&s, &hk_layer_conv2d, "conv2", "out=5 padding=1");
    lif(&s, "lif2", NULL, "leak=0.6 threshold=0.6");
    small_layer(&s, &hk_layer_gap, "gap", NULL);
    head(&s, "kind=last");
    small_loss(&s, &hk_loss_mse, "form=mean", FINAL);
    check(&s, IMAGE, 4, 5e-3);
}

/* Channel attention over a current, and over spikes that another layer reads too. */
static void attention(void **state)
{
    (void)state;
    small s = { 0 };
    small_layer(&s, &hk_layer_conv2d, "conv1", "out=5 padding=1");
    small_layer(&s, &hk_layer_seca, "seca1", "kernel=3");
    lif(&s, "lif1", NULL, "leak=0.6 threshold=0.3");
    const int spikes = s.n - 1;
    small_layer(&s, &hk_layer_seca, "seca2", "kernel=7");
    hk_node_spec *add = small_layer(&s, &hk_layer_add, "add", NULL);
    add->n_in = 2;
    add->in[1] = spikes;
    small_layer(&s, &hk_layer_conv2d, "conv2", "out=4 kernel=2 stride=2");
    lif(&s, "lif2", NULL, "leak=0.6 threshold=0.4");
    small_layer(&s, &hk_layer_gap, "gap", NULL);
    small_layer(&s, &hk_layer_seca, "seca3", "kernel=1");
    head(&s, "kind=sum");
    small_loss(&s, &hk_loss_ce, NULL, STEP_MEAN);
    check(&s, IMAGE, 3, 3e-3);
}

static void add_to(small *s, const char *name, int other)
{
    hk_node_spec *add = small_layer(s, &hk_layer_add, name, NULL);
    add->n_in = 2;
    add->in[1] = other;
}

/* One node that feeds three others, an add of a branch with itself, scaled spikes, standardised
 * weights and a dropout. */
static void residual_net(void **state)
{
    (void)state;
    small s = { 0 };
    small_layer(&s, &hk_layer_conv2d, "conv1", "out=4 padding=1 standardize=true");
    lif(&s, "lif1", "scale=1.7", "leak=0.6 threshold=0.3");
    const int stem = s.n - 1;
    small_layer(&s, &hk_layer_conv2d, "conv2", "out=4 padding=1 standardize=true");
    lif(&s, "lif2", NULL, "leak=0.5 threshold=0.4");
    add_to(&s, "add1", stem);
    const int sum = s.n - 1;
    small_layer(&s, &hk_layer_conv2d, "side", "out=4 kernel=1")->in[0] = stem;
    add_to(&s, "add2", sum);
    lif(&s, "lif3", NULL, "leak=0.7");
    const int third = s.n - 1;
    add_to(&s, "add3", third);
    small_layer(&s, &hk_layer_dropout, "drop", "p=0.3");
    small_layer(&s, &hk_layer_avgpool2d, "pool", "kernel=3 stride=3");
    small_layer(&s, &hk_layer_flatten, "flat", NULL);
    head(&s, "kind=mean");
    small_loss(&s, &hk_loss_ce, NULL, FINAL);
    check(&s, IMAGE, 4, 2e-3);
}

/* Batch norm, two pools and a product read the same float map: each adds to one error. */
static void float_branches(void **state)
{
    (void)state;
    small s = { 0 };
    scaling(&s);
    const int map = s.n - 1;
    small_layer(&s, &hk_layer_batchnorm, "bn1", NULL);
    lif(&s, "lif1", NULL, "leak=0.6 threshold=0.5");
    small_layer(&s, &hk_layer_avgpool2d, "pool1", NULL);
    const int one = s.n - 1;
    small_layer(&s, &hk_layer_avgpool2d, "pool2", NULL)->in[0] = map;
    add_to(&s, "add1", one);
    const int two = s.n - 1;
    small_layer(&s, &hk_layer_maxpool2d, "pool3", NULL)->in[0] = map;
    add_to(&s, "add2", two);
    const int three = s.n - 1;
    small_layer(&s, &hk_layer_conv2d, "conv2", "out=4 kernel=2 stride=2")->in[0] = map;
    add_to(&s, "add3", three);
    lif(&s, "lif2", NULL, "leak=0.6 threshold=0.5");
    small_layer(&s, &hk_layer_flatten, "flat", NULL);
    head(&s, "kind=sum");
    small_loss(&s, &hk_loss_ce, NULL, STEP_MEAN);
    check(&s, IMAGE, 3, 2e-3);
}

/* Filters on the frames, on spikes and on a pooled map; one shared by two consumers. */
static void synapses(void **state)
{
    (void)state;
    small s = { 0 };
    small_layer(&s, &hk_layer_synapse, "syn0", "granularity=neuron alpha=0.6");
    small_layer(&s, &hk_layer_dense, "fc1", "out=7");
    lif(&s, "lif1", NULL, "leak=0.6 threshold=0.7 convention=B reset_amount=0.4");
    small_layer(&s, &hk_layer_synapse, "syn1", "beta=0.5 granularity=layer");
    small_layer(&s, &hk_layer_dense, "fc2", "out=5");
    lif(&s, "lif2", NULL, "leak=0.5 threshold=0.5 reset_amount=0.8");
    small_layer(&s, &hk_layer_readout, "readout", "kind=count");
    small_loss(&s, &hk_loss_mse, "form=mean", STEP_MEAN);
    check(&s, VECTOR, 6, 3e-3);
    s = (small){ 0 };
    small_layer(&s, &hk_layer_conv2d, "conv1", "out=4 padding=1");
    lif(&s, "lif1", NULL, "leak=0.6 threshold=0.6");
    small_layer(&s, &hk_layer_synapse, "syn1", "granularity=channel");
    const int lines = s.n - 1;
    small_layer(&s, &hk_layer_conv2d, "conv2", "out=4 padding=1");
    add_to(&s, "add", lines);
    lif(&s, "lif2", "scale=1.4", "leak=0.5 threshold=0.8");
    small_layer(&s, &hk_layer_avgpool2d, "pool", NULL);
    small_layer(&s, &hk_layer_synapse, "syn2", "granularity=neuron alpha=0.5 beta=1.5");
    small_layer(&s, &hk_layer_flatten, "flat", NULL);
    head(&s, "kind=leaky leak=0.7");
    small_loss(&s, &hk_loss_ce, NULL, STEP_MEAN);
    check(&s, IMAGE, 4, 3e-3);
}

static void resets(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "reset=hard leak=0.6 threshold=0.6", "reset=hard v_reset=0.2 leak=0.6 threshold=0.6",
        "reset=none leak=0.6 threshold=0.6", "reset=soft leak=0.6 threshold=0.6 input_scale=1-alpha",
        "convention=B leak=0.6 threshold=0.6 input_scale=1-alpha reset_amount=0.3",
        "reset=soft convention=B leak=0.6 threshold=0.6 input_scale=1-alpha",
        "reset=hard leak=0.6 threshold=0.6 input_scale=1-alpha v_reset=-0.1",
        "reset=none leak=0.6 threshold=0.6 input_scale=1-alpha",
    };
    for (int i = 0; i < HK_COUNT(keys); i++) {
        small s = { 0 };
        small_layer(&s, &hk_layer_dense, "fc1", "out=6");
        lif(&s, "lif1", NULL, keys[i]);
        small_layer(&s, &hk_layer_dense, "fc2", "out=5");
        lif(&s, "lif2", "threshold_granularity=channel leak_granularity=channel", keys[i]);
        head(&s, "kind=sum");
        small_loss(&s, &hk_loss_ce_mse_constant, "lam=0.2 constant=0.5", STEP_MEAN);
        check(&s, VECTOR, 5, 2e-3);
    }
}

static void neurons(void **state)
{
    (void)state;
    static const struct { const hk_neuron_ops *ops; const char *keys; } row[] = {
        { &hk_neuron_plif, "threshold=0.5" },
        { &hk_neuron_plif, "threshold=0.5 reset=soft" },
        { &hk_neuron_plif, "threshold=0.5 reset=soft decay_input=false" },
        { &hk_neuron_plif, "threshold=0.5 decay_input=false v_reset=0.1" },
        { &hk_neuron_if, NULL },
        { &two_state, NULL },
        { &hk_neuron_clif, "threshold=0.5" },
        { &hk_neuron_clif, "threshold=0.4 tau=1.4" },
    };
    for (int i = 0; i < HK_COUNT(row); i++) {
        small s = { 0 };
        small_layer(&s, &hk_layer_dense, "fc1", "out=6");
        small_spiking(&s, "n1", NULL, row[i].ops, row[i].keys, &hk_surrogate_gaussian, NULL);
        small_layer(&s, &hk_layer_dense, "fc2", "out=3");
        small_spiking(&s, "n2", "threshold_granularity=channel leak_granularity=channel", row[i].ops,
                      row[i].keys, &hk_surrogate_gaussian, NULL);
        small_layer(&s, &hk_layer_readout, "readout", "kind=count");
        small_loss(&s, &hk_loss_ce, NULL, STEP_MEAN);
        check(&s, VECTOR, 5, 5e-3);
    }
}

/* The membrane normed between the map and a smooth firing; on maps, with statistics of either kind. */
static void membrane_norm(void **state)
{
    (void)state;
    small s = { 0 };
    small_layer(&s, &hk_layer_conv2d, "conv1", "out=4 padding=1");
    lif(&s, "lif1", "membrane_norm=true leak_granularity=channel", "leak=0.6 threshold=0.6 convention=B");
    small_layer(&s, &hk_layer_conv2d, "conv2", "out=4 kernel=2 stride=2");
    small_spiking(&s, "plif", "membrane_norm=true norm_mode=eval", &hk_neuron_plif, "threshold=0.5",
                  &hk_surrogate_sigmoid, "slope=3");
    small_layer(&s, &hk_layer_flatten, "flat", NULL);
    head(&s, "kind=sum");
    small_loss(&s, &hk_loss_ce, NULL, STEP_MEAN);
    check(&s, IMAGE, 5, 3e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(membrane_norm),
        cmocka_unit_test(dense_net), cmocka_unit_test(conv_net), cmocka_unit_test(norm_of_spikes),
        cmocka_unit_test(attention),
        cmocka_unit_test(residual_net), cmocka_unit_test(float_branches), cmocka_unit_test(resets),
        cmocka_unit_test(neurons), cmocka_unit_test(synapses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
