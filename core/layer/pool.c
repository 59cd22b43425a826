/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <string.h>

const hk_field hk_pool_fields[2] = {
    HK_ROW_INT(hk_pool_cfg, kernel, 2, 1, 15, "positions", "side of the window"),
    HK_ROW_INT(hk_pool_cfg, stride, 2, 1, 15, "positions", "step between windows"),
};

hk_status hk_pool_infer(hk_node *l, hk_error *e)
{
    const hk_pool_cfg *c = l->spec->cfg;
    const hk_shape in = l->in[0].shape;
    HK_CHECK(e, !in.flat && in.h >= c->kernel && in.w >= c->kernel, HK_E_SHAPE,
             "layer '%s' (%s): expected a map of at least %dx%d, found %dx%d (h, w)", l->name,
             l->ops->info.name, (int)c->kernel, (int)c->kernel, (int)in.h, (int)in.w);
    l->top = l->from[0] ? l->from[0]->top : 0;
    l->out.shape.h = (in.h - c->kernel) / c->stride + 1;
    l->out.shape.w = (in.w - c->kernel) / c->stride + 1;
    l->conv = (hk_conv){ l->net->spec.batch, in.h, in.w, in.c, l->out.shape.h, l->out.shape.w, in.c,
                         c->kernel, c->kernel, c->stride, c->stride, 0, 0, in.c };
    return HK_OK;
}

typedef struct each { hk_node *l; int t; void (*body)(hk_node *, int, int); } each;

static void one(void *arg, int b, int worker)
{
    (void)worker;
    const each *x = arg;
    x->body(x->l, x->t, b);
}

void hk_each_sample(hk_node *l, int t, void (*body)(hk_node *, int, int))
{
    const hk_kernels *k = l->net->spec.kernels;
    each x = { l, t, body };
    k->parallel(k->self, l->net->spec.batch, one, &x);
}

void hk_pool_clear(const hk_node *l, int t, int b)
{
    const hk_shape s = l->in[0].shape;
    const size_t n = (size_t)s.h * (size_t)s.w * (size_t)s.c;
    if (!l->dx_add[0]) memset(hk_dx(l, 0, t) + (size_t)b * n, 0, n * sizeof(float));
}
