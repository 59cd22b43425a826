/* Event-driven maps: one row of packed weights is added for each input value that is not zero. Where dense
 * products multiply pairs of bf16, spikes and counts come in pairs of channels, too, with the same weights.
 *
 * First the block's input is turned into lists. The list of (input row, chunk of channels) holds
 * the values of all columns, in order, so that the window of one output position over that row is
 * one piece of it, from column to column: a loop over the window knows its length and takes no
 * branch per word of bits. An entry is (xi * c + channel or pair) * STEP; the row of weights that it
 * means lies at that distance from the tap row's base, moved back by the window's first column.
 *
 *   for each tile of output channels             the tile of one position fits the registers
 *     for each chunk of input channels           the weights of a chunk and a tap row stay in L1,
 *       for each tap row p                       or in L2 where few inputs are active
 *         for each position of the block         its sums come from `acc` in L2 and go back
 *           for each entry in the window         one row of weights
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "lists.h"
#include "tile.h"

typedef struct events {
    const hki_map *m;
    hki_block   k;
    int32_t     ylo, rows;       /* input rows with lists, per sample                   */
    int32_t     chunks;
    uint32_t   *list, *start;    /* [sample][row][w*c], [sample][row][chunk][w+1]       */
    float      *value, *acc;     /* like list; [position][width]                        */
} events;

static size_t row_entries(const hki_map *m) { return (size_t)m->w * (size_t)m->c; }

static size_t list_rows(const hki_map *m) { return (size_t)m->nb * (size_t)hki_min(m->h, m->rows); }

/* Whether an entry is two channels in bf16. */
static int paired(const hki_map *m) { return PAIR == 2 && m->pairs && m->in.kind != HK_F32; }

/* Whether entries may have values beside them. */
static int valued(const hki_map *m) { return PAIR == 2 || m->in.kind != HK_BITS; }

/* What the rows of weights of a tap stand for: channels or pairs of them. */
static int32_t rows_of(const hki_map *m) { return paired(m) ? (m->c + 1) / 2 : m->c; }

size_t HK_NAME(hki_events_bytes)(const hki_map *m)
{
    const size_t entries = list_rows(m) * row_entries(m) + HKI_SLACK;
    const size_t starts = list_rows(m) * (((size_t)m->c + 31) / 32) * ((size_t)m->w + 1);
    return hki_up64(4 * entries) * (valued(m) ? 2 : 1) + hki_up64(4 * starts)
           + (size_t)m->nb * (size_t)m->ru * (size_t)m->nv * TILE * 4;
}

static void carve(events *e, char *scratch)
{
    const hki_map *m = e->m;
    const size_t entries = hki_up64(4 * (list_rows(m) * row_entries(m) + HKI_SLACK));
    e->acc = (float *)(void *)scratch;
    scratch += (size_t)m->nb * (size_t)m->ru * (size_t)m->nv * TILE * 4;
    e->list = (uint32_t *)(void *)scratch;
    scratch += entries;
    e->value = (float *)(void *)scratch;
    scratch += valued(m) ? entries : 0;
    e->start = (uint32_t *)(void *)scratch;
}

HK_INLINE void build_row(const events *e, hk_kind kind, const char *in, size_t row)
{
    const hki_map *m = e->m;
    uint32_t *start = e->start + row * (size_t)e->chunks * ((size_t)m->w + 1);
    for (int32_t k = 0; k < e->chunks; k++, start += m->w + 1) {
        const int32_t c0 = k * m->chunk, count = hki_min(m->chunk, m->c - c0);
        const size_t at = row * row_entries(m) + (size_t)m->w * (size_t)c0;
        size_t n = at;
        for (int32_t x = 0; x < m->w; x++) {
            const char *from = in + (size_t)x * m->pitch;
            start[x] = (uint32_t)n;
            if (PAIR == 2 && paired(m))
                n = append_paired(e->list, e->value, n, kind, from, c0, count, (uint32_t)(x * rows_of(m) + c0 / 2));
            else
                n = append_position(e->list, e->value, n, kind, from, c0, count, (uint32_t)(x * m->c + c0));
        }
        start[m->w] = (uint32_t)n;
    }
}

static void build(const events *e)
{
    const hki_map *m = e->m;
    for (int32_t s = 0; s < e->k.nb; s++)
        for (int32_t y = 0; y < e->rows; y++) {
            const size_t at =
                ((size_t)(e->k.b + s) * (size_t)m->h + (size_t)(e->ylo + y)) * (size_t)m->w;
            const char *in = (const char *)m->in.data + at * m->pitch;
            const size_t row = (size_t)s * (size_t)e->rows + (size_t)y;
            if (m->in.kind == HK_BITS) build_row(e, HK_BITS, in, row);
            else if (m->in.kind == HK_COUNTS) build_row(e, HK_COUNTS, in, row);
            else build_row(e, HK_F32, in, row);
        }
}

/* What an entry does with its row of weights; a row of pairs is as long as one of floats. */
typedef enum form { ADD, SCALE, PAIRS } form;

/* One tap row of one chunk over one row of outputs. w: packed row (p, q = 0, c = 0). */
HK_INLINE void add_row(const int nv, const form how, const events *e, const uint32_t *start,
                       const float *w, float *acc)
{
    enum { MOST = TILE / VL };
    const hki_map *m = e->m;
    const ptrdiff_t column = (ptrdiff_t)rows_of(m) * nv * VL;
    const size_t scale = 8 * (size_t)(nv * VL) / TILE;
    for (int32_t v = 0; v < m->nv; v++, acc += nv * VL) {
        const int32_t x = v * m->sx + m->ox;
        const int32_t lo = hki_max(x, 0), hi = hki_min(x + m->kw, m->w);
        if (lo >= hi) continue;
        const uint32_t *at = e->list + start[lo], *end = e->list + start[hi];
        const float *value = e->value + start[lo];
        const char *base = (const char *)(w - x * column);
        vf sum[MOST];
        HK_UNROLL
        for (int i = 0; i < nv; i++) sum[i] = vload(acc + i * VL);
        for (; at < end; at++) {
            const float *row = (const float *)(const void *)(base + *at * scale);
            if (how == PAIRS) {
                const ve f = eset((const elem *)(const void *)value++);
                const elem *pairs = (const elem *)(const void *)row;
                HK_UNROLL
                for (int i = 0; i < nv; i++) sum[i] = edot(f, eload(pairs + i * VL * PAIR), sum[i]);
            } else if (how == SCALE) {
                const vf f = vset(*value++);
                HK_UNROLL
                for (int i = 0; i < nv; i++) sum[i] = vfma(f, vload(row + i * VL), sum[i]);
            } else {
                HK_UNROLL
                for (int i = 0; i < nv; i++) sum[i] += vload(row + i * VL);
            }
        }
        HK_UNROLL
        for (int i = 0; i < nv; i++) vstore(acc + i * VL, sum[i]);
    }
}

HK_INLINE void add_tile(const int nv, const form how, const events *e, const float *weights)
{
    const hki_map *m = e->m;
    const size_t width = (size_t)(nv * VL);
    for (int32_t k = 0; k < e->chunks; k++)
    for (int32_t p = 0; p < m->kh; p++)
    for (int32_t s = 0; s < e->k.nb; s++)
    for (int32_t u = 0; u < e->k.ru; u++) {
        const int32_t y = e->k.y + u * m->sy + p;
        if (y < 0 || y >= m->h) continue;
        const size_t row = (size_t)(s * e->rows + y - e->ylo);
        add_row(nv, how, e,
                e->start + (row * (size_t)e->chunks + (size_t)k) * ((size_t)m->w + 1),
                weights + (size_t)p * (size_t)m->kw * (size_t)rows_of(m) * width,
                e->acc + (size_t)(s * e->k.ru + u) * (size_t)m->nv * width);
    }
}

HK_INLINE void add_width(const form how, const events *e, int width, const float *weights)
{
    switch (width / VL) {
    case 1:  add_tile(1, how, e, weights); break;
    case 2:  add_tile(2, how, e, weights); break;
    case 4:  add_tile(4, how, e, weights); break;
#if !defined(__AVX512F__)
    default: add_tile(8, how, e, weights); break;
#endif
    }
}

static void add_any(const events *e, int width, const float *weights)
{
    if (PAIR == 2 && paired(e->m)) add_width(PAIRS, e, width, weights);
    else if (e->m->in.kind == HK_BITS) add_width(ADD, e, width, weights);
    else add_width(SCALE, e, width, weights);
}

void HK_NAME(hki_events)(void *task, int i, int worker)
{
    const hki_task *t = task;
    const hki_map *m = t->map;
    events e = { .m = m,
                 .k = hki_block_at(m, i / t->groups),
                 .chunks = (m->c + m->chunk - 1) / m->chunk };
    e.ylo = hki_max(e.k.y, 0);
    e.rows = hki_max(hki_min(e.k.y + e.k.rows, m->h) - e.ylo, 0);
    carve(&e, t->scratch + (size_t)worker * t->scratch_bytes);
    if (m->kh && m->kw) build(&e);
    const int32_t group = i % t->groups;
    const int32_t from = (int32_t)((int64_t)t->tiles * group / t->groups);
    const int32_t to = (int32_t)((int64_t)t->tiles * (group + 1) / t->groups);
    const size_t positions = (size_t)e.k.nb * (size_t)e.k.ru * (size_t)m->nv;
    for (int32_t tile = from; tile < to; tile++) {
        const int width = hki_tile_width(m->n, tile, TILE, VL);
        const size_t first = (size_t)tile * TILE;
        memset(e.acc, 0, positions * (size_t)width * sizeof *e.acc);
        const float *weights = paired(m) ? (const float *)m->pairs : m->weights;
        add_any(&e, width, weights + first * (size_t)m->kh * (size_t)m->kw * (size_t)rows_of(m));
        store_tile(m, &e.k, e.acc, tile, width);
    }
}
