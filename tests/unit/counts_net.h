/* Nets with a count branch for tests, and what happens at their steps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_COUNTS_NET_H
#define HK_COUNTS_NET_H

#include "random_net.h"

static const hk_shape IMAGE = { 6, 6, 2, false };
static const int32_t LABEL[RANDOM_MAX_BATCH] = { 0, 2, 1, 1, 0, 2, 2, 1 };

static inline void neuron(small *s, const char *name, const char *layer, const char *keys)
{
    small_spiking(s, name, layer, &hk_neuron_if, keys, &hk_surrogate_triangle, NULL);
}

static inline void fire(small *s, const char *name, const char *threshold)
{
    char keys[64];
    snprintf(keys, sizeof keys, "reset=hard threshold=%s", threshold);
    neuron(s, name, "compare=>", keys);
}

static inline void open_counts(small *s, const char *rule, hk_shape in, int T, int batch)
{
    small_rule(s, &hk_rule_snn2ann, rule);
    small_loss(s, &hk_loss_ce, NULL, AT_END);
    small_open(s, in, T, batch);
}

static inline size_t floats_of(const hk_node *l) { return l->rows * (size_t)l->out.shape.c; }

/* ---- what happens at the steps ----------------------------------------------------------------- */

enum { MOST_VALUES = 4096 };

/* Sums over the steps of current and spikes of every spiking layer of IF neurons with hard reset. */
typedef struct seen {
    double current[SMALL_NODES][MOST_VALUES], count[SMALL_NODES][MOST_VALUES];
    float  before[SMALL_NODES][MOST_VALUES], spike[SMALL_NODES][MOST_VALUES];
} seen;

static inline float spike_of(const hk_node *l, int t, size_t i)
{
    const size_t c = (size_t)l->out.shape.c;
    const uint32_t *row = (const uint32_t *)hk_slot(&l->y, t) + i / c * ((c + 31) / 32);
    return (float)(row[i % c / 32] >> (i % c % 32) & 1u);
}

static inline void look(void *self, hk_net *net, int t, hk_event what)
{
    seen *k = self;
    if (what != HK_AFTER_FORWARD) return;
    for (int j = 0; j < net->n_node; j++) {
        const hk_node *l = &net->node[j];
        if (!l->spec->neuron) continue;
        const float *u = hk_slot(&l->state[0], t);
        assert_true(floats_of(l) <= MOST_VALUES);
        for (size_t i = 0; i < floats_of(l); i++) {
            k->current[j][i] += (double)(u[i] - (1 - k->spike[j][i]) * k->before[j][i]);
            k->before[j][i] = u[i];
            k->spike[j][i] = spike_of(l, t, i);
            k->count[j][i] += (double)k->spike[j][i];
        }
    }
}

static inline seen *watched_run(small *s, const float *x)
{
    seen *k = calloc(1, sizeof *k);
    assert_non_null(k);
    s->net.watch = look;
    s->net.watch_self = k;
    small_run(s, x, LABEL, NULL);
    s->net.watch = NULL;
    return k;
}

/* h of the sums, left in place of the membrane. */
static inline const float *sum_of(small *s, const char *layer)
{
    return hk_slot(&s->node[small_find(s, layer)].state[0], 1);
}

typedef void make_layers(small *s, const char *norm, const char *readout);

/* Every linear layer between spikes: strides, norms, average pools, sums of spikes and of currents. */
static inline void linear_layers(small *s, const char *norm, const char *readout)
{
    small_layer(s, &hk_layer_conv2d, "conv1", "out=4 padding=1");
    small_layer(s, &hk_layer_batchnorm, "bn1", norm);
    fire(s, "spike1", "0.6");
    const int stem = s->n - 1;
    small_layer(s, &hk_layer_conv2d, "conv2", "out=4 padding=1");
    small_layer(s, &hk_layer_batchnorm, "bn2", norm);
    hk_node_spec *add = small_layer(s, &hk_layer_add, "add", NULL);
    add->n_in = 2;
    add->in[1] = stem;
    neuron(s, "spike2", "compare=> scale=1.5", "reset=hard threshold=0.7");
    small_layer(s, &hk_layer_avgpool2d, "pool", NULL);
    small_layer(s, &hk_layer_conv2d, "conv3", "out=5 kernel=2 bias=false");
    small_layer(s, &hk_layer_batchnorm, "bn3", norm);
    const int sum = s->n - 1;
    small_layer(s, &hk_layer_conv2d, "conv4", "out=5 padding=1");
    add = small_layer(s, &hk_layer_add, "add2", NULL);
    add->n_in = 2;
    add->in[1] = sum;
    fire(s, "spike3", "0.3");
    small_layer(s, &hk_layer_flatten, "flat", NULL);
    small_layer(s, &hk_layer_dense, "head", "out=3");
    small_layer(s, &hk_layer_readout, "readout", readout);
}

#endif
