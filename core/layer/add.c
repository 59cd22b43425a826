/* Residual addition of two signals of one shape, spikes or real values.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

static hk_status infer(hk_node *l, hk_error *e)
{
    const hk_shape a = l->in[0].shape, b = l->in[1].shape;
    HK_CHECK(e, a.h == b.h && a.w == b.w && a.c == b.c, HK_E_SHAPE,
             "layer '%s' (add): expected two inputs of one shape, found %dx%dx%d and %dx%dx%d "
             "(c, h, w)", l->name, (int)a.c, (int)a.h, (int)a.w, (int)b.c, (int)b.h, (int)b.w);
    l->out.kind = HK_F32;
    l->out.scale = 1;
    return HK_OK;
}

HK_CLONES static void forward_tile(hk_node *l, const hk_tile *a)
{
    const size_t n = a->rows * (size_t)l->out.shape.c;
    for (size_t i = 0; i < n; i++) a->y[i] = a->x[0][i] + a->x[1][i];
}

HK_CLONES static void backward_tile(hk_node *l, const hk_tile *a)
{
    const size_t n = a->rows * (size_t)l->out.shape.c;
    for (int k = 0; k < 2; k++) {
        float *dx = a->dx[k];
        if (!dx) continue;
        if (a->add[k])
            for (size_t i = 0; i < n; i++) dx[i] += a->dy[i];
        else
            for (size_t i = 0; i < n; i++) dx[i] = a->dy[i];
    }
}

const hk_layer_ops hk_layer_add = {
    .info = { "add", "sum of two inputs (residual connection)", "He et al. 2016, 1512.03385", 0, NULL,
              0 },
    .n_in = 2, .infer = infer, .forward_tile = forward_tile, .backward_tile = backward_tile,
};
