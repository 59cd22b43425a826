/* Weights rearranged for the maps: [tile][tap][c][width], see product.h. Channels beyond the last
 * are zero. A task is one tile and one tap.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "product.h"

#include <string.h>

typedef struct pack_task {
    const hk_conv *g;
    const hki_isa *isa;
    const float   *w;            /* forward: [tap][c][co]; input: as forward packs them */
    float         *out;
    char          *pairs;        /* or NULL */
} pack_task;

size_t hki_packed_forward(const hk_conv *g, const hki_isa *isa)
{
    return (size_t)g->kh * (size_t)g->kw * (size_t)g->ci * hki_padded(g->co, isa->tile, isa->vl);
}

size_t hki_packed_input(const hk_conv *g, const hki_isa *isa)
{
    return (size_t)g->kh * (size_t)g->kw * (size_t)g->co * hki_padded(g->ci, isa->tile, isa->vl);
}

size_t hki_pairs_offset(size_t floats, int32_t c)
{
    return floats / (size_t)c * (((size_t)c + 1) / 2 * 2) * 2;
}

size_t hki_pairs_forward(const hk_conv *g, const hki_isa *isa)
{
    return isa->pairs ? hki_pairs_offset(hki_packed_forward(g, isa), g->ci) : 0;
}

size_t hki_pairs_input(const hk_conv *g, const hki_isa *isa)
{
    return isa->pairs ? hki_pairs_offset(hki_packed_input(g, isa), g->co) : 0;
}

static void pair_up(const pack_task *k, const float *packed, int32_t c, size_t width)
{
    if (k->pairs)
        k->isa->pairs(k->pairs + hki_pairs_offset((size_t)(packed - k->out), c), packed, (size_t)c, width);
}

static void forward_tap(void *arg, int i, int worker)
{
    (void)worker;
    const pack_task *k = arg;
    const hk_conv *g = k->g;
    const int taps = g->kh * g->kw, tile = k->isa->tile, t = i / taps, tap = i % taps;
    const size_t width = (size_t)hki_tile_width(g->co, t, tile, k->isa->vl), co = (size_t)g->co;
    const size_t first = (size_t)t * (size_t)tile, n = co - first < width ? co - first : width;
    const float *from = k->w + (size_t)tap * (size_t)g->ci * co + first;
    float *to = k->out + (size_t)taps * (size_t)g->ci * first + (size_t)tap * (size_t)g->ci * width;
    for (size_t c = 0; c < (size_t)g->ci; c++, from += co) {
        memcpy(to + c * width, from, n * sizeof *to);
        memset(to + c * width + n, 0, (width - n) * sizeof *to);
    }
    pair_up(k, to, g->ci, width);
}

/* to[co][width] = transpose of n rows of co floats, `pitch` apart; n <= width; in pieces that stay in L1. */
static void transpose(float *to, const float *from, size_t pitch, size_t n, size_t co, size_t width)
{
    enum { STEP = 16 };
    for (size_t o = 0; o < co; o += STEP) {
        const size_t end = o + STEP < co ? o + STEP : co;
        for (size_t c = 0; c < n; c++)
            for (size_t i = o; i < end; i++) to[i * width + c] = from[c * pitch + i];
        if (n < width)
            for (size_t i = o; i < end; i++)
                memset(to + i * width + n, 0, (width - n) * sizeof *to);
    }
}

/* Floats of packed weights in the phases before (a, b). */
size_t hki_phase_offset(const hk_conv *g, const hki_isa *isa, int a, int b)
{
    size_t taps = 0;
    for (int i = 0; i < g->sh; i++)
        for (int j = 0; j < g->sw; j++)
            if (i < a || (i == a && j < b))
                taps += (size_t)hki_taps(g->kh, g->sh, i) * (size_t)hki_taps(g->kw, g->sw, j);
    return taps * (size_t)g->co * hki_padded(g->ci, isa->tile, isa->vl);
}

static void input_tap(void *arg, int i, int worker)
{
    (void)worker;
    const pack_task *k = arg;
    const hk_conv *g = k->g;
    const int tile = k->isa->tile, t = i / (g->kh * g->kw), p = i / g->kw % g->kh, q = i % g->kw;
    const int a = p % g->sh, b = q % g->sw;
    const int kh = hki_taps(g->kh, g->sh, a), kw = hki_taps(g->kw, g->sw, b);
    const size_t width = (size_t)hki_tile_width(g->ci, t, tile, k->isa->vl), co = (size_t)g->co;
    const size_t ci = (size_t)g->ci, first = (size_t)t * (size_t)tile;
    const size_t tap = (size_t)((kh - 1 - p / g->sh) * kw + kw - 1 - q / g->sw);
    const size_t n = ci - first < width ? ci - first : width, taps = (size_t)(g->kh * g->kw);
    float *to = k->out + hki_phase_offset(g, k->isa, a, b) + (size_t)(kh * kw) * co * first +
                tap * co * width;
    for (int32_t s = 0; s < hki_tiles(g->co, tile); s++) {
        const size_t o = (size_t)s * (size_t)tile, pitch = (size_t)hki_tile_width(g->co, s, tile, k->isa->vl);
        const float *from = k->w + taps * ci * o + ((size_t)(p * g->kw + q) * ci + first) * pitch;
        transpose(to + o * width, from, pitch, n, co - o < pitch ? co - o : pitch, width);
    }
    pair_up(k, to, g->co, width);
}

void hki_pack_forward(const hk_kernels *k, const hki_isa *isa, const hk_conv *g, const float *w,
                      float *out, void *pairs)
{
    pack_task t = { .g = g, .isa = isa, .w = w, .out = out, .pairs = isa->pairs ? pairs : NULL };
    k->parallel(k->self, hki_tiles(g->co, isa->tile) * g->kh * g->kw, forward_tap, &t);
}

void hki_pack_input(const hk_kernels *k, const hki_isa *isa, const hk_conv *g, const float *forward,
                    float *out, void *pairs)
{
    pack_task t = { .g = g, .isa = isa, .w = forward, .out = out, .pairs = isa->pairs ? pairs : NULL };
    k->parallel(k->self, hki_tiles(g->ci, isa->tile) * g->kh * g->kw, input_tap, &t);
}

