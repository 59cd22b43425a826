/* Dense weight gradients from pairs of bf16: what sum_direct_isa.c does with floats, but two
 * neighbouring positions of a row are multiplied at once.
 *
 * A task owns a tap row, cb input channels and one tile of output channels. For each block the windows
 * over the tap row are unrolled, [row][pair of positions][kw * cb][2], zero outside the map and behind
 * an odd row; so are the errors, [row][pair][width][2]. Rows outside the map are left out.
 *
 *   for each block
 *     for each ROWS values of the window          ROWS x COLS vectors of sums in registers,
 *       for each pair of positions                from and back to acc [kw * cb][width] in L2
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "elems.h"

#if defined(__AVX512BF16__)

enum { ROWS = 6, COLS = 4 };

typedef struct pair_sum {
    const hki_sum *s;
    hki_map   m;                 /* forward's, for its blocks                     */
    int32_t   p, c0, tile;       /* tap row, first channel, tile                  */
    size_t    cb, width, pairs;  /* channels, channels of the tile, pairs of a row */
    size_t    run, apart;        /* kw * cb; values from pair to pair of x        */
    size_t    rows;              /* of the block inside the map                   */
    float    *acc;
    elem     *x, *dy, *row;      /* row: one row of the input or of the errors    */
} pair_sum;

static size_t pairs_of(const hki_map *m) { return ((size_t)m->nv + 1) / 2; }

static size_t acc_floats(const hki_sum *s)
{
    return ((size_t)s->g.kw * (size_t)s->cb + ROWS) * TILE;
}

/* An odd number of cache lines, so that the pairs of one k lie in different sets of the L1 cache. */
static size_t apart_of(size_t run) { return ((2 * run + 31) / 32 | 1) * 32; }

static size_t x_bytes(const hki_sum *s, const hki_map *m)
{
    const size_t rows = (size_t)m->nb * (size_t)m->ru;
    return hki_up64(2 * rows * pairs_of(m) * apart_of((size_t)s->g.kw * (size_t)s->cb) + 4 * ROWS);
}

static size_t dy_bytes(const hki_map *m)
{
    return hki_up64((size_t)m->nb * (size_t)m->ru * pairs_of(m) * TILE * 4);
}

/* Columns that the windows of a row of pairs meet. */
static size_t columns(const hki_map *m)
{
    return (2 * pairs_of(m) - 1) * (size_t)m->sx + (size_t)m->kw;
}

static size_t row_bytes(const hki_sum *s, const hki_map *m)
{
    const size_t x = columns(m) * (size_t)s->cb, dy = 2 * pairs_of(m) * TILE;
    return hki_up64(2 * (x > dy ? x : dy));
}

size_t HK_NAME(hki_sum_direct_bytes)(const hki_sum *s)
{
    const hki_map m = hki_map_forward(&s->g, s->x.kind, 1);
    return hki_up64(4 * acc_floats(s)) + x_bytes(s, &m) + dy_bytes(&m) + row_bytes(s, &m);
}

/* Whether the tap row meets the map at row u of the block, and where. */
static bool meets(const pair_sum *d, const hki_block *k, int32_t u, int32_t *y)
{
    *y = k->y + u * d->m.sy + d->p;
    return *y >= 0 && *y < d->m.h;
}

/* to[2 i] = a[i], to[2 i + 1] = b[i] */
static void weave(elem *to, const elem *a, const elem *b, size_t n)
{
    for (size_t i = 0; i < n; i += 16, to += 32) {
        const __mmask16 m = n - i < 16 ? (__mmask16)((1u << (n - i)) - 1) : (__mmask16)0xffff;
        const __m512i lo = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, a + i));
        const __m512i hi = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, b + i));
        _mm512_mask_storeu_epi32(to, m, _mm512_or_si512(lo, _mm512_slli_epi32(hi, 16)));
    }
}

/* One row of windows. in: column 0 of the map. */
static void unroll_row(const pair_sum *d, const char *in, elem *to)
{
    const hki_map *m = &d->m;
    const int32_t all = (int32_t)columns(m), lo = hki_min(hki_max(-m->ox, 0), all);
    const int32_t hi = hki_max(hki_min(m->w - m->ox, all), lo);
    const size_t cb = d->cb, step = (size_t)m->sx * cb;
    const size_t ahead = d->s->x.kind == HK_F32 ? 4 : d->s->x.kind == HK_B16 ? 2 : 0;    /* bytes of a value */
    memset(d->row, 0, (size_t)lo * cb * sizeof *to);
    for (int32_t x = lo; x < hi; x++) {
        const char *at = in + (ptrdiff_t)(x + m->ox) * (ptrdiff_t)m->pitch;
        if (ahead)
            for (size_t i = 0; i < ahead * cb; i += 64)
                __builtin_prefetch(at + (size_t)m->w * m->pitch + ahead * (size_t)d->c0 + i);
        hki_elems(d->row + (size_t)x * cb, d->s->x.kind, at, (size_t)d->c0, cb);
    }
    memset(d->row + (size_t)hi * cb, 0, (size_t)(all - hi) * cb * sizeof *to);
    for (size_t j = 0; j < d->pairs; j++, to += d->apart)
        for (size_t q = 0; q < (size_t)m->kw; q++)
            weave(to + q * 2 * cb, d->row + 2 * j * step + q * cb, d->row + (2 * j + 1) * step + q * cb, cb);
}

static void pair_errors(const pair_sum *d, const float *dy, elem *to)
{
    const hki_map *m = &d->m;
    const size_t left = (size_t)m->n - (size_t)d->tile * TILE, n = left < d->width ? left : d->width;
    memset(d->row, 0, 2 * d->pairs * d->width * sizeof *to);
    for (size_t v = 0; v < (size_t)m->nv; v++) {
        for (size_t i = 0; i < n; i += 16) __builtin_prefetch(dy + m->out_u + v * m->out_v + i);
        hki_narrow(d->row + v * d->width, dy + v * m->out_v, n);
    }
    for (size_t j = 0; j < d->pairs; j++, to += 2 * d->width)
        weave(to, d->row + 2 * j * d->width, d->row + (2 * j + 1) * d->width, d->width);
}

static void copy_block(pair_sum *d, const hki_block *k)
{
    const hki_map *m = &d->m;
    int32_t y;
    d->rows = 0;
    for (int32_t s = 0; s < k->nb; s++)
    for (int32_t u = 0; u < k->ru; u++) {
        if (!meets(d, k, u, &y)) continue;
        const size_t b = (size_t)(k->b + s), row = (b * (size_t)m->h + (size_t)y) * (size_t)m->w;
        unroll_row(d, (const char *)d->s->x.data + row * m->pitch, d->x + d->rows * d->pairs * d->apart);
        pair_errors(d, d->s->dy + b * m->out_b + (size_t)(k->u + u) * m->out_u + (size_t)d->tile * TILE,
                    d->dy + d->rows * d->pairs * d->width * 2);
        d->rows++;
    }
    memset(d->x + d->rows * d->pairs * d->apart, 0, 2 * ROWS * sizeof *d->x);
}

/* acc[r][..] += sum over pairs of window[k0 + r] dy[..], for cols vectors of the tile from `at`. */
HK_INLINE void multiply(const int cols, const pair_sum *d, size_t k0, size_t at, float *acc)
{
    const elem *x = d->x + 2 * k0, *dy = d->dy + 2 * at;
    const size_t width = d->width;
    vf sum[ROWS][COLS];
    HK_UNROLL
    for (int r = 0; r < ROWS; r++)
        HK_UNROLL
        for (int i = 0; i < cols; i++) sum[r][i] = vload(acc + (size_t)r * width + i * VL);
    for (size_t j = 0; j < d->rows * d->pairs; j++, x += d->apart, dy += 2 * width) {
        ve e[COLS];
        HK_UNROLL
        for (int i = 0; i < cols; i++) e[i] = eload(dy + i * VL * 2);
        HK_UNROLL
        for (int r = 0; r < ROWS; r++) {
            const ve f = eset(x + 2 * r);
            HK_UNROLL
            for (int i = 0; i < cols; i++) sum[r][i] = edot(f, e[i], sum[r][i]);
        }
    }
    HK_UNROLL
    for (int r = 0; r < ROWS; r++)
        HK_UNROLL
        for (int i = 0; i < cols; i++) vstore(acc + (size_t)r * width + i * VL, sum[r][i]);
}

static void add_block(const pair_sum *d)
{
    float *acc = d->acc;
    for (size_t k0 = 0; k0 < d->run; k0 += ROWS, acc += ROWS * d->width) {
        size_t at = 0;
        for (; at + COLS * VL <= d->width; at += COLS * VL) multiply(COLS, d, k0, at, acc + at);
        for (; at + 2 * VL <= d->width; at += 2 * VL) multiply(2, d, k0, at, acc + at);
        for (; at < d->width; at += VL) multiply(1, d, k0, at, acc + at);
    }
}

static void finish(const pair_sum *d)
{
    const hk_conv *g = &d->s->g;
    const size_t first = (size_t)d->tile * TILE, left = (size_t)g->co - first;
    const size_t n = left < d->width ? left : d->width, ci = (size_t)g->ci, co = (size_t)g->co;
    const float *acc = d->acc;
    for (size_t q = 0; q < (size_t)g->kw; q++)
        for (size_t c = 0; c < d->cb; c++, acc += d->width) {
            float *dw = d->s->dw
                + (((size_t)d->p * (size_t)g->kw + q) * ci + (size_t)d->c0 + c) * co + first;
            for (size_t i = 0; i < n; i++) dw[i] += acc[i] * d->s->x.scale;
        }
}

/* task: ((tap row) x (part of the input channels)) x (tile of the output channels) */
void HK_NAME(hki_sum_direct)(void *arg, int task, int worker)
{
    const hki_sum *s = arg;
    const int32_t tiles = hki_tiles(s->g.co, TILE), parts = (s->g.ci + s->cb - 1) / s->cb;
    pair_sum d = { .s = s, .m = hki_map_forward(&s->g, s->x.kind, 1), .tile = task % tiles };
    d.p = task / tiles / parts;
    d.c0 = task / tiles % parts * s->cb;
    d.cb = (size_t)hki_min(s->cb, s->g.ci - d.c0);
    d.run = (size_t)s->g.kw * d.cb;
    d.apart = apart_of(d.run);
    d.pairs = pairs_of(&d.m);
    d.width = (size_t)hki_tile_width(s->g.co, d.tile, TILE, VL);
    char *scratch = s->scratch + (size_t)worker * s->scratch_bytes;
    d.acc = (float *)(void *)scratch;
    d.x = (elem *)(void *)(scratch += hki_up64(4 * acc_floats(s)));
    d.dy = (elem *)(void *)(scratch += x_bytes(s, &d.m));
    d.row = (elem *)(void *)(scratch + dy_bytes(&d.m));
    memset(d.acc, 0, 4 * acc_floats(s));
    const int32_t blocks = hki_blocks(&d.m);
    for (int32_t i = 0; i < blocks; i++) {
        const hki_block k = hki_block_at(&d.m, i);
        copy_block(&d, &k);
        add_block(&d);
    }
    finish(&d);
}

#endif
