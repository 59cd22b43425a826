/* The two ResNet-18 for maps of 32 x 32: stages of two blocks with 64, 128, 256 and 512 channels,
 * the first block of the last three halving the map.
 *
 *   resnet18      the neuron behind the sum:   s' = N(BN(C(N(BN(C(s))))) + s)
 *   resnet18_pre  the neuron before:           s = N(BN(x)),  x' = C(N(BN(C(s)))) + s
 *
 * where C is a 3 x 3 convolution and the s that is added passes a 1 x 1 convolution where shapes
 * differ (with BN in resnet18). In resnet18_pre it is the spikes, not x, that the shortcut takes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "build_blocks.h"
#include "io/number.h"

enum { STAGES = 4, BLOCKS = 2 };

static void conv(hk_trunk *n, int block, const char *what, const char *from, int32_t out, int stride,
                 bool bias)
{
    char keys[96];
    hk_format(keys, sizeof keys, "out: %d, kernel: 3, stride: %d, padding: 1, bias: %s", (int)out,
              stride, bias ? "true" : "false");
    hk_trunk_put(n, block, "conv2d", what, from, NULL, keys);
}

static void shortcut(hk_trunk *n, int block, const char *from, int32_t out, bool bias)
{
    char keys[96];
    hk_format(keys, sizeof keys, "out: %d, kernel: 1, stride: 2, padding: 0, bias: %s", (int)out,
              bias ? "true" : "false");
    hk_trunk_put(n, block, "conv2d", "short", from, NULL, keys);
}

static void norm_spike(hk_trunk *n, int block, const char *norm, const char *spike)
{
    hk_trunk_norm(n, block, norm);
    hk_trunk_put(n, block, "spiking", spike, NULL, NULL, "");
}

static void each_block(hk_trunk *n, void (*make)(hk_trunk *n, int block, int32_t out, bool down))
{
    for (int stage = 0; stage < STAGES; stage++)
        for (int k = 0; k < BLOCKS; k++)
            make(n, 10 * (stage + 1) + k + 1, 64 << stage, stage > 0 && k == 0);
}

/* ---- post-activation ------------------------------------------------------------------------- */

typedef struct post_cfg { bool spiking_head; int32_t running_steps; } post_cfg;

static const hk_field post_fields[] = {
    HK_ROW_BOOL(post_cfg, spiking_head, 1, "scores are spikes of output neurons, not their input"),
    HK_ROW_RUNNING_STEPS(post_cfg),
};

static void post_block(hk_trunk *n, int block, int32_t out, bool down)
{
    char in[32], sum[32];
    hk_trunk_name(in, n->last);
    conv(n, block, "conv1", NULL, out, down ? 2 : 1, false);
    norm_spike(n, block, "bn1", "spike1");
    conv(n, block, "conv2", NULL, out, 1, false);
    hk_trunk_norm(n, block, "bn2");
    hk_trunk_name(sum, n->last);
    if (down) {
        shortcut(n, block, in, out, false);
        hk_trunk_norm(n, block, "short_bn");
        hk_trunk_name(in, n->last);
    }
    hk_trunk_put(n, block, "add", "add", sum, in, "");
    hk_trunk_put(n, block, "spiking", "spike2", NULL, NULL, "");
}

static void post_build(hk_layers *l, hk_shape input, int32_t classes, const void *cfg)
{
    const post_cfg *c = cfg;
    hk_trunk n = { .l = l, .running_steps = c->running_steps };
    (void)input;
    conv(&n, 0, "conv1", NULL, 64, 1, false);
    norm_spike(&n, 0, "bn1", "spike1");
    each_block(&n, post_block);
    hk_block_plain(l, "gap", "gap");
    hk_block_score(l, classes, c->spiking_head);
}

const hk_builder_ops hk_builder_resnet18 = {
    .info = { .name = "resnet18", .brief = "ResNet-18, neuron behind the sum, spiking classifier",
              .source = "He et al., arXiv:1512.03385; STOP, arXiv:2411.11082",
              .cfg_size = sizeof(post_cfg), .fields = post_fields,
              .n_fields = HK_COUNT(post_fields) },
    .build = post_build,
};

/* ---- pre-activation -------------------------------------------------------------------------- */

typedef struct pre_cfg { float dropout; int32_t running_steps; } pre_cfg;

static const hk_field pre_fields[] = {
    HK_ROW_FLOAT(pre_cfg, dropout, 0, 0, 0.99, "1",
                 "probability of dropping a spike inside a block and before the head"),
    HK_ROW_RUNNING_STEPS(pre_cfg),
};

static void pre_block(hk_trunk *n, int block, int32_t out, bool down)
{
    char spikes[32], sum[32];
    norm_spike(n, block, "bn1", "spike1");
    hk_trunk_name(spikes, n->last);
    conv(n, block, "conv1", NULL, out, down ? 2 : 1, true);
    norm_spike(n, block, "bn2", "spike2");
    hk_trunk_drop(n, block, "drop");
    conv(n, block, "conv2", NULL, out, 1, true);
    hk_trunk_name(sum, n->last);
    if (down) {
        shortcut(n, block, spikes, out, true);
        hk_trunk_name(spikes, n->last);
    }
    hk_trunk_put(n, block, "add", "add", sum, spikes, "");
}

static void pre_build(hk_layers *l, hk_shape input, int32_t classes, const void *cfg)
{
    const pre_cfg *c = cfg;
    const int32_t side = input.h < input.w ? input.h : input.w;
    const int32_t left = (side + 7) / 8, kernel = left < 4 ? left : 4;
    char keys[64];
    hk_trunk n = { .l = l, .dropout = c->dropout, .running_steps = c->running_steps };
    conv(&n, 0, "conv1", NULL, 64, 1, false);
    each_block(&n, pre_block);
    norm_spike(&n, 0, "bn", "spike");
    hk_format(keys, sizeof keys, "kernel: %d, stride: %d", (int)kernel, (int)kernel);
    hk_trunk_put(&n, 0, "avgpool2d", "pool", NULL, NULL, keys);
    hk_trunk_put(&n, 0, "flatten", "flat", NULL, NULL, "");
    hk_trunk_drop(&n, 0, "drop");
    hk_block_head(l, classes, true);
}

const hk_builder_ops hk_builder_resnet18_pre = {
    .info = { .name = "resnet18_pre", .brief = "ResNet-18 of SLTT, neuron before each convolution",
              .source = "He et al., arXiv:1603.05027; Meng et al., arXiv:2302.14311",
              .cfg_size = sizeof(pre_cfg), .fields = pre_fields, .n_fields = HK_COUNT(pre_fields) },
    .build = pre_build,
};
