/* A sensor that never ends: the core alone learns as values arrive, one step at a time, from labels that
 * come now and then; the same bytes after any number of steps. 01_embedded_loop.c says how such a net
 * gets its memory; new here is hk_stream.
 *
 *   events of 3 channels (up, down) -> dense 24, LIF -> dense 2, leaky readout
 *
 * The sensor (made up here) is a wheel with three pick-ups. Class 1 is a bent axle: the third one swings
 * less, the first one more. In the middle the sensor is turned round, so that the two change places; the
 * net goes on learning and recovers.
 *
 *   cc -I PREFIX/include 03_stream.c PREFIX/lib/libhillock_core.a -lm
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "static_net.h"

#include <hillock_stream.h>

#include <math.h>
#include <stdio.h>

extern const hk_layer_ops     hk_layer_dense, hk_layer_spiking, hk_layer_readout;
extern const hk_neuron_ops    hk_neuron_lif;
extern const hk_surrogate_ops hk_surrogate_triangle;
extern const hk_rule_ops      hk_rule_stop;
extern const hk_loss_ops      hk_loss_ce;
extern const hk_optim_ops     hk_optim_adamw;

enum { PICKUPS = 3, VALUES = 2 * PICKUPS, CLASSES = 2, STEPS = 60000, BLOCK = 5000 };
enum { LAYERS = 4, ROOM = 16 * 1024, ALIGN = 16 };

/* ---- the net ------------------------------------------------------------------------------------ */

static _Alignas(ALIGN) unsigned char room[ROOM];
static hk_net   net;
static hk_node  node[LAYERS];
static hk_param param[LAYERS * HK_MAX_PARAM];

static config fc1, lif1, lif1_spiking, triangle, fc2, readout, stop, adamw;

static hk_status configure(hk_error *e)
{
    HK_TRY(defaults(&hk_layer_dense.info, &fc1, e));
    HK_TRY(set(&hk_layer_dense.info, &fc1, "out", 24, e));
    HK_TRY(defaults(&hk_layer_spiking.info, &lif1_spiking, e));
    HK_TRY(defaults(&hk_neuron_lif.info, &lif1, e));
    HK_TRY(set(&hk_neuron_lif.info, &lif1, "threshold", 0.5, e));
    HK_TRY(defaults(&hk_surrogate_triangle.info, &triangle, e));
    HK_TRY(defaults(&hk_layer_dense.info, &fc2, e));
    HK_TRY(set(&hk_layer_dense.info, &fc2, "out", CLASSES, e));
    HK_TRY(defaults(&hk_layer_readout.info, &readout, e));
    HK_TRY(set(&hk_layer_readout.info, &readout, "kind", 3, e));         /* leaky */
    HK_TRY(defaults(&hk_rule_stop.info, &stop, e));
    return defaults(&hk_optim_adamw.info, &adamw, e);
}

static const hk_node_spec layers[LAYERS] = {
    { .name = "fc1", .layer = &hk_layer_dense, .cfg = &fc1, .n_in = 1, .in = { -1 } },
    { .name = "lif1", .layer = &hk_layer_spiking, .cfg = &lif1_spiking, .n_in = 1, .in = { 0 },
      .neuron = &hk_neuron_lif, .neuron_cfg = &lif1,
      .surrogate = &hk_surrogate_triangle, .surrogate_cfg = &triangle },
    { .name = "fc2", .layer = &hk_layer_dense, .cfg = &fc2, .n_in = 1, .in = { 1 } },
    { .name = "readout", .layer = &hk_layer_readout, .cfg = &readout, .n_in = 1, .in = { 2 } },
};

/* T 1: a labelled step weighs as much as a whole sample would. */
static const hk_net_spec spec = {
    .node = layers, .n_node = LAYERS,
    .input = { .shape = { 1, 1, VALUES, true }, .kind = HK_F32, .scale = 1 },
    .T = 1, .batch = 1, .learn = true,
    .rule = &hk_rule_stop, .rule_cfg = &stop, .loss = &hk_loss_ce,
    .objective = { .when = HK_EACH_STEP, .divide_by_T = true },
    .optim = &hk_optim_adamw, .optim_cfg = &adamw,
    .kernels = &hk_kernels_ref, .tile = 64, .align = ALIGN, .shards = 1, .seed = 1,
};

static hk_status open_net(hk_error *e)
{
    size_t bytes[HK_REGIONS], used = 0;
    HK_TRY(configure(e));
    HK_TRY(stand(&net, &spec, node, param, HK_COUNT(param), room, sizeof room, bytes, e));
    for (int r = 0; r < HK_REGIONS; r++) used += bytes[r];
    printf("%zu of %d bytes, for any number of steps\n", used, ROOM);
    net.update.lr = 0.003f;
    net.update.lr_threshold = net.update.lr_leak = 0.01f;
    return HK_OK;
}

/* ---- the sensor --------------------------------------------------------------------------------- */

/* What an event converter sends at step i: a pick-up that rises, or falls, since the step before. */
static int32_t sense(int64_t i, float out[VALUES])
{
    static float before[PICKUPS];
    const hk_rng r = { 11, (uint64_t)i };
    const int32_t bent = (int32_t)hk_rng_below((hk_rng){ 12, (uint64_t)(i / 50) }, 0, 2);
    for (int k = 0; k < PICKUPS; k++) {
        const int channel = i < STEPS / 2 ? k : PICKUPS - 1 - k;
        const float swing = 0.3f + (k == 0 && bent ? 0.6f : 0) + (k == 2 && !bent ? 0.6f : 0);
        const float x = swing * sinf(0.7f * (float)(i % 10000) - 2 * (float)k) +
                        0.1f * hk_rng_normal(r, (uint64_t)k);
        out[channel] = x - before[k] >= 0.25f ? 1.0f : 0.0f;
        out[PICKUPS + channel] = x - before[k] <= -0.25f ? 1.0f : 0.0f;
        before[k] = x;
    }
    return bent;
}

/* ---- the loop ----------------------------------------------------------------------------------- */

static hk_status watch(hk_error *e)
{
    hk_stream stream;
    float values[VALUES];
    int right = 0;
    HK_TRY(hk_stream_open(&stream, &net, true, 1, e));
    for (int64_t i = 0; i < STEPS; i++) {
        const int32_t truth = sense(i, values);
        const int32_t label = i % 4 == 0 ? truth : -1;       /* somebody looks at every fourth step */
        HK_TRY(hk_stream_step(&stream, values, label, e));
        const float *z = hk_stream_output(&stream);
        right += (z[1] > z[0]) == (truth == 1);
        if ((i + 1) % BLOCK) continue;
        printf("step %5lld  right %.1f %%  rate %.3f%s\n", (long long)i + 1, 100.0 * right / BLOCK,
               hk_node_rate(&node[1]), i + 1 == STEPS / 2 ? "  now the sensor is turned round" : "");
        right = 0;
    }
    printf("%lld updates\n", (long long)net.updates);
    return HK_OK;
}

int main(void)
{
    hk_error e = { 0 };
    if (open_net(&e) == HK_OK && watch(&e) == HK_OK) return 0;
    fprintf(stderr, "error: %s\n", e.text);
    return 1;
}
