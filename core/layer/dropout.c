/* Dropout with one mask for all steps of a sample, as traces need it; kept values are scaled by
 * 1/(1-p). A mask is a function of the net's seed, the layer, the sample and the position.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_ext.h"

typedef struct dropout_cfg { float p; } dropout_cfg;

static const hk_field fields[] = {
    HK_ROW_FLOAT(dropout_cfg, p, 0.5, 0, 0.99, "1", "probability of dropping a value"),
};

enum { MASK };                           /* buf: bits of what is kept */

static hk_status infer(hk_node *l, hk_error *e)
{
    (void)e;
    l->out.kind = HK_F32;
    l->out.scale = 1;
    return HK_OK;
}

static hk_status bind(hk_node *l, hk_mem *m, hk_error *e)
{
    (void)e;
    l->buf[MASK] = l->net->spec.learn
                   ? hk_take(m, HK_R_STATE, l->rows * hk_row_bytes(HK_BITS, (size_t)l->out.shape.c))
                   : NULL;
    l->scratch = 1;
    return HK_OK;
}

static uint32_t *mask_rows(const hk_node *l, const hk_tile *a)
{
    return (uint32_t *)l->buf[MASK] + a->row * (((size_t)l->out.shape.c + 31) / 32);
}

static void draw(const hk_node *l, const hk_tile *a)
{
    const size_t c = (size_t)l->out.shape.c, n = a->rows * c;
    const float p = ((const dropout_cfg *)l->spec->cfg)->p;
    const hk_rng r = { l->net->spec.seed, ((uint64_t)l->index << 32) + 0xd40u };
    const uint64_t per_sample = (uint64_t)l->out.shape.h * (uint64_t)l->out.shape.w * c;
    const uint64_t first = (uint64_t)l->net->samples * per_sample + (uint64_t)a->row * c;
    for (size_t i = 0; i < n; i++) a->scratch[i] = hk_rng_uniform(r, first + i) >= p ? 1.0f : 0.0f;
    l->net->spec.kernels->pack(a->rows, c, a->scratch, mask_rows(l, a));
}

static float keep_scale(const hk_node *l)
{
    return 1.0f / (1.0f - ((const dropout_cfg *)l->spec->cfg)->p);
}

static void forward_tile(hk_node *l, const hk_tile *a)
{
    const size_t c = (size_t)l->out.shape.c, n = a->rows * c;
    if (!l->net->training) {
        for (size_t i = 0; i < n; i++) a->y[i] = a->x[0][i];
        return;
    }
    if (a->t == 1) draw(l, a);
    l->net->spec.kernels->unpack(a->rows, c, mask_rows(l, a), keep_scale(l), a->scratch);
    for (size_t i = 0; i < n; i++) a->y[i] = a->scratch[i] * a->x[0][i];
}

static void backward_tile(hk_node *l, const hk_tile *a)
{
    const size_t c = (size_t)l->out.shape.c, n = a->rows * c;
    float *dx = a->dx[0];
    if (!dx) return;
    l->net->spec.kernels->unpack(a->rows, c, mask_rows(l, a), keep_scale(l), a->scratch);
    for (size_t i = 0; i < n; i++)
        dx[i] = (a->add[0] ? dx[i] : 0.0f) + a->scratch[i] * a->dy[i];
}

const hk_layer_ops hk_layer_dropout = {
    .info = { "dropout", "drops values, with one mask for all steps of a sample",
              "Srivastava et al. 2014; mask over time as in 2210.04195", sizeof(dropout_cfg), fields,
              HK_COUNT(fields) },
    .n_in = 1, .infer = infer, .bind = bind, .forward_tile = forward_tile,
    .backward_tile = backward_tile,
};
