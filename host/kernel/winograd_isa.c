/* Dense maps of 3 x 3 taps and stride 1 by minimal filtering, see winograd.h. The packed weights are
 * transformed at every call into `points` of the work that all workers share, [tile of n][point][c][width],
 * so that nothing is kept between calls, and where they are many a few tiles of n at a time. With bf16 two
 * channels are multiplied at once, [c/2][width][2].
 *
 *   for each block of tiles of outputs
 *     v[point][tile of outputs][c]                        transformed inputs, in L2
 *     for each tile of output channels
 *       for each point: sums[tile of outputs][width] = v . weights    ROWS x COLS vectors in registers
 *       sums transformed back to the outputs
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "winograd.h"

#if defined(__AVX512F__)
enum { ROWS = 6, COLS = 4 };
#else
enum { ROWS = 6, COLS = 2 };
#endif

typedef struct block {
    const hki_map *m;
    int32_t  first, n;           /* tiles of outputs                                     */
    size_t   c, v_apart;         /* channels; floats of v from point to point            */
    size_t   sums_apart;
    elem    *v;
    float   *sums;
} block;

/* ---- weights --------------------------------------------------------------------------------- */

/* Values from point to point: one line more than needed, so that points lie in different sets of a cache. */
static size_t weights_apart(const hki_map *m, size_t width) { return (size_t)m->c * width + VL * PAIR; }

static size_t weights_offset(const hki_map *m, int32_t tile)
{
    return (size_t)tile * WINO_POINTS * weights_apart(m, TILE);
}

size_t HK_NAME(hki_winograd_weights_bytes)(const hki_map *m, int32_t tiles)
{
    return sizeof(elem) * weights_offset(m, tiles);
}

/* task: two input channels of a tile of output channels */
void HK_NAME(hki_winograd_weights)(void *task, int i, int worker)
{
    (void)worker;
    const hki_task *t = task;
    const hki_map *m = t->map;
    const int32_t each = m->c / 2, tile = t->first + i / each, c = i % each * 2;
    const size_t width = (size_t)hki_tile_width(m->n, tile, TILE, VL), apart = weights_apart(m, width);
    const size_t tap = (size_t)m->c * width;
    const float *from = m->weights + (size_t)tile * TILE * 9 * (size_t)m->c + (size_t)c * width;
    elem *to = (elem *)t->points + weights_offset(m, tile - t->first) + (size_t)c * width;
    const size_t second = PAIR == 2 ? 0 : width;             /* in pairs it lies beside the first */
    for (size_t k = 0; k < width; k += VL, from += VL, to += VL * PAIR)
        for (int half = 0; half < 2; half++) {
            vf w[WINO_TAPS], down[WINO_IN * WINO_TAPS], whole[WINO_IN];
            const float *tap_0 = from + (size_t)half * width;
            HK_UNROLL
            for (size_t q = 0; q < WINO_TAPS; q++) {
                HK_UNROLL
                for (size_t p = 0; p < WINO_TAPS; p++) w[p] = vload(tap_0 + (p * WINO_TAPS + q) * tap);
                wino_weights(down + q, WINO_TAPS, w, 1);
            }
            HK_UNROLL
            for (size_t r = 0; r < WINO_IN; r++) {
                wino_weights(whole, 1, down + r * WINO_TAPS, 1);
                HK_UNROLL
                for (size_t q = 0; q < WINO_IN; q++)
                    wino_put(to + (size_t)half * second + (r * WINO_IN + q) * apart, whole[q], true, half);
            }
        }
}

/* ---- a block --------------------------------------------------------------------------------- */

static size_t v_apart(const hki_map *m) { return HKI_WINO_TILES * (size_t)m->c + VL * PAIR; }
static size_t v_bytes(const hki_map *m) { return hki_up64(sizeof(elem) * WINO_POINTS * v_apart(m)); }
static size_t sums_apart(void) { return HKI_WINO_TILES * TILE + VL; }

size_t HK_NAME(hki_winograd_bytes)(const hki_map *m)
{
    return v_bytes(m) + 4 * WINO_POINTS * sums_apart();
}

static void open_inputs(const block *b)
{
    const hki_map *m = b->m;
    const size_t sample = (size_t)m->h * (size_t)m->w * m->pitch;
    elem *to = b->v;
    for (int32_t i = 0; i < b->n; i++, to += b->c) {
        const wino_place at = wino_at(m, b->first + i);
        wino_square s;
        wino_open(&s, WINO_IN, (const char *)m->in.data + (size_t)at.b * sample, at.u + m->oy, at.v + m->ox,
                  m->h, m->w, m->pitch);
        wino_open_inputs(to, b->v_apart, &s, 0, b->c, m->in.kind, false, 0);
    }
    for (int32_t i = b->n; i % ROWS; i++, to += b->c)
        for (size_t k = 0; k < WINO_POINTS; k++) memset(to + k * b->v_apart, 0, b->c * sizeof *to);
}

/* sums[r][..] = sum over channels of v[r][c] w[c][..], for ROWS tiles of outputs and cols vectors. */
HK_INLINE void multiply(const int cols, const elem *v, size_t depth, const elem *w, size_t width, float *sums)
{
    vf sum[ROWS][COLS];
    HK_UNROLL
    for (int r = 0; r < ROWS; r++)
        HK_UNROLL
        for (int i = 0; i < cols; i++) sum[r][i] = vset(0.0f);
    for (size_t c = 0; c < depth; c += PAIR, w += width * PAIR) {
        ve f[COLS];
        HK_UNROLL
        for (int i = 0; i < cols; i++) f[i] = eload(w + i * VL * PAIR);
        HK_UNROLL
        for (int r = 0; r < ROWS; r++) {
            const ve x = eset(v + (size_t)r * depth + c);
            HK_UNROLL
            for (int i = 0; i < cols; i++) sum[r][i] = edot(x, f[i], sum[r][i]);
        }
    }
    HK_UNROLL
    for (int r = 0; r < ROWS; r++)
        HK_UNROLL
        for (int i = 0; i < cols; i++) vstore(sums + (size_t)r * width + i * VL, sum[r][i]);
}

static void multiply_point(const block *b, const elem *v, const elem *w, size_t width, float *sums)
{
    for (int32_t r = 0; r < b->n; r += ROWS, v += ROWS * b->c, sums += ROWS * width) {
        size_t at = 0;
        for (; at + COLS * VL <= width; at += COLS * VL) multiply(COLS, v, b->c, w + at * PAIR, width, sums + at);
        if (COLS > 2)
            for (; at + 2 * VL <= width; at += 2 * VL) multiply(2, v, b->c, w + at * PAIR, width, sums + at);
        for (; at < width; at += VL) multiply(1, v, b->c, w + at * PAIR, width, sums + at);
    }
}

/* The sums of tile i of outputs, channels k .. k+VL-1 of the tile of channels, to the map. */
static void close_square(const block *b, const wino_place *at, const float *sums, float *out)
{
    const hki_map *m = b->m;
    const vf scale = vset(m->in.scale);
    vf s[WINO_IN], down[WINO_OUT * WINO_IN], whole[WINO_OUT];
    HK_UNROLL
    for (size_t q = 0; q < WINO_IN; q++) {
        HK_UNROLL
        for (size_t r = 0; r < WINO_IN; r++) s[r] = vload(sums + (r * WINO_IN + q) * b->sums_apart);
        wino_output(down + q, WINO_IN, s, 1);
    }
    HK_UNROLL
    for (int32_t r = 0; r < WINO_OUT; r++) {
        if (at->u + r >= m->nu) break;
        wino_output(whole, 1, down + r * WINO_IN, 1);
        HK_UNROLL
        for (int32_t q = 0; q < WINO_OUT; q++)
            if (at->v + q < m->nv)
                vstoreu(out + (size_t)(at->u + r) * m->out_u + (size_t)(at->v + q) * m->out_v, whole[q] * scale);
    }
}

static void close_outputs(const block *b, int32_t tile, size_t width)
{
    const hki_map *m = b->m;
    const size_t first = (size_t)tile * TILE, left = (size_t)m->n - first, n = left < width ? left : width;
    const float *sums = b->sums;
    for (int32_t i = 0; i < b->n; i++, sums += width) {
        const wino_place at = wino_at(m, b->first + i);
        float *out = m->out + (size_t)at.b * m->out_b + first;
        for (size_t k = 0; k < n; k += VL) close_square(b, &at, sums + k, out + k);
    }
}

/* task: block of tiles of outputs x group of tiles of channels */
void HK_NAME(hki_winograd)(void *task, int i, int worker)
{
    const hki_task *t = task;
    const hki_map *m = t->map;
    char *scratch = t->scratch + (size_t)worker * t->scratch_bytes;
    block b = { .m = m, .first = i / t->groups * HKI_WINO_TILES, .c = (size_t)m->c, .v_apart = v_apart(m),
                .sums_apart = sums_apart(), .v = (elem *)(void *)scratch,
                .sums = (float *)(void *)(scratch + v_bytes(m)) };
    b.n = hki_min(HKI_WINO_TILES, hki_wino_tiles(m) - b.first);
    open_inputs(&b);
    const int32_t group = i % t->groups;
    const int32_t first = t->first + (int32_t)((int64_t)t->tiles * group / t->groups);
    const int32_t last = t->first + (int32_t)((int64_t)t->tiles * (group + 1) / t->groups);
    for (int32_t tile = first; tile < last; tile++) {
        const size_t width = (size_t)hki_tile_width(m->n, tile, TILE, VL), apart = weights_apart(m, width);
        const elem *w = (const elem *)t->points + weights_offset(m, tile - t->first);
        for (size_t p = 0; p < WINO_POINTS; p++)
            multiply_point(&b, b.v + p * b.v_apart, w + p * apart, width, b.sums + p * b.sums_apart);
        close_outputs(&b, tile, width);
    }
}
