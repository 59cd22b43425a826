/* The two networks of SNN2ANN, arXiv:2206.09449, for maps of 32 x 32 and, pooled once more, 64 x 64.
 *
 *   vgg13      2 x 64, 2 x 128, 3 x 256, 3 x 512, 3 x 512 convolutions, one dense layer
 *   resnet17   64, then stages of two blocks with 64, 128, 256, 512 channels, one dense layer
 *
 * A convolution is C-BN-[dropout]-[max pool]-neuron: what is pooled is the current, and dropout acts
 * on the activation net alone. With average pools, neurons fire before and after the pool.
 *
 * A block is s' = N(BN(C(N(BN(C(s))))) + i), where i is a 1 x 1 convolution with BN of s if shapes
 * differ, else the identity shortcut. The released code adds the current of the neuron before in the
 * spiking net, but its spike count in the activation net; here both add one thing, so that the sum of
 * currents is the activation net's input: spikes (and so counts), or currents (and so their sums).
 *
 * Differences: no biases before a norm, which takes them away; the mean over the map before the dense
 * layer of resnet17 is ours.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "build_blocks.h"
#include "io/number.h"

/* Convolution and norm, called WHAT and WHAT_bn. */
static void conv(hk_trunk *n, int block, const char *what, const char *from, int32_t out, int kernel,
                 int stride)
{
    char keys[128], norm[32];
    hk_format(keys, sizeof keys, "out: %d, kernel: %d, stride: %d, padding: %d, bias: false, init: %s",
              (int)out, kernel, stride, kernel / 2, n->init);
    hk_trunk_put(n, block, "conv2d", what, from, NULL, keys);
    hk_format(norm, sizeof norm, "%s_bn", what);
    hk_trunk_put(n, block, "batchnorm", norm, NULL, NULL, "");
}

static bool large(hk_shape input) { return (input.h < input.w ? input.h : input.w) >= 64; }

/* ---- VGG-13 ------------------------------------------------------------------------------------ */

typedef struct vgg_cfg {
    int32_t pool, first_pool;
    float   dropout;
} vgg_cfg;

static const hk_field vgg_fields[] = {
    HK_ROW_ENUM(vgg_cfg, pool, HK_POOL_MAX, HK_POOL_WORDS, 2,
                "pooling of 2 x 2: max of currents, or average of spikes, which fire again"),
    HK_ROW_INT(vgg_cfg, first_pool, 0, 0, 5, "blocks",
               "first block that is pooled; 0: the third, for maps of 64 x 64 the second"),
    HK_ROW_FLOAT(vgg_cfg, dropout, 0.25, 0, 0.99, "1",
                 "probability of dropping an activation in the blocks of two convolutions"),
};

static void vgg_conv(hk_trunk *n, int number, int32_t out, bool pooled, int32_t pool)
{
    char name[32];
    hk_format(name, sizeof name, "conv%d", number);
    conv(n, 0, name, NULL, out, 3, 1);
    hk_format(name, sizeof name, "drop%d", number);
    hk_trunk_drop(n, 0, name);
    if (pooled && pool == HK_POOL_MAX) hk_block_pool(n->l, number, HK_POOL_MAX);
    hk_format(name, sizeof name, "spike%d", number);
    hk_trunk_put(n, 0, "spiking", name, NULL, NULL, "");
    if (!pooled || pool == HK_POOL_MAX) return;
    hk_block_pool(n->l, number, HK_POOL_AVG);
    hk_format(name, sizeof name, "pool_spike%d", number);
    hk_trunk_put(n, 0, "spiking", name, NULL, NULL, "");
}

static void vgg13_build(hk_layers *l, hk_shape input, int32_t classes, const void *cfg)
{
    static const int32_t convs[] = { 2, 2, 3, 3, 3 }, width[] = { 64, 128, 256, 512, 512 };
    const vgg_cfg *c = cfg;
    const int32_t first = c->first_pool ? c->first_pool : large(input) ? 2 : 3;
    hk_trunk n = { .l = l, .init = "uniform" };
    int number = 1;
    for (int block = 0; block < HK_COUNT(convs); block++)
        for (int k = 1; k <= convs[block]; k++) {
            n.dropout = convs[block] == 2 ? c->dropout : 0;
            vgg_conv(&n, number++, width[block], k == convs[block] && block + 1 >= first, c->pool);
        }
    hk_block_plain(l, "flatten", "flat");
    hk_block_mean_head(l, classes);
}

const hk_builder_ops hk_builder_vgg13 = {
    .info = { .name = "vgg13", .brief = "VGG-13 of SNN2ANN, max pools of currents",
              .source = "arXiv:2206.09449, released code", .cfg_size = sizeof(vgg_cfg),
              .fields = vgg_fields, .n_fields = HK_COUNT(vgg_fields) },
    .build = vgg13_build,
};

/* ---- ResNet-17 --------------------------------------------------------------------------------- */

typedef enum { SPIKES, CURRENTS } shortcut;
typedef struct resnet_cfg {
    int32_t shortcut;
    float   dropout;
} resnet_cfg;

static const hk_field resnet_fields[] = {
    HK_ROW_ENUM(resnet_cfg, shortcut, SPIKES, "spikes|currents", 2,
                "what an identity shortcut adds: output or input of the neuron before"),
    HK_ROW_FLOAT(resnet_cfg, dropout, 0.2, 0, 0.99, "1",
                 "probability of dropping an activation of the stem, and behind a block's first norm"),
};

/* current: the input of the neuron before, then of this block's. */
static void block(hk_trunk *n, int number, int32_t out, int stride, bool same, shortcut kind,
                  char current[32])
{
    char in[32], sum[32];
    hk_trunk_name(in, n->last);
    conv(n, number, "conv1", NULL, out, 3, stride);
    hk_trunk_drop(n, number, "drop");
    hk_trunk_put(n, number, "spiking", "spike1", NULL, NULL, "");
    conv(n, number, "conv2", NULL, out, 3, 1);
    hk_trunk_name(sum, n->last);
    if (!same) {
        conv(n, number, "short", in, out, 1, stride);
        hk_trunk_name(in, n->last);
    } else if (kind == CURRENTS) {
        hk_trunk_name(in, current);
    }
    hk_trunk_put(n, number, "add", "add", sum, in, "");
    hk_trunk_name(current, n->last);
    hk_trunk_put(n, number, "spiking", "spike2", NULL, NULL, "");
}

static void resnet17_build(hk_layers *l, hk_shape input, int32_t classes, const void *cfg)
{
    enum { STAGES = 4, BLOCKS = 2 };
    const resnet_cfg *c = cfg;
    const int first = large(input) ? 1 : 2;      /* stage that begins to halve the map */
    char current[32];
    hk_trunk n = { .l = l, .dropout = c->dropout, .init = "kaiming" };
    conv(&n, 0, "conv1", NULL, 64, 3, 1);
    hk_trunk_drop(&n, 0, "drop");
    hk_trunk_name(current, n.last);
    hk_trunk_put(&n, 0, "spiking", "spike1", NULL, NULL, "");
    for (int stage = 0; stage < STAGES; stage++)
        for (int k = 0; k < BLOCKS; k++) {
            const bool down = k == 0 && stage >= first, same = k > 0 || stage == 0;
            block(&n, 10 * (stage + 1) + k + 1, 64 << stage, down ? 2 : 1, same,
                  (shortcut)c->shortcut, current);
        }
    hk_block_plain(l, "gap", "gap");
    hk_block_mean_head(l, classes);
}

const hk_builder_ops hk_builder_resnet17 = {
    .info = { .name = "resnet17", .brief = "ResNet-17 of SNN2ANN, neuron behind the sum",
              .source = "arXiv:2206.09449, released code", .cfg_size = sizeof(resnet_cfg),
              .fields = resnet_fields, .n_fields = HK_COUNT(resnet_fields) },
    .build = resnet17_build,
};
