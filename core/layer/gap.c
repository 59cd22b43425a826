/* Global average pooling: the mean over height and width.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pool.h"

static hk_status infer(hk_node *l, hk_error *e)
{
    (void)e;
    l->out = (hk_signal){ { 1, 1, l->in[0].shape.c, false }, HK_F32, 1 };
    return HK_OK;
}

static size_t positions(const hk_node *l)
{
    return (size_t)l->in[0].shape.h * (size_t)l->in[0].shape.w;
}

static void forward_sample(hk_node *l, int t, int b)
{
    const hk_view x = hk_input(l, 0, t);
    const size_t c = (size_t)l->out.shape.c, hw = positions(l);
    float *y = (float *)hk_slot(&l->y, t) + (size_t)b * c;
    for (size_t k = 0; k < c; k++) y[k] = 0;
    for (size_t i = 0; i < hw; i++)
        for (size_t k = 0; k < c; k++) y[k] += hk_stored(x, (size_t)b * hw + i, k, c);
    for (size_t k = 0; k < c; k++) y[k] *= x.scale / (float)hw;
}

static void forward(hk_node *l, int t)
{
    if (!(l->constant && t > 1)) hk_each_sample(l, t, forward_sample);
}

static void backward_sample(hk_node *l, int t, int b)
{
    const size_t c = (size_t)l->out.shape.c, hw = positions(l);
    const float *dy = hk_dy(l, t) + (size_t)b * c, share = 1.0f / (float)hw;
    float *dx = hk_dx(l, 0, t) + (size_t)b * hw * c;
    hk_pool_clear(l, t, b);
    for (size_t i = 0; i < hw; i++)
        for (size_t k = 0; k < c; k++) dx[i * c + k] += share * dy[k];
}

static void backward(hk_node *l, int t)
{
    if (l->dx_want[0]) hk_each_sample(l, t, backward_sample);
}

const hk_layer_ops hk_layer_gap = {
    .info = { "gap", "global average pooling: the mean over height and width", "standard", 0, NULL, 0 },
    .n_in = 1, .whole = true, .steady = true, .infer = infer, .forward = forward,
    .backward = backward,
};
