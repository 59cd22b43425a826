/* The core alone: a net described in C, planned to the byte and trained online with STOP in one static
 * buffer. No allocation, no thread, no file; a microcontroller does the same. printf is only there to watch.
 *
 *   dense 48 -> 32, LIF, dense 32 -> 3, logits summed over T = 4 steps
 *
 * Input: a noisy line of which one third is brighter; which one, is the question.
 *
 *   cc -I PREFIX/include 01_embedded_loop.c PREFIX/lib/libhillock_core.a -lm
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "static_net.h"

#include <stdio.h>

/* The members that this net uses; of the others the linker takes nothing. */
extern const hk_layer_ops     hk_layer_dense, hk_layer_spiking, hk_layer_readout;
extern const hk_neuron_ops    hk_neuron_lif;
extern const hk_surrogate_ops hk_surrogate_triangle;
extern const hk_rule_ops      hk_rule_stop;
extern const hk_loss_ops      hk_loss_ce;
extern const hk_optim_ops     hk_optim_sgd;

enum { PIXELS = 48, CLASSES = 3, T = 4, BATCH = 8, UPDATES = 100 };
enum { LAYERS = 4, ROOM = 48 * 1024, ALIGN = 16 };

static _Alignas(ALIGN) unsigned char room[ROOM];
static hk_net   net;
static hk_node  node[LAYERS];
static hk_param param[LAYERS * HK_MAX_PARAM];

/* ---- the net ------------------------------------------------------------------------------------ */

static config fc1, lif1, lif1_spiking, triangle, fc2, readout, stop, sgd;

static hk_status configure(hk_error *e)
{
    HK_TRY(defaults(&hk_layer_dense.info, &fc1, e));
    HK_TRY(set(&hk_layer_dense.info, &fc1, "out", 32, e));
    HK_TRY(defaults(&hk_layer_spiking.info, &lif1_spiking, e));
    HK_TRY(defaults(&hk_neuron_lif.info, &lif1, e));
    HK_TRY(set(&hk_neuron_lif.info, &lif1, "leak", 0.7, e));
    HK_TRY(defaults(&hk_surrogate_triangle.info, &triangle, e));
    HK_TRY(defaults(&hk_layer_dense.info, &fc2, e));
    HK_TRY(set(&hk_layer_dense.info, &fc2, "out", CLASSES, e));
    HK_TRY(defaults(&hk_layer_readout.info, &readout, e));
    HK_TRY(defaults(&hk_rule_stop.info, &stop, e));
    return defaults(&hk_optim_sgd.info, &sgd, e);
}

static const hk_node_spec layers[LAYERS] = {
    { .name = "fc1", .layer = &hk_layer_dense, .cfg = &fc1, .n_in = 1, .in = { -1 } },
    { .name = "lif1", .layer = &hk_layer_spiking, .cfg = &lif1_spiking, .n_in = 1, .in = { 0 },
      .neuron = &hk_neuron_lif, .neuron_cfg = &lif1,
      .surrogate = &hk_surrogate_triangle, .surrogate_cfg = &triangle },
    { .name = "fc2", .layer = &hk_layer_dense, .cfg = &fc2, .n_in = 1, .in = { 1 } },
    { .name = "readout", .layer = &hk_layer_readout, .cfg = &readout, .n_in = 1, .in = { 2 } },
};

static const hk_net_spec spec = {
    .node = layers, .n_node = LAYERS,
    .input = { .shape = { 1, 1, PIXELS, true }, .kind = HK_F32, .scale = 1 },
    .constant_input = true, .T = T, .batch = BATCH, .learn = true,
    .rule = &hk_rule_stop, .rule_cfg = &stop, .loss = &hk_loss_ce,
    .objective = { .when = HK_EACH_STEP, .divide_by_T = true },
    .optim = &hk_optim_sgd, .optim_cfg = &sgd,
    .kernels = &hk_kernels_ref, .tile = 64, .align = ALIGN, .shards = 1, .seed = 1,
};

/* The plan: what the net takes, known before it runs. */
static hk_status open_net(hk_error *e)
{
    static const char *const name[] = HK_REGION_NAMES;
    size_t bytes[HK_REGIONS], used = 0;
    HK_TRY(configure(e));
    HK_TRY(stand(&net, &spec, node, param, HK_COUNT(param), room, sizeof room, bytes, e));
    for (int r = 0; r < HK_REGIONS; r++) {
        printf("%-7s %6zu bytes\n", name[r], bytes[r]);
        used += bytes[r];
    }
    printf("total   %6zu of %d bytes, for any T\n", used, ROOM);
    net.update.lr = 0.1f;
    net.update.lr_threshold = net.update.lr_leak = 0.1f;
    return HK_OK;
}

/* ---- the samples -------------------------------------------------------------------------------- */

static float   frames[BATCH][PIXELS];
static int32_t labels[BATCH];

static void draw(int32_t batch)
{
    for (int b = 0; b < BATCH; b++) {
        const hk_rng r = { 7, (uint64_t)(batch * BATCH + b) };
        labels[b] = (int32_t)hk_rng_below(r, 0, CLASSES);
        for (int i = 0; i < PIXELS; i++)
            frames[b][i] = (i * CLASSES / PIXELS == labels[b] ? 0.5f : 0.0f) +
                           0.5f * hk_rng_normal(r, 8 + (uint64_t)i);
    }
}

static const void *frame(void *self, int t)
{
    (void)t;
    return self;
}

/* ---- the loop ----------------------------------------------------------------------------------- */

static hk_status learn(hk_error *e)
{
    const hk_batch batch = { .n = BATCH, .frame = frame, .self = frames, .label = labels };
    double loss = 0;
    int correct = 0;
    for (int32_t k = 1; k <= UPDATES; k++) {
        hk_result result;
        draw(k);
        HK_TRY(hk_net_learn(&net, &batch, &result, e));
        loss += result.loss;
        correct += (int)result.correct;
        if (k % 20) continue;
        printf("update %3d  loss %.4f  correct %3d of %d  rate %.3f\n", (int)k, loss / 20, correct,
               20 * BATCH, hk_node_rate(&node[1]));
        loss = correct = 0;
    }
    for (int i = 0; i < net.n_param; i++)
        if (param[i].role == HK_THRESHOLD || param[i].role == HK_LEAK)
            printf("%s.%s %.4f\n", param[i].layer, param[i].name, (double)param[i].w[0]);
    return HK_OK;
}

int main(void)
{
    hk_error e = { 0 };
    if (open_net(&e) == HK_OK && learn(&e) == HK_OK) return 0;
    fprintf(stderr, "error: %s\n", e.text);
    return 1;
}
