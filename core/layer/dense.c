/* Fully connected layer: a convolution whose kernel covers the whole map. Weights in files
 * [out, in] with in = c*h*w, channel slowest; in memory [h][w][c][out].
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "weighted.h"

typedef struct dense_cfg {
    hk_weighted_cfg weighted;            /* first, see hk_weighted_of */
    int32_t         out;
} dense_cfg;

static const hk_field fields[] = {
    HK_ROW_INT(dense_cfg, out, 0, 1, 1 << 24, "neurons", "outputs; required"),
    HK_WEIGHTED_ROWS(dense_cfg),
};

static hk_status infer(hk_node *l, hk_error *e)
{
    const dense_cfg *c = l->spec->cfg;
    hk_shape in = l->in[0].shape;
    HK_CHECK(e, c->out >= 1, HK_E_ARG, "layer '%s' (dense): key 'out' is missing", l->name);
    HK_CHECK(e, in.flat || (in.h == 1 && in.w == 1), HK_E_SHAPE,
             "layer '%s' (dense): expected a vector, found a map of %dx%dx%d (c, h, w); put flatten "
             "before it", l->name, (int)in.c, (int)in.h, (int)in.w);
    l->in[0].shape.flat = true;
    l->out = (hk_signal){ { 1, 1, c->out, false }, HK_F32, 1 };
    l->conv = (hk_conv){ hk_weighted_batch(l), in.h, in.w, in.c, 1, 1, c->out, in.h, in.w, 1, 1, 0, 0,
                         1 };
    l->learnable = true;
    return HK_OK;
}

const hk_layer_ops hk_layer_dense = {
    .info = { "dense", "fully connected layer", "standard; traces as 2210.04195", sizeof(dense_cfg),
              fields, HK_COUNT(fields) },
    .infer = infer, HK_WEIGHTED_OPS,
};
