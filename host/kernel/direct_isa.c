/* Dense maps: a direct convolution on the input where it lies. Bits and counts are turned into
 * floats first, one block at a time. With bf16 every input is turned into bf16, channels padded to an
 * even number, and two neighbours of a run are multiplied at once.
 *
 * The window of one output over one tap row is one run of at most kw * c floats of the input, and
 * so are the packed weights of the tap row: a plain dot product over K = kw * c for each of TILE
 * channels. At the border the run is shorter; columns with the same run are taken together.
 *
 *   for each tile of output channels
 *     for each tap row p, for each piece of at most DEPTH of K      weights of it stay in L2
 *       for each range of columns with the same run
 *         for each ROWS positions of the block                      ROWS x COLS vectors of sums
 *           for each k of the piece                                 in registers
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "elems.h"
#include "tile.h"

#if defined(__AVX512F__)
enum { ROWS = 6, COLS = 4, DEPTH = 384 };
#else
enum { ROWS = 6, COLS = 2, DEPTH = 384 };
#endif

typedef struct direct {
    const hki_map *m;
    hki_block   k;
    int32_t     ylo, rows;       /* input rows in `in`, per sample             */
    size_t      c;               /* channels of `in`, a multiple of PAIR       */
    const elem *in;              /* [sample][row][w][c]                        */
    size_t      in_sample;       /* values from sample to sample of in         */
    float      *acc;             /* [position][width]                          */
} direct;

static size_t acc_floats(const hki_map *m)
{
    return (size_t)m->nb * (size_t)m->ru * (size_t)m->nv * TILE;
}

static size_t padded_channels(const hki_map *m)
{
    return ((size_t)m->c + PAIR - 1) / PAIR * PAIR;
}

/* Whether the input is multiplied where it lies. */
static bool in_place(const hki_map *m) { return PAIR == 1 && m->in.kind == HK_F32; }

static size_t copy_values(const hki_map *m)
{
    return (size_t)m->nb * (size_t)hki_min(m->h, m->rows) * (size_t)m->w * padded_channels(m);
}

size_t HK_NAME(hki_direct_bytes)(const hki_map *m)
{
    return 4 * acc_floats(m) + (in_place(m) ? 0 : hki_up64(sizeof(elem) * copy_values(m)));
}

static void open_input(direct *d, elem *copy)
{
    const hki_map *m = d->m;
    const size_t c = d->c, row = (size_t)m->w * c;
    const size_t first = ((size_t)d->k.b * (size_t)m->h + (size_t)d->ylo) * (size_t)m->w;
    const char *in = (const char *)m->in.data + first * m->pitch;
    if (in_place(m)) {
        d->in = (const elem *)(const void *)in;
        d->in_sample = (size_t)m->h * row;
        return;
    }
    d->in = copy;
    d->in_sample = (size_t)d->rows * row;
    for (int32_t s = 0; s < d->k.nb; s++, in += (size_t)m->h * (size_t)m->w * m->pitch)
        for (size_t i = 0; i < (size_t)d->rows * (size_t)m->w; i++, copy += c) {
            hki_elems(copy, m->in.kind, in + i * m->pitch, 0, (size_t)m->c);
            for (size_t k = (size_t)m->c; k < c; k++) copy[k] = 0;
        }
}

/* Up to ROWS positions: where their runs begin, and their sums. */
typedef struct group { const elem *a[ROWS]; float *acc[ROWS]; int n; } group;

/* acc[r][..] += sum_k a[r][k] b[k][..], rows x cols vectors; rows of b are width values apart, PAIR
 * of them interleaved. */
HK_INLINE void multiply(const int rows, const int cols, const group *g, const elem *b,
                        size_t depth, size_t width, size_t at)
{
    const elem *a[ROWS];
    vf sum[ROWS][COLS];
    HK_UNROLL
    for (int r = 0; r < rows; r++) {
        a[r] = g->a[r < g->n ? r : 0];
        HK_UNROLL
        for (int i = 0; i < cols; i++) sum[r][i] = vset(0.0f);
    }
    b += at * PAIR;
    for (size_t k = 0; k < depth; k += PAIR, b += width * PAIR) {
        ve w[COLS];
        HK_UNROLL
        for (int i = 0; i < cols; i++) w[i] = eload(b + i * VL * PAIR);
        HK_UNROLL
        for (int r = 0; r < rows; r++) {
            const ve x = eset(a[r] + k);
            HK_UNROLL
            for (int i = 0; i < cols; i++) sum[r][i] = edot(x, w[i], sum[r][i]);
        }
    }
    HK_UNROLL
    for (int r = 0; r < rows; r++) {
        if (r >= g->n) continue;
        HK_UNROLL
        for (int i = 0; i < cols; i++)
            vstore(g->acc[r] + at + i * VL, vload(g->acc[r] + at + i * VL) + sum[r][i]);
    }
}

HK_INLINE void multiply_rows(const int rows, const group *g, const elem *b, size_t depth,
                             size_t width)
{
    size_t i = 0;
    for (; i + COLS * VL <= width; i += COLS * VL) multiply(rows, COLS, g, b, depth, width, i);
    if (COLS > 2)
        for (; i + 2 * VL <= width; i += 2 * VL) multiply(rows, 2, g, b, depth, width, i);
    for (; i < width; i += VL) multiply(rows, 1, g, b, depth, width, i);
}

static __attribute__((noinline)) void flush(group *g, const elem *b, size_t depth, size_t width)
{
    if (g->n > 4) multiply_rows(6, g, b, depth, width);
    else if (g->n > 2) multiply_rows(4, g, b, depth, width);
    else if (g->n > 0) multiply_rows(2, g, b, depth, width);
    g->n = 0;
}

/* Values from .. from+depth-1 of the windows over tap row p, for columns v .. end-1; all of them
 * lie inside the map. b: packed weights of value `from`. */
static void add_columns(const direct *d, int32_t p, int32_t v, int32_t end, size_t from,
                        size_t depth, const elem *b, size_t width)
{
    const hki_map *m = d->m;
    const size_t row = (size_t)m->w * d->c;
    const ptrdiff_t c = (ptrdiff_t)d->c, column = (ptrdiff_t)m->ox * c + (ptrdiff_t)from;
    group g = { .n = 0 };
    for (int32_t s = 0; s < d->k.nb; s++)
    for (int32_t u = 0; u < d->k.ru; u++) {
        const int32_t y = d->k.y + u * m->sy + p;
        if (y < 0 || y >= m->h) continue;
        const elem *in = d->in + (size_t)s * d->in_sample + (size_t)(y - d->ylo) * row;
        float *acc = d->acc + (size_t)(s * d->k.ru + u) * (size_t)m->nv * width;
        for (int32_t i = v; i < end; i++) {
            g.a[g.n] = in + ((ptrdiff_t)(i * m->sx) * c + column);
            g.acc[g.n++] = acc + (size_t)i * width;
            if (g.n == ROWS) flush(&g, b, depth, width);
        }
    }
    flush(&g, b, depth, width);
}

/* One piece of K of one tap row; b: packed weights of the tap row. */
static void add_piece(const direct *d, int32_t p, size_t from, size_t depth, const elem *b,
                      size_t width)
{
    const hki_map *m = d->m;
    for (int32_t v = 0, end; v < m->nv; v = end) {
        const int32_t x = v * m->sx + m->ox, lo = hki_max(-x, 0), hi = hki_min(m->w - x, m->kw);
        end = v + 1;
        if (lo == 0 && hi == m->kw) end = hki_min(m->nv, v + (m->w - m->kw - x) / m->sx + 1);
        const size_t first = (size_t)lo * d->c;
        const size_t last = (size_t)hki_max(hi, 0) * d->c;
        const size_t at = first > from ? first : from;
        const size_t stop = last < from + depth ? last : from + depth;
        if (at < stop) add_columns(d, p, v, end, at, stop - at, b + at * width, width);
    }
}

void HK_NAME(hki_direct)(void *task, int i, int worker)
{
    const hki_task *t = task;
    const hki_map *m = t->map;
    direct d = { .m = m, .k = hki_block_at(m, i / t->groups), .c = padded_channels(m) };
    d.ylo = hki_max(d.k.y, 0);
    d.rows = hki_max(hki_min(d.k.y + d.k.rows, m->h) - d.ylo, 0);
    d.acc = (float *)(void *)(t->scratch + (size_t)worker * t->scratch_bytes);
    const size_t run = (size_t)m->kw * d.c;
    if (m->kh && m->kw && d.rows) open_input(&d, (elem *)(void *)(d.acc + acc_floats(m)));
    const int32_t group_at = i % t->groups;
    const int32_t first = (int32_t)((int64_t)t->tiles * group_at / t->groups);
    const int32_t last = (int32_t)((int64_t)t->tiles * (group_at + 1) / t->groups);
    const size_t positions = (size_t)d.k.nb * (size_t)d.k.ru * (size_t)m->nv;
    for (int32_t tile = first; tile < last; tile++) {
        const size_t width = (size_t)hki_tile_width(m->n, tile, TILE, VL);
        const elem *w = (const elem *)(PAIR == 1 ? (const void *)m->weights : m->pairs)
                        + (size_t)tile * TILE * (size_t)m->kh * run;
        memset(d.acc, 0, positions * width * sizeof *d.acc);
        for (int32_t p = 0; p < m->kh; p++)
            for (size_t at = 0; at < run; at += DEPTH)
                add_piece(&d, p, at, run - at < DEPTH ? run - at : DEPTH,
                          w + (size_t)p * run * width, width);
        store_tile(m, &d.k, d.acc, tile, (int)width);
    }
}
