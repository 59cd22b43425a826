/* Batch norm of the membrane: gradients against central differences of the equations, written again in
 * double, with the carry from step to step live, its reset held, or held altogether; the published
 * numbers and the folded form; running statistics; lengths; what is refused.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random_net.h"

#include "layer/membrane_norm.h"

enum { T = 5, B = 4, IN = 3, W = 4, LAYERS = 2, KINDS = 10, VALUES = 16 };
enum { WEIGHT, BIAS, LEAK, THETA, ALPHA, BETA, GAMMA, SHIFT, MEAN, VAR };

static const char *const NAME[KINDS] = { "weight", "bias", "leak", "threshold", "norm_alpha", "norm_beta",
                                         "norm_weight", "norm_bias", "norm_mean", "norm_var" };
static const int32_t FULL[B] = { T, T, T, T }, SHORT[B] = { 5, 2, 3, 4 };

/* ---- the equations, in double ----------------------------------------------------------------------- */

typedef struct model {
    double p[LAYERS][KINDS][VALUES];
    double u[T + 1][LAYERS][B][W], s[T + 1][LAYERS][B][W];        /* of the last run */
    double mean[T + 1][LAYERS][W], var[T + 1][LAYERS][W], n[T + 1];
    bool   train;
    int32_t length[B];
} model;

/* Which part of the step before is a constant: nothing, its spike in the reset, or all of it at the first
 * step of a window of `window` steps, or at step `at`; only: the loss of that step alone. */
typedef struct hold { bool spike; int window, at, only; } hold;

static float frame[T][B][IN], target[T][B][W];

static bool constant(const hold *h, int t) { return (h->window && (t - 1) % h->window == 0) || h->at == t; }

static void norm(model *m, int l, int t, double v[B][W])
{
    const double (*p)[VALUES] = (const double (*)[VALUES])m->p[l];
    for (int k = 0; k < W; k++) {
        double mean = 0, var = 0, n = 0;
        for (int b = 0; b < B; b++)
            if (t <= m->length[b]) mean += v[b][k], n++;
        mean /= n;
        for (int b = 0; b < B; b++)
            if (t <= m->length[b]) var += (v[b][k] - mean) * (v[b][k] - mean);
        var /= n;
        m->n[t] = n;
        m->mean[t][l][k] = mean;
        m->var[t][l][k] = var;
        if (!m->train) mean = p[MEAN][k], var = p[VAR][k];
        for (int b = 0; b < B; b++) {
            const double xhat = (v[b][k] - mean) / sqrt(var + 1e-5);
            v[b][k] = p[ALPHA][0] * v[b][k] + p[BETA][0] * (p[GAMMA][k] * xhat + p[SHIFT][k]);
        }
    }
}

/* Loss; `held` has what is constant. out, if given, gets the sum of the outputs over time. */
static double run_model(model *m, const hold *h, const model *held, double out[B][W])
{
    double loss = 0;
    memset(m->u[0], 0, sizeof m->u[0]);
    memset(m->s[0], 0, sizeof m->s[0]);
    for (int t = 1; t <= T; t++) {
        const double *below[B];
        double x[B][IN];
        for (int b = 0; b < B; b++) {
            for (int i = 0; i < IN; i++) x[b][i] = (double)frame[t - 1][b][i];
            below[b] = x[b];
        }
        for (int l = 0; l < LAYERS; l++) {
            const int n_in = l ? W : IN;
            const double (*p)[VALUES] = (const double (*)[VALUES])m->p[l];
            for (int b = 0; b < B; b++)
                for (int k = 0; k < W; k++) {
                    const model *u = constant(h, t) ? held : m, *s = constant(h, t) || h->spike ? held : m;
                    double v = p[LEAK][0] * (u->u[t - 1][l][b][k] - s->s[t - 1][l][b][k]) + p[BIAS][k];
                    for (int i = 0; i < n_in; i++) v += p[WEIGHT][k * n_in + i] * below[b][i];
                    m->u[t][l][b][k] = v;
                }
            norm(m, l, t, m->u[t][l]);
            for (int b = 0; b < B; b++) {
                for (int k = 0; k < W; k++)
                    m->s[t][l][b][k] = t <= m->length[b] ? fmax(m->u[t][l][b][k] - p[THETA][0], 0) : 0;
                below[b] = m->s[t][l][b];
            }
        }
        for (int b = 0; b < B; b++)
            for (int k = 0; k < W && t <= m->length[b]; k++) {
                const double d = below[b][k] - (double)target[t - 1][b][k];
                if (!h->only || h->only == t) loss += d * d / 2 / B;
                if (out) out[b][k] += below[b][k];
            }
    }
    return loss;
}

static int values_of(int l, int kind)
{
    if (kind == WEIGHT) return (l ? W : IN) * W;
    return kind == BIAS || kind >= GAMMA ? W : 1;
}

/* A difference in double: the map is piecewise smooth, a kink within 1e-6 would show as a failure. */
static double difference(model *m, const hold *h, const model *held, int l, int kind, int k)
{
    const double d = 1e-6, kept = m->p[l][kind][k];
    m->p[l][kind][k] = kept + d;
    const double more = run_model(m, h, held, NULL);
    m->p[l][kind][k] = kept - d;
    const double less = run_model(m, h, held, NULL);
    m->p[l][kind][k] = kept;
    return (more - less) / (2 * d);
}

/* ---- the net ------------------------------------------------------------------------------------------ */

static const char *layer_of(int l, int kind)
{
    static const char *const name[LAYERS][2] = { { "fc1", "n1" }, { "fc2", "n2" } };
    return name[l][kind > BIAS];
}

static void two_layers(small *s, const char *layer, const char *readout)
{
    for (int l = 0; l < LAYERS; l++) {
        small_layer(s, &hk_layer_dense, layer_of(l, WEIGHT), "out=4");
        small_spiking(s, layer_of(l, LEAK), layer, &hk_neuron_empf, NULL, &hk_surrogate_triangle, NULL);
    }
    small_layer(s, &hk_layer_readout, "out", readout);
}

static float first_value(int l, int kind, int k)
{
    const float v = random_at(5, (uint64_t)(l * KINDS + kind), (uint64_t)k, -1, 1);
    static const float middle[KINDS] = { 0, .1f, .6f, .25f, .9f, .4f, 1, 0, .2f, .7f };
    static const float spread[KINDS] = { 1, .3f, .1f, .05f, .2f, .1f, .3f, .3f, .3f, .3f };
    return middle[kind] + spread[kind] * v;
}

/* Net and model with the same values; those of every step are equal. */
static small *open_net(model *m, const hk_rule_ops *rule, const char *keys, const char *layer)
{
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    memset(m, 0, sizeof *m);
    two_layers(s, layer, "kind=sum");
    small_rule(s, rule, keys);
    small_loss(s, &hk_loss_mse, "form=half_sum", (hk_objective){ .when = HK_EACH_STEP });
    small_open(s, (hk_shape){ 1, 1, IN, false }, T, B);
    for (int l = 0; l < LAYERS; l++)
        for (int kind = 0; kind < KINDS; kind++) {
            float file[T * VALUES];
            const size_t n = (size_t)values_of(l, kind), all = small_param(s, layer_of(l, kind), NAME[kind])->n;
            assert_true(all == n || all == n * T);
            for (size_t k = 0; k < all; k++) {
                file[k] = first_value(l, kind, (int)(k % n));
                m->p[l][kind][k % n] = (double)file[k];
            }
            small_set(s, layer_of(l, kind), NAME[kind], file);
        }
    learn_all(s);
    m->train = !strstr(layer, "eval");
    for (int t = 0; t < T; t++)
        for (int b = 0; b < B; b++) {
            for (int i = 0; i < IN; i++) frame[t][b][i] = random_at(6, (uint64_t)t, (uint64_t)(b * IN + i), -1, 1.5f);
            for (int k = 0; k < W; k++) target[t][b][k] = random_at(7, (uint64_t)t, (uint64_t)(b * W + k), 0, 1);
        }
    return s;
}

static hk_result learn(small *s, const int32_t *length)
{
    hk_result out;
    hk_error e;
    s->x = &frame[0][0][0];
    s->batch = (hk_batch){ .n = B, .frame = small_frame, .self = s, .target = &target[0][0][0],
                           .length = length == FULL ? NULL : length };
    memset(s->region[HK_R_GRAD], 0, s->net.bytes[HK_R_GRAD]);
    if (hk_net_learn(&s->net, &s->batch, &out, &e)) fail_msg("%s", e.text);
    return out;
}

typedef struct row {
    const hk_rule_ops *rule;
    const char        *keys, *layer;
    hold               hold;
    bool               sliding;          /* the sum over t of what step t says, back to hold.window */
    bool               neurons;
} row;

static void check(const row *r, const char *mode, const int32_t *length)
{
    char layer[96];
    static model m, held;
    hk_format(layer, sizeof layer, "membrane_norm=true norm_mode=%s %s", mode, r->layer);
    small *s = open_net(&m, r->rule, r->keys, layer);
    memcpy(m.length, length, sizeof m.length);
    const double want_loss = run_model(&m, &(hold){ 0 }, NULL, NULL);
    held = m;
    const double got_loss = learn(s, length).loss;
    if (fabs(got_loss - want_loss) > 1e-5 * want_loss) fail_msg("loss %g, expected %g", got_loss, want_loss);
    for (int l = 0; l < LAYERS; l++)
        for (int kind = 0; kind < MEAN; kind++) {
            if ((kind == LEAK || kind == THETA) && !r->neurons) continue;
            const size_t n = (size_t)values_of(l, kind);
            const hk_param *p = small_param(s, layer_of(l, kind), NAME[kind]);
            float file[T * VALUES], sum[VALUES] = { 0 };
            double want[VALUES];
            hk_param_get(p, p->g, file);
            for (size_t k = 0; k < p->n; k++) sum[k % n] += file[k];
            for (size_t k = 0; k < n; k++) {
                want[k] = 0;
                for (int t = 1; t <= T && r->sliding; t++) {
                    const int first = t - r->hold.window + 1;
                    const hold at = { r->hold.spike, 0, first > 1 ? first : 1, t };
                    want[k] += difference(&m, &at, &held, l, kind, (int)k);
                }
                if (!r->sliding) want[k] = difference(&m, &r->hold, &held, l, kind, (int)k);
            }
            for (size_t k = 0; k < n; k++)
                if (!(fabs((double)sum[k] - want[k]) <= 2e-5 * (1 + fabs(want[k]))))
                    fail_msg("%s %s, %s.%s[%zu]: got %.8g, expected %.8g", r->rule->info.name, layer, p->layer,
                             p->name, k, (double)sum[k], want[k]);
        }
    random_close(s);
}

static const row ROWS[] = {
    { &hk_rule_bptt, "reset_grad=kept", "", { 0 }, false, true },
    { &hk_rule_bptt, "reset_grad=detached", "", { .spike = true }, false, true },
    { &hk_rule_bptt, "reset_grad=kept order=layer", "per_step=true", { 0 }, false, true },
    { &hk_rule_bptt, "reset_grad=kept window_kind=chunk window=2", "", { .window = 2 }, false, true },
    { &hk_rule_bptt, "reset_grad=kept window_kind=sliding window=2", "", { .window = 2 }, true, true },
    { &hk_rule_sltt, NULL, "", { .window = 1 }, false, false },
    { &hk_rule_ottt_a, "weight_trace=none", "", { .window = 1 }, false, false },
    { &hk_rule_stop, "weight_trace=none", "per_step=true", { .window = 1 }, false, true },
    { &hk_rule_stop, "weight_trace=none T=false L=false", "", { .window = 1 }, false, false },
};

static void gradients(void **state)
{
    (void)state;
    for (int i = 0; i < HK_COUNT(ROWS); i++)
        for (int k = 0; k < 4; k++) check(&ROWS[i], k & 1 ? "eval" : "train", k & 2 ? SHORT : FULL);
}

/* Without recurrence nothing is left out: all rules, all traces, are exact. */
static void without_recurrence(void **state)
{
    (void)state;
    static const char *const keys[] = { "weight_trace=shared", "weight_trace=synapse", "weight_trace=none" };
    for (int i = 0; i < HK_COUNT(keys); i++) {
        const net_case c = { two_layers, "membrane_norm=true recurrent=false", "kind=sum", { 1, 1, 5, false }, 4,
                             6, EACH_STEP, false, 31 };
        small *truth = random_gradients(&c, &hk_rule_bptt, "reset_grad=kept");
        small *stop = random_gradients(&c, &hk_rule_stop, keys[i]);
        for (int l = 0; l < LAYERS; l++)
            for (int kind = 0; kind < MEAN; kind++)
                if (kind != LEAK) same_gradient(truth, stop, layer_of(l, kind), NAME[kind], 2e-5);
        random_close(truth);
        random_close(stop);
    }
}

/* ---- statistics ----------------------------------------------------------------------------------------- */

static void move(double *v, double share, double to) { *v = (1 - share) * *v + share * to; }

static void running(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        const bool each = i & 1;
        const int32_t *length = i & 2 ? SHORT : FULL;
        model m;
        small *s = open_net(&m, &hk_rule_sltt, NULL, each ? "membrane_norm=true norm_momentum=0.3 per_step=true"
                                                          : "membrane_norm=true norm_momentum=0.3");
        memcpy(m.length, length, sizeof m.length);
        run_model(&m, &(hold){ 0 }, NULL, NULL);
        learn(s, length);
        for (int l = 0; l < LAYERS; l++)
            for (int k = 0; k < W; k++) {
                double mean = m.p[l][MEAN][k], var = m.p[l][VAR][k];
                for (int t = 1; t <= T; t++) {
                    const double n = m.n[t];
                    if (each) mean = m.p[l][MEAN][k], var = m.p[l][VAR][k];
                    move(&mean, 0.3f, m.mean[t][l][k]);
                    move(&var, 0.3f, n > 1 ? m.var[t][l][k] * n / (n - 1) : m.var[t][l][k]);
                    const int at = each ? (t - 1) * W + k : k;
                    if (!each && t < T) continue;
                    const double got[] = { (double)small_param(s, layer_of(l, MEAN), "norm_mean")->w[at],
                                           (double)small_param(s, layer_of(l, VAR), "norm_var")->w[at] };
                    assert_true(fabs(got[0] - mean) < 1e-5 && fabs(got[1] - var) < 1e-5);
                }
            }
        random_close(s);
    }
}

/* A net that learns with the statistics of the instant is run with the running ones. */
static void inference(void **state)
{
    (void)state;
    model m;
    hk_error e;
    double want[B][W] = { { 0 } };
    small *s = open_net(&m, &hk_rule_sltt, NULL, "membrane_norm=true");
    memcpy(m.length, FULL, sizeof m.length);
    m.train = false;
    run_model(&m, &(hold){ 0 }, NULL, want);
    s->x = &frame[0][0][0];
    s->batch = (hk_batch){ .n = B, .frame = small_frame, .self = s };
    if (hk_net_infer(&s->net, &s->batch, NULL, &e)) fail_msg("%s", e.text);
    assert_near(hk_net_output(&s->net), &want[0][0], B * W, 1e-5);
    random_close(s);
}

/* What stands behind a sample's end, or in a sample that is padding, is in nothing. */
static void unseen(void **state)
{
    (void)state;
    model m;
    for (int i = 0; i < 2; i++) {
        small *net[2];
        for (int k = 0; k < 2; k++) {
            net[k] = open_net(&m, &hk_rule_bptt, NULL, "membrane_norm=true");
            for (int t = 0; t < T && k; t++)
                for (int b = 0; b < B; b++)
                    if (i ? b == B - 1 : t >= SHORT[b]) frame[t][b][0] = target[t][b][0] = 99;
            hk_error e;
            small *s = net[k];
            s->x = &frame[0][0][0];
            s->batch = (hk_batch){ .n = i ? B - 1 : B, .frame = small_frame, .self = s,
                                   .target = &target[0][0][0], .length = i ? NULL : SHORT };
            memset(s->region[HK_R_GRAD], 0, s->net.bytes[HK_R_GRAD]);
            if (hk_net_learn(&s->net, &s->batch, NULL, &e)) fail_msg("%s", e.text);
        }
        same_gradients(net[0], net[1], true, 0);
        for (int k = 0; k < 2; k++) random_close(net[k]);
    }
}

/* Shards in another order, by two workers in turn. */
static void two_workers(void *self, int n, void (*body)(void *, int, int), void *arg)
{
    (void)self;
    for (int i = n - 1; i >= 0; i--) body(arg, i, i % 2);
}

static void workers(void **state)
{
    (void)state;
    static const struct { const hk_rule_ops *rule; const char *keys; } rows[] = {
        { &hk_rule_bptt, "reset_grad=kept" }, { &hk_rule_sltt, NULL },
    };
    hk_kernels two = hk_kernels_ref;
    two.workers = 2;
    two.parallel = two_workers;
    for (int i = 0; i < HK_COUNT(rows); i++) {
        small *net[2];
        const net_case c = { two_layers, "membrane_norm=true", "kind=sum", { 1, 1, 5, false }, 4, 7, EACH_STEP,
                             false, 32 };
        for (int k = 0; k < 2; k++) {
            small *s = net[k] = calloc(1, sizeof *s);
            assert_non_null(s);
            two_layers(s, c.neuron, c.readout);
            small_rule(s, rows[i].rule, rows[i].keys);
            small_loss(s, &hk_loss_ce, NULL, c.objective);
            if (k) s->net_spec.kernels = &two;
            small_open(s, c.in, c.T, c.batch);
            random_weights(s, c.seed);
            learn_all(s);
            random_run(s, &c);
        }
        for (int k = 0; k < net[0]->net.n_param; k++) {
            const hk_param *p = &net[0]->param[k], *q = &net[1]->param[k];
            assert_memory_equal(p->w, q->w, p->n * sizeof(float));
            if (p->g) assert_memory_equal(p->g, q->g, p->n * sizeof(float));
        }
        for (int k = 0; k < 2; k++) random_close(net[k]);
    }
}

/* ---- folding --------------------------------------------------------------------------------------------- */

static const float CURRENT[T] = { .3f, .6f, .1f, .9f, .2f }, LEAKS[T] = { .5f, .6f, .4f, .5f, .7f };
static const float THETAS[T] = { .5f, .45f, .5f, .4f, .5f };
static const double SPIKES[T] = { 0, .686112, 0, 1.313584, .1012 };

static void look(void *self, hk_net *net, int t, hk_event what)
{
    if (what == HK_AFTER_FORWARD) ((double *)self)[t - 1] = (double)*(const float *)hk_slot(&net->readout->y, t);
}

/* One neuron with parameters of every step, as it is or folded by hand. */
static void one_neuron(small *s, const char *layer, const float *leak, const float *x, double *out)
{
    small_layer(s, &hk_layer_dense, "fc", "out=1 bias=false");
    small_spiking(s, "n", layer, &hk_neuron_empf, NULL, &hk_surrogate_triangle, NULL);
    small_layer(s, &hk_layer_readout, "out", "kind=sum");
    small_rule(s, &hk_rule_sltt, NULL);
    small_loss(s, &hk_loss_mse, NULL, (hk_objective){ .when = HK_EACH_STEP });
    small_open(s, (hk_shape){ 1, 1, 1, false }, T, 1);
    static const struct { const char *name; float v; } norms[] = {
        { "norm_alpha", .8f }, { "norm_beta", .3f }, { "norm_weight", 1.2f }, { "norm_bias", .1f },
        { "norm_mean", .35f }, { "norm_var", .0625f },
    };
    for (int i = 0; i < HK_COUNT(norms) && strstr(layer, "membrane_norm"); i++)
        small_set(s, "n", norms[i].name, (const float[T]){ norms[i].v, norms[i].v, norms[i].v, norms[i].v, norms[i].v });
    small_set(s, "fc", "weight", (const float[]){ 1 });
    small_set(s, "n", "leak", leak);
    small_set(s, "n", "threshold", THETAS);
    hk_error e;
    s->net.watch = look;
    s->net.watch_self = out;
    s->x = x;
    s->batch = (hk_batch){ .n = 1, .frame = small_frame, .self = s };
    if (hk_net_infer(&s->net, &s->batch, NULL, &e)) fail_msg("%s", e.text);
}

static void folded(void **state)
{
    (void)state;
    double out[T], a, b;
    small s = { 0 }, plain = { 0 };
    one_neuron(&s, "per_step=true membrane_norm=true norm_eps=1e-12", LEAKS, CURRENT, out);
    for (int t = 0; t < T; t++) assert_true(fabs(out[t] - SPIKES[t]) < 1e-6);
    hk_membrane_norm_fold(&s.net.node[1], 0, &a, &b);
    assert_true(fabs(a - 2.24) < 1e-6 && fabs(b + .474) < 1e-6);
    float leak[T], x[T];
    for (int t = 0; t < T; t++) {
        leak[t] = (float)(a * (double)LEAKS[t]);
        x[t] = (float)(a * (double)CURRENT[t] + b);
    }
    one_neuron(&plain, "per_step=true", leak, x, out);
    for (int t = 0; t < T; t++) assert_true(fabs(out[t] - SPIKES[t]) < 1e-6);
    small_close(&s);
    small_close(&plain);
}

/* alpha = 1, beta = 0 at first: the layer without the norm, spikes and gradients. */
static void starts_as_nothing(void **state)
{
    (void)state;
    net_case c = { two_layers, NULL, "kind=sum", { 1, 1, 5, false }, 5, 6, EACH_STEP, false, 33 };
    small *net[2];
    for (int k = 0; k < 2; k++) {
        c.neuron = k ? "membrane_norm=true" : NULL;
        net[k] = random_net(&c, &hk_rule_bptt, "reset_grad=kept");
        hk_param_put(small_param(net[k], "fc1", "weight"), (const float[20]){ 1, -1, 1, .5f, 2, 1, 1, -.5f },
                     small_param(net[k], "fc1", "weight")->w);
        for (int i = 0; i < 16; i++) small_param(net[k], "fc2", "weight")->w[i] = random_at(3, 1, (uint64_t)i, -1, 1);
        for (int i = 0; i < 4; i++)
            small_param(net[k], "fc1", "bias")->w[i] = small_param(net[k], "fc2", "bias")->w[i] = .3f;
        for (int l = 1; k && l < 4; l += 2) hk_membrane_norm_init(&net[k]->net.node[l]);
        hk_net_prepare(&net[k]->net);
        random_run(net[k], &c);
    }
    same_gradient(net[0], net[1], "fc1", "weight", 1e-6);
    same_gradient(net[0], net[1], "fc2", "weight", 1e-6);
    same_gradient(net[0], net[1], "n1", "threshold", 1e-6);
    same_gradient(net[0], net[1], "n2", "leak", 1e-6);
    assert_true(largest(1, small_param(net[1], "n1", "norm_beta")->g) > 1e-4);
    for (int k = 0; k < 2; k++) random_close(net[k]);
}

/* ---- what is refused --------------------------------------------------------------------------------------- */

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const hk_rule_ops *rule;
        const char *keys, *layer;
        const hk_neuron_ops *neuron;
        hk_status status;
        const char *words[3];
    } rows[] = {
        { &hk_rule_ottt_a, NULL, "", &hk_neuron_empf, HK_E_UNSUP, { "'ottt_a'", "'n'", "membrane_norm" } },
        { &hk_rule_stop, NULL, "norm_mode=eval", &hk_neuron_lif, HK_E_UNSUP, { "'stop'", "'n'", "weight trace" } },
        { &hk_rule_stop, "weight_trace=synapse", "", &hk_neuron_lif, HK_E_UNSUP, { "'stop'", "'n'", "weight trace" } },
        { &hk_rule_solsa, NULL, "", &hk_neuron_lif, HK_E_UNSUP, { "'solsa'", "'n'", "membrane_norm" } },
        { &hk_rule_stop, "W=false", "", &hk_neuron_lif, HK_E_UNSUP, { "'stop'", "'n.threshold'", "membrane norm" } },
        { &hk_rule_stop, "W=false T=false", "", &hk_neuron_lif, HK_E_UNSUP, { "'stop'", "'n.leak'", "L: false" } },
        { &hk_rule_stop, "W=false", "per_step=true", &hk_neuron_lif, HK_OK, { NULL } },
        { &hk_rule_stop, "W=false", "recurrent=false", &hk_neuron_lif, HK_OK, { NULL } },
        { &hk_rule_solsa, NULL, "recurrent=false", &hk_neuron_lif, HK_OK, { NULL } },
        { &hk_rule_bptt, NULL, "", &hk_neuron_clif, HK_E_UNSUP, { "'n'", "one state", "'clif' with 2" } },
        { &hk_rule_snn2ann, NULL, "", &hk_neuron_lif, HK_E_UNSUP, { "'snn2ann'", "'n'", "membrane_norm" } },
        { &hk_rule_bptt, NULL, "", &hk_neuron_plif, HK_OK, { NULL } },
    };
    for (int i = 0; i < HK_COUNT(rows); i++) {
        small s = { 0 };
        hk_error e = { 0 };
        char layer[64];
        hk_format(layer, sizeof layer, "membrane_norm=true %s", rows[i].layer);
        small_layer(&s, &hk_layer_dense, "fc", "out=3");
        small_spiking(&s, "n", layer, rows[i].neuron, NULL, &hk_surrogate_triangle, NULL);
        small_layer(&s, &hk_layer_readout, "out", "kind=count");
        small_rule(&s, rows[i].rule, rows[i].keys);
        const bool counts = rows[i].rule == &hk_rule_snn2ann;
        small_loss(&s, &hk_loss_ce, NULL, counts ? AT_END : EACH_STEP);
        const hk_status st = small_build(&s, (hk_shape){ 1, 1, 3, false }, 9, 2, &e);
        if (st != rows[i].status) fail_msg("row %d: status %d, %s", i, st, e.text);
        for (int k = 0; k < 3 && rows[i].words[k]; k++)
            if (!strstr(e.text, rows[i].words[k])) fail_msg("'%s' does not say %s", e.text, rows[i].words[k]);
        small_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients), cmocka_unit_test(without_recurrence), cmocka_unit_test(running),
        cmocka_unit_test(inference), cmocka_unit_test(unseen), cmocka_unit_test(workers),
        cmocka_unit_test(folded), cmocka_unit_test(starts_as_nothing), cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
