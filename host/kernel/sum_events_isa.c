/* Event-driven weight gradients: for each input channel, the rows of dy under its active positions
 * are added up, for all taps at once.
 *
 * The input is cut into phases by the stride, as in product.h: within a phase, tap (j, i) pairs
 * input (U, V) with the error at (U - j, V - i). A vector of output channels of the errors that a
 * block of input rows meets is copied into a slab with zeros around the map, one line of VL
 * floats for each position; the slab stays in L1. An entry of a channel's list is the byte offset
 * of the line at (U, V), so that each tap reads at a fixed distance before it.
 *
 * A task owns cb input and nc output channels. Its sums [vector of outputs][channel][tap][VL]
 * stay in L2 and are added to dw at the end, so they depend on nothing but the order of the
 * blocks.
 *
 *   for each phase, for each block of input rows
 *     lists of the task's input channels
 *     for each vector of the task's output channels: slab
 *       for each input channel, for each group of up to 3 x 3 taps      sums in registers
 *         for each entry: one line per tap
 *
 * With a single tap, four vectors of outputs are taken together instead.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sum_lists.h"

enum { TOGETHER = 4 };

/* One phase of the stride. */
typedef struct phase {
    int32_t kh, kw;              /* taps                                             */
    int32_t y0, x0, sy, sx;      /* first input row and column, distances            */
    int32_t u0, v0;              /* U of the first row, V of the first column        */
    int32_t nr, nc;              /* rows and columns that meet an error at all       */
    int32_t sw;                  /* lines in a row of the slab                       */
    int32_t nb, r;               /* a block: samples, rows; nb > 1 means r = nr      */
    int32_t together;            /* vectors of outputs taken at a time               */
    int32_t first_tap;           /* taps of the phases before                        */
} phase;

typedef struct sums {
    const hki_sum *s;
    int32_t   c0, cb, n0, nc;    /* input and output channels of the task            */
    float    *acc, *slab;
    by_channel l;
} sums;

static int32_t rows_of(int32_t size, int32_t out, int32_t taps, int32_t stride, int32_t first,
                       int32_t u0)
{
    return hki_max(0, hki_min(hki_taps(size, stride, first), out + taps - 1 - u0));
}

static phase phase_at(const hk_conv *g, int32_t lines, int32_t a, int32_t b)
{
    phase f = {
        .kh = hki_taps(g->kh, g->sh, a), .kw = hki_taps(g->kw, g->sw, b), .sy = g->sh, .sx = g->sw
    };
    f.y0 = ((a - g->ph) % g->sh + g->sh) % g->sh;
    f.x0 = ((b - g->pw) % g->sw + g->sw) % g->sw;
    f.u0 = (f.y0 + g->ph - a) / g->sh;
    f.v0 = (f.x0 + g->pw - b) / g->sw;
    f.nr = rows_of(g->hi, g->ho, f.kh, g->sh, f.y0, f.u0);
    f.nc = rows_of(g->wi, g->wo, f.kw, g->sw, f.x0, f.v0);
    f.together = f.kh * f.kw == 1 ? TOGETHER : 1;
    f.sw = f.nc + f.kw - 1;
    const int64_t room = lines / f.together, sample = (int64_t)(f.nr + f.kh - 1) * f.sw;
    f.nb = f.r = 1;
    if (sample <= room) {
        f.r = hki_max(f.nr, 1);
        f.nb = (int32_t)(sample > 0 ? room / sample : 1);
        f.nb = hki_max(1, hki_min(f.nb, g->batch));
    } else {
        f.r = (int32_t)hki_max((int32_t)(room / f.sw) - (f.kh - 1), 1);
    }
    return f;
}

static size_t slab_lines(const phase *f)
{
    return (size_t)f->nb * (size_t)(f->r + f->kh - 1) * (size_t)f->sw;
}

static size_t block_positions(const phase *f)
{
    return (size_t)f->nb * (size_t)f->r * (size_t)f->nc;
}

static size_t list_pitch(size_t positions) { return ((positions + 15) & ~(size_t)15) + 16; }

/* Bytes of the parts of a worker's scratch, for the largest phase. */
typedef struct parts { size_t acc, slab, rows, entries, lists, counts, total; } parts;

static parts parts_of(const hki_sum *s)
{
    const hk_conv *g = &s->g;
    size_t lines = 0, positions = 0;
    for (int32_t a = 0; a < g->sh; a++)
        for (int32_t b = 0; b < g->sw; b++) {
            const phase f = phase_at(g, s->lines, a, b);
            const size_t n = slab_lines(&f) * (size_t)f.together, m = block_positions(&f);
            lines = n > lines ? n : lines;
            positions = m > positions ? m : positions;
        }
    const size_t vectors = ((size_t)s->nc + VL - 1) / VL, cb = (size_t)s->cb;
    const size_t pitch = list_pitch(positions);
    parts p = {
        .acc = hki_up64(vectors * cb * (size_t)g->kh * (size_t)g->kw * VL * 4),
        .slab = hki_up64(lines * VL * 4),
        .rows = hki_up64(pitch * sizeof(char *)), .entries = hki_up64(pitch * 4),
        .lists = hki_up64(cb * pitch * 4), .counts = hki_up64(cb * 4),
    };
    p.total =
        p.acc + p.slab + p.rows + p.entries + p.lists * (s->x.kind == HK_BITS ? 1 : 2) + p.counts;
    return p;
}

size_t HK_NAME(hki_sum_events_bytes)(const hki_sum *s) { return hki_up64(parts_of(s).total); }

static void carve(sums *m, char *scratch)
{
    const parts p = parts_of(m->s);
    m->acc = (float *)(void *)scratch;
    memset(scratch, 0, p.acc);
    m->slab = (float *)(void *)(scratch += p.acc);
    m->l.row = (const char **)(void *)(scratch += p.slab);
    m->l.entry = (uint32_t *)(void *)(scratch += p.rows);
    m->l.count = (uint32_t *)(void *)(scratch += p.entries);
    m->l.list = (uint32_t *)(void *)(scratch += p.counts);
    m->l.value = (float *)(void *)(scratch + (m->s->x.kind == HK_BITS ? 0 : p.lists));
}

/* Positions of the block of nb samples and r rows, and the lists of the task's channels. */
static void build(sums *m, const phase *f, int32_t b0, int32_t nb, int32_t r0, int32_t r)
{
    const hki_sum *s = m->s;
    const hk_conv *g = &s->g;
    const size_t pitch = hk_row_bytes(s->x.kind, (size_t)g->ci);
    const size_t skip = hk_row_bytes(s->x.kind, (size_t)m->c0);
    by_channel *l = &m->l;
    l->positions = 0;
    for (int32_t k = 0; k < nb; k++)
    for (int32_t i = 0; i < r; i++) {
        const size_t y = (size_t)(f->y0 + (r0 + i) * f->sy);
        const size_t line =
            (size_t)(k * (r + f->kh - 1) + i + f->kh - 1) * (size_t)f->sw + (size_t)f->kw - 1;
        const size_t at = ((size_t)(b0 + k) * (size_t)g->hi + y) * (size_t)g->wi + (size_t)f->x0;
        const char *row = (const char *)s->x.data + at * pitch + skip;
        for (int32_t x = 0; x < f->nc; x++, row += pitch * (size_t)f->sx) {
            l->row[l->positions] = row;
            l->entry[l->positions++] = (uint32_t)((line + (size_t)x) * VL * 4);
        }
    }
    for (int32_t i = l->positions; i % 16; i++) {
        l->row[i] = l->row[0];
        l->entry[i] = 0;
    }
    l->pitch = list_pitch((size_t)l->positions);
    memset(l->count, 0, (size_t)m->cb * sizeof *l->count);
    if (s->x.kind == HK_BITS) lists_of_bits(l, m->cb);
    else if (s->x.kind == HK_F32) lists_of_values(l, HK_F32, m->cb);
    else if (s->x.kind == HK_B16) lists_of_values(l, HK_B16, m->cb);
    else lists_of_values(l, HK_COUNTS, m->cb);
}

/* Values of so many lines from bf16, co apart; zeros behind the count channels. */
static void fill_b16(float *slab, const uint16_t *d, int32_t lines, size_t co, int32_t count)
{
    for (int32_t i = 0; i < lines; i++, d += co, slab += VL)
        if (count == VL) {
            vstore(slab, vwiden(d));
        } else {
            vstore(slab, vset(0.0f));
            for (int32_t k = 0; k < count; k++) slab[k] = hki_widen(d[k]);
        }
}

/* Lines of dy, channels n .. n+count-1 (count <= VL), that the block meets. */
static void fill(float *slab, const hki_sum *s, const phase *f, int32_t b0, int32_t nb, int32_t r0,
                 int32_t r, int32_t n, int32_t count)
{
    const hk_conv *g = &s->g;
    const int32_t rows = r + f->kh - 1, x = f->v0 - (f->kw - 1);
    const int32_t lo = hki_min(hki_max(-x, 0), f->sw), hi = hki_max(hki_min(g->wo - x, f->sw), lo);
    for (int32_t k = 0; k < nb; k++)
    for (int32_t t = 0; t < rows; t++, slab += (size_t)f->sw * VL) {
        const int32_t y = f->u0 + r0 - (f->kh - 1) + t;
        if (y < 0 || y >= g->ho) {
            memset(slab, 0, (size_t)f->sw * VL * sizeof *slab);
            continue;
        }
        const size_t at =
            ((size_t)(b0 + k) * (size_t)g->ho + (size_t)y) * (size_t)g->wo + (size_t)(lo + x);
        const float *d = s->dy ? s->dy + at * (size_t)g->co + n : NULL;
        for (int32_t i = 0; i < lo; i++) vstore(slab + i * VL, vset(0.0f));
        if (s->dy_b16)
            fill_b16(slab + lo * VL, s->dy_b16 + at * (size_t)g->co + n, hi - lo, (size_t)g->co, count);
        else if (count == VL)
            for (int32_t i = lo; i < hi; i++, d += g->co) vstore(slab + i * VL, vloadu(d));
        else
            for (int32_t i = lo; i < hi; i++, d += g->co) {
                vstore(slab + i * VL, vset(0.0f));
                memcpy(slab + i * VL, d, (size_t)count * sizeof *d);
            }
        for (int32_t i = hi; i < f->sw; i++) vstore(slab + i * VL, vset(0.0f));
    }
}

/* np x nq taps, ns vectors of outputs. line: slab, moved back to the group's first tap; row: bytes
 * between rows of the slab, next: between slabs; acc of tap (j, i): j*acc_row + i*VL, of vector v:
 * v*acc_next. */
#define EACH_SUM                                                                                   \
    HK_UNROLL for (int v = 0; v < ns; v++)                                                         \
    HK_UNROLL for (int j = 0; j < np; j++)                                                         \
    HK_UNROLL for (int i = 0; i < nq; i++)
HK_INLINE void gather(const int np, const int nq, const int ns, const int with_value,
                      const by_channel *l, int c, const char *line, size_t row, size_t next,
                      float *acc, size_t acc_row, size_t acc_next)
{
    const uint32_t *at = l->list + (size_t)c * l->pitch, *end = at + l->count[c];
    const float *value = l->value + (size_t)c * l->pitch;
    vf sum[TOGETHER][3][3];
    EACH_SUM sum[v][j][i] = vload(acc + v * acc_next + j * acc_row + i * VL);
    for (; at < end; at++) {
        const char *here = line + *at;
        vf f = vset(0.0f);
        if (with_value) f = vset(*value++);
        EACH_SUM {
            const char *p = here + v * next - j * row - i * VL * 4;
            const vf d = vload((const float *)(const void *)p);
            if (with_value) sum[v][j][i] = vfma(f, d, sum[v][j][i]);
            else sum[v][j][i] += d;
        }
    }
    EACH_SUM vstore(acc + v * acc_next + j * acc_row + i * VL, sum[v][j][i]);
}

/* All channels of the task for one group of taps. */
#define GATHER(np, nq, ns)                                                                         \
    static void gather_##np##nq##ns(const sums *m, const phase *f, const char *line, size_t next,  \
                                    float *acc, size_t acc_next)                                   \
    {                                                                                              \
        const size_t row = (size_t)f->sw * VL * 4, acc_row = (size_t)f->kw * VL;                   \
        const size_t taps = (size_t)m->s->g.kh * (size_t)m->s->g.kw * VL;                          \
        if (m->s->x.kind == HK_BITS)                                                               \
            for (int c = 0; c < m->cb; c++, acc += taps)                                           \
                gather(np, nq, ns, 0, &m->l, c, line, row, next, acc, acc_row, acc_next);          \
        else                                                                                       \
            for (int c = 0; c < m->cb; c++, acc += taps)                                           \
                gather(np, nq, ns, 1, &m->l, c, line, row, next, acc, acc_row, acc_next);          \
    }
GATHER(1, 1, 1) GATHER(1, 2, 1) GATHER(1, 3, 1)
GATHER(2, 1, 1) GATHER(2, 2, 1) GATHER(2, 3, 1)
GATHER(3, 1, 1) GATHER(3, 2, 1) GATHER(3, 3, 1)
GATHER(1, 1, 4)

typedef void gather_fn(const sums *, const phase *, const char *, size_t, float *, size_t);

static void add_vectors(const sums *m, const phase *f, int32_t vectors, size_t next, float *acc,
                        size_t acc_next)
{
    static gather_fn *const fn[3][3] = { { gather_111, gather_121, gather_131 },
                                         { gather_211, gather_221, gather_231 },
                                         { gather_311, gather_321, gather_331 } };
    const char *slab = (const char *)m->slab;
    if (vectors == TOGETHER) {
        gather_114(m, f, slab, next, acc, acc_next);
        return;
    }
    for (int32_t v = 0; v < vectors; v++, slab += next, acc += acc_next)
        for (int32_t j = 0; j < f->kh; j += 3)
            for (int32_t i = 0; i < f->kw; i += 3) {
                const char *line = slab - ((size_t)j * (size_t)f->sw + (size_t)i) * VL * 4;
                fn[hki_min(3, f->kh - j) - 1][hki_min(3, f->kw - i) - 1](
                    m, f, line, 0, acc + (j * f->kw + i) * VL, 0);
            }
}

static void add_phase(sums *m, const phase *f)
{
    const hki_sum *s = m->s;
    const int32_t vectors = (m->nc + VL - 1) / VL;
    const size_t acc_next = (size_t)m->cb * (size_t)s->g.kh * (size_t)s->g.kw * VL;
    for (int32_t b = 0; b < s->g.batch; b += f->nb)
    for (int32_t r = 0; r < f->nr; r += f->r) {
        const int32_t nb = hki_min(f->nb, s->g.batch - b), rows = hki_min(f->r, f->nr - r);
        const size_t lines = (size_t)nb * (size_t)(rows + f->kh - 1) * (size_t)f->sw;
        build(m, f, b, nb, r, rows);
        for (int32_t v = 0; v < vectors; v += f->together) {
            const int32_t n = hki_min(f->together, vectors - v);
            for (int32_t i = 0; i < n; i++)
                fill(m->slab + (size_t)i * lines * VL, s, f, b, nb, r, rows, m->n0 + (v + i) * VL,
                     hki_min(VL, m->nc - (v + i) * VL));
            add_vectors(m, f, n, lines * VL * 4, m->acc + (size_t)v * acc_next + f->first_tap * VL,
                        acc_next);
        }
    }
}

/* The task's sums, taps in the order of phases, times scale into dw. */
static void finish(const sums *m, const phase *f, int32_t a, int32_t b)
{
    const hk_conv *g = &m->s->g;
    const size_t taps = (size_t)g->kh * (size_t)g->kw;
    for (int32_t j = 0; j < f->kh; j++)
    for (int32_t i = 0; i < f->kw; i++)
    for (int32_t c = 0; c < m->cb; c++) {
        const size_t tap = (size_t)((a + j * g->sh) * g->kw + b + i * g->sw);
        float *dw = m->s->dw + (tap * (size_t)g->ci + (size_t)(m->c0 + c)) * (size_t)g->co + m->n0;
        const float *from =
            m->acc + ((size_t)c * taps + (size_t)(f->first_tap + j * f->kw + i)) * VL;
        for (int32_t n = 0; n < m->nc; n += VL, from += (size_t)m->cb * taps * VL)
            if (m->nc - n >= VL)
                vstoreu(dw + n, vloadu(dw + n) + vload(from) * vset(m->s->x.scale));
            else
                for (int32_t k = 0; k < m->nc - n; k++) dw[n + k] += from[k] * m->s->x.scale;
    }
}

void HK_NAME(hki_sum_events)(void *arg, int task, int worker)
{
    const hki_sum *s = arg;
    const hk_conv *g = &s->g;
    const int32_t parts_n = (g->co + s->nc - 1) / s->nc;
    sums m = { .s = s, .c0 = task / parts_n * s->cb, .n0 = task % parts_n * s->nc };
    m.cb = hki_min(s->cb, g->ci - m.c0);
    m.nc = hki_min(s->nc, g->co - m.n0);
    carve(&m, s->scratch + (size_t)worker * s->scratch_bytes);
    int32_t first_tap = 0;
    for (int32_t a = 0; a < g->sh; a++)
        for (int32_t b = 0; b < g->sw; b++) {
            phase f = phase_at(g, s->lines, a, b);
            if (f.kh < 1 || f.kw < 1) continue;
            f.first_tap = first_tap;
            first_tap += f.kh * f.kw;
            if (f.nr > 0 && f.nc > 0) add_phase(&m, &f);
            finish(&m, &f, a, b);
        }
}
