/* The five entries of the table: which form a call takes, and how it is cut into tasks. sizes.c: their
 * memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "vendor.h"

enum { TASKS_PER_WORKER = 4, NEAR_BYTES = 49152, EVENTS_PER_CHUNK = 12 };

/* Floats, or bf16, which all but the reading of memory treats like them. */
static bool of_values(hk_kind kind) { return kind == HK_F32 || kind == HK_B16; }

static hki_input_pack pack_input(const hki_state *s, const hk_conv *g, const hki_packed *packed, char *to)
{
    const hki_input_pack p = hki_input_pack_at(s, g, to);
    hki_pack_input(&s->table, s->isa, g, (const float *)(const void *)packed->forward, p.weights, p.pairs);
    return p;
}

static void conv_prepare(void *self, const hk_conv_args *a, hk_kind kind, bool learn)
{
    hki_state *s = self;
    if (!hki_plain(s, a->g)) return;
    const hk_conv r = hki_reshaped(a->g);
    const hki_packed p = hki_packed_at(s, &r, a->packed);
    hki_pack_forward(&s->table, s->isa, &r, a->w, (float *)(void *)p.forward, p.forward_pairs);
    if (kind == HK_F32) hki_vendor_prepare(s, &r, HKI_FORWARD, a->w, p.forward_vendor);
    if (!learn) return;
    if (!hki_packs_at_call(&r)) pack_input(s, &r, &p, p.input);
    hki_vendor_prepare(s, &r, HKI_INPUT, a->w, p.input_vendor);
}

/* Below this share of active inputs backward_weight takes large blocks. */
#define FEW 0.06

/* Takes note of the density and returns whether the call goes by events. */
static bool by_events(hki_state *s, uint32_t id, hk_product product, double density, hki_chosen c)
{
    const bool events = s->way == HK_WAY_EVENTS || (s->way == HK_WAY_AUTO && density < c.below);
    hk_product_stat *stat = &s->stat[id % HK_STAT_LAYERS];
    stat->density[product] = (float)density;
    stat->way[product] = events ? HK_WAY_EVENTS : HK_WAY_DENSE;
    stat->form[product] = (unsigned char)c.form;
    return events;
}

/* Channels taken at a time: as few as have NEAR_BYTES of weights in a tap row, as many as bring
 * EVENTS_PER_CHUNK entries into a window on average. */
static int32_t chunk_of(const hki_state *s, const hki_map *m, double density)
{
    const double least = NEAR_BYTES / (4.0 * s->isa->tile * hki_max(m->kw, 1));
    const double busy = EVENTS_PER_CHUNK / (density * hki_max(m->kw, 1) + 1e-9);
    const double want = least > busy ? least : busy;
    return want > m->c ? (m->c + 31) / 32 * 32 : hki_max(32, (int32_t)(want + 16.0) / 32 * 32);
}

static void run_map(const hki_state *s, hki_map *m, bool events, hk_dense_form form, double density,
                    char *scratch)
{
    const hki_isa *dense = hki_dense_isa(s, form);
    hki_task t = { .map = m, .blocks = hki_blocks(m), .tiles = hki_tiles(m->n, s->isa->tile) };
    if (t.blocks < 1) return;
    const int32_t wanted = (TASKS_PER_WORKER * s->workers + t.blocks - 1) / t.blocks;
    t.groups = s->workers == 1 ? 1 : hki_min(t.tiles, wanted);
    t.scratch = scratch;
    t.scratch_bytes = hki_map_bytes(s, m, form);
    m->chunk = chunk_of(s, m, density);
    s->table.parallel(s->table.self, t.blocks * t.groups, events ? s->isa->events : dense->direct,
                      &t);
}

static void run_winograd(const hki_state *s, const hki_map *m, hk_dense_form form, char *work)
{
    const hk_kernels *k = &s->table;
    const hki_isa *isa = hki_dense_isa(s, form);
    const int32_t blocks = hki_tiles(hki_wino_tiles(m), HKI_WINO_TILES), tiles = hki_tiles(m->n, isa->tile);
    const int32_t most = hki_wino_round(isa, m), wanted = (TASKS_PER_WORKER * s->workers + blocks - 1) / blocks;
    hki_task t = { .map = m, .blocks = blocks, .points = work,
                   .scratch = work + hki_up64(isa->winograd_weights_bytes(m, most)),
                   .scratch_bytes = hki_up64(isa->winograd_bytes(m)) };
    for (; t.first < tiles; t.first += most) {
        t.tiles = hki_min(most, tiles - t.first);
        t.groups = s->workers == 1 ? 1 : hki_min(t.tiles, wanted);
        k->parallel(k->self, t.tiles * m->c / 2, isa->winograd_weights, &t);
        k->parallel(k->self, blocks * t.groups, isa->winograd, &t);
    }
}

static void conv_forward(void *self, const hk_conv_args *a, hk_view x, float *y)
{
    hki_state *s = self;
    const hk_conv *g = a->g;
    if (!hki_plain(s, g)) {
        hki_generic_forward(&s->table, a, x, y);
        return;
    }
    const hk_conv r = hki_reshaped(g);
    hki_map m = hki_map_forward(&r, x.kind, s->workers);
    const hki_packed parts = hki_packed_at(s, &r, a->packed);
    m.in = hki_repack(g, x, a->work);
    m.weights = (const float *)(const void *)parts.forward;
    m.out = y;
    const size_t positions = (size_t)r.batch * (size_t)r.hi * (size_t)r.wi;
    const double density = s->isa->density(m.in, positions, m.pitch, (size_t)r.ci);
    const hki_chosen choice = hki_choose(s, &r, HK_FORWARD, x.kind);
    m.pairs = hki_takes_pairs(choice.form) ? parts.forward_pairs : NULL;
    const bool events = by_events(s, a->id, HK_FORWARD, density, choice);
    if (!events && choice.form == HK_BY_REF) {
        hki_generic_forward(&s->table, a, x, y);
        return;
    }
    if (!events && hki_vendor_forward(s, &r, a->w, parts.forward_vendor, a->work, x, y)) return;
    if (!events && hki_filtered(choice.form)) run_winograd(s, &m, choice.form, a->work);
    else run_map(s, &m, events, choice.form, density, (char *)a->work + hki_repack_bytes(g, x.kind));
}

static void conv_backward_input(void *self, const hk_conv_args *a, const float *dy, float *dx)
{
    hki_state *s = self;
    if (!hki_plain(s, a->g)) {
        hki_generic_input(&s->table, a, dy, dx);
        return;
    }
    const hk_conv g = hki_reshaped(a->g);
    const hk_view view = { .data = dy, .kind = HK_F32, .scale = 1.0f };
    const size_t positions = (size_t)g.batch * (size_t)g.ho * (size_t)g.wo, co = (size_t)g.co;
    const double density = s->isa->density(view, positions, 4 * co, co);
    const hki_chosen choice = hki_choose(s, &g, HK_BACKWARD_INPUT, HK_F32);
    const bool events = by_events(s, a->id, HK_BACKWARD_INPUT, density, choice);
    const hki_packed parts = hki_packed_at(s, &g, a->packed);
    if (!events && choice.form == HK_BY_REF) {
        hki_generic_input(&s->table, a, dy, dx);
        return;
    }
    if (!events && hki_vendor_input(s, &g, a->w, parts.input_vendor, a->work, dy, dx)) return;
    const bool now = hki_packs_at_call(&g);
    const hki_input_pack pack =
        now ? pack_input(s, &g, &parts, a->work) : hki_input_pack_at(s, &g, parts.input);
    char *work = now ? pack.end : a->work;
    for (int32_t p = 0; p < g.sh; p++)
        for (int32_t q = 0; q < g.sw; q++) {
            hki_map m = hki_map_input(&g, p, q, s->workers);
            const size_t y0 = (size_t)(((p - g.ph) % g.sh + g.sh) % g.sh);
            const size_t x0 = (size_t)(((q - g.pw) % g.sw + g.sw) % g.sw);
            m.in = view;
            const size_t phase = hki_phase_offset(&g, s->isa, p, q);
            m.weights = pack.weights + phase;
            m.pairs = pack.pairs ? pack.pairs + hki_pairs_offset(phase, g.co) : NULL;
            m.out = dx + (y0 * (size_t)g.wi + x0) * (size_t)g.ci;
            if (!events && hki_filtered(choice.form)) run_winograd(s, &m, choice.form, work);
            else run_map(s, &m, events, choice.form, density, work);
        }
}

/* Whether to skip the zeros of the error rather than those of x or none. Costs are in units of the
 * dense product; turning the result costs about as much as TURN positions. */
static bool by_error(const hki_state *s, const hk_conv *g, hk_view x, double density, double below,
                     const float *dy)
{
    enum { TURN = 64 };
    if (s->way != HK_WAY_AUTO || !of_values(x.kind) || !hki_can_turn(g)) return false;
    const size_t positions = (size_t)g->batch * (size_t)g->ho * (size_t)g->wo, co = (size_t)g->co;
    const hk_view errors = { .data = dy, .kind = HK_F32, .scale = 1.0f };
    const double found = s->isa->density(errors, positions, 4 * co, co);
    const double other = density < below ? density : below;
    return found + (double)TURN / (double)positions < 0.8 * other;
}

static void conv_backward_weight(void *self, const hk_conv_args *a, hk_view x, const float *dy,
                                 float *dw)
{
    hki_state *s = self;
    if (!hki_plain(s, a->g)) {
        hki_generic_weight(&s->table, a, x, dy, dw);
        return;
    }
    const hk_conv g = hki_reshaped(a->g);
    hki_sum m = hki_sum_of(&g, x.kind, s->workers);
    m.x = hki_repack(a->g, x, a->work);
    m.dy = dy;
    m.dw = dw;
    m.scratch = (char *)a->work + hki_repack_bytes(a->g, x.kind);
    m.scratch_bytes = hki_sum_bytes(s, &g, x.kind);
    const size_t positions = (size_t)g.batch * (size_t)g.hi * (size_t)g.wi;
    const double density =
        s->isa->density(m.x, positions, hk_row_bytes(x.kind, (size_t)g.ci), (size_t)g.ci);
    const hki_chosen choice = hki_choose(s, &g, HK_BACKWARD_WEIGHT, x.kind);
    const bool events = by_events(s, a->id, HK_BACKWARD_WEIGHT, density, choice);
    const bool turn = by_error(s, &g, x, density, choice.below, dy);
    s->stat[a->id % HK_STAT_LAYERS].by_error = turn;
    if (turn) {
        hki_turned_weight(s, &g, x, dy, dw, a->work);
        return;
    }
    m.lines = density < FEW ? HKI_LINES_FEW : HKI_LINES_MANY;
    if (!events && choice.form == HK_BY_REF) {
        hki_generic_weight(&s->table, a, x, dy, dw);
        return;
    }
    if (!events && hki_vendor_weight(s, &g, m.scratch, x, dy, dw)) return;
    if (!events && hki_filtered(choice.form)) {
        const hki_isa *isa = hki_dense_isa(s, choice.form);
        hki_sum w = hki_wino_sum_of(&g, x.kind, s->workers);
        w.x = x, w.dy = dy, w.dw = dw, w.scratch = a->work;
        w.scratch_bytes = hki_up64(isa->sum_winograd_bytes(&w));
        s->table.parallel(s->table.self, hki_tiles(g.ci, w.cb) * hki_tiles(g.co, isa->tile), isa->sum_winograd,
                          &w);
        return;
    }
    const int32_t parts = hki_tiles(g.ci, m.cb);
    if (events)
        s->table.parallel(s->table.self, parts * hki_tiles(g.co, m.nc), s->isa->sum_events, &m);
    else
        s->table.parallel(s->table.self, g.kh * parts * hki_tiles(g.co, s->isa->tile),
                          hki_dense_isa(s, choice.form)->sum_direct, &m);
}

const hk_kernels hki_table = {
    .conv_sizes = hki_conv_sizes, .conv_prepare = conv_prepare, .conv_forward = conv_forward,
    .conv_backward_input = conv_backward_input, .conv_backward_weight = conv_backward_weight,
};
