/* Small convolutional nets for work on a CPU: pairs of 3 x 3 convolutions, each pair followed by
 * pooling and twice as wide as the one before, then one dense layer.
 *
 *   conv_small   32 32 P 64 64 P FC
 *   vgg_small    32 32 P 64 64 P 128 128 P FC
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "build_blocks.h"

typedef struct small_cfg {
    int32_t width, pool, readout, running_steps;
    bool    batchnorm;
    float   dropout, parallel;
} small_cfg;

static const hk_field fields[] = {
    HK_ROW_INT(small_cfg, width, 32, 1, 4096, "channels", "channels of the first pair"),
    HK_ROW_ENUM(small_cfg, pool, HK_POOL_AVG, HK_POOL_WORDS, 2, "pooling of 2 x 2"),
    HK_ROW_ENUM(small_cfg, readout, 0, "sum|mean", 2, "what decides: sum or mean of the logits"),
    HK_ROW_BOOL(small_cfg, batchnorm, 1, "batch norm before every neuron; without it, biases"),
    HK_ROW_RUNNING_STEPS(small_cfg),
    HK_ROW_FLOAT(small_cfg, dropout, 0, 0, 0.99, "1",
                 "probability of dropping a value before the head"),
    HK_ROW_PARALLEL(small_cfg),
};

static void pairs(hk_layers *l, int n, int32_t classes, const small_cfg *c)
{
    const int32_t norm = c->batchnorm ? c->running_steps : 0;
    int32_t width = c->width;
    for (int i = 1; i <= n; i++, width *= 2) {
        for (int k = 2 * i - 1; k <= 2 * i; k++)
            hk_block_conv3(l, k, width, norm, hk_block_parallel(k, c->parallel));
        hk_block_pool(l, i, c->pool);
    }
    hk_block_plain(l, "flatten", "flat");
    hk_block_dropout(l, 1, c->dropout);
    if (c->readout) hk_block_mean_head(l, classes);
    else hk_block_head(l, classes, true);
}

static void conv_small_build(hk_layers *l, hk_shape input, int32_t classes, const void *cfg)
{
    (void)input;
    pairs(l, 2, classes, cfg);
}

static void vgg_small_build(hk_layers *l, hk_shape input, int32_t classes, const void *cfg)
{
    (void)input;
    pairs(l, 3, classes, cfg);
}

const hk_builder_ops hk_builder_conv_small = {
    .info = { .name = "conv_small",
              .brief = "32-32-P-64-64-P-FC, for maps of about 28 x 28",
              .source = "after Simonyan and Zisserman, arXiv:1409.1556",
              .cfg_size = sizeof(small_cfg),
              .fields = fields,
              .n_fields = HK_COUNT(fields) },
    .build = conv_small_build,
};

const hk_builder_ops hk_builder_vgg_small = {
    .info = { .name = "vgg_small",
              .brief = "32-32-P-64-64-P-128-128-P-FC, for maps of about 32 x 32",
              .source = "after Simonyan and Zisserman, arXiv:1409.1556",
              .cfg_size = sizeof(small_cfg),
              .fields = fields,
              .n_fields = HK_COUNT(fields) },
    .build = vgg_small_build,
};
