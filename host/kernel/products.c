/* The five entries of the table: which form of a product a call takes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "product.h"

static hk_conv_bytes conv_sizes(void *self, const hk_conv *g, hk_kind kind, bool learn)
{
    (void)self; (void)g; (void)kind; (void)learn;
    return (hk_conv_bytes){ 0, 0 };
}

static void conv_prepare(void *self, const hk_conv_args *a, hk_kind kind, bool learn)
{
    (void)self; (void)a; (void)kind; (void)learn;
}

static void conv_forward(void *self, const hk_conv_args *a, hk_view x, float *y)
{
    const hki_state *s = self;
    hki_generic_forward(&s->table, a, x, y);
}

static void conv_backward_input(void *self, const hk_conv_args *a, const float *dy, float *dx)
{
    const hki_state *s = self;
    hki_generic_input(&s->table, a, dy, dx);
}

static void conv_backward_weight(void *self, const hk_conv_args *a, hk_view x, const float *dy, float *dw)
{
    const hki_state *s = self;
    hki_generic_weight(&s->table, a, x, dy, dw);
}

const hk_kernels hki_table = {
    .conv_sizes = conv_sizes, .conv_prepare = conv_prepare, .conv_forward = conv_forward,
    .conv_backward_input = conv_backward_input, .conv_backward_weight = conv_backward_weight,
};
