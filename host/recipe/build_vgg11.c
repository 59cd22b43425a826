/* The three networks called VGG-11 in work on online training. They differ in where they pool:
 *
 *   vgg11_ottt   64 128 P 256 256 P 512 512 P 512 512 G FC     standardised weights, scaled spikes
 *   vgg11_sltt   64 P 128 P 256 256 P 512 512 P 512 512 P A FC  batch norm, dropout before each P
 *   vgg11_stop   64 P 128 P 256 256 P 512 512 P 512 512 P G FC  batch norm, spiking classifier
 *
 * G is the mean over the map, A an adaptive mean over 7 x 7 cells that repeats smaller maps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "build_blocks.h"
#include "io/number.h"

static const int32_t widths[] = { 64, 128, 256, 256, 512, 512, 512, 512 };
enum { CONVS = HK_COUNT(widths) };

/* Whether pooling follows convolution i when the first layers are pooled one by one. */
static bool pooled(int i) { return i == 0 || i % 2 == 1; }

/* ---- OTTT: Xiao et al., arXiv:2210.04195 ----------------------------------------------------- */

typedef struct ottt_cfg { float scale, parallel; } ottt_cfg;

static const hk_field ottt_fields[] = {
    HK_ROW_FLOAT(
        ottt_cfg, scale, 2.74, 1e-3, 1e3, "1",
        "factor on the spikes; 2.74 makes their variance 1 where a sixth of the neurons fire"),
    HK_ROW_PARALLEL(ottt_cfg),
};

static void ottt_build(hk_layers *l, hk_shape input, int32_t classes, const void *cfg)
{
    const ottt_cfg *c = cfg;
    char scale[HK_NUMBER], name[32];
    (void)input;
    hk_number_print(c->scale, scale);
    for (int i = 0; i < CONVS; i++) {
        hk_format(name, sizeof name, "conv%d", i + 1);
        hk_layers_add(l, "conv2d", name, NULL, NULL,
                      "out: %d, kernel: 3, padding: 1, bias: true, standardize: true",
                      (int)widths[i]);
        hk_format(name, sizeof name, "spike%d", i + 1);
        hk_layers_add(l, "spiking", name, NULL, NULL, "scale: %s%s", scale,
                      hk_block_parallel(i + 1, c->parallel) ? ", recurrent: false" : "");
        if (i % 2 == 1 && i < CONVS - 1) hk_block_pool(l, (i + 1) / 2, HK_POOL_AVG);
    }
    hk_block_plain(l, "gap", "gap");
    hk_block_head(l, classes, true);
}

const hk_builder_ops hk_builder_vgg11_ottt = {
    .info = { .name = "vgg11_ottt",
              .brief = "VGG-11 of OTTT: weight standardisation, pools after pairs",
              .source = "Xiao et al., arXiv:2210.04195",
              .cfg_size = sizeof(ottt_cfg),
              .fields = ottt_fields,
              .n_fields = HK_COUNT(ottt_fields) },
    .build = ottt_build,
};

/* ---- SLTT: Meng et al., arXiv:2302.14311 ----------------------------------------------------- */

typedef enum { ADAPTIVE, GAP } sltt_head;
typedef struct sltt_cfg {
    float   dropout, parallel;
    int32_t head, running_steps;
} sltt_cfg;

static const hk_field sltt_fields[] = {
    HK_ROW_FLOAT(sltt_cfg, dropout, 0, 0, 0.99, "1",
                 "probability of dropping a spike before a pool"),
    HK_ROW_ENUM(sltt_cfg, head, ADAPTIVE, "adaptive|gap", 2,
                "adaptive: 7 x 7 cells as published; gap: the mean over the map"),
    HK_ROW_RUNNING_STEPS(sltt_cfg),
    HK_ROW_PARALLEL(sltt_cfg),
};

static void sltt_build(hk_layers *l, hk_shape input, int32_t classes, const void *cfg)
{
    const sltt_cfg *c = cfg;
    int pools = 0;
    (void)input;
    for (int i = 0; i < CONVS; i++) {
        hk_block_conv(l, i + 1, (hk_conv_form){ widths[i], 3, 1, 1, true, c->running_steps, true,
                                                hk_block_parallel(i + 1, c->parallel) });
        if (!pooled(i)) continue;
        hk_block_dropout(l, ++pools, c->dropout);
        hk_block_pool(l, pools, HK_POOL_AVG);
    }
    if (c->head == ADAPTIVE) {
        hk_layers_add(l, "adaptive_avgpool2d", "cells", NULL, NULL, "size: 7");
        hk_block_plain(l, "flatten", "flat");
    } else {
        hk_block_plain(l, "gap", "gap");
    }
    hk_block_head(l, classes, true);
}

const hk_builder_ops hk_builder_vgg11_sltt = {
    .info = { .name = "vgg11_sltt", .brief = "VGG-11 of SLTT: batch norm, pools after every stage",
              .source = "Meng et al., arXiv:2302.14311", .cfg_size = sizeof(sltt_cfg),
              .fields = sltt_fields, .n_fields = HK_COUNT(sltt_fields) },
    .build = sltt_build,
};

/* ---- STOP: arXiv:2411.11082 ------------------------------------------------------------- */

typedef struct stop_cfg {
    int32_t pool, running_steps;
    bool    spiking_head;
    float   parallel;
} stop_cfg;

static const hk_field stop_fields[] = {
    HK_ROW_ENUM(stop_cfg, pool, HK_POOL_MAX, HK_POOL_WORDS, 2, "pooling of 2 x 2"),
    HK_ROW_BOOL(stop_cfg, spiking_head, 1, "scores are spikes of output neurons, not their input"),
    HK_ROW_RUNNING_STEPS(stop_cfg),
    HK_ROW_PARALLEL(stop_cfg),
};

static void stop_build(hk_layers *l, hk_shape input, int32_t classes, const void *cfg)
{
    const stop_cfg *c = cfg;
    int pools = 0;
    (void)input;
    for (int i = 0; i < CONVS; i++) {
        hk_block_conv3(l, i + 1, widths[i], c->running_steps, hk_block_parallel(i + 1, c->parallel));
        if (pooled(i)) hk_block_pool(l, ++pools, c->pool);
    }
    hk_block_plain(l, "gap", "gap");
    hk_block_score(l, classes, c->spiking_head);
}

const hk_builder_ops hk_builder_vgg11_stop = {
    .info = { .name = "vgg11_stop",
              .brief = "VGG-11 of STOP: batch norm, no biases, spiking classifier",
              .source = "STOP, arXiv:2411.11082",
              .cfg_size = sizeof(stop_cfg),
              .fields = stop_fields,
              .n_fields = HK_COUNT(stop_fields) },
    .build = stop_build,
};
