/* Dense weight gradients of 3 x 3 taps and stride 1 by minimal filtering, see winograd.h.
 *
 * A task owns cb input channels and one tile of output channels. Its sums, [point][cb][width], are formed
 * over all tiles of the map and transformed back to taps at the end.
 *
 *   for each block of tiles of the map
 *     v[point][tile][cb], e[point][tile][width]            transformed inputs and errors
 *     for each point: sums += v^T e                         ROWS x COLS vectors in registers
 *
 * With bf16 two tiles are multiplied at once, [tile/2][..][2].
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "winograd.h"

#if defined(__AVX512F__)
enum { ROWS = 6, COLS = 4 };
#else
enum { ROWS = 6, COLS = 2 };
#endif

typedef struct wino_sum {
    const hki_sum *s;
    hki_map  m;                  /* forward's                                     */
    int32_t  c0, tile;           /* first input channel; tile of output channels  */
    size_t   cb, width, n;       /* input channels; width of the tile; of the map */
    size_t   sums_apart, v_apart, e_apart;    /* values from point to point       */
    float   *sums;
    elem    *v, *e;
} wino_sum;

/* One line more than needed, so that points lie in different sets of a cache. */
static size_t apart(size_t rows, size_t width) { return rows * width + VL * PAIR; }

size_t HK_NAME(hki_sum_winograd_bytes)(const hki_sum *s)
{
    const size_t cb = (size_t)s->cb;
    return WINO_POINTS * (4 * apart(cb, TILE) + sizeof(elem) * (apart(HKI_WINO_TILES, cb) +
                                                                apart(HKI_WINO_TILES, TILE)));
}

static void open_inputs(const wino_sum *d, const wino_place *at, elem *to, int half)
{
    const hki_map *m = &d->m;
    const size_t sample = (size_t)m->h * (size_t)m->w * m->pitch;
    wino_square s;
    wino_open(&s, WINO_IN, (const char *)d->s->x.data + (size_t)at->b * sample, at->u + m->oy, at->v + m->ox,
              m->h, m->w, m->pitch);
    wino_open_inputs(to, d->v_apart, &s, (size_t)d->c0, d->cb, d->s->x.kind, true, half);
}

static void open_errors(const wino_sum *d, const wino_place *at, elem *to, int half)
{
    const hki_map *m = &d->m;
    const size_t first = (size_t)d->tile * TILE;
    wino_square s;
    wino_open(&s, WINO_OUT, (const char *)(d->s->dy + (size_t)at->b * m->out_b), at->u, at->v, m->nu, m->nv,
              4 * (size_t)m->n);
    for (size_t k = 0; k < d->n; k += VL) {
        vf y[WINO_OUT], down[WINO_IN * WINO_OUT], whole[WINO_IN];
        HK_UNROLL
        for (int q = 0; q < WINO_OUT; q++) {
            HK_UNROLL
            for (int r = 0; r < WINO_OUT; r++) y[r] = wino_load(&s, r * WINO_OUT + q, first + k, HK_F32);
            wino_error(down + q, WINO_OUT, y, 1);
        }
        HK_UNROLL
        for (int r = 0; r < WINO_IN; r++) {
            wino_error(whole, 1, down + r * WINO_OUT, 1);
            HK_UNROLL
            for (int q = 0; q < WINO_IN; q++)
                wino_put(to + k * PAIR + (size_t)(r * WINO_IN + q) * d->e_apart, whole[q], true, half);
        }
    }
}

/* sums[r][..] += sum over tiles of v[tile][r] e[tile][..], for rows channels and cols vectors. */
HK_INLINE void multiply(const int rows, const int cols, const elem *v, size_t cb, const elem *e, size_t width,
                        int32_t tiles, float *sums)
{
    vf sum[ROWS][COLS];
    HK_UNROLL
    for (int r = 0; r < rows; r++)
        HK_UNROLL
        for (int i = 0; i < cols; i++) sum[r][i] = vload(sums + (size_t)r * width + i * VL);
    for (int32_t k = 0; k < tiles; k += PAIR, v += cb * PAIR, e += width * PAIR) {
        ve f[COLS];
        HK_UNROLL
        for (int i = 0; i < cols; i++) f[i] = eload(e + i * VL * PAIR);
        HK_UNROLL
        for (int r = 0; r < rows; r++) {
            const ve x = eset(v + r * PAIR);
            HK_UNROLL
            for (int i = 0; i < cols; i++) sum[r][i] = edot(x, f[i], sum[r][i]);
        }
    }
    HK_UNROLL
    for (int r = 0; r < rows; r++)
        HK_UNROLL
        for (int i = 0; i < cols; i++) vstore(sums + (size_t)r * width + i * VL, sum[r][i]);
}

HK_INLINE void multiply_rows(const int rows, const wino_sum *d, const elem *v, const elem *e, int32_t tiles,
                             float *sums)
{
    const size_t width = d->width, cb = d->cb;
    size_t at = 0;
    for (; at + COLS * VL <= width; at += COLS * VL)
        multiply(rows, COLS, v, cb, e + at * PAIR, width, tiles, sums + at);
    if (COLS > 2)
        for (; at + 2 * VL <= width; at += 2 * VL) multiply(rows, 2, v, cb, e + at * PAIR, width, tiles, sums + at);
    for (; at < width; at += VL) multiply(rows, 1, v, cb, e + at * PAIR, width, tiles, sums + at);
}

static void multiply_point(const wino_sum *d, size_t p, int32_t tiles)
{
    const elem *v = d->v + p * d->v_apart, *e = d->e + p * d->e_apart;
    float *sums = d->sums + p * d->sums_apart;
    size_t c = 0;
    for (; c + ROWS <= d->cb; c += ROWS) multiply_rows(ROWS, d, v + c * PAIR, e, tiles, sums + c * d->width);
    for (; c + 4 <= d->cb; c += 4) multiply_rows(4, d, v + c * PAIR, e, tiles, sums + c * d->width);
    for (; c < d->cb; c += 2) multiply_rows(2, d, v + c * PAIR, e, tiles, sums + c * d->width);
}

/* G^T sums G of channel c and the vector of outputs at k, into dw. */
static void finish_square(const wino_sum *d, size_t c, size_t k)
{
    const hk_conv *g = &d->s->g;
    const float *from = d->sums + c * d->width + k;
    const size_t tap = (size_t)g->ci * (size_t)g->co;
    float *dw = d->s->dw + ((size_t)d->c0 + c) * (size_t)g->co + (size_t)d->tile * TILE + k;
    const vf scale = vset(d->s->x.scale);
    vf u[WINO_IN], down[WINO_TAPS * WINO_IN], whole[WINO_TAPS];
    HK_UNROLL
    for (size_t q = 0; q < WINO_IN; q++) {
        HK_UNROLL
        for (size_t r = 0; r < WINO_IN; r++) u[r] = vload(from + (r * WINO_IN + q) * d->sums_apart);
        wino_gradient(down + q, WINO_IN, u, 1);
    }
    HK_UNROLL
    for (size_t p = 0; p < WINO_TAPS; p++) {
        wino_gradient(whole, 1, down + p * WINO_IN, 1);
        HK_UNROLL
        for (size_t q = 0; q < WINO_TAPS; q++, dw += tap) vstoreu(dw, vfma(whole[q], scale, vloadu(dw)));
    }
}

/* task: part of the input channels x tile of the output channels */
void HK_NAME(hki_sum_winograd)(void *arg, int task, int worker)
{
    const hki_sum *s = arg;
    const int32_t tiles = hki_tiles(s->g.co, TILE);
    wino_sum d = { .s = s, .m = hki_map_forward(&s->g, s->x.kind, 1), .tile = task % tiles };
    d.c0 = task / tiles * s->cb;
    d.cb = (size_t)hki_min(s->cb, s->g.ci - d.c0);
    d.width = (size_t)hki_tile_width(s->g.co, d.tile, TILE, VL);
    d.n = (size_t)hki_min((int32_t)d.width, s->g.co - d.tile * TILE);
    d.sums_apart = apart(d.cb, d.width);
    d.v_apart = apart(HKI_WINO_TILES, d.cb);
    d.e_apart = apart(HKI_WINO_TILES, d.width);
    d.sums = (float *)(void *)(s->scratch + (size_t)worker * s->scratch_bytes);
    d.v = (elem *)(void *)(d.sums + WINO_POINTS * d.sums_apart);
    d.e = d.v + WINO_POINTS * d.v_apart;
    memset(d.sums, 0, 4 * WINO_POINTS * d.sums_apart);
    if (d.n < d.width) memset(d.e, 0, sizeof(elem) * WINO_POINTS * d.e_apart);
    const int32_t all = hki_wino_tiles(&d.m);
    for (int32_t first = 0; first < all; first += HKI_WINO_TILES) {
        const int32_t n = hki_min(HKI_WINO_TILES, all - first);
        for (int32_t i = 0; i < n; i++) {
            const wino_place at = wino_at(&d.m, first + i);
            const size_t pair = (size_t)(i / PAIR) * PAIR;
            open_inputs(&d, &at, d.v + pair * d.cb, i % PAIR);
            open_errors(&d, &at, d.e + pair * d.width, i % PAIR);
        }
        for (size_t p = 0; p < WINO_POINTS; p++) multiply_point(&d, p, n);
    }
    for (size_t c = 0; c < d.cb; c++)
        for (size_t k = 0; k < d.n; k += VL) finish_square(&d, c, k);
}
