/* Parameters that the layer, the positions of a channel, or nobody else shares: their shape, and one
 * value per value of a tile.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_SHARE_H
#define HK_SHARE_H

#include "hillock_ext.h"

#include <string.h>

typedef enum hk_share { HK_PER_LAYER, HK_PER_CHANNEL, HK_PER_NEURON } hk_share;

/* Shape in memory and in files: [1], [C], or the map's. */
static inline void hk_share_shape(hk_share share, hk_shape s, hk_param *p)
{
    const bool vector = s.flat || (s.h == 1 && s.w == 1);
    p->rank = p->file_rank = 1;
    p->dim[0] = p->file_dim[0] = share == HK_PER_CHANNEL ? s.c : 1;
    if (share != HK_PER_NEURON) return;
    const int32_t map[] = { s.c, s.h, s.w };
    static const uint8_t order[] = { 1, 2, 0 };
    p->rank = 3;
    p->file_rank = vector ? 1 : 3;
    memcpy(p->dim, map, sizeof map);
    memcpy(p->order, order, sizeof order);
    memcpy(p->file_dim, map, sizeof map);
    if (vector) p->file_dim[0] = s.c * s.h * s.w;
}

/* Adds an axis in front of all others. */
static inline void hk_share_add_axis(hk_param *d, int32_t n)
{
    for (int k = d->rank; k > 0; k--) {
        d->dim[k] = d->dim[k - 1];
        d->order[k] = (uint8_t)(d->order[k - 1] + 1);
    }
    for (int k = d->file_rank; k > 0; k--) d->file_dim[k] = d->file_dim[k - 1];
    d->dim[0] = d->file_dim[0] = n;
    d->order[0] = 0;
    d->rank++;
    d->file_rank++;
}

/* w as one value per value of the tile. */
HK_PART void hk_spread(hk_share share, const hk_node *l, const hk_tile *a, const float *w, float *out)
{
    const size_t c = (size_t)l->out.shape.c, n = a->rows * c;
    if (share == HK_PER_LAYER) {
        const float v = w[0];
        for (size_t i = 0; i < n; i++) out[i] = v;
        return;
    }
    const size_t maps = share == HK_PER_CHANNEL ? 1 : (size_t)(l->out.shape.h * l->out.shape.w);
    for (size_t r = 0; r < a->rows; r++)
        memcpy(out + r * c, w + (a->row + r) % maps * c, c * sizeof *w);
}

#endif
