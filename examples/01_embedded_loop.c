/* The core alone: a net described in C, trained online with STOP in one static buffer. No allocation,
 * no thread, no file; a microcontroller does the same. printf is only there to watch.
 *
 *   dense 64 -> 32, LIF, dense 32 -> 3, logits summed over T = 4 steps
 *
 * Input: 8 x 8 pictures of a horizontal bar, a vertical bar or both, with noise.
 *
 *   cc -I PREFIX/include 01_embedded_loop.c PREFIX/lib/libhillock_core.a -lm
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <hillock_ext.h>

#include <stdio.h>
#include <string.h>

/* The members that this net uses; of the others the linker takes nothing. */
extern const hk_layer_ops     hk_layer_dense, hk_layer_spiking, hk_layer_readout;
extern const hk_neuron_ops    hk_neuron_lif;
extern const hk_surrogate_ops hk_surrogate_triangle;
extern const hk_rule_ops      hk_rule_stop;
extern const hk_loss_ops      hk_loss_ce;
extern const hk_optim_ops     hk_optim_sgd;

enum { SIDE = 8, PIXELS = SIDE * SIDE, CLASSES = 3, T = 4, BATCH = 8, UPDATES = 100 };
enum { LAYERS = 4, ROOM = 48 * 1024, ALIGN = 16 };

static _Alignas(ALIGN) unsigned char room[ROOM];
static hk_net   net;
static hk_node  node[LAYERS];
static hk_param param[LAYERS * HK_MAX_PARAM];

/* ---- the net ------------------------------------------------------------------------------------ */

/* A member's configuration; its rows say what lies where, so one type has room for any of them. */
typedef union config { double align; char bytes[64]; } config;

static config fc1, lif1, lif1_spiking, triangle, fc2, readout, stop, sgd;

static hk_status set(const hk_info *info, config *c, const char *key, double value, hk_error *e)
{
    for (int k = 0; k < info->n_fields; k++)
        if (strcmp(info->fields[k].name, key) == 0)
            return hk_field_set(info, &info->fields[k], c, value, e);
    return hk_fail(e, HK_E_ARG, "%s has no key '%s'", info->name, key);
}

static hk_status configure(hk_error *e)
{
    const struct { const hk_info *info; config *c; } all[] = {
        { &hk_layer_dense.info, &fc1 },         { &hk_layer_dense.info, &fc2 },
        { &hk_neuron_lif.info, &lif1 },         { &hk_layer_spiking.info, &lif1_spiking },
        { &hk_layer_readout.info, &readout },   { &hk_surrogate_triangle.info, &triangle },
        { &hk_rule_stop.info, &stop },          { &hk_optim_sgd.info, &sgd },
    };
    for (int i = 0; i < HK_COUNT(all); i++) {
        HK_CHECK(e, all[i].info->cfg_size <= sizeof(config), HK_E_NOMEM,
                 "%s: its configuration takes %zu bytes", all[i].info->name, all[i].info->cfg_size);
        hk_fields_default(all[i].info, all[i].c);
    }
    HK_TRY(set(&hk_layer_dense.info, &fc1, "out", 32, e));
    HK_TRY(set(&hk_layer_dense.info, &fc2, "out", CLASSES, e));
    return set(&hk_neuron_lif.info, &lif1, "leak", 0.7, e);
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

/* Builds, plans, and gives each region its part of the buffer. */
static hk_status stand(hk_error *e)
{
    static const char *const name[] = HK_REGION_NAMES;
    size_t bytes[HK_REGIONS], used = 0;
    void *base[HK_REGIONS];
    HK_TRY(configure(e));
    HK_TRY(hk_net_build(&net, &spec, node, param, HK_COUNT(param), e));
    HK_TRY(hk_net_plan(&net, bytes, e));
    for (int r = 0; r < HK_REGIONS; r++) {
        HK_CHECK(e, bytes[r] <= ROOM - used, HK_E_NOMEM,
                 "region '%s' needs %zu bytes, the buffer has %zu left", name[r], bytes[r],
                 ROOM - used);
        base[r] = room + used;
        used += bytes[r];                          /* a multiple of spec.align */
        printf("%-7s %6zu bytes\n", name[r], bytes[r]);
    }
    printf("total   %6zu of %d bytes, for any T\n", used, ROOM);
    HK_TRY(hk_net_bind(&net, base, e));
    hk_net_init(&net);
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
        const int row = (int)hk_rng_below(r, 0, SIDE), column = (int)hk_rng_below(r, 1, SIDE);
        labels[b] = (int32_t)hk_rng_below(r, 2, CLASSES);
        for (int i = 0; i < PIXELS; i++) {
            const bool bar = (labels[b] != 1 && i / SIDE == row) ||
                             (labels[b] != 0 && i % SIDE == column);
            frames[b][i] = (bar ? 1.0f : 0.0f) + 0.2f * hk_rng_normal(r, 8 + (uint64_t)i);
        }
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
    if (stand(&e) == HK_OK && learn(&e) == HK_OK) return 0;
    fprintf(stderr, "error: %s\n", e.text);
    return 1;
}
