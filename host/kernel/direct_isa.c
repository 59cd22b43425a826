/* Dense maps: a direct convolution over a copy of the block's input with zeros around it.
 *
 * In that copy [sample][row][column][c] the window of one output over one tap row is one run of
 * kw * c floats, and so are the packed weights of the tap row; their product is a plain dot product
 * over K = kw * c for each of TILE channels.
 *
 *   for each tile of output channels
 *     for each tap row p, for each piece of at most DEPTH of K      weights of it stay in L2
 *       for each ROWS positions of the block                        ROWS x COLS vectors of sums
 *         for each k of the piece                                   in registers
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tile.h"

#if defined(__AVX512F__)
enum { ROWS = 6, COLS = 4, DEPTH = 384 };
#else
enum { ROWS = 6, COLS = 2, DEPTH = 384 };
#endif

typedef struct direct {
    const hki_map *m;
    hki_block   k;
    int32_t     wp;              /* columns of the copy                        */
    float      *copy, *acc;      /* [sample][row][wp][c]; [position][width]    */
} direct;

static int32_t columns(const hki_map *m) { return (m->nv - 1) * m->sx + m->kw; }

static size_t copy_values(const hki_map *m)
{
    return (size_t)m->nb * (size_t)m->rows * (size_t)columns(m) * (size_t)m->c;
}

size_t HK_NAME(hki_direct_bytes)(const hki_map *m)
{
    return (size_t)m->nb * (size_t)m->ru * (size_t)m->nv * TILE * 4 + hki_up64(4 * copy_values(m));
}

/* Stored values of channels 0..c-1 as floats. */
static void widen(float *to, hk_kind kind, const char *row, size_t c)
{
    switch (kind) {
    case HK_BITS: {
        const uint32_t *word = (const uint32_t *)(const void *)row;
        for (size_t i = 0; i < c; i++) to[i] = (float)((word[i / 32] >> (i % 32)) & 1u);
        break;
    }
    case HK_COUNTS:
        for (size_t i = 0; i < c; i++) to[i] = (float)((const unsigned char *)row)[i];
        break;
    default: memcpy(to, row, c * sizeof *to);
    }
}

static void fill(const direct *d)
{
    const hki_map *m = d->m;
    const size_t c = (size_t)m->c, across = (size_t)d->wp * c;
    const int32_t lo = hki_min(hki_max(-m->ox, 0), d->wp), hi = hki_max(hki_min(m->w - m->ox, d->wp), lo);
    float *to = d->copy;
    for (int32_t s = 0; s < d->k.nb; s++)
    for (int32_t r = 0; r < d->k.rows; r++, to += across) {
        const int32_t y = d->k.y + r;
        if (y < 0 || y >= m->h) {
            memset(to, 0, across * sizeof *to);
            continue;
        }
        const size_t row = ((size_t)(d->k.b + s) * (size_t)m->h + (size_t)y) * (size_t)m->w;
        const char *in = (const char *)m->in.data + (row + (size_t)(lo + m->ox)) * m->pitch;
        memset(to, 0, (size_t)lo * c * sizeof *to);
        if (m->in.kind == HK_F32) memcpy(to + (size_t)lo * c, in, (size_t)(hi - lo) * c * sizeof *to);
        else
            for (int32_t x = lo; x < hi; x++, in += m->pitch)
                widen(to + (size_t)x * c, m->in.kind, in, c);
        memset(to + (size_t)hi * c, 0, (size_t)(d->wp - hi) * c * sizeof *to);
    }
}

/* acc[r][..] += sum_k a[r][k] b[k][..] for ROWS rows and cols vectors; rows of b and acc are width
 * floats apart. Only the first `rows` rows of acc are written. */
HK_INLINE void multiply(const int cols, const float *const a[ROWS], const float *b, size_t depth, size_t width,
                        float *acc, int rows)
{
    vf sum[ROWS][COLS];
    HK_UNROLL
    for (int r = 0; r < ROWS; r++) {
        HK_UNROLL
        for (int i = 0; i < cols; i++) sum[r][i] = vset(0.0f);
    }
    for (size_t k = 0; k < depth; k++, b += width) {
        vf w[COLS];
        HK_UNROLL
        for (int i = 0; i < cols; i++) w[i] = vload(b + i * VL);
        HK_UNROLL
        for (int r = 0; r < ROWS; r++) {
            const vf x = vset(a[r][k]);
            HK_UNROLL
            for (int i = 0; i < cols; i++) sum[r][i] = vfma(x, w[i], sum[r][i]);
        }
    }
    HK_UNROLL
    for (int r = 0; r < ROWS; r++) {
        if (r >= rows) continue;
        HK_UNROLL
        for (int i = 0; i < cols; i++) {
            float *to = acc + (size_t)r * width + i * VL;
            vstore(to, vload(to) + sum[r][i]);
        }
    }
}

static __attribute__((noinline)) void multiply_tile(const float *const a[ROWS], const float *b, size_t depth,
                                                    size_t width, float *acc, int rows)
{
    size_t i = 0;
    for (; i + COLS * VL <= width; i += COLS * VL) multiply(COLS, a, b + i, depth, width, acc + i, rows);
#if defined(__AVX512F__)
    for (; i + 2 * VL <= width; i += 2 * VL) multiply(2, a, b + i, depth, width, acc + i, rows);
#endif
    for (; i < width; i += VL) multiply(1, a, b + i, depth, width, acc + i, rows);
}

/* One piece of K of one tap row, for all positions of the block. */
static void add_piece(const direct *d, int32_t p, size_t from, size_t depth, const float *b, size_t width)
{
    const hki_map *m = d->m;
    const size_t step = (size_t)m->sx * (size_t)m->c, across = (size_t)d->wp * (size_t)m->c;
    const int32_t area = d->k.ru * m->nv, count = d->k.nb * area;
    int32_t s = 0, u = 0, v = 0;
    for (int32_t i = 0; i < count; i += ROWS) {
        const float *a[ROWS] = { 0 };
        const int rows = hki_min(ROWS, count - i);
        for (int r = 0; r < rows; r++) {
            a[r] = d->copy + (size_t)(s * d->k.rows + u * m->sy + p) * across + (size_t)v * step + from;
            if (++v < m->nv) continue;
            v = 0;
            if (++u < d->k.ru) continue;
            u = 0;
            s++;
        }
        for (int r = rows; r < ROWS; r++) a[r] = a[0];
        multiply_tile(a, b, depth, width, d->acc + (size_t)i * width, rows);
    }
}

void HK_NAME(hki_direct)(void *task, int i, int worker)
{
    const hki_task *t = task;
    const hki_map *m = t->map;
    direct d = { .m = m, .k = hki_block_at(m, i / t->groups), .wp = columns(m) };
    char *scratch = t->scratch + (size_t)worker * t->scratch_bytes;
    d.acc = (float *)(void *)scratch;
    d.copy = d.acc + (size_t)m->nb * (size_t)m->ru * (size_t)m->nv * TILE;
    const size_t run = (size_t)m->kw * (size_t)m->c;
    if (m->kh && m->kw) fill(&d);
    const int32_t group = i % t->groups;
    const int32_t first = (int32_t)((int64_t)t->tiles * group / t->groups);
    const int32_t last = (int32_t)((int64_t)t->tiles * (group + 1) / t->groups);
    const size_t positions = (size_t)d.k.nb * (size_t)d.k.ru * (size_t)m->nv;
    for (int32_t tile = first; tile < last; tile++) {
        const size_t width = (size_t)hki_tile_width(m->n, tile, TILE, VL);
        const float *w = m->weights + (size_t)tile * TILE * (size_t)m->kh * run;
        memset(d.acc, 0, positions * width * sizeof *d.acc);
        for (int32_t p = 0; p < m->kh; p++)
            for (size_t at = 0; at < run; at += DEPTH) {
                const size_t depth = run - at < DEPTH ? run - at : DEPTH;
                add_piece(&d, p, at, depth, w + ((size_t)p * run + at) * width, width);
            }
        store_tile(m, &d.k, d.acc, tile, (int)width);
    }
}
