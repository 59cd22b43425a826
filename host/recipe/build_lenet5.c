/* LeNet-5: 6 and 16 maps of 5 x 5, pooled, then 120 and 84 neurons. Maps below 32 x 32 are padded
 * by 2, as the 28 x 28 digits were. Difference from the source: full connections between the maps,
 * spiking neurons in place of the squashing function, a linear head.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "build_blocks.h"

typedef struct lenet5_cfg {
    int32_t pool;
    bool    batchnorm;
} lenet5_cfg;

static const hk_field fields[] = {
    HK_ROW_ENUM(lenet5_cfg, pool, HK_POOL_AVG, HK_POOL_WORDS, 2, "pooling of 2 x 2"),
    HK_ROW_BOOL(lenet5_cfg, batchnorm, 0, "batch norm before every neuron"),
};

static void lenet5_build(hk_layers *l, hk_shape input, int32_t classes, const void *cfg)
{
    const lenet5_cfg *c = cfg;
    const int32_t padding = input.h < 32 ? 2 : 0;
    const bool norm = c->batchnorm;
    hk_block_conv(l, 1, (hk_conv_form){ 6, 5, 1, padding, !norm, norm, true, false });
    hk_block_pool(l, 1, c->pool);
    hk_block_conv(l, 2, (hk_conv_form){ 16, 5, 1, 0, !norm, norm, true, false });
    hk_block_pool(l, 2, c->pool);
    hk_block_plain(l, "flatten", "flat");
    hk_block_dense(l, 3, 120, !norm, norm);
    hk_block_dense(l, 4, 84, !norm, norm);
    hk_block_head(l, classes, true);
}

const hk_builder_ops hk_builder_lenet5 = {
    .info = { .name = "lenet5", .brief = "6-P-16-P-120-84, convolutions of 5 x 5",
              .source = "LeCun et al., Proc. IEEE 86:2278 (1998)", .cfg_size = sizeof(lenet5_cfg),
              .fields = fields, .n_fields = HK_COUNT(fields) },
    .build = lenet5_build,
};
