/* SPDX-License-Identifier: Apache-2.0 */
#include "tune.h"

#include <string.h>
#include <time.h>

#include "../base/alloc.h"
#include "product.h"

/* Dense products take the same time at any density; their operand has this one. */
#define DENSE_AT 0.3
/* Runs of a form: the least of RUNS_MOST, or of RUNS_LEAST if they take longer than ENOUGH seconds. */
enum { RUNS_LEAST = 3, RUNS_MOST = 15 };
#define ENOUGH 0.04

static const double densities[] = { 0.05, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9 };

/* x is the operand whose zeros count: the input, or the error in backward_input. */
typedef struct operands {
    const hk_choice *row;
    size_t in, out, weights;     /* rows of the input map; values of the output map, of w         */
    size_t x_rows, x_channels;
    void  *x, *packed, *work;
    float *w, *dy, *y;           /* y: the result, whatever it is                                 */
} operands;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- operands -------------------------------------------------------------------------------- */

/* xorshift (Marsaglia 2003); uniform in [0, 1). */
static double draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (double)(*state >> 40) / (double)(1 << 24);
}

static void fill(const operands *o, double density)
{
    const hk_kind kind = (hk_kind)o->row->kind;
    const size_t pitch = hk_row_bytes(kind, o->x_channels);
    uint64_t state = 88172645463325252u;
    memset(o->x, 0, o->x_rows * pitch);
    for (size_t r = 0; r < o->x_rows; r++) {
        void *row = (char *)o->x + r * pitch;
        for (size_t c = 0; c < o->x_channels; c++) {
            if (draw(&state) >= density) continue;
            if (kind == HK_BITS) ((uint32_t *)row)[c / 32] |= 1u << (c % 32);
            else if (kind == HK_COUNTS) ((unsigned char *)row)[c] = (unsigned char)(1 + c % 4);
            else if (kind == HK_B16) ((uint16_t *)row)[c] = (uint16_t)(0x3f00 + c % 7);
            else ((float *)row)[c] = 0.5f + (float)(c % 7);
        }
    }
}

static void free_operands(operands *o)
{
    void *all[] = { o->x, o->packed, o->work, o->w, o->dy, o->y };
    for (int i = 0; i < HK_COUNT(all); i++) hk_free(all[i]);
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Room for everything but what depends on the form. */
static hk_status take_operands(operands *o, const hk_choice *row, hk_error *e)
{
    const hk_conv *g = &row->g;
    *o = (operands){ .row = row };
    o->in = (size_t)g->batch * (size_t)g->hi * (size_t)g->wi;
    o->out = (size_t)g->batch * (size_t)g->ho * (size_t)g->wo * (size_t)g->co;
    o->weights = (size_t)g->kh * (size_t)g->kw * (size_t)g->ci * (size_t)g->co;
    const bool back = row->product == HK_BACKWARD_INPUT;
    o->x_channels = (size_t)(back ? g->co : g->ci);
    o->x_rows = back ? o->out / o->x_channels : o->in;
    const size_t result = larger(larger(o->in * (size_t)g->ci, o->out), o->weights);
    o->x = hk_alloc(o->x_rows * hk_row_bytes((hk_kind)row->kind, o->x_channels));
    o->w = hk_alloc(o->weights * sizeof *o->w);
    o->dy = hk_alloc(o->out * sizeof *o->dy);
    o->y = hk_alloc_zero(result, sizeof *o->y);
    HK_CHECK(e, o->x && o->w && o->dy && o->y, HK_E_NOMEM,
             "tuning: no memory for the operands of a product, %zu values", o->in + o->out + result);
    uint64_t state = 362436069;
    for (size_t i = 0; i < o->weights; i++) o->w[i] = (float)draw(&state) - 0.5f;
    for (size_t i = 0; i < o->out; i++) o->dy[i] = (float)draw(&state) - 0.5f;
    return HK_OK;
}

/* ---- one form -------------------------------------------------------------------------------- */

static void call(const operands *o, const hk_kernels *k, const hk_conv_args *a)
{
    const hk_view x = { .data = o->x, .kind = (hk_kind)o->row->kind, .scale = 1 };
    switch (o->row->product) {
    case HK_FORWARD: k->conv_forward(k->self, a, x, o->y); return;
    case HK_BACKWARD_INPUT: k->conv_backward_input(k->self, a, o->x, o->y); return;
    default: k->conv_backward_weight(k->self, a, x, o->dy, o->y); return;
    }
}

static double least(const operands *o, const hk_kernels *k, const hk_conv_args *a)
{
    double best = 0, spent = 0;
    for (int i = -1; i < RUNS_MOST && (i < RUNS_LEAST || spent < ENOUGH); i++) {
        const double begun = seconds();
        call(o, k, a);
        const double took = seconds() - begun;
        if (i < 0) continue;
        best = i == 0 || took < best ? took : best;
        spent += took;
    }
    return best;
}

/* Least seconds at each of n densities: dense in this form, or by events where it is the dense one, whose packed
 * weights they may take. */
static hk_status time_form(operands *o, const hk_host_kernels_cfg *cfg, hk_dense_form form, bool events, int n,
                           const double *density, double *out, hk_error *e)
{
    hk_choice row = *o->row;
    hk_host_kernels_cfg own = *cfg;
    row.form = (int32_t)form;
    row.below = events ? 2 : 0;
    own.products = events ? HK_WAY_EVENTS : HK_WAY_DENSE;
    own.choice = &row;
    own.n_choice = 1;
    hk_host_kernels k;
    HK_TRY(hk_host_kernels_open(&k, &own, e));
    const bool learn = row.product != HK_FORWARD;
    const hk_kind kind = row.kind == HK_B16 ? HK_F32 : (hk_kind)row.kind;   /* as the core plans */
    const hk_conv_bytes bytes = k.table.conv_sizes(k.table.self, &row.g, kind, learn);
    o->packed = hk_alloc(bytes.packed);
    o->work = hk_alloc(bytes.work);
    const hk_conv_args a = { &row.g, o->w, o->packed, o->work, 0 };
    if (o->packed && o->work) {
        k.table.conv_prepare(k.table.self, &a, kind, learn);
        for (int i = 0; i < n; i++) {
            fill(o, density[i]);
            out[i] = least(o, &k.table, &a);
        }
    }
    const bool done = o->packed && o->work;
    hk_free(o->packed);
    hk_free(o->work);
    o->packed = o->work = NULL;
    hk_host_kernels_close(&k);
    HK_CHECK(e, done, HK_E_NOMEM, "tuning: no memory for the weights of a product, %zu bytes",
             bytes.packed + bytes.work);
    return HK_OK;
}

/* Whether a dense form is one of its own for this row under these options. */
static bool allowed(const hk_host_kernels_cfg *cfg, hk_isa_level level, const hk_choice *row,
                    hk_dense_form form)
{
    static const hk_dense_by by[HK_DENSE_FORMS] = { HK_DENSE_OWN, HK_DENSE_OWN, HK_DENSE_OWN, HK_DENSE_OWN,
                                                    HK_DENSE_ONEDNN, HK_DENSE_CBLAS, HK_DENSE_REF };
    const bool asked = cfg->dense == (int32_t)by[form];
    if (cfg->dense != HK_DENSE_AUTO && !asked) return false;
    if (form == HK_BY_REF) return asked;
    if (form == HK_BY_BF16) return level == HK_LEVEL_BF16;
    if (form == HK_BY_FP32) return true;
    if (form == HK_BY_WINOGRAD) return hki_can_winograd(&row->g);
    if (form == HK_BY_WINOGRAD_BF16)
        return level == HK_LEVEL_BF16 && row->product != HK_FORWARD && hki_can_winograd(&row->g);
    return hk_vendor_version(by[form]) && row->kind == HK_F32 &&
           (form == HK_BY_CBLAS || row->product != HK_BACKWARD_WEIGHT);
}

double hk_break_even(int n, const double *density, const double *seconds, double dense)
{
    for (int i = 0; i < n; i++) {
        if (seconds[i] < dense) continue;
        if (i == 0) return seconds[0] > 0 ? density[0] * dense / seconds[0] : 0;
        const double rise = seconds[i] - seconds[i - 1];
        return density[i - 1] + (density[i] - density[i - 1]) * (dense - seconds[i - 1]) / rise;
    }
    return 2;
}

static hk_status measure(operands *o, const hk_host_kernels_cfg *cfg, hk_choice *row, hk_error *e)
{
    static const double dense_at = DENSE_AT;
    double best = 0, events[HK_COUNT(densities)];
    hk_host_kernels k;
    bool any = false;
    HK_TRY(hk_host_kernels_open(&k, cfg, e));
    const hk_isa_level level = k.isa;
    hk_host_kernels_close(&k);
    for (int form = 0; form < HK_DENSE_FORMS; form++) {
        double took;
        if (!allowed(cfg, level, o->row, (hk_dense_form)form)) continue;
        HK_TRY(time_form(o, cfg, (hk_dense_form)form, false, 1, &dense_at, &took, e));
        if (any && took >= best) continue;
        any = true;
        best = took;
        row->form = form;
    }
    HK_CHECK(e, any, HK_E_ARG, "tuning: dense products by %s do not take part in this product",
             hk_dense_name((hk_dense_by)cfg->dense));
    HK_TRY(time_form(o, cfg, (hk_dense_form)row->form, true, HK_COUNT(densities), densities, events, e));
    row->below = (float)hk_break_even(HK_COUNT(densities), densities, events, best);
    return HK_OK;
}

hk_status hk_tune(const hk_host_kernels_cfg *cfg, hk_choice *row, hk_error *e)
{
    const hk_choice as = *row;
    operands o;
    hk_status st = take_operands(&o, &as, e);
    if (st == HK_OK) st = measure(&o, cfg, row, e);
    free_operands(&o);
    return st;
}
