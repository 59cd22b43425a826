/* The table of products timed on the 3 x 3 layers of a VGG, over the share of active inputs.
 *
 * Every product is first compared with hk_kernels_ref on one sample. Then, for each layer and
 * activity, the event-driven products and the dense marks run one after the other, `repeats` times,
 * and medians are reported: what disturbs the machine disturbs both. The mark is oneDNN in the
 * faster of two layouts, channels last or its own, or the dense form here where there is no oneDNN.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench_products.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../host/base/alloc.h"
#include "../host/kernel/vendor.h"

/* ---- timing ---------------------------------------------------------------------------------- */

enum { REPEATS_MOST = 101 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct samples { double t[REPEATS_MOST]; int n; } samples;

static void summary(samples *s, double *median, double *spread)
{
    qsort(s->t, (size_t)s->n, sizeof *s->t, ascending);
    *median = s->t[s->n / 2];
    *spread = s->t[s->n * 3 / 4] - s->t[s->n / 4];
}

/* ---- operands -------------------------------------------------------------------------------- */

static const struct layer { int32_t size, ci, co; } layers[] = {
    { 32, 64, 128 }, { 16, 256, 256 }, { 8, 512, 512 }, { 4, 512, 512 },
};
static const double activities[] = { 0.02, 0.05, 0.10, 0.20, 0.30 };

enum way {
    FORWARD_BITS, WEIGHT_BITS, WEIGHT_TRACES, FORWARD_DENSE, INPUT_DENSE, WEIGHT_DENSE, WAYS
};
static const char *const way_name[WAYS] = { "forward bits", "weights bits", "weights traces",
                                            "forward dense", "input dense", "weights dense" };
static const hki_direction direction_of[WAYS] = { HKI_FORWARD, HKI_WEIGHT, HKI_WEIGHT,
                                                  HKI_FORWARD, HKI_INPUT, HKI_WEIGHT };

typedef struct operands {
    hk_conv   g;
    size_t    nx, ny, nw, nbits;
    float    *x, *y, *dy, *dx, *w, *dw;
    uint32_t *bits;
    void     *packed, *work;
} operands;

typedef struct bench {
    hk_host_kernels events, dense;
    operands    o;
    hki_onednn *mark[3];         /* by direction; NULL: the dense table is the mark */
    void       *theirs[3][3];    /* by direction and operand, in the library's layout */
    bool        blocked[3];
    int         repeats;
} bench;

static uint32_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static float uniform(uint64_t *seed) { return (float)next(seed) / (float)(1u << 30) - 1.0f; }

static void operands_close(operands *o)
{
    void *all[] = { o->x, o->y, o->dy, o->dx, o->w, o->dw, o->bits, o->packed, o->work };
    for (int i = 0; i < HK_COUNT(all); i++) hk_free(all[i]);
    memset(o, 0, sizeof *o);
}

static hk_status operands_open(operands *o, struct layer l, int32_t batch, const hk_kernels *k,
                               hk_error *e)
{
    o->g = (hk_conv){ .batch = batch, .hi = l.size, .wi = l.size, .ci = l.ci,
                      .ho = l.size, .wo = l.size, .co = l.co, .kh = 3, .kw = 3,
                      .sh = 1, .sw = 1, .ph = 1, .pw = 1, .groups = 1 };
    const size_t rows = (size_t)batch * (size_t)l.size * (size_t)l.size;
    o->nx = rows * (size_t)l.ci;
    o->ny = rows * (size_t)l.co;
    o->nw = 9 * (size_t)l.ci * (size_t)l.co;
    o->nbits = rows * hk_row_bytes(HK_BITS, (size_t)l.ci) / 4;
    hk_conv_bytes most = k->conv_sizes(k->self, &o->g, HK_F32, true);
    const hk_conv_bytes bits = k->conv_sizes(k->self, &o->g, HK_BITS, true);
    if (bits.packed > most.packed) most.packed = bits.packed;
    if (bits.work > most.work) most.work = bits.work;
    o->x = hk_alloc_zero(o->nx, 4);
    o->y = hk_alloc_zero(o->ny, 4);
    o->dy = hk_alloc_zero(o->ny, 4);
    o->dx = hk_alloc_zero(o->nx, 4);
    o->w = hk_alloc_zero(o->nw, 4);
    o->dw = hk_alloc_zero(o->nw, 4);
    o->bits = hk_alloc_zero(o->nbits, 4);
    o->packed = hk_alloc(most.packed);
    o->work = hk_alloc(most.work);
    HK_CHECK(e, o->x && o->y && o->dy && o->dx && o->w && o->dw && o->bits && o->packed && o->work,
             HK_E_NOMEM, "bench: no memory for a layer of %d to %d channels", l.ci, l.co);
    uint64_t seed = 7;
    for (size_t i = 0; i < o->nw; i++) o->w[i] = 0.1f * uniform(&seed);
    for (size_t i = 0; i < o->ny; i++) o->dy[i] = uniform(&seed);
    return HK_OK;
}

/* The same places active in x (values 0.5 to 1.5, as traces are) and in bits. */
static void operands_fill(operands *o, double activity)
{
    uint64_t seed = 11;
    const uint32_t below = (uint32_t)(activity * (double)(1u << 31));
    const size_t ci = (size_t)o->g.ci, words = (ci + 31) / 32;
    memset(o->bits, 0, o->nbits * 4);
    for (size_t i = 0; i < o->nx; i++) {
        const bool on = next(&seed) < below;
        o->x[i] = on ? 1.0f + 0.5f * uniform(&seed) : 0.0f;
        if (on) o->bits[i / ci * words + i % ci / 32] |= (uint32_t)1 << (i % ci % 32);
    }
}

static void call(const hk_kernels *k, const operands *o, enum way way)
{
    const hk_conv_args a = { .g = &o->g, .w = o->w, .packed = o->packed, .work = o->work };
    const hk_view bits = { .data = o->bits, .kind = HK_BITS, .scale = 1.0f };
    const hk_view x = { .data = o->x, .kind = HK_F32, .scale = 1.0f };
    switch (way) {
    case FORWARD_BITS:  k->conv_forward(k->self, &a, bits, o->y); break;
    case FORWARD_DENSE: k->conv_forward(k->self, &a, x, o->y); break;
    case INPUT_DENSE:   k->conv_backward_input(k->self, &a, o->dy, o->dx); break;
    case WEIGHT_BITS:   k->conv_backward_weight(k->self, &a, bits, o->dy, o->dw); break;
    default:            k->conv_backward_weight(k->self, &a, x, o->dy, o->dw); break;
    }
}

static void prepare(const hk_kernels *k, const operands *o)
{
    const hk_conv_args a = { .g = &o->g, .w = o->w, .packed = o->packed, .work = o->work };
    k->conv_prepare(k->self, &a, HK_F32, true);
}

/* ---- verification ---------------------------------------------------------------------------- */

static bool near(const float *got, const float *want, size_t n)
{
    double error = 0.0, most = 0.0;
    for (size_t i = 0; i < n; i++) {
        error = fmax(error, fabs((double)got[i] - (double)want[i]));
        most = fmax(most, fabs((double)want[i]));
    }
    return error <= 1e-4 * most;
}

static hk_status verify(const bench *b, const operands *o, const char *layer, hk_error *e)
{
    static const enum way ways[] = { FORWARD_BITS,  WEIGHT_BITS, WEIGHT_TRACES,
                                     FORWARD_DENSE, INPUT_DENSE, WEIGHT_DENSE };
    const size_t most = o->nx > o->ny ? o->nx : o->ny, n = most > o->nw ? most : o->nw;
    float *keep = hk_alloc(4 * n);
    HK_CHECK(e, keep, HK_E_NOMEM, "bench: no memory for %zu bytes", 4 * n);
    bool good = true;
    int i = 0;
    for (; i < HK_COUNT(ways) && good; i++) {
        const bool weights = direction_of[ways[i]] == HKI_WEIGHT, input = ways[i] == INPUT_DENSE;
        const float *out = weights ? o->dw : input ? o->dx : o->y;
        const size_t count = weights ? o->nw : input ? o->nx : o->ny;
        memset(o->dw, 0, 4 * o->nw);
        call(&hk_kernels_ref, o, ways[i]);
        memcpy(keep, out, 4 * count);
        memset(o->dw, 0, 4 * o->nw);
        call(ways[i] < FORWARD_DENSE ? &b->events.table : &b->dense.table, o, ways[i]);
        good = near(out, keep, count);
    }
    hk_free(keep);
    HK_CHECK(e, good, HK_E_NUM, "bench: %s of %s differs from the definition",
             way_name[ways[i - 1]], layer);
    return HK_OK;
}

/* ---- marks ----------------------------------------------------------------------------------- */

static void run_mark(const bench *b, hki_direction way)
{
    static const enum way own[3] = { FORWARD_DENSE, INPUT_DENSE, WEIGHT_DENSE };
    if (b->mark[way])
        hki_onednn_run(b->mark[way], 0, b->theirs[way][0], b->theirs[way][1], b->theirs[way][2]);
    else call(&b->dense.table, &b->o, own[way]);
}

static void close_mark(bench *b, int way)
{
    hki_onednn_destroy(b->mark[way]);
    b->mark[way] = NULL;
    for (int i = 0; i < 3; i++) {
        hk_free(b->theirs[way][i]);
        b->theirs[way][i] = NULL;
    }
}

static bool open_mark(bench *b, hki_direction way, bool blocked)
{
    const operands *o = &b->o;
    b->blocked[way] = blocked;
    b->mark[way] = hki_onednn_create(&o->g, way, b->dense.table.workers, 1, false, blocked);
    bool good = b->mark[way] != NULL;
    for (int i = 0; good && i < 3; i++)
        good = (b->theirs[way][i] =
                    hk_alloc_zero(1, hki_onednn_bytes(b->mark[way], (hki_operand)i))) != NULL;
    if (!good) {
        close_mark(b, way);
        return false;
    }
    hki_onednn_import(b->mark[way], HKI_A, way == HKI_INPUT ? o->dy : o->x, b->theirs[way][HKI_A]);
    if (way == HKI_WEIGHT) hki_onednn_import(b->mark[way], HKI_Y, o->dy, b->theirs[way][HKI_Y]);
    else hki_onednn_import(b->mark[way], HKI_W, o->w, b->theirs[way][HKI_W]);
    return true;
}

static double quick(const bench *b, hki_direction way)
{
    samples s = { .n = 0 };
    double median, spread;
    run_mark(b, way);
    for (int i = 0; i < 3; i++) {
        const double start = now();
        run_mark(b, way);
        s.t[s.n++] = now() - start;
    }
    summary(&s, &median, &spread);
    return median;
}

static void choose_mark(bench *b, hki_direction way)
{
    if (!open_mark(b, way, false)) return;
    const double last = quick(b, way);
    close_mark(b, way);
    const bool blocked = open_mark(b, way, true) && quick(b, way) < last;
    close_mark(b, way);
    open_mark(b, way, blocked);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void name_mark(const bench *b, hki_direction way, char *out, size_t cap)
{
    if (b->mark[way])
        hk_format(out, cap, "oneDNN %s, %s", hki_onednn_version(),
                  b->blocked[way] ? "own layout" : "nhwc");
    else hk_format(out, cap, "dense here");
}

/* One row for each way first..last-1, marks of the directions that they have. */
static void measure(const bench *b, double activity, enum way first, enum way last,
                    hk_bench_row *rows)
{
    samples own[WAYS] = { 0 }, mark[3] = { 0 };
    for (int r = -1; r < b->repeats; r++)                /* the first round only warms up */
        for (int i = (int)first; i < (int)last; i++) {
            const hki_direction d = direction_of[i];
            double start = now();
            call(i < FORWARD_DENSE ? &b->events.table : &b->dense.table, &b->o, (enum way)i);
            if (r >= 0) own[i].t[own[i].n++] = now() - start;
            if (mark[d].n > r) continue;
            start = now();
            run_mark(b, d);
            if (r >= 0) mark[d].t[mark[d].n++] = now() - start;
        }
    const hk_conv *g = &b->o.g;
    const double flop = 2.0 * 9.0 * (double)g->ci * (double)b->o.ny;
    for (int i = (int)first; i < (int)last; i++, rows++) {
        const hki_direction d = direction_of[i];
        hk_format(rows->layer, sizeof rows->layer, "%d->%d %dx%d", g->ci, g->co, g->hi, g->wi);
        hk_format(rows->product, sizeof rows->product, "%s", way_name[i]);
        name_mark(b, d, rows->mark, sizeof rows->mark);
        rows->activity = activity;
        summary(&own[i], &rows->seconds, &rows->spread);
        summary(&mark[d], &rows->mark_seconds, &rows->mark_spread);
        rows->gflops = flop / rows->seconds * 1e-9;
        rows->ratio = rows->mark_seconds / rows->seconds;
    }
}

static hk_status bench_layer(bench *b, struct layer l, int32_t batch, hk_bench_row *rows, int cap,
                             int *n, hk_error *e)
{
    HK_TRY(operands_open(&b->o, l, 1, &b->dense.table, e));
    char name[32];
    hk_format(name, sizeof name, "%d->%d %dx%d", l.ci, l.co, l.size, l.size);
    operands_fill(&b->o, 0.1);
    prepare(&b->dense.table, &b->o);
    HK_TRY(verify(b, &b->o, name, e));
    operands_close(&b->o);
    HK_TRY(operands_open(&b->o, l, batch, &b->dense.table, e));
    prepare(&b->dense.table, &b->o);
    operands_fill(&b->o, 1.0);
    for (int d = 0; d < 3; d++) choose_mark(b, (hki_direction)d);
    for (int i = 0; i < HK_COUNT(activities) && *n + FORWARD_DENSE <= cap;
         i++, *n += FORWARD_DENSE) {
        operands_fill(&b->o, activities[i]);
        measure(b, activities[i], FORWARD_BITS, FORWARD_DENSE, rows + *n);
    }
    operands_fill(&b->o, 1.0);
    if (*n + WAYS - FORWARD_DENSE <= cap) {
        measure(b, 1.0, FORWARD_DENSE, WAYS, rows + *n);
        *n += WAYS - FORWARD_DENSE;
    }
    return HK_OK;
}

hk_status hk_bench_products(const hk_bench_products_cfg *cfg, hk_bench_row *rows, int cap, int *n,
                            hk_error *e)
{
    bench b = { .repeats = cfg->repeats > 0 ? cfg->repeats : 11 };
    if (b.repeats > REPEATS_MOST) b.repeats = REPEATS_MOST;
    hk_host_kernels_cfg k = cfg->kernels;
    k.products = HK_WAY_EVENTS;
    HK_TRY(hk_host_kernels_open(&b.events, &k, e));
    k.products = HK_WAY_DENSE;
    hk_status st = hk_host_kernels_open(&b.dense, &k, e);
    *n = 0;
    for (int i = 0; i < HK_COUNT(layers) && st == HK_OK; i++) {
        st = bench_layer(&b, layers[i], cfg->batch > 0 ? cfg->batch : 16, rows, cap, n, e);
        for (int d = 0; d < 3; d++) close_mark(&b, d);
        operands_close(&b.o);
    }
    hk_host_kernels_close(&b.events);
    hk_host_kernels_close(&b.dense);
    return st;
}
