/* What the pooling layers share: windows over a map, one sample at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_POOL_H
#define HK_POOL_H

#include "hillock_ext.h"

typedef struct hk_pool_cfg { int32_t kernel, stride; } hk_pool_cfg;

extern const hk_field hk_pool_fields[2];

/* Shapes and geometry (l->conv, one group per channel); sizes round down, no padding. */
hk_status hk_pool_infer(hk_node *l, hk_error *e);

/* Calls body(l, t, b) for every sample, on the net's workers. */
void hk_each_sample(hk_node *l, int t, void (*body)(hk_node *l, int t, int b));

/* Row of the input map, within all samples, of window position (p, q) of output (yo, xo). */
static inline size_t hk_pool_row(const hk_conv *g, int b, int yo, int xo, int p, int q)
{
    return ((size_t)b * (size_t)g->hi + (size_t)(yo * g->sh + p)) * (size_t)g->wi +
           (size_t)(xo * g->sw + q);
}

/* Stored value of a view, without its scale. */
static inline float hk_stored(hk_view v, size_t row, size_t c, size_t channels)
{
    const unsigned char *p = (const unsigned char *)v.data + row * hk_row_bytes(v.kind, channels);
    if (v.kind == HK_F32) return ((const float *)(const void *)p)[c];
    if (v.kind == HK_COUNTS) return (float)p[c];
    return (float)(((const uint32_t *)(const void *)p)[c / 32] >> (c % 32) & 1u);
}

/* Zeroes the input's error of sample b unless another consumer has written there. */
void hk_pool_clear(const hk_node *l, int t, int b);

#endif
