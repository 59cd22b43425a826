/* SOLSA's rule: the search of update points on made-up records, updates within the sample, the early end
 * of a sample, refusals, and a net that learns order in time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"
#include "rule/points.h"

#define SUMMED ((hk_objective){ .when = HK_EACH_STEP })

/* ---- points ---------------------------------------------------------------------------------------- */

static void are(const hk_points *p, const int32_t *steps, int n)
{
    for (int32_t t = 1; t <= p->T; t++) {
        bool want = false;
        for (int k = 0; k < n; k++) want |= steps[k] == t;
        if (hk_points_has(p, t) != want) fail_msg("step %d: %s a point", (int)t, want ? "not" : "is");
    }
}

/* One epoch of three batches; a recording one adds record. */
static void epoch(hk_points *p, int32_t number, const float *record, bool recording)
{
    for (int batch = 0; batch < 3; batch++) {
        hk_points_begin(p, number);
        assert_int_equal(hk_points_recording(p), recording);
        for (int32_t t = 1; recording && t <= p->T; t++) p->record[t - 1] += record[t - 1];
    }
}

static void search(void **state)
{
    (void)state;
    enum { N = 4, T = 10 };
    float memory[2 + 2 * N + T] = { 0 };
    assert_int_equal(hk_points_floats(N, T), HK_COUNT(memory));
    hk_points p = hk_points_of(memory, N, T, 3);
    /* The largest of all, at the last step, is a point anyway. */
    static const float a[T] = { 1, 9, 2, 8, 3, 7, 1, 1, 1, 99 }, b[T] = { 5, 9, 5, 0, 0, 0, 0, 0, 0, 0 };
    static const float c[T] = { 0, 9, 0, 8, 0, 0, 4, 6, 0, 0 }, none[T] = { 0 };
    const int32_t first[] = { 10 };
    for (int e = 0; e < 2; e++) epoch(&p, e, none, false);
    are(&p, first, 1);
    epoch(&p, 2, a, true);
    are(&p, first, 1);                                       /* until the epoch is over */
    for (int e = 3; e < 5; e++) epoch(&p, e, none, false);
    const int32_t second[] = { 2, 4, 6, 10 };
    are(&p, second, 4);
    epoch(&p, 5, b, true);
    epoch(&p, 6, none, false);
    const int32_t third[] = { 1, 2, 3, 10 };                 /* 1 before 3: the earlier of equals */
    are(&p, third, 4);
    hk_points again = hk_points_of(memory, N, T, 3);         /* all of it is in the array */
    epoch(&again, 7, none, false);
    epoch(&again, 8, c, true);
    for (int e = 9; e < 40; e++) epoch(&p, e, none, false);
    const int32_t frozen[] = { 2, 1, 4, 10 };                /* the best new one of each record */
    are(&p, frozen, 4);
}

/* Fewer steps than points, one point, and a record of nothing. */
static void search_ends(void **state)
{
    (void)state;
    float memory[64] = { 0 };
    const int32_t all[] = { 1, 2, 3 }, last[] = { 3 };
    hk_points p = hk_points_of(memory, 3, 3, 1);
    const float none[3] = { 0 };
    for (int e = 0; e < 2; e++) epoch(&p, e, none, true);
    epoch(&p, 2, none, false);
    are(&p, all, 3);
    memset(memory, 0, sizeof memory);
    p = hk_points_of(memory, 1, 3, 1);
    for (int e = 0; e < 4; e++) epoch(&p, e, none, false);
    are(&p, last, 1);
}

/* ---- updates ---------------------------------------------------------------------------------------- */

static void layers(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_synapse, "syn1", NULL);
    small_layer(s, &hk_layer_dense, "fc1", "out=8 bias=false");
    spiking_layer(s, "lif1", NULL, neuron);
    small_layer(s, &hk_layer_synapse, "syn2", NULL);
    small_layer(s, &hk_layer_dense, "fc2", "out=3 bias=false");
    spiking_layer(s, "lif2", NULL, neuron);
    small_layer(s, &hk_layer_readout, "out", readout);
}

static const net_case CASE = { layers, "leak=0.5 convention=B reset_amount=0.5", "kind=count", { 1, 1, 5, false },
                               6, 4, { .when = HK_EACH_STEP }, false, 7 };

static small *start(const char *keys, float lr)
{
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    layers(s, CASE.neuron, CASE.readout);
    small_rule(s, &hk_rule_solsa, keys);
    small_loss(s, &hk_loss_mse, "form=mean", SUMMED);
    s->net_spec.optim = &hk_optim_sgd;
    s->net_spec.optim_cfg = small_cfg(s, &hk_optim_sgd.info, "momentum=0");
    small_open(s, CASE.in, CASE.T, CASE.batch);
    random_weights(s, CASE.seed);
    s->net.update.lr = lr;
    return s;
}

/* With steps so small that no later one notices, the weights move by the gradients of the points. */
static void updates_at_points(void **state)
{
    (void)state;
    const float lr = 1e-3f;
    small *s = start("points=3 period=1 early_stop=false", lr), *grad[6];
    float before[2][40], *state_of = s->net.rule_state;
    const hk_param *w = small_param(s, "fc1", "weight");
    assert_int_equal(w->n, HK_COUNT(before[0]));
    hk_points p = hk_points_of(state_of, 3, 6, 1);
    p.now[0] = 2;
    p.now[1] = 4;
    *p.epoch = 1;
    *p.rounds = 2;                       /* frozen */
    memcpy(before[0], w->w, sizeof before[0]);
    random_run(s, &CASE);
    assert_int_equal(s->net.updates, 3);
    memset(before[1], 0, sizeof before[1]);
    /* the gradient of step t: that of T = t less that of T = t - 1, all steps summed */
    for (int t = 1; t <= 6; t++) {
        const net_case c = { layers, CASE.neuron, CASE.readout, CASE.in, t, 4, SUMMED, false, 7 };
        grad[t - 1] = calloc(1, sizeof *grad[0]);
        layers(grad[t - 1], c.neuron, c.readout);
        small_rule(grad[t - 1], &hk_rule_solsa, "points=0");
        small_loss(grad[t - 1], &hk_loss_mse, "form=mean", SUMMED);
        small_open(grad[t - 1], c.in, t, 4);
        random_weights(grad[t - 1], 7);
        random_run(grad[t - 1], &c);
        const float *g = small_param(grad[t - 1], "fc1", "weight")->g;
        const float *old = t > 1 ? small_param(grad[t - 2], "fc1", "weight")->g : NULL;
        for (size_t i = 0; i < w->n && (t == 2 || t == 4 || t == 6); i++)
            before[1][i] += g[i] - (old ? old[i] : 0);
    }
    double moved[40];
    float got[40];
    for (size_t i = 0; i < w->n; i++) {
        got[i] = (before[0][i] - w->w[i]) / lr;
        moved[i] = (double)before[1][i];
    }
    assert_true(largest(w->n, got) > 1e-3);
    assert_near(got, moved, w->n, 0.03);
    for (int t = 0; t < 6; t++) random_close(grad[t]);
    random_close(s);
}

/* Samples of unequal length: the last step of the longest is the last point. */
static void ragged(void **state)
{
    (void)state;
    static const int32_t length[] = { 4, 3, 2, 4 };
    small *s = start("points=2 period=100", 0.1f);
    float before[40];
    float *x = random_input(&CASE, CASE.seed);
    hk_param *w = small_param(s, "fc1", "weight");
    memcpy(before, w->w, sizeof before);
    s->x = x;
    const hk_batch b = { .n = 4, .frame = small_frame, .self = s, .label = random_labels(), .length = length };
    hk_result r;
    hk_error e;
    assert_int_equal(hk_net_learn(&s->net, &b, &r, &e), HK_OK);
    assert_int_equal(s->net.steps, 4);
    assert_int_equal(s->net.updates, 1);
    assert_int_equal(r.seen, 4);
    assert_true(memcmp(before, w->w, sizeof before) != 0);
    free(x);
    random_close(s);
}

/* A recording epoch notes every step and changes no weight by it. */
static void recording(void **state)
{
    (void)state;
    small *plain = start("points=2 period=100", 0.1f), *noting = start("points=2 period=1", 0.1f);
    random_run(plain, &CASE);
    random_run(noting, &CASE);
    assert_int_equal(noting->net.updates, 1);
    assert_memory_equal(plain->region[HK_R_PARAM], noting->region[HK_R_PARAM], plain->net.bytes[HK_R_PARAM]);
    const hk_points p = hk_points_of(noting->net.rule_state, 2, 6, 1);
    float most = 0;
    for (int t = 0; t < 6; t++) most = fmaxf(most, p.record[t]);
    assert_true(most > 1e-3f);
    random_close(plain);
    random_close(noting);
}

/* ---- the early end ------------------------------------------------------------------------------------ */

typedef struct counter { hk_batch batch; small *s; int frames; } counter;

static const void *counted(void *self, int t)
{
    counter *c = self;
    c->frames++;
    return small_frame(c->s, t);
}

/* Frames that one batch of an epoch reads; the net fires at one output alone, or at two. */
static int frames_read(const char *keys, int epoch, bool wrong)
{
    small *s = start(keys, 0);
    float w1[40], w2[24], x[6 * 4 * 5];
    for (int i = 0; i < 40; i++) w1[i] = 1;
    for (int i = 0; i < 24; i++) w2[i] = i < 8 ? 1 : -1;     /* only output 0 fires */
    for (int i = 0; i < HK_COUNT(x); i++) x[i] = 1;
    small_set(s, "fc1", "weight", w1);
    small_set(s, "fc2", "weight", w2);
    const int32_t label[] = { 0, 0, 0, wrong ? 1 : 0 };
    counter c = { { .n = 4, .frame = counted, .label = label }, s, 0 };
    c.batch.self = &c;
    s->x = x;
    hk_points p = hk_points_of(s->net.rule_state, 4, 6, 1);
    for (int k = 0; k < 3; k++) p.now[k] = (float)(k + 1);   /* 1, 2, 3 and 6 */
    *p.rounds = 3;
    *p.epoch = (float)(epoch + 1);
    s->net.update.epoch = epoch;
    hk_result r;
    hk_error e;
    assert_int_equal(hk_net_learn(&s->net, &c.batch, &r, &e), HK_OK);
    assert_int_equal(r.seen, 4);
    assert_int_equal(r.correct, wrong ? 3 : 4);
    assert_int_equal(s->net.steps, c.frames);
    random_close(s);
    return c.frames;
}

static void early_end(void **state)
{
    (void)state;
    assert_int_equal(frames_read("points=4 period=1", 4, false), 2);      /* sure at two points of four */
    assert_int_equal(frames_read("points=4 period=1", 3, false), 6);      /* not before period * points */
    assert_int_equal(frames_read("points=4 period=1", 4, true), 6);       /* 3 of 4 are right */
    assert_int_equal(frames_read("points=4 period=1 early_stop=false", 4, false), 6);
    assert_int_equal(frames_read("points=4 period=1 compat=true", 4, false), 6);
}

/* ---- refusals --------------------------------------------------------------------------------------- */

static void conv_net(small *s, const char *keys)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=2 padding=1");
    spiking_layer(s, "lif1", NULL, keys);
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "out", NULL);
}

static void norm_net(small *s, const char *keys)
{
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "fc1", "out=3");
    small_layer(s, &hk_layer_batchnorm, "bn1", NULL);
    spiking_layer(s, "lif1", NULL, keys);
    small_layer(s, &hk_layer_readout, "out", "kind=count");
}

static void drop_net(small *s, const char *keys)
{
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_synapse, "syn", NULL);
    small_layer(s, &hk_layer_dropout, "drop", NULL);
    small_layer(s, &hk_layer_dense, "fc1", "out=3");
    spiking_layer(s, "lif1", NULL, keys);
    small_layer(s, &hk_layer_readout, "out", "kind=count");
}

static void flat_net(small *s, const char *keys)
{
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "fc1", "out=3");
    spiking_layer(s, "lif1", NULL, NULL);
    small_layer(s, &hk_layer_readout, "out", keys);
}

static void normed_spikes(small *s, const char *keys)
{
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_batchnorm, "bn1", NULL);
    small_layer(s, &hk_layer_dense, "fc1", "out=3");
    spiking_layer(s, "lif1", NULL, keys);
    small_layer(s, &hk_layer_readout, "out", "kind=count");
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        void (*layers)(small *, const char *);
        const char *keys;
        const hk_rule_ops *rule;
        const char *rule_keys;
        int32_t when;
        hk_status status;
        const char *words[4];
    } rows[] = {
        { conv_net, NULL, &hk_rule_solsa, "points=0", HK_EACH_STEP, HK_E_UNSUP,
          { "'solsa'", "'conv1'", "one per weight and position", "ottt_a" } },
        { conv_net, NULL, &hk_rule_stop, "weight_trace=synapse", HK_EACH_STEP, HK_E_UNSUP, { "'stop'", "'conv1'" } },
        { norm_net, NULL, &hk_rule_solsa, "points=0", HK_EACH_STEP, HK_E_UNSUP, { "'fc1'", "'lif1'", "'bn1'" } },
        { drop_net, NULL, &hk_rule_solsa, "points=0", HK_EACH_STEP, HK_E_UNSUP, { "'syn'", "'drop'", "directly" } },
        { normed_spikes, NULL, &hk_rule_ottt_a, "weight_trace=synapse bn_trace=exact", HK_EACH_STEP, HK_E_UNSUP,
          { "'bn1'", "bn_trace: plain" } },
        { normed_spikes, NULL, &hk_rule_solsa, "points=0", HK_EACH_STEP, HK_OK, { NULL } },
        { flat_net, "kind=count", &hk_rule_solsa, "points=9", HK_EACH_STEP, HK_E_ARG, { "points is 9", "T = 5" } },
        { flat_net, "kind=count", &hk_rule_solsa, "points=2", HK_FINAL, HK_E_UNSUP, { "loss.when: step" } },
        { flat_net, "kind=leaky", &hk_rule_solsa, "points=2", HK_EACH_STEP, HK_E_UNSUP, { "early_stop", "'out'" } },
        { flat_net, "kind=leaky", &hk_rule_solsa, "points=2 early_stop=false", HK_EACH_STEP, HK_OK, { NULL } },
        { flat_net, "kind=leaky", &hk_rule_solsa, "points=0", HK_FINAL, HK_OK, { NULL } },
        { flat_net, "kind=count", &hk_rule_solsa, "points=0", HK_FINAL, HK_E_UNSUP, { "'solsa'", "final loss" } },
    };
    for (int i = 0; i < HK_COUNT(rows); i++) {
        small s = { 0 };
        hk_error e = { 0 };
        rows[i].layers(&s, rows[i].keys);
        small_rule(&s, rows[i].rule, rows[i].rule_keys);
        small_loss(&s, &hk_loss_ce, NULL, (hk_objective){ .when = rows[i].when });
        if (small_build(&s, (hk_shape){ 4, 4, 2, false }, 5, 2, &e) != rows[i].status)
            fail_msg("row %d: %s", i, e.text);
        for (int k = 0; k < 4 && rows[i].words[k]; k++)
            if (!strstr(e.text, rows[i].words[k])) fail_msg("row %d: no %s in: %s", i, rows[i].words[k], e.text);
        small_close(&s);
    }
    small *s = start("points=2", 0.1f);
    hk_error e;
    const int32_t label[4] = { 0, 1, 2, 0 };
    const hk_batch b = { .n = 4, .frame = small_frame, .self = s, .label = label };
    s->net.update.accumulate = 2;
    assert_int_equal(hk_net_learn(&s->net, &b, NULL, &e), HK_E_UNSUP);
    random_close(s);
}

/* ---- learning ---------------------------------------------------------------------------------------- */

enum { LONG = 24, MANY = 16 };

/* Two pulses on two lines: which came first is the class, so counts alone say nothing. */
static void order_task(float *x, int32_t *label, uint64_t seed)
{
    memset(x, 0, (size_t)LONG * MANY * 2 * sizeof *x);
    for (int b = 0; b < MANY; b++) {
        label[b] = (int32_t)hk_rng_below((hk_rng){ seed, 1 }, (uint64_t)b, 2);
        for (int k = 0; k < 2; k++) {
            const int line = label[b] ? 1 - k : k;
            const int at = 12 * k + (int)hk_rng_below((hk_rng){ seed, 2 }, (uint64_t)(2 * b + k), 4);
            for (int t = at; t < at + 5; t++) x[(t * MANY + b) * 2 + line] = 1;
        }
    }
}

static double accuracy(const char *rule_keys)
{
    small s = { 0 };
    static const char *const neuron = "leak=0.9 convention=B reset_amount=0.5 threshold=1";
    small_layer(&s, &hk_layer_synapse, "syn1", "granularity=neuron");
    small_layer(&s, &hk_layer_dense, "fc1", "out=24");
    small_spiking(&s, "lif1", "compare=>", &hk_neuron_lif, neuron, &hk_surrogate_gaussian, NULL);
    small_layer(&s, &hk_layer_synapse, "syn2", NULL);
    small_layer(&s, &hk_layer_dense, "fc2", "out=24");
    small_spiking(&s, "lif2", "compare=>", &hk_neuron_lif, neuron, &hk_surrogate_gaussian, NULL);
    small_layer(&s, &hk_layer_synapse, "syn3", NULL);
    small_layer(&s, &hk_layer_dense, "fc3", "out=2");
    small_spiking(&s, "lif3", "compare=>", &hk_neuron_lif, neuron, &hk_surrogate_gaussian, NULL);
    small_layer(&s, &hk_layer_readout, "out", "kind=count");
    small_rule(&s, &hk_rule_solsa, rule_keys);
    small_loss(&s, &hk_loss_mse, "form=mean", SUMMED);
    s.net_spec.optim = &hk_optim_rmsprop;
    s.net_spec.optim_cfg = small_cfg(&s, &hk_optim_rmsprop.info, NULL);
    s.net_spec.seed = 3;
    small_open(&s, (hk_shape){ 1, 1, 2, false }, LONG, MANY);
    s.net.update.lr = 1e-3f;
    float x[LONG * MANY * 2];
    int32_t label[MANY];
    int64_t correct = 0;
    for (int k = 0; k < 320; k++) {
        order_task(x, label, 100 + (uint64_t)k);
        s.net.update.epoch = k / 20;
        const hk_result r = small_run(&s, x, label, NULL);
        if (k >= 300) correct += r.correct;
    }
    small_close(&s);
    return (double)correct / (20 * MANY);
}

static void learns(void **state)
{
    (void)state;
    const double whole = accuracy("points=0"), points = accuracy("points=4 early_stop=false");
    fprintf(stderr, "order task: %.3f with all steps, %.3f with 4 points\n", whole, points);
    assert_true(whole > 0.9);
    assert_true(points > 0.8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search), cmocka_unit_test(search_ends), cmocka_unit_test(updates_at_points),
        cmocka_unit_test(ragged), cmocka_unit_test(recording), cmocka_unit_test(early_end), cmocka_unit_test(refusals),
        cmocka_unit_test(learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
