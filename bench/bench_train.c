/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_train.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "bench_case.h"
#include "bench_time.h"

/* ---- a training step ------------------------------------------------------------------------- */

/* Builds the net on so many threads and times batches. */
static hk_status time_steps(hk_bench_case *b, int32_t threads, int32_t repeats, hki_times *t,
                            hk_error *e)
{
    HK_TRY(hk_bench_case_build(b, threads, e));
    for (int i = -2; i < repeats; i++) {
        hk_result r;
        double seconds;
        HK_TRY(hk_bench_case_run(b, &seconds, &r, e));
        if (i >= 0) hki_time_add(t, seconds);
    }
    return HK_OK;
}

/* ---- its products alone ---------------------------------------------------------------------- */

typedef struct operand { void *x, *dense, *y, *dy, *dx, *dw, *packed, *work; } operand;

static size_t map_in(const hk_conv *g) { return (size_t)g->batch * (size_t)g->hi * (size_t)g->wi; }
static size_t map_out(const hk_conv *g)
{
    return (size_t)g->batch * (size_t)g->ho * (size_t)g->wo * (size_t)g->co;
}

static void fill_floats(float *x, size_t n, double density, uint64_t stream)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (double)hk_rng_uniform((hk_rng){ 9, stream }, i) < density ? 0.5f + (float)(i % 7)
                                                                          : 0.0f;
}

static void fill_stored(void *x, hk_kind kind, size_t rows, size_t c, double density)
{
    unsigned char *p = x;
    size_t bytes = hk_row_bytes(kind, c);
    if (kind == HK_F32) {
        fill_floats(x, rows * c, density, 2);
        return;
    }
    memset(x, 0, rows * bytes);
    for (size_t r = 0; r < rows; r++, p += bytes)
        for (size_t k = 0; k < c; k++) {
            if ((double)hk_rng_uniform((hk_rng){ 9, 3 }, r * c + k) >= density) continue;
            if (kind == HK_COUNTS) p[k] = (unsigned char)(1 + k % 4);
            else ((uint32_t *)(void *)p)[k / 32] |= 1u << (k % 32);
        }
}

static hk_status take_operands(operand *o, const hk_node *l, const hk_kernels *k,
                               const hk_product_stat *s, hk_error *e)
{
    const hk_conv *g = l->args.g;
    size_t rows = map_in(g), ci = (size_t)g->ci;
    hk_conv_bytes a = k->conv_sizes(k->self, g, l->in[0].kind, true);
    hk_conv_bytes b = k->conv_sizes(k->self, g, HK_F32, true);
    *o = (operand){
        .x = hk_alloc(rows * hk_row_bytes(l->in[0].kind, ci)),
        .dense = hk_alloc(4 * rows * ci),
        .y = hk_alloc(4 * map_out(g)),
        .dy = hk_alloc(4 * map_out(g)),
        .dx = hk_alloc(4 * rows * ci),
        .dw = hk_alloc_zero(l->param[0]->n, 4),
        .packed = hk_alloc(a.packed > b.packed ? a.packed : b.packed),
        .work = hk_alloc(a.work > b.work ? a.work : b.work),
    };
    HK_CHECK(e, o->x && o->dense && o->y && o->dy && o->dx && o->dw && o->packed && o->work,
             HK_E_NOMEM, "bench: no memory for the products of layer '%s'", l->name);
    fill_stored(o->x, l->in[0].kind, rows, ci, (double)s->density[0]);
    fill_floats(o->dense, rows * ci, (double)s->density[2], 4);
    fill_floats(o->dy, map_out(g), (double)s->density[1], 5);
    return HK_OK;
}

static void free_operands(operand *o)
{
    void *all[] = { o->x, o->dense, o->y, o->dy, o->dx, o->dw, o->packed, o->work };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) hk_free(all[i]);
}

/* Median seconds of one product of layer l with this table. */
static double time_product(const hk_node *l, const hk_kernels *k, const operand *o, int which,
                           int32_t repeats)
{
    hk_conv_args a = { l->args.g, l->param[0]->w, o->packed, o->work, l->args.id };
    hk_view x = { o->x, l->in[0].kind, 1 }, traced = { o->dense, HK_F32, 1 };
    hki_times t = { .n = 0 };
    k->conv_prepare(k->self, &a, l->in[0].kind, true);
    for (int i = -1; i < repeats; i++) {
        double begun = hk_seconds();
        if (which == 0) k->conv_forward(k->self, &a, x, o->y);
        if (which == 1) k->conv_backward_input(k->self, &a, o->dy, o->dx);
        if (which == 2)
            k->conv_backward_weight(k->self, &a, l->presynaptic ? traced : x, o->dy, o->dw);
        if (i >= 0) hki_time_add(&t, hk_seconds() - begun);
    }
    return hki_time_median(&t);
}

/* Seconds of all products of one layer over a batch, each in its fastest form. */
static hk_status time_layer(const hk_bench_case *b, const hk_node *l, const hk_host_kernels *form,
                            int n_form, double *seconds, hk_error *e)
{
    operand o;
    double best[3] = { INFINITY, INFINITY, INFINITY };
    const hk_product_stat *s = hk_host_kernels_stat(&b->engine.kernels, l->args.id);
    hk_status st = HK_OK;
    for (int f = 0; f < n_form && st == HK_OK; f++) {
        st = take_operands(&o, l, &form[f].table, s, e);
        for (int w = 0; w < 3 && st == HK_OK; w++)
            best[w] = fmin(best[w], time_product(l, &form[f].table, &o, w, 5));
        free_operands(&o);
    }
    HK_TRY(st);
    double T = b->engine.net.spec.T, once = l->constant ? 1 : T;
    bool weights = b->engine.net.plan.weights;
    *seconds += once * best[0] + (l->dx_want[0] ? T * best[1] : 0) + (weights ? once * best[2] : 0);
    return HK_OK;
}

static hk_status time_products(const hk_bench_case *b, int32_t threads, double *seconds, hk_error *e)
{
    static const hk_product_way ways[] = { HK_WAY_AUTO, HK_WAY_EVENTS, HK_WAY_DENSE };
    hk_host_kernels form[3];
    int n = 0;
    hk_status st = HK_OK;
    *seconds = 0;
    for (; n < 3 && st == HK_OK; n++) {
        hk_host_kernels_cfg cfg = hk_recipe_kernels(&b->recipe, threads);
        cfg.products = (int32_t)ways[n];
        st = hk_host_kernels_open(&form[n], &cfg, e);
    }
    for (int32_t i = 0; i < b->engine.net.n_node && st == HK_OK; i++)
        if (b->engine.net.node[i].args.g) st = time_layer(b, &b->engine.net.node[i], form, n, seconds, e);
    for (int i = 0; i < n; i++) hk_host_kernels_close(&form[i]);
    return st;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static hk_status run(hk_bench_case *b, int32_t threads, int32_t repeats, hk_bench_step *out,
                     hk_error *e)
{
    hki_times one = { .n = 0 }, all = { .n = 0 };
    HK_TRY(time_steps(b, 1, repeats, &one, e));
    HK_TRY(time_steps(b, threads, repeats, &all, e));
    out->threads = b->engine.kernels.table.workers;
    out->rate = hk_bench_case_rate(b);
    HK_TRY(time_products(b, threads, &out->products, e));
    out->seconds = hki_time_median(&all);
    out->spread = hki_time_spread(&all);
    out->one_thread = hki_time_median(&one);
    out->ratio = out->products > 0 ? out->seconds / out->products : 0;
    out->speedup = out->one_thread / out->seconds;
    out->T = b->recipe.train.T;
    out->batch = b->recipe.train.batch;
    hk_format(out->net, sizeof out->net, "%s", b->cfg->recipe);
    hk_format(out->rule, sizeof out->rule, "%s", b->recipe.rule->info.name);
    return HK_OK;
}

hk_status hk_bench_train(const char *recipe, int32_t threads, int32_t repeats, hk_bench_step *out,
                         hk_error *e)
{
    hk_bench_case_cfg cfg = { .recipe = recipe, .learn = true };
    hk_bench_case *b = hk_alloc_zero(1, sizeof *b);
    HK_CHECK(e, b, HK_E_NOMEM, "bench: no memory");
    memset(out, 0, sizeof *out);
    hk_status st = hk_bench_case_open(b, &cfg, e);
    if (st == HK_OK) st = run(b, threads, repeats, out, e);
    hk_bench_case_close(b);
    hk_free(b);
    return st;
}
