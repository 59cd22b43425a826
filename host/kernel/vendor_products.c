/* Dense products by a vendor's library, for the options dense = onednn and dense = cblas.
 *
 * oneDNN computes forward and backward to the input, in shards of a fixed number of samples, each
 * on one thread; its weights are reordered by conv_prepare into `packed`, behind ours, where
 * primitives are also made at the first call for a geometry. CBLAS multiplies what is unrolled
 * from the input (im2col), one block at a time. What a vendor cannot do, or an input that is not
 * float, is left to the dense form here: the functions return false.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "vendor.h"

#include <string.h>

#include "../base/alloc.h"

/* ---- oneDNN ---------------------------------------------------------------------------------- */

struct hki_prepared {
    hk_conv       g;
    hki_direction way;
    int32_t       nb;            /* samples of a shard                        */
    hki_onednn   *shard, *last;  /* last: what is left of the batch, or NULL  */
};

static size_t weight_room(const hk_conv *g)
{
    const size_t ci = ((size_t)g->ci + 15) / 16 * 16, co = ((size_t)g->co + 15) / 16 * 16;
    return hki_up64(4 * (size_t)g->kh * (size_t)g->kw * ci * co);
}

/* The form of a product of floats. */
static hk_dense_form form_of(const hki_state *s, const hk_conv *g, hki_direction way)
{
    static const hk_product product[] = { HK_FORWARD, HK_BACKWARD_INPUT, HK_BACKWARD_WEIGHT };
    return hki_choose(s, g, product[way], HK_F32).form;
}

size_t hki_vendor_packed(const hki_state *s, const hk_conv *g, hki_direction way)
{
    return form_of(s, g, way) == HK_BY_ONEDNN ? weight_room(g) : 0;
}

static const hki_prepared *find(const hki_state *s, const hk_conv *g, hki_direction way)
{
    for (int i = 0; i < s->n_prepared; i++)
        if (s->prepared[i].way == way && !memcmp(&s->prepared[i].g, g, sizeof *g))
            return &s->prepared[i];
    return NULL;
}

static const hki_prepared *add(hki_state *s, const hk_conv *g, hki_direction way)
{
    if (s->n_prepared >= HKI_PREPARED) return NULL;
    if (!s->prepared) s->prepared = hk_alloc_zero(HKI_PREPARED, sizeof *s->prepared);
    if (!s->prepared) return NULL;
    hki_prepared *p = &s->prepared[s->n_prepared++];
    *p = (hki_prepared){ .g = *g, .way = way, .nb = hki_max(1, HKI_BLOCK / (g->ho * g->wo)) };
    p->nb = hki_min(p->nb, g->batch);
    hk_conv part = *g;
    part.batch = p->nb;
    p->shard = hki_onednn_create(&part, way, 1, s->workers, s->level == HK_LEVEL_BF16, false);
    part.batch = g->batch % p->nb;
    if (part.batch) p->last = hki_onednn_create(&part, way, 1, s->workers, s->level == HK_LEVEL_BF16, false);
    /* Both shards read the same packed weights. */
    const bool good = p->shard && hki_onednn_bytes(p->shard, HKI_W) <= weight_room(g)
                      && (!part.batch || (p->last && hki_onednn_same_weights(p->shard, p->last)));
    if (!good) {
        hki_onednn_destroy(p->shard);
        hki_onednn_destroy(p->last);
        p->shard = p->last = NULL;
    }
    return p;
}

void hki_vendor_prepare(hki_state *s, const hk_conv *g, hki_direction way, const float *w,
                        void *packed)
{
    if (form_of(s, g, way) != HK_BY_ONEDNN) return;
    const hki_prepared *p = find(s, g, way);
    if (!p) p = add(s, g, way);
    if (p && p->shard) hki_onednn_import(p->shard, HKI_W, w, packed);
}

void hki_vendor_close(hki_state *s)
{
    for (int i = 0; i < s->n_prepared; i++) {
        hki_onednn_destroy(s->prepared[i].shard);
        hki_onednn_destroy(s->prepared[i].last);
    }
    hk_free(s->prepared);
}

typedef struct shards {
    const hki_prepared *p;
    const float *a;
    float       *y;
    void        *w;
} shards;

static void run_shard(void *arg, int i, int worker)
{
    const shards *t = arg;
    const hk_conv *g = &t->p->g;
    const size_t in = (size_t)g->hi * (size_t)g->wi * (size_t)g->ci;
    const size_t out = (size_t)g->ho * (size_t)g->wo * (size_t)g->co,
                 first = (size_t)i * (size_t)t->p->nb;
    const bool back = t->p->way == HKI_INPUT, whole = (i + 1) * t->p->nb <= g->batch;
    hki_onednn_run(whole ? t->p->shard : t->p->last, worker, t->a + first * (back ? out : in), t->w,
                   t->y + first * (back ? in : out));
}

static bool by_onednn(const hki_state *s, const hk_conv *g, hki_direction way, void *packed,
                      const float *a, float *y)
{
    shards t = { .p = find(s, g, way), .a = a, .y = y, .w = packed };
    if (!t.p || !t.p->shard) return false;
    s->table.parallel(s->table.self, (g->batch + t.p->nb - 1) / t.p->nb, run_shard, &t);
    return true;
}

/* ---- CBLAS ----------------------------------------------------------------------------------- */

typedef struct unrolled {
    const hk_conv *g;
    hki_map      m;              /* forward's, for its blocks                    */
    const float *a, *w;          /* x or dy; weights                             */
    const float *dy;
    float       *out;
    char        *scratch;
    size_t       scratch_bytes;
    int32_t      cb;             /* weight gradients: input channels of a task   */
} unrolled;

static size_t unrolled_bytes(const hk_conv *g)
{
    const hki_map m = hki_map_forward(g, HK_F32, 1);
    return hki_up64(4 * (size_t)m.nb * (size_t)m.ru * (size_t)m.nv * (size_t)g->kh * (size_t)g->kw *
                    (size_t)g->ci);
}

size_t hki_vendor_work(const hki_state *s, const hk_conv *g)
{
    bool any = false;
    for (int way = HKI_FORWARD; way <= HKI_WEIGHT; way++)
        any |= form_of(s, g, (hki_direction)way) == HK_BY_CBLAS;
    return any ? unrolled_bytes(g) : 0;
}

/* Tap (p, q), channels c0 .. of the block's positions, to[position][pitch]; back: adds to out. */
static void tap_rows(const unrolled *t, const hki_block *k, int32_t p, int32_t q, int32_t c0,
                     int32_t cb, float *to, size_t pitch, bool back)
{
    const hk_conv *g = t->g;
    for (int32_t s = 0; s < k->nb; s++)
    for (int32_t u = 0; u < k->ru; u++)
    for (int32_t v = 0; v < g->wo; v++, to += pitch) {
        const int32_t y = (k->u + u) * g->sh + p - g->ph, x = v * g->sw + q - g->pw;
        const bool inside = y >= 0 && y < g->hi && x >= 0 && x < g->wi;
        const size_t row = inside ? (size_t)(k->b + s) * (size_t)g->hi + (size_t)y : 0;
        const size_t column = inside ? (size_t)x : 0;
        const size_t at = (row * (size_t)g->wi + column) * (size_t)g->ci + (size_t)c0;
        if (!back && inside) memcpy(to, t->a + at, (size_t)cb * sizeof *to);
        else if (!back) memset(to, 0, (size_t)cb * sizeof *to);
        else if (inside)
            for (int32_t c = 0; c < cb; c++) t->out[at + (size_t)c] += to[c];
    }
}

static float *scratch_of(const unrolled *t, int worker)
{
    return (float *)(void *)(t->scratch + (size_t)worker * t->scratch_bytes);
}

static void forward_block(void *arg, int i, int worker)
{
    const unrolled *t = arg;
    const hk_conv *g = t->g;
    const hki_block k = hki_block_at(&t->m, i);
    const int run = g->kh * g->kw * g->ci;
    float *rows = scratch_of(t, worker);
    for (int32_t p = 0; p < g->kh; p++)
        for (int32_t q = 0; q < g->kw; q++)
            tap_rows(t, &k, p, q, 0, g->ci, rows + (p * g->kw + q) * g->ci, (size_t)run, false);
    hki_cblas_sgemm(false, false, k.nb * k.ru * g->wo, g->co, run, rows, run, t->w, g->co, 0.0f,
                    t->out + (size_t)k.b * t->m.out_b + (size_t)k.u * t->m.out_u, g->co);
}

/* All blocks of rows of as many samples as a block holds, so that no dx is shared. */
static void input_samples(void *arg, int i, int worker)
{
    const unrolled *t = arg;
    const hk_conv *g = t->g;
    const int run = g->kh * g->kw * g->ci, per = (t->m.nu + t->m.ru - 1) / t->m.ru;
    const size_t in = (size_t)g->hi * (size_t)g->wi * (size_t)g->ci;
    float *rows = scratch_of(t, worker);
    for (int j = 0; j < per; j++) {
        const hki_block k = hki_block_at(&t->m, i * per + j);
        if (j == 0) memset(t->out + (size_t)k.b * in, 0, (size_t)k.nb * in * sizeof *t->out);
        hki_cblas_sgemm(false, true, k.nb * k.ru * g->wo, run, g->co,
                        t->dy + (size_t)k.b * t->m.out_b + (size_t)k.u * t->m.out_u, g->co, t->w,
                        g->co, 0.0f, rows, run);
        for (int32_t p = 0; p < g->kh; p++)
            for (int32_t q = 0; q < g->kw; q++)
                tap_rows(t, &k, p, q, 0, g->ci, rows + (p * g->kw + q) * g->ci, (size_t)run, true);
    }
}

static void weight_tap(void *arg, int i, int worker)
{
    const unrolled *t = arg;
    const hk_conv *g = t->g;
    const int32_t parts = hki_tiles(g->ci, t->cb), tap = i / parts, c0 = i % parts * t->cb;
    const int32_t cb = hki_min(t->cb, g->ci - c0), blocks = hki_blocks(&t->m);
    float *rows = scratch_of(t, worker);
    float *dw = t->out + ((size_t)tap * (size_t)g->ci + (size_t)c0) * (size_t)g->co;
    for (int32_t b = 0; b < blocks; b++) {
        const hki_block k = hki_block_at(&t->m, b);
        tap_rows(t, &k, tap / g->kw, tap % g->kw, c0, cb, rows, (size_t)cb, false);
        hki_cblas_sgemm(true, false, cb, g->co, k.nb * k.ru * g->wo, rows, cb,
                        t->dy + (size_t)k.b * t->m.out_b + (size_t)k.u * t->m.out_u, g->co, 1.0f,
                        dw, g->co);
    }
}

static unrolled unroll(const hk_conv *g, char *scratch)
{
    return (unrolled){ .g = g, .m = hki_map_forward(g, HK_F32, 1), .scratch = scratch,
                       .scratch_bytes = unrolled_bytes(g), .cb = 64 };
}

/* ---- both ------------------------------------------------------------------------------------ */

bool hki_vendor_forward(const hki_state *s, const hk_conv *g, const float *w, void *packed,
                        char *work, hk_view x, float *y)
{
    if (x.kind != HK_F32) return false;
    const hk_dense_form form = form_of(s, g, HKI_FORWARD);
    if (form == HK_BY_ONEDNN) return by_onednn(s, g, HKI_FORWARD, packed, x.data, y);
    if (form != HK_BY_CBLAS) return false;
    unrolled t = unroll(g, work);
    t.a = x.data;
    t.w = w;
    t.out = y;
    s->table.parallel(s->table.self, hki_blocks(&t.m), forward_block, &t);
    return true;
}

bool hki_vendor_input(const hki_state *s, const hk_conv *g, const float *w, void *packed,
                      char *work, const float *dy, float *dx)
{
    const hk_dense_form form = form_of(s, g, HKI_INPUT);
    if (form == HK_BY_ONEDNN) return by_onednn(s, g, HKI_INPUT, packed, dy, dx);
    if (form != HK_BY_CBLAS) return false;
    unrolled t = unroll(g, work);
    t.w = w;
    t.dy = dy;
    t.out = dx;
    s->table.parallel(s->table.self, (g->batch + t.m.nb - 1) / t.m.nb, input_samples, &t);
    return true;
}

bool hki_vendor_weight(const hki_state *s, const hk_conv *g, char *work, hk_view x, const float *dy,
                       float *dw)
{
    if (x.kind != HK_F32 || form_of(s, g, HKI_WEIGHT) != HK_BY_CBLAS) return false;
    unrolled t = unroll(g, work);
    t.a = x.data;
    t.dy = dy;
    t.out = dw;
    s->table.parallel(s->table.self, g->kh * g->kw * hki_tiles(g->ci, t.cb), weight_tap, &t);
    return true;
}
