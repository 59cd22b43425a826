/* Adaptive average pooling to size x size: output cell i averages the input rows
 * floor(i h / size) .. ceil((i + 1) h / size) - 1, and columns likewise. A smaller map is replicated.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pool.h"

typedef struct adaptive_cfg { int32_t size; } adaptive_cfg;

static const hk_field fields[] = {
    HK_ROW_INT(adaptive_cfg, size, 7, 1, 255, "positions", "side of the output map"),
};

static hk_status infer(hk_node *l, hk_error *e)
{
    const hk_shape in = l->in[0].shape;
    HK_CHECK(e, !in.flat, HK_E_SHAPE, "layer '%s' (%s): expected a map, found a flattened one",
             l->name, l->ops->info.name);
    const int32_t n = ((const adaptive_cfg *)l->spec->cfg)->size;
    l->out = (hk_signal){ { n, n, in.c, false }, HK_F32, 1 };
    return HK_OK;
}

typedef struct range { int first, end; } range;

static range cell(int i, int size, int extent)
{
    return (range){ i * extent / size, ((i + 1) * extent + size - 1) / size };
}

static size_t input_row(const hk_node *l, int b, int y, int x)
{
    const hk_shape in = l->in[0].shape;
    return ((size_t)b * (size_t)in.h + (size_t)y) * (size_t)in.w + (size_t)x;
}

static void forward_sample(hk_node *l, int t, int b)
{
    const hk_view in = hk_input(l, 0, t);
    const hk_shape s = l->in[0].shape;
    const int n = l->out.shape.h;
    const size_t c = (size_t)s.c;
    float *y = (float *)hk_slot(&l->y, t) + (size_t)b * (size_t)(n * n) * c;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++, y += c) {
            const range r = cell(i, n, s.h), q = cell(j, n, s.w);
            const float share = in.scale / (float)((r.end - r.first) * (q.end - q.first));
            for (size_t k = 0; k < c; k++) {
                float sum = 0;
                for (int u = r.first; u < r.end; u++)
                    for (int v = q.first; v < q.end; v++)
                        sum += hk_stored(in, input_row(l, b, u, v), k, c);
                y[k] = share * sum;
            }
        }
}

static void forward(hk_node *l, int t)
{
    if (!(l->constant && t > 1)) hk_each_sample(l, t, forward_sample);
}

static void backward_sample(hk_node *l, int t, int b)
{
    const hk_shape s = l->in[0].shape;
    const int n = l->out.shape.h;
    const size_t c = (size_t)s.c;
    const float *dy = hk_dy(l, t) + (size_t)b * (size_t)(n * n) * c;
    hk_pool_clear(l, t, b);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++, dy += c) {
            const range r = cell(i, n, s.h), q = cell(j, n, s.w);
            const float share = 1.0f / (float)((r.end - r.first) * (q.end - q.first));
            for (int u = r.first; u < r.end; u++)
                for (int v = q.first; v < q.end; v++) {
                    float *dx = hk_dx(l, 0, t) + input_row(l, b, u, v) * c;
                    for (size_t k = 0; k < c; k++) dx[k] += share * dy[k];
                }
        }
}

static void backward(hk_node *l, int t)
{
    if (l->dx_want[0]) hk_each_sample(l, t, backward_sample);
}

const hk_layer_ops hk_layer_adaptive_avgpool2d = {
    .info = { "adaptive_avgpool2d", "mean over as many cells as asked for; replicates smaller maps",
              "standard; head of the VGG-11 of 2302.14311", sizeof(adaptive_cfg), fields,
              HK_COUNT(fields) },
    .n_in = 1, .whole = true, .steady = true, .infer = infer, .forward = forward,
    .backward = backward,
};
