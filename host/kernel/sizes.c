/* Memory of the products: what a layer keeps packed, and what a call needs.
 *
 * packed: [weights of forward][in pairs of bf16, if a form takes them][for a vendor], and if it learns those of
 *         backward_input, its own [weights][pairs] at each call, in work, where the product takes much longer,
 *         and its [for a vendor]
 * work:   [bits of a layer that covers the map, repacked][scratch of worker 0][of worker 1]..
 *         minimal filtering: [transformed weights][scratch of worker 0]..
 *         backward_input: [weights and pairs packed at the call], then as above
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "vendor.h"

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

bool hki_plain(const hki_state *s, const hk_conv *g) { return g->groups == 1 && s->way != HK_WAY_REF; }

/* ---- packed ---------------------------------------------------------------------------------- */

size_t hki_pairs_bytes(const hki_state *s, const hk_conv *g, hk_product product)
{
    bool any = false;
    for (int kind = HK_F32; kind <= HK_COUNTS; kind++)
        any |= hki_takes_pairs(hki_choose(s, g, product, (hk_kind)kind).form);
    if (!any) return 0;
    return hki_up64(product == HK_FORWARD ? hki_pairs_forward(g, s->isa) : hki_pairs_input(g, s->isa));
}

bool hki_packs_at_call(const hk_conv *g)
{
    enum { POSITIONS = 512 };
    return (int64_t)g->batch * g->ho * g->wo >= POSITIONS;
}

static size_t input_pack_bytes(const hki_state *s, const hk_conv *g)
{
    return hki_up64(4 * hki_packed_input(g, s->isa)) + hki_pairs_bytes(s, g, HK_BACKWARD_INPUT);
}

hki_input_pack hki_input_pack_at(const hki_state *s, const hk_conv *g, char *at)
{
    hki_input_pack p = { .weights = (float *)(void *)at };
    p.pairs = at + hki_up64(4 * hki_packed_input(g, s->isa));
    p.end = at + input_pack_bytes(s, g);
    if (p.pairs == p.end) p.pairs = NULL;
    return p;
}

hki_packed hki_packed_at(const hki_state *s, const hk_conv *g, void *packed)
{
    hki_packed p = { .forward = packed };
    p.forward_pairs = p.forward + hki_up64(4 * hki_packed_forward(g, s->isa));
    p.forward_vendor = p.forward_pairs + hki_pairs_bytes(s, g, HK_FORWARD);
    if (p.forward_pairs == p.forward_vendor) p.forward_pairs = NULL;
    p.input = p.forward_vendor + hki_vendor_packed(s, g, HKI_FORWARD);
    p.input_vendor = p.input + (hki_packs_at_call(g) ? 0 : input_pack_bytes(s, g));
    return p;
}

static size_t packed_bytes(const hki_state *s, const hk_conv *g, bool learn)
{
    const size_t forward = hki_up64(4 * hki_packed_forward(g, s->isa)) + hki_pairs_bytes(s, g, HK_FORWARD)
                           + hki_vendor_packed(s, g, HKI_FORWARD);
    if (!learn) return forward;
    return forward + (hki_packs_at_call(g) ? 0 : input_pack_bytes(s, g)) + hki_vendor_packed(s, g, HKI_INPUT);
}

/* ---- work ------------------------------------------------------------------------------------ */

size_t hki_map_bytes(const hki_state *s, const hki_map *m, hk_dense_form form)
{
    const size_t dense = hki_dense_isa(s, form)->direct_bytes(m);
    return hki_up64(larger(larger(s->isa->events_bytes(m), s->isa->direct_bytes(m)), dense));
}

/* Of one worker, for the largest phase. */
static size_t input_bytes(const hki_state *s, const hk_conv *g)
{
    const hk_dense_form form = hki_choose(s, g, HK_BACKWARD_INPUT, HK_F32).form;
    size_t most = 0;
    for (int32_t a = 0; a < g->sh; a++)
        for (int32_t b = 0; b < g->sw; b++) {
            const hki_map m = hki_map_input(g, a, b, s->workers);
            most = larger(most, hki_map_bytes(s, &m, form));
        }
    return most;
}

/* The core plans for a trace of floats, whichever it has. */
size_t hki_sum_bytes(const hki_state *s, const hk_conv *g, hk_kind kind)
{
    const bool values = kind == HK_F32 || kind == HK_B16;
    const hk_kind first = values ? HK_F32 : kind, last = values ? HK_B16 : kind;
    const hk_dense_form a = hki_choose(s, g, HK_BACKWARD_WEIGHT, first).form;
    const hk_dense_form b = hki_choose(s, g, HK_BACKWARD_WEIGHT, last).form;
    hki_sum m = hki_sum_of(g, kind, s->workers);
    size_t most = larger(s->isa->sum_direct_bytes(&m), hki_dense_isa(s, a)->sum_direct_bytes(&m));
    most = larger(most, hki_dense_isa(s, b)->sum_direct_bytes(&m));
    m.lines = HKI_LINES_FEW;
    most = larger(most, s->isa->sum_events_bytes(&m));
    m.lines = HKI_LINES_MANY;
    return hki_up64(larger(most, s->isa->sum_events_bytes(&m)));
}

int32_t hki_wino_round(const hki_isa *isa, const hki_map *m)
{
    const int32_t tiles = hki_tiles(m->n, isa->tile);
    return hki_max(1, hki_min(tiles, (int32_t)(HKI_WINO_BYTES / isa->winograd_weights_bytes(m, 1))));
}

/* Of all workers; 0 where the product does not go by minimal filtering. */
static size_t winograd_bytes(const hki_state *s, const hk_conv *g, hk_product product, hk_kind kind)
{
    const size_t workers = (size_t)s->workers;
    const hk_dense_form form = hki_choose(s, g, product, kind).form;
    if (!hki_filtered(form)) return 0;
    const hki_isa *isa = hki_dense_isa(s, form);
    if (product == HK_BACKWARD_WEIGHT) {
        const hki_sum m = hki_wino_sum_of(g, kind, s->workers);
        return workers * hki_up64(isa->sum_winograd_bytes(&m));
    }
    const hki_map m = product == HK_FORWARD ? hki_map_forward(g, kind, s->workers)
                                            : hki_map_input(g, 0, 0, s->workers);
    return hki_up64(isa->winograd_weights_bytes(&m, hki_wino_round(isa, &m)))
           + workers * hki_up64(isa->winograd_bytes(&m));
}

static size_t forward_work(const hki_state *s, const hk_conv *g, hk_kind kind)
{
    const hki_map m = hki_map_forward(g, kind, s->workers);
    const size_t own = (size_t)s->workers * hki_map_bytes(s, &m, hki_choose(s, g, HK_FORWARD, kind).form);
    return larger(own, winograd_bytes(s, g, HK_FORWARD, kind));
}

static size_t input_work(const hki_state *s, const hk_conv *g)
{
    const size_t own = (size_t)s->workers * input_bytes(s, g);
    return (hki_packs_at_call(g) ? input_pack_bytes(s, g) : 0)
           + larger(own, winograd_bytes(s, g, HK_BACKWARD_INPUT, HK_F32));
}

static size_t weight_work(const hki_state *s, const hk_conv *g, hk_kind kind)
{
    size_t most = larger((size_t)s->workers * hki_sum_bytes(s, g, kind),
                         winograd_bytes(s, g, HK_BACKWARD_WEIGHT, kind));
    if (kind != HK_F32) return most;
    most = larger(most, winograd_bytes(s, g, HK_BACKWARD_WEIGHT, HK_B16));
    return larger(most, hki_turned_bytes(s, g));
}

/* The definition and vendors read the weights as they are. */
static bool keeps_w(const hki_state *s, const hk_conv *g)
{
    bool any = false;
    for (int kind = HK_F32; kind <= HK_COUNTS; kind++)
        for (int product = HK_FORWARD; product <= HK_BACKWARD_INPUT; product++) {
            const hk_dense_form form = hki_choose(s, g, (hk_product)product, (hk_kind)kind).form;
            any |= form == HK_BY_REF || form == HK_BY_ONEDNN || form == HK_BY_CBLAS;
        }
    return any;
}

hk_conv_bytes hki_conv_sizes(void *self, const hk_conv *g, hk_kind kind, bool learn)
{
    const hki_state *s = self;
    if (!hki_plain(s, g)) return (hk_conv_bytes){ .keeps_w = true };
    const hk_conv r = hki_reshaped(g);
    size_t work = larger(forward_work(s, &r, kind), (size_t)s->workers * hki_vendor_work(s, &r));
    if (learn) work = larger(work, larger(input_work(s, &r), weight_work(s, &r, kind)));
    return (hk_conv_bytes){ packed_bytes(s, &r, learn), work + hki_repack_bytes(g, kind), keeps_w(s, &r) };
}
