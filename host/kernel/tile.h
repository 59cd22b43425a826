/* From the sums of one tile to the output.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_TILE_H
#define HK_TILE_H

#include "product.h"
#include "simd.h"

/* acc[position][width] of a block times scale into channels tile*TILE .. of the output. */
HK_INLINE void store_tile(const hki_map *m, const hki_block *k, const float *acc, int32_t tile,
                          int width)
{
    const int32_t first = tile * TILE, n = hki_min(width, m->n - first);
    const vf scale = vset(m->in.scale);
    for (int32_t s = 0; s < k->nb; s++)
    for (int32_t u = 0; u < k->ru; u++) {
        float *out = m->out + (size_t)(k->b + s) * m->out_b + (size_t)(k->u + u) * m->out_u + first;
        for (int32_t v = 0; v < m->nv; v++, out += m->out_v, acc += width) {
            int32_t i = 0;
            for (; i + VL <= n; i += VL) vstoreu(out + i, vload(acc + i) * scale);
            for (; i < n; i++) out[i] = acc[i] * m->in.scale;
        }
    }
}

#endif
