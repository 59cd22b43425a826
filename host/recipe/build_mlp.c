/* Multi-layer perceptron: `depth` hidden layers of `width` spiking neurons.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "build_blocks.h"

typedef struct mlp_cfg {
    int32_t width, depth;
    bool    bias, batchnorm;
    float   dropout;
} mlp_cfg;

static const hk_field fields[] = {
    HK_ROW_INT(mlp_cfg, width, 256, 1, 1 << 20, "neurons", "neurons of a hidden layer"),
    HK_ROW_INT(mlp_cfg, depth, 1, 0, 100, "layers", "hidden layers"),
    HK_ROW_BOOL(mlp_cfg, bias, 1, "biases"),
    HK_ROW_BOOL(mlp_cfg, batchnorm, 0, "batch norm before every neuron"),
    HK_ROW_FLOAT(mlp_cfg, dropout, 0, 0, 0.99, "1", "probability of dropping a hidden spike"),
};

static void mlp_build(hk_layers *l, hk_shape input, int32_t classes, const void *cfg)
{
    const mlp_cfg *c = cfg;
    if (input.h * input.w > 1) hk_block_plain(l, "flatten", "flat");
    for (int i = 1; i <= c->depth; i++) {
        hk_block_dense(l, i, c->width, c->bias, c->batchnorm);
        hk_block_dropout(l, i, c->dropout);
    }
    hk_block_head(l, classes, c->bias);
}

const hk_builder_ops hk_builder_mlp = {
    .info = { .name = "mlp", .brief = "fully connected, `depth` hidden layers of `width` neurons",
              .source = "Rumelhart et al., Nature 323:533 (1986)", .cfg_size = sizeof(mlp_cfg),
              .fields = fields, .n_fields = HK_COUNT(fields) },
    .build = mlp_build,
};
