/* Geometry: maps of the products, their blocks and tiles.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "product.h"

#include <string.h>

int32_t hki_tiles(int32_t n, int32_t tile) { return (n + tile - 1) / tile; }

int32_t hki_tile_width(int32_t n, int32_t t, int32_t tile, int32_t vl)
{
    const int32_t left = n - t * tile;
    int32_t width = tile;
    while (width / 2 >= left && width / 2 >= vl) width /= 2;
    return width;
}

size_t hki_padded(int32_t n, int32_t tile, int32_t vl)
{
    const int32_t last = hki_tiles(n, tile) - 1;
    return (size_t)last * (size_t)tile + (size_t)hki_tile_width(n, last, tile, vl);
}

static bool covers_map(const hk_conv *g)
{
    return g->groups == 1 && g->kh == g->hi && g->kw == g->wi && !g->ph && !g->pw;
}

hk_conv hki_reshaped(const hk_conv *g)
{
    hk_conv r = *g;
    if (!covers_map(g)) return r;
    r.ci = g->hi * g->wi * g->ci;
    r.hi = r.wi = r.kh = r.kw = r.sh = r.sw = 1;
    return r;
}

size_t hki_repack_bytes(const hk_conv *g, hk_kind kind)
{
    if (kind != HK_BITS || !covers_map(g) || g->ci % 32 == 0 || g->hi * g->wi == 1) return 0;
    return hki_up64((size_t)g->batch * hk_row_bytes(kind, (size_t)(g->hi * g->wi * g->ci)));
}

hk_view hki_repack(const hk_conv *g, hk_view x, void *to)
{
    const size_t bytes = hki_repack_bytes(g, x.kind);
    if (!bytes) return x;
    const size_t area = (size_t)g->hi * (size_t)g->wi, ci = (size_t)g->ci, words = (ci + 31) / 32;
    const size_t words_out = (area * ci + 31) / 32;
    const uint32_t *from = x.data;
    uint32_t *row = to;
    memset(to, 0, bytes);
    for (int32_t b = 0; b < g->batch; b++, row += words_out)
        for (size_t i = 0; i < area; i++)
            for (size_t w = 0; w < words; w++) {
                const uint32_t bits = *from++;
                const size_t at = i * ci + w * 32, shift = at % 32;
                row[at / 32] |= bits << shift;
                if (shift && bits >> (32 - shift)) row[at / 32 + 1] |= bits >> (32 - shift);
            }
    x.data = to;
    return x;
}

/* Samples and rows of a block, so that it has about HKI_BLOCK outputs, sees no more than
 * HKI_BLOCK_VALUES inputs, and every worker gets a task or two. */
static void cut(hki_map *m, int workers)
{
    const int64_t across = m->w * (int64_t)m->c;
    const int32_t area = hki_max(m->nu * m->nv, 1);
    int32_t want = HKI_BLOCK;
    const int64_t outputs = (int64_t)area * m->batch, tiles = hki_tiles(m->n, 64);
    while (want > HKI_BLOCK_LEAST && outputs / want * tiles < 2 * (int64_t)workers) want /= 2;
    m->nb = 1;
    m->ru = hki_max(m->nu, 1);
    if (area >= want) {
        const int32_t parts = (area + want / 2) / want;
        m->ru = (m->ru + parts - 1) / parts;
    } else {
        const int32_t parts = hki_max((int32_t)((outputs + want / 2) / want), 1);
        m->nb = (m->batch + parts - 1) / parts;
    }
    while (m->nb > 1 &&
           m->nb * across * hki_min(m->h, (m->ru - 1) * m->sy + m->kh) > HKI_BLOCK_VALUES)
        m->nb--;
    while (m->nb == 1 && m->ru > 1 && across * ((m->ru - 1) * m->sy + m->kh) > HKI_BLOCK_VALUES)
        m->ru--;
    m->rows = (m->ru - 1) * m->sy + m->kh;
}

hki_map hki_map_forward(const hk_conv *g, hk_kind kind, int workers)
{
    hki_map m = {
        .batch = g->batch, .h = g->hi, .w = g->wi, .c = g->ci,
        .in = { .kind = kind, .scale = 1.0f }, .pitch = hk_row_bytes(kind, (size_t)g->ci),
        .nu = g->ho, .nv = g->wo, .n = g->co,
        .kh = g->kh, .kw = g->kw, .sy = g->sh, .sx = g->sw, .oy = -g->ph, .ox = -g->pw,
        .out_b = (size_t)g->ho * (size_t)g->wo * (size_t)g->co,
        .out_u = (size_t)g->wo * (size_t)g->co, .out_v = (size_t)g->co,
    };
    cut(&m, workers);
    return m;
}

/* Rows yi of phase a are y0, y0 + sh, ..; row number u of them has (yi + ph)/sh = U0 + u and sees
 * yo = U0 + u - j through tap p = a + j*sh. With taps mirrored, p' = taps-1-j, that is
 * yo = u + p' + U0 - (taps-1). */
hki_map hki_map_input(const hk_conv *g, int32_t a, int32_t b, int workers)
{
    const int32_t kh = hki_taps(g->kh, g->sh, a), kw = hki_taps(g->kw, g->sw, b);
    const int32_t y0 = ((a - g->ph) % g->sh + g->sh) % g->sh;
    const int32_t x0 = ((b - g->pw) % g->sw + g->sw) % g->sw;
    hki_map m = {
        .batch = g->batch, .h = g->ho, .w = g->wo, .c = g->co,
        .in = { .kind = HK_F32, .scale = 1.0f }, .pitch = 4 * (size_t)g->co,
        .nu = hki_taps(g->hi, g->sh, y0), .nv = hki_taps(g->wi, g->sw, x0), .n = g->ci,
        .kh = kh, .kw = kw, .sy = 1, .sx = 1,
        .oy = (y0 + g->ph - a) / g->sh - (kh - 1), .ox = (x0 + g->pw - b) / g->sw - (kw - 1),
        .out_b = (size_t)g->hi * (size_t)g->wi * (size_t)g->ci,
        .out_u = (size_t)g->sh * (size_t)g->wi * (size_t)g->ci,
        .out_v = (size_t)g->sw * (size_t)g->ci,
    };
    cut(&m, workers);
    return m;
}

int32_t hki_blocks(const hki_map *m)
{
    if (m->nu < 1 || m->nv < 1) return 0;
    return (m->batch + m->nb - 1) / m->nb * ((m->nu + m->ru - 1) / m->ru);
}

hki_block hki_block_at(const hki_map *m, int32_t block)
{
    const int32_t per = (m->nu + m->ru - 1) / m->ru;
    hki_block k = { .b = block / per * m->nb, .u = block % per * m->ru };
    k.nb = hki_min(m->nb, m->batch - k.b);
    k.ru = hki_min(m->ru, m->nu - k.u);
    k.y = k.u * m->sy + m->oy;
    k.rows = (k.ru - 1) * m->sy + m->kh;
    return k;
}

/* Full vectors of channels on both sides. */
bool hki_can_winograd(const hk_conv *r)
{
    return r->groups == 1 && r->kh == 3 && r->kw == 3 && r->sh == 1 && r->sw == 1 && r->ph < 3 && r->pw < 3 &&
           r->ci % 16 == 0 && r->co % 16 == 0;
}

/* At least half of the outputs that are computed lie in the map, and the tiles are worth transforming the weights.
 * Forward there are events instead, which want none. */
bool hki_winograd_fits(const hk_conv *r, hk_product product)
{
    const int64_t least = product == HK_FORWARD ? 128 : 32;
    const int64_t in = (int64_t)hki_tiles(r->hi, 4) * hki_tiles(r->wi, 4);
    const int64_t out = (int64_t)hki_tiles(r->ho, 4) * hki_tiles(r->wo, 4);
    return r->hi * (int64_t)r->wi >= 8 * in && r->ho * (int64_t)r->wo >= 8 * out && r->batch * out >= least;
}

int32_t hki_wino_tiles(const hki_map *m) { return m->batch * hki_tiles(m->nu, 4) * hki_tiles(m->nv, 4); }

/* 64 input channels and one tile of outputs have sums that stay in L2; fewer where workers would stand
 * idle. */
hki_sum hki_wino_sum_of(const hk_conv *g, hk_kind kind, int workers)
{
    hki_sum s = { .g = *g, .x = { .kind = kind, .scale = 1.0f }, .cb = 64 };
    const int64_t tiles = hki_tiles(g->co, 64);
    while (s.cb > 16 && s.cb / 2 >= g->ci) s.cb /= 2;
    while (s.cb > 16) {
        const int64_t tasks = hki_tiles(g->ci, s.cb) * tiles;
        if (workers == 1 || tasks >= 4 * (int64_t)workers || tasks % workers == 0) break;
        s.cb /= 2;
    }
    return s;
}

/* 128 input and 64 output channels share one list and one slab well; fewer where the sums of all
 * taps would not stay in L2 or workers would stand idle. cb stays a multiple of 32. */
hki_sum hki_sum_of(const hk_conv *g, hk_kind kind, int workers)
{
    enum { SUM_FLOATS = 1 << 17 };
    hki_sum s = {
        .g = *g, .x = { .kind = kind, .scale = 1.0f }, .cb = 128, .nc = 64, .lines = HKI_LINES_FEW
    };
    const int64_t taps = g->kh * (int64_t)g->kw;
    while (s.cb > 32 && taps * s.cb * s.nc > SUM_FLOATS) s.cb /= 2;
    while (s.nc > 16 && taps * s.cb * s.nc > SUM_FLOATS) s.nc /= 2;
    while (s.cb > 32 && s.cb / 2 >= g->ci) s.cb /= 2;
    for (int i = 0; i < 4; i++) {
        const int64_t tasks = hki_tiles(g->ci, s.cb) * (int64_t)hki_tiles(g->co, s.nc);
        if (workers == 1 || tasks >= 2 * (int64_t)workers || tasks % workers == 0) break;
        if (s.cb > 32 && i % 2 == 0) s.cb /= 2;
        else if (s.nc > 16) s.nc /= 2;
    }
    return s;
}
