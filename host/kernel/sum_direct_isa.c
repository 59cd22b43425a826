/* Dense weight gradients: dw[(q, c)][n] of one tap row p is the product of the windows of the input
 * with the errors, over all positions.
 *
 * A task owns a tap row, cb input channels and one tile of output channels. For each block the rows
 * of its channels that the tap row meets are copied with zeros beside them, [row][column][cb], and
 * the tile of the errors of the same rows, [position][width]: the window of a position is then one
 * run of kw * cb floats. Rows outside the map are left out. Where channels are many, the taps q are
 * taken one by one, each over the columns that it meets; where they are few, together.
 *
 *   for each block
 *     for each tap q, or for all at once
 *       for each ROWS floats of the run            ROWS x COLS vectors of sums in registers,
 *         for each position                        from and back to acc [q][cb][width] in L2
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "elems.h"

#if !defined(__AVX512BF16__)         /* there: sum_pairs_isa.c */

#if defined(__AVX512F__)
enum { ROWS = 6, COLS = 4, APART = 40 };
#else
enum { ROWS = 6, COLS = 2, APART = 40 };
#endif

typedef struct dense_sum {
    const hki_sum *s;
    hki_map   m;                 /* forward's, for its blocks                     */
    int32_t   p, c0, cb, wp;     /* tap row, channels, columns of the copy        */
    int32_t   rows;              /* of the block inside the map                   */
    bool      apart;             /* taps q one by one                             */
    size_t    acc_q;             /* rows of acc from tap to tap                   */
    int32_t   tile;
    size_t    width;
    float    *acc, *copy, *dy;
} dense_sum;

static int32_t columns(const hki_map *m) { return (m->nv - 1) * m->sx + m->kw; }

/* Floats of acc, of the copy of the input and of the errors. */
static size_t acc_floats(const hki_sum *s)
{
    return ((size_t)s->g.kw * (size_t)(s->cb + ROWS) + ROWS) * TILE;
}

static size_t copy_floats(const hki_sum *s, const hki_map *m)
{
    return (size_t)m->nb * (size_t)m->ru * (size_t)columns(m) * (size_t)s->cb + HKI_SLACK;
}

size_t HK_NAME(hki_sum_direct_bytes)(const hki_sum *s)
{
    const hki_map m = hki_map_forward(&s->g, s->x.kind, 1);
    const size_t dy = (size_t)m.nb * (size_t)m.ru * (size_t)m.nv * TILE;
    return hki_up64(4 * acc_floats(s)) + hki_up64(4 * copy_floats(s, &m)) + 4 * dy;
}

/* Whether the tap row meets the map at row u of the block, and where. */
static bool meets(const dense_sum *d, const hki_block *k, int32_t u, int32_t *y)
{
    *y = k->y + u * d->m.sy + d->p;
    return *y >= 0 && *y < d->m.h;
}

static void copy_input(dense_sum *d, const hki_block *k)
{
    const hki_map *m = &d->m;
    const size_t across = (size_t)d->wp * (size_t)d->cb, cb = (size_t)d->cb;
    const int32_t lo = hki_min(hki_max(-m->ox, 0), d->wp);
    const int32_t hi = hki_max(hki_min(m->w - m->ox, d->wp), lo);
    float *to = d->copy;
    int32_t y;
    d->rows = 0;
    for (int32_t s = 0; s < k->nb; s++)
    for (int32_t u = 0; u < k->ru; u++) {
        if (!meets(d, k, u, &y)) continue;
        const size_t row = ((size_t)(k->b + s) * (size_t)m->h + (size_t)y) * (size_t)m->w;
        const char *in = (const char *)d->s->x.data + (row + (size_t)(lo + m->ox)) * m->pitch;
        memset(to, 0, (size_t)lo * cb * sizeof *to);
        for (int32_t x = lo; x < hi; x++, in += m->pitch)
            hki_elems(to + (size_t)x * cb, d->s->x.kind, in, (size_t)d->c0, cb);
        memset(to + (size_t)hi * cb, 0, (size_t)(d->wp - hi) * cb * sizeof *to);
        to += across;
        d->rows++;
    }
    memset(to, 0, HKI_SLACK * sizeof *to);
}

static void copy_errors(const dense_sum *d, const hki_block *k)
{
    const hki_map *m = &d->m;
    const size_t first = (size_t)d->tile * TILE, left = (size_t)m->n - first;
    const size_t n = left < d->width ? left : d->width;
    float *to = d->dy;
    int32_t y;
    for (int32_t s = 0; s < k->nb; s++)
    for (int32_t u = 0; u < k->ru; u++) {
        if (!meets(d, k, u, &y)) continue;
        const float *dy = d->s->dy + (size_t)(k->b + s) * m->out_b + (size_t)(k->u + u) * m->out_u
                          + first;
        for (int32_t v = 0; v < m->nv; v++, dy += m->out_v, to += d->width) {
            memcpy(to, dy, n * sizeof *to);
            memset(to + n, 0, (d->width - n) * sizeof *to);
        }
    }
}

/* acc[r][..] += sum over columns lo .. hi-1 of all rows of window[k0 + r] * dy[..], for cols
 * vectors of the tile from float `at`. */
HK_INLINE void multiply(const int cols, const dense_sum *d, size_t k0, size_t at, int32_t lo,
                        int32_t hi, float *acc)
{
    const hki_map *m = &d->m;
    const size_t width = d->width, step = (size_t)m->sx * (size_t)d->cb;
    const float *row = d->copy + (size_t)lo * step + k0, *errors = d->dy + (size_t)lo * width + at;
    vf sum[ROWS][COLS];
    HK_UNROLL
    for (int r = 0; r < ROWS; r++)
        HK_UNROLL
        for (int i = 0; i < cols; i++) sum[r][i] = vload(acc + (size_t)r * width + i * VL);
    for (int32_t u = 0; u < d->rows; u++) {
        const float *x = row, *dy = errors;
        for (int32_t v = lo; v < hi; v++, x += step, dy += width) {
            vf e[COLS];
            HK_UNROLL
            for (int i = 0; i < cols; i++) e[i] = vload(dy + i * VL);
            HK_UNROLL
            for (int r = 0; r < ROWS; r++) {
                const vf f = vset(x[r]);
                HK_UNROLL
                for (int i = 0; i < cols; i++) sum[r][i] = vfma(f, e[i], sum[r][i]);
            }
        }
        row += (size_t)d->wp * (size_t)d->cb;
        errors += (size_t)m->nv * width;
    }
    HK_UNROLL
    for (int r = 0; r < ROWS; r++)
        HK_UNROLL
        for (int i = 0; i < cols; i++) vstore(acc + (size_t)r * width + i * VL, sum[r][i]);
}

/* Floats from .. end-1 of the window; acc: sums of the first. */
static void add_run(const dense_sum *d, size_t from, size_t end, int32_t lo, int32_t hi, float *acc)
{
    for (size_t k0 = from; k0 < end; k0 += ROWS, acc += ROWS * d->width) {
        size_t at = 0;
        for (; at + COLS * VL <= d->width; at += COLS * VL)
            multiply(COLS, d, k0, at, lo, hi, acc + at);
        if (COLS > 2)
            for (; at + 2 * VL <= d->width; at += 2 * VL) multiply(2, d, k0, at, lo, hi, acc + at);
        for (; at < d->width; at += VL) multiply(1, d, k0, at, lo, hi, acc + at);
    }
}

static void add_block(const dense_sum *d)
{
    const hki_map *m = &d->m;
    const size_t cb = (size_t)d->cb;
    if (!d->apart) {
        add_run(d, 0, (size_t)m->kw * cb, 0, m->nv, d->acc);
        return;
    }
    for (int32_t q = 0; q < m->kw; q++) {
        const int32_t x = m->ox + q;                     /* column of the input that v = 0 meets */
        const int32_t lo = hki_max(0, x < 0 ? (-x + m->sx - 1) / m->sx : 0);
        const int32_t hi = hki_min(m->nv, m->w - x > 0 ? (m->w - x - 1) / m->sx + 1 : 0);
        if (lo < hi)
            add_run(d, (size_t)q * cb, (size_t)(q + 1) * cb, lo, hi,
                    d->acc + (size_t)q * d->acc_q * d->width);
    }
}

static void finish(const dense_sum *d)
{
    const hk_conv *g = &d->s->g;
    const size_t first = (size_t)d->tile * TILE, left = (size_t)g->co - first;
    const size_t n = left < d->width ? left : d->width;
    for (int32_t q = 0; q < g->kw; q++) {
        const float *acc = d->acc + (size_t)q * d->acc_q * d->width;
        for (int32_t c = 0; c < d->cb; c++, acc += d->width) {
            float *dw =
                d->s->dw +
                ((size_t)(d->p * g->kw + q) * (size_t)g->ci + (size_t)(d->c0 + c)) * (size_t)g->co +
                first;
            for (size_t i = 0; i < n; i++) dw[i] += acc[i] * d->s->x.scale;
        }
    }
}

/* task: ((tap row) x (part of the input channels)) x (tile of the output channels) */
void HK_NAME(hki_sum_direct)(void *arg, int task, int worker)
{
    const hki_sum *s = arg;
    const int32_t tiles = hki_tiles(s->g.co, TILE), parts = (s->g.ci + s->cb - 1) / s->cb;
    dense_sum d = { .s = s, .m = hki_map_forward(&s->g, s->x.kind, 1), .tile = task % tiles };
    d.p = task / tiles / parts;
    d.c0 = task / tiles % parts * s->cb;
    d.cb = hki_min(s->cb, s->g.ci - d.c0);
    d.wp = columns(&d.m);
    d.apart = d.cb >= APART;
    d.acc_q = d.apart ? ((size_t)d.cb + ROWS - 1) / ROWS * ROWS : (size_t)d.cb;
    d.width = (size_t)hki_tile_width(s->g.co, d.tile, TILE, VL);
    char *scratch = s->scratch + (size_t)worker * s->scratch_bytes;
    d.acc = (float *)(void *)scratch;
    d.copy = (float *)(void *)(scratch += hki_up64(4 * acc_floats(s)));
    d.dy = (float *)(void *)(scratch + hki_up64(4 * copy_floats(s, &d.m)));
    memset(d.acc, 0, 4 * acc_floats(s));
    const int32_t blocks = hki_blocks(&d.m);
    for (int32_t i = 0; i < blocks; i++) {
        const hki_block k = hki_block_at(&d.m, i);
        copy_input(&d, &k);
        copy_errors(&d, &k);
        add_block(&d);
    }
    finish(&d);
}

#endif
