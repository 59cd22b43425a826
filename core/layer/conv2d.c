/* Convolution. Weights in files [out, in/groups, kh, kw], in memory [kh][kw][in/groups][out].
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "weighted.h"

typedef struct conv2d_cfg {
    hk_weighted_cfg weighted;            /* first, see hk_weighted_of */
    int32_t         out, kernel, stride, padding, groups;
} conv2d_cfg;

static const hk_field fields[] = {
    HK_ROW_INT(conv2d_cfg, out, 0, 1, 1 << 20, "channels", "output channels; required"),
    HK_ROW_INT(conv2d_cfg, kernel, 3, 1, 255, "positions", "side of the kernel"),
    HK_ROW_INT(conv2d_cfg, stride, 1, 1, 255, "positions", "step between outputs"),
    HK_ROW_INT(conv2d_cfg, padding, 0, 0, 255, "positions", "zeros added on every side"),
    HK_ROW_INT(conv2d_cfg, groups, 1, 1, 1 << 20, "1", "blocks of channels that do not mix"),
    HK_WEIGHTED_ROWS(conv2d_cfg),
};

static hk_status infer(hk_node *l, hk_error *e)
{
    const conv2d_cfg *c = l->spec->cfg;
    const hk_shape in = l->in[0].shape;
    HK_CHECK(e, c->out >= 1, HK_E_ARG, "layer '%s' (conv2d): key 'out' is missing", l->name);
    HK_CHECK(e, !in.flat, HK_E_SHAPE, "layer '%s' (conv2d): expected a map, found a flattened one",
             l->name);
    HK_CHECK(e, in.c % c->groups == 0 && c->out % c->groups == 0, HK_E_SHAPE,
             "layer '%s' (conv2d): %d input and %d output channels, expected multiples of groups = %d",
             l->name, (int)in.c, (int)c->out, (int)c->groups);
    const int32_t h = in.h + 2 * c->padding - c->kernel, w = in.w + 2 * c->padding - c->kernel;
    HK_CHECK(e, h >= 0 && w >= 0, HK_E_SHAPE,
             "layer '%s' (conv2d): input is %dx%d (h, w) with padding %d, expected at least the kernel "
             "%d", l->name, (int)in.h, (int)in.w, (int)c->padding, (int)c->kernel);
    l->out = (hk_signal){ { h / c->stride + 1, w / c->stride + 1, c->out, false }, HK_F32, 1 };
    l->conv = (hk_conv){ hk_weighted_batch(l), in.h, in.w, in.c, l->out.shape.h, l->out.shape.w, c->out,
                         c->kernel, c->kernel, c->stride, c->stride, c->padding, c->padding,
                         c->groups };
    l->learnable = true;
    return HK_OK;
}

const hk_layer_ops hk_layer_conv2d = {
    .info = { "conv2d", "convolution over height and width", "standard; traces as 2210.04195",
              sizeof(conv2d_cfg), fields, HK_COUNT(fields) },
    .infer = infer, HK_WEIGHTED_OPS,
};
