/* Small nets with random weights and inputs, run under one rule and another, gradients compared.
 * Two nets of the same layers get the same weights: a value depends on the place of its parameter.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_RANDOM_NET_H
#define HK_RANDOM_NET_H

#include "small_net.h"

#define EACH_STEP ((hk_objective){ .when = HK_EACH_STEP, .divide_by_T = true })
#define AT_END ((hk_objective){ .when = HK_FINAL })

enum { RANDOM_MAX_BATCH = 8 };

typedef struct net_case {
    void (*layers)(small *s, const char *neuron, const char *readout);
    const char  *neuron, *readout;       /* keys of all neurons, of the readout */
    hk_shape     in;
    int          T, batch;
    hk_objective objective;
    bool         constant;
    uint64_t     seed;
} net_case;

static inline float random_at(uint64_t seed, uint64_t stream, uint64_t i, float lo, float hi)
{
    return lo + (hi - lo) * hk_rng_uniform((hk_rng){ seed, stream }, i);
}

/* Weights, biases and norms random; a threshold per channel or neuron spread around its first value;
 * a leak as configured. */
static inline void random_weights(small *s, uint64_t seed)
{
    for (int i = 0; i < s->net.n_param; i++) {
        hk_param *p = &s->param[i];
        const float fan = p->role == HK_WEIGHT ? (float)p->n / (float)p->dim[0] : 1;
        for (size_t k = 0; k < p->n; k++) {
            const float v = random_at(seed, 100 + (uint64_t)i, k, -1, 1);
            if (p->role == HK_WEIGHT) p->w[k] = 2 * v / sqrtf(fan);
            else if (p->role == HK_BIAS) p->w[k] = 0.3f * v;
            else if (p->role == HK_NORM || p->role == HK_BUFFER) p->w[k] += 0.3f * v;
            else if (p->role == HK_THRESHOLD && p->n > 1) p->w[k] += 0.2f * v * p->w[k];
        }
    }
    hk_net_prepare(&s->net);
}

/* Every gradient that a rule can give is asked for. */
static inline void learn_all(small *s)
{
    for (int i = 0; i < s->net.n_param; i++) s->param[i].learn = s->param[i].role != HK_BUFFER;
}

static inline small *random_net(const net_case *c, const hk_rule_ops *rule, const char *keys)
{
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    c->layers(s, c->neuron, c->readout);
    small_rule(s, rule, keys);
    small_loss(s, &hk_loss_ce, NULL, c->objective);
    s->net_spec.constant_input = c->constant;
    small_open(s, c->in, c->T, c->batch);
    random_weights(s, c->seed);
    learn_all(s);
    return s;
}

static inline void random_close(small *s)
{
    small_close(s);
    free(s);
}

/* Spike-like in part, real in part; one frame repeated if the case says constant. The caller frees. */
static inline float *random_input(const net_case *c, uint64_t seed)
{
    const size_t frame = (size_t)c->batch * (size_t)(c->in.h * c->in.w * c->in.c);
    float *x = malloc((size_t)c->T * frame * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < (size_t)c->T * frame; i++) {
        const size_t k = c->constant ? i % frame : i;
        const float v = random_at(seed, 1, k, -0.5f, 1.5f);
        x[i] = k % 3 == 0 ? (v > 0.5f ? 1.0f : 0.0f) : v;
    }
    return x;
}

static inline const int32_t *random_labels(void)
{
    static const int32_t label[RANDOM_MAX_BATCH] = { 0, 2, 1, 1, 0, 2, 2, 1 };
    return label;
}

/* One batch of gradients. */
static inline hk_result random_run(small *s, const net_case *c)
{
    float *x = random_input(c, c->seed);
    const hk_result r = small_run(s, x, random_labels(), NULL);
    free(x);
    return r;
}

static inline small *random_gradients(const net_case *c, const hk_rule_ops *rule, const char *keys)
{
    small *s = random_net(c, rule, keys);
    random_run(s, c);
    return s;
}

/* ---- comparing --------------------------------------------------------------------------------- */

static inline double largest(size_t n, const float *v)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs((double)v[i]));
    return most;
}

static inline double distance(size_t n, const float *a, const float *b)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

/* tolerance 0: bit for bit; else relative to the largest element, which must be there. */
static inline void same_floats(const char *layer, const char *name, size_t n, const float *a,
                               const float *b, double tolerance)
{
    const double most = largest(n, a);
    if (!(most > 1e-7)) fail_msg("%s.%s: nothing to compare, the largest is %g", layer, name, most);
    if (tolerance == 0 && memcmp(a, b, n * sizeof *a) != 0)
        fail_msg("%s.%s: bits differ, by %g of %g", layer, name, distance(n, a, b), most);
    if (!(distance(n, a, b) <= tolerance * most))
        fail_msg("%s.%s: differ by %g of %g", layer, name, distance(n, a, b), most);
}

static inline void same_gradient(small *a, small *b, const char *layer, const char *name,
                                 double tolerance)
{
    const hk_param *p = small_param(a, layer, name), *q = small_param(b, layer, name);
    assert_int_equal(p->n, q->n);
    same_floats(layer, name, p->n, p->g, q->g, tolerance);
}

static inline bool of_neuron(const hk_param *p) { return p->role == HK_THRESHOLD || p->role == HK_LEAK; }

/* All parameters, or those of weights, biases and norms only. */
static inline void same_gradients(small *a, small *b, bool neurons, double tolerance)
{
    assert_int_equal(a->net.n_param, b->net.n_param);
    for (int i = 0; i < a->net.n_param; i++) {
        const hk_param *p = &a->param[i];
        if (p->role == HK_BUFFER || (of_neuron(p) && !neurons)) continue;
        same_gradient(a, b, p->layer, p->name, tolerance);
    }
}

/* ---- nets --------------------------------------------------------------------------------------- */

static const hk_shape VECTOR5 = { 1, 1, 5, false }, IMAGE6 = { 6, 6, 2, false };

static inline void spiking_layer(small *s, const char *name, const char *layer, const char *neuron)
{
    small_spiking(s, name, layer, &hk_neuron_lif, neuron, &hk_surrogate_sigmoid, "slope=2");
}

/* Three hidden layers and a linear head. */
static inline void dense_layers(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_dense, "fc1", "out=9");
    spiking_layer(s, "lif1", "threshold_granularity=channel", neuron);
    small_layer(s, &hk_layer_dense, "fc2", "out=8");
    spiking_layer(s, "lif2", NULL, neuron);
    small_layer(s, &hk_layer_dense, "fc3", "out=7");
    spiking_layer(s, "lif3", "threshold_granularity=neuron", neuron);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

/* Two hidden layers and a spiking classifier. */
static inline void classifier_layers(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_dense, "fc1", "out=9");
    spiking_layer(s, "lif1", NULL, neuron);
    small_layer(s, &hk_layer_dense, "fc2", "out=8");
    spiking_layer(s, "lif2", NULL, neuron);
    small_layer(s, &hk_layer_dense, "fc3", "out=3");
    spiking_layer(s, "top", "threshold_granularity=channel", neuron);
    small_layer(s, &hk_layer_readout, "readout", readout);
}

static inline void one_layer(small *s, const char *neuron, const char *readout)
{
    small_layer(s, &hk_layer_dense, "fc", "out=3");
    spiking_layer(s, "lif", "threshold_granularity=channel", neuron);
    small_layer(s, &hk_layer_readout, "readout", readout);
}

/* Without biases where a norm of the instant takes them away again. */
static inline void conv_body(small *s, const char *neuron, const char *readout, const char *norm)
{
    const bool eval = norm != NULL;
    small_layer(s, &hk_layer_conv2d, "conv1", eval ? "out=4 padding=1" : "out=4 padding=1 bias=false");
    small_layer(s, &hk_layer_batchnorm, "bn1", norm);
    spiking_layer(s, "lif1", "threshold_granularity=channel", neuron);
    small_layer(s, &hk_layer_avgpool2d, "pool1", NULL);
    small_layer(s, &hk_layer_conv2d, "conv2", eval ? "out=6 kernel=2 padding=1 groups=2"
                                                  : "out=6 kernel=2 padding=1 groups=2 bias=false");
    small_layer(s, &hk_layer_batchnorm, "bn2", norm);
    spiking_layer(s, "lif2", "threshold_granularity=neuron", neuron);
    small_layer(s, &hk_layer_maxpool2d, "pool2", NULL);
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

static inline void conv_layers(small *s, const char *neuron, const char *readout)
{
    conv_body(s, neuron, readout, NULL);
}

static inline void conv_layers_eval(small *s, const char *neuron, const char *readout)
{
    conv_body(s, neuron, readout, "mode=eval");
}

/* The running statistics of the first three steps are their own. */
static inline void conv_layers_steps(small *s, const char *neuron, const char *readout)
{
    conv_body(s, neuron, readout, "mode=eval running_steps=3");
}

#endif
