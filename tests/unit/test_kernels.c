/* The host's products against their definition, hk_kernels_ref: every form on every instruction set
 * that this machine has, within the forward error bound of a sum (unit round-off x length x sum of
 * absolute products), with guard bytes around whatever is written and NaN behind whatever is read,
 * and with the same bits for 1, 2 and 3 threads.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernel_problem.h"

#include "kernel/product.h"

/* ---- one form of the table ------------------------------------------------------------------- */

typedef struct result { block y, dx, dw; } result;

static void describe(const problem *p, hk_host_kernels_cfg c, char *out, size_t cap)
{
    const hk_conv *g = &p->g;
    snprintf(
        out, cap,
        "%s %s precision %d way %d threads %d, kind %d density %g/%g: batch %d, %dx%dx%d to %dx%dx%d, kernel "
        "%dx%d stride %d,%d pad %d,%d groups %d",
        hk_isa_name((hk_isa_level)c.isa), hk_dense_name((hk_dense_by)c.dense), c.precision,
        c.products, c.threads, (int)p->kind, p->density, p->error_density, g->batch, g->hi, g->wi, g->ci, g->ho,
        g->wo, g->co, g->kh, g->kw, g->sh, g->sw, g->ph, g->pw, g->groups);
}

/* narrow: both operands may have been rounded to bf16, unit round-off 2^-8. */
static void compare(const float *got, const float *want, const float *sum, size_t n, double length,
                    bool narrow, const char *product, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        const double each = (narrow ? 0.0079 : 0) + 2.0 * 6e-8 * (length + 4.0);
        const double bound = each * (double)sum[i] + (narrow ? 1e-36 : 0);
        const double error = fabs((double)got[i] - (double)want[i]);
        if (!(error <= bound))
            fail_msg("%s: %s[%d] is %.9g, expected %.9g within %.3g", text, product, (int)i,
                     (double)got[i], (double)want[i], bound);
    }
}

static result run(const problem *p, hk_host_kernels_cfg cfg)
{
    hk_host_kernels k;
    hk_error e;
    assert_int_equal(hk_host_kernels_open(&k, &cfg, &e), HK_OK);
    const hk_kernels *t = &k.table;
    const bool trace = p->kind == HK_B16;                /* an operand of backward_weight alone */
    const hk_kind kind = trace ? HK_F32 : p->kind;
    const hk_conv_bytes n = t->conv_sizes(t->self, &p->g, kind, true);
    block packed = block_take(n.packed, 0), work = block_take(n.work, 0);
    result r = { block_take(4 * p->ny, 4), block_take(4 * p->nx, 4), block_take(4 * p->nw, 4) };
    hk_conv_args a = {
        .g = &p->g, .w = floats(p->w), .packed = packed.data, .work = work.data, .id = 3
    };
    memcpy(r.dw.data, p->dw.data, 4 * p->nw);
    t->conv_prepare(t->self, &a, kind, true);
    const long requests = hk_alloc_counts().requests;
    if (trace) memcpy(r.y.data, p->y_ref.data, 4 * p->ny);
    else t->conv_forward(t->self, &a, view_of(p, p->x), floats(r.y));
    t->conv_backward_input(t->self, &a, floats(p->dy), floats(r.dx));
    t->conv_backward_weight(t->self, &a, view_of(p, p->x), floats(p->dy), floats(r.dw));
    assert_int_equal(hk_alloc_counts().requests, requests);
    block_check(packed, "packed");
    block_check(work, "work");
    block_check(r.y, "y");
    block_check(r.dx, "dx");
    block_check(r.dw, "dw");
    block_free(packed);
    block_free(work);
    hk_host_kernels_close(&k);
    return r;
}

static void result_free(result r)
{
    block_free(r.y);
    block_free(r.dx);
    block_free(r.dw);
}

/* bf16 between the transforms: an error belongs to a whole tile, so it is bounded in the norm. */
static void compare_norm(const float *got, const float *want, size_t n, const char *product, const char *text)
{
    if (!near_in_norm(got, want, n, 0.025)) fail_msg("%s: %s is too far from its definition", text, product);
}

/* With 1 .. most threads. */
static void check_form(const problem *p, hk_host_kernels_cfg cfg, int32_t most)
{
    char text[400];
    const hk_conv *g = &p->g;
    const double taps = (double)g->kh * g->kw;
    const bool narrow = cfg.precision != HK_FP32;
    result first = { { 0 }, { 0 }, { 0 } };
    for (int32_t threads = 1; threads <= most; threads++) {
        cfg.threads = threads;
        describe(p, cfg, text, sizeof text);
        result r = run(p, cfg);
        if (threads == 1) {
            compare(floats(r.y), floats(p->y_ref), floats(p->y_abs), p->ny, taps * g->ci, narrow,
                    "y", text);
            if (narrow && filtered(g)) {
                compare_norm(floats(r.dx), floats(p->dx_ref), p->nx, "dx", text);
                compare_norm(floats(r.dw), floats(p->dw_ref), p->nw, "dw", text);
            } else {
                compare(floats(r.dx), floats(p->dx_ref), floats(p->dx_abs), p->nx, taps * g->co, narrow, "dx",
                        text);
                compare(floats(r.dw), floats(p->dw_ref), floats(p->dw_abs), p->nw,
                        (double)g->batch * g->ho * g->wo, narrow, "dw", text);
            }
            first = r;
            continue;
        }
        if (memcmp(r.y.data, first.y.data, 4 * p->ny) || memcmp(r.dx.data, first.dx.data, 4 * p->nx)
            || memcmp(r.dw.data, first.dw.data, 4 * p->nw))
            fail_msg("%s: other bits than with one thread", text);
        result_free(r);
    }
    result_free(first);
}

static hk_isa_level best_level(void)
{
    hk_host_kernels k;
    hk_error e;
    assert_int_equal(hk_host_kernels_open(&k, NULL, &e), HK_OK);
    const hk_isa_level best = k.isa;
    hk_host_kernels_close(&k);
    return best;
}

static void check(hk_conv g, hk_kind kind, double density, double error_density)
{
    static int turn;
    const int32_t most = turn++ % 5 ? 1 : 3;             /* threads; 5 meets every kind in turn */
    problem p;
    problem_open(&p, g, kind, density, error_density);
    const int32_t best = best_level();
    for (int32_t isa = HK_LEVEL_SSE2; isa <= best; isa++)
        for (int32_t way = HK_WAY_AUTO; way <= HK_WAY_REF; way++)
            check_form(&p, (hk_host_kernels_cfg){ .isa = isa, .products = way },
                       way == HK_WAY_AUTO || isa != best ? 1 : most);
    for (int32_t dense = HK_DENSE_ONEDNN; dense <= HK_DENSE_REF; dense++)
        if (dense == HK_DENSE_REF || hk_vendor_version((hk_dense_by)dense))
            check_form(&p, (hk_host_kernels_cfg){ .dense = dense, .products = HK_WAY_DENSE }, most);
    for (int32_t way = HK_WAY_AUTO; way <= HK_WAY_DENSE; way++)
        check_form(&p, (hk_host_kernels_cfg){ .precision = HK_PRECISION_AUTO, .products = way }, most);
    problem_close(&p);
}

/* ---- cases ----------------------------------------------------------------------------------- */

static hk_conv conv(int32_t batch, int32_t h, int32_t w, int32_t ci, int32_t co, int32_t k,
                    int32_t s, int32_t pad)
{
    return (hk_conv){ .batch = batch, .hi = h, .wi = w, .ci = ci, .co = co, .kh = k, .kw = k,
                      .sh = s, .sw = s, .ph = pad, .pw = pad, .groups = 1 };
}

static void each_kind(hk_conv g, double density, double error_density)
{
    for (int kind = HK_F32; kind <= HK_B16; kind++)
        check(g, (hk_kind)kind, density, error_density);
}

static void test_channels(void **state)
{
    (void)state;
    static const int32_t channels[] = { 1, 3, 10, 33, 64, 65, 96, 128 };
    for (size_t i = 0; i < 8; i++) {
        each_kind(conv(2, 5, 6, channels[i], channels[7 - i], 3, 1, 1), 0.2, 0.3);
        each_kind(conv(1, 4, 4, channels[i], channels[(i * 3 + 1) % 8], 1, 1, 0), 0.4, 0.9);
    }
}

/* Every kind of a geometry whose products go by minimal filtering, this one and those back, unless something else
 * is asked for. */
static void each_filtered(hk_conv g, hk_product product, double density, double error_density)
{
    hk_conv whole = g;
    whole.ho = g.hi + 2 * g.ph - 2;
    whole.wo = g.wi + 2 * g.pw - 2;
    assert_true(hki_can_winograd(&whole) && hki_winograd_fits(&whole, product));
    each_kind(g, density, error_density);
}

/* Minimal filtering: maps of whole and of cut tiles, more tiles than a block holds, channels of one
 * vector, of a tile and a part of one, every padding. */
static void test_winograd(void **state)
{
    (void)state;
    static const int32_t channels[] = { 16, 80, 64, 48 };
    for (int32_t i = 0; i < 4; i++) {
        each_filtered(conv(8, 8, 7, channels[i], channels[3 - i], 3, 1, 1), HK_BACKWARD_INPUT, 0.6, 1.0);
        each_filtered(conv(37, 4, 4, channels[i], channels[(i + 1) % 4], 3, 1, 1), HK_BACKWARD_INPUT, 0.5, 0.9);
        each_filtered(conv(3, 12, 15, 16, channels[i], 3, 1, i % 3), HK_BACKWARD_INPUT, 0.9, 0.4);
    }
    hk_conv uneven = conv(6, 8, 10, 32, 16, 3, 1, 0);
    uneven.pw = 2;
    each_filtered(uneven, HK_BACKWARD_INPUT, 0.7, 1.0);
    each_filtered(conv(33, 7, 8, 16, 32, 3, 1, 1), HK_FORWARD, 0.6, 0.9);
    each_filtered(conv(3, 27, 25, 32, 16, 3, 1, 2), HK_FORWARD, 0.8, 0.9);
}

static void test_strides_and_padding(void **state)
{
    (void)state;
    for (int32_t k = 1; k <= 3; k++)
        for (int32_t s = 1; s <= 2; s++)
            for (int32_t pad = 0; pad <= 2; pad++)
                each_kind(conv(2, 7, 6, 10, 12, k, s, pad), 0.3, 0.5);
    hk_conv uneven = conv(2, 9, 7, 5, 20, 3, 1, 1);
    uneven.kw = 2, uneven.sh = 3, uneven.pw = 0;
    each_kind(uneven, 0.3, 1.0);
    each_kind(conv(1, 11, 12, 4, 6, 5, 1, 2), 0.2, 1.0);
    each_kind(conv(1, 15, 14, 3, 8, 7, 2, 3), 0.5, 1.0);
}

static void test_whole_map(void **state)
{
    (void)state;
    each_kind(conv(5, 1, 1, 70, 33, 1, 1, 0), 0.3, 1.0);
    each_kind(conv(3, 4, 4, 10, 17, 4, 1, 0), 0.3, 0.3);
    each_kind(conv(3, 2, 2, 64, 10, 2, 1, 0), 0.1, 1.0);
    each_kind(conv(300, 1, 1, 200, 5, 1, 1, 0), 0.1, 1.0);
    each_kind(conv(2, 3, 3, 33, 65, 3, 2, 0), 0.5, 1.0);
}

static void test_groups(void **state)
{
    (void)state;
    hk_conv g = conv(2, 5, 5, 12, 18, 3, 1, 1);
    g.groups = 3;
    each_kind(g, 0.3, 1.0);
    g = conv(2, 6, 4, 40, 40, 3, 2, 1);
    g.groups = 40;
    each_kind(g, 0.3, 0.3);
}

static void test_densities(void **state)
{
    (void)state;
    static const double density[] = { 0.0, 0.005, 0.05, 0.5, 0.8, 1.0 };
    for (size_t i = 0; i < 6; i++) {
        each_kind(conv(2, 6, 6, 64, 40, 3, 1, 1), density[i], density[5 - i]);
        each_kind(conv(2, 2, 2, 96, 40, 2, 1, 0), density[i], density[5 - i]);
    }
}

/* Several blocks per sample, several samples per block, several chunks of channels. */
static void test_blocks(void **state)
{
    (void)state;
    each_kind(conv(1, 40, 21, 3, 20, 3, 1, 1), 0.2, 0.5);
    each_kind(conv(19, 4, 4, 40, 20, 3, 1, 1), 0.2, 0.5);
    each_kind(conv(2, 1, 700, 2, 4, 1, 1, 0), 0.2, 0.5);
    check(conv(2, 9, 9, 256, 70, 3, 1, 1), HK_BITS, 0.2, 0.5);
    check(conv(3, 8, 8, 160, 130, 3, 2, 1), HK_F32, 0.3, 0.1);
    check(conv(3, 8, 8, 160, 130, 3, 2, 1), HK_B16, 0.7, 0.1);
    hk_conv line = conv(1, 1, 3000, 2, 3, 1, 1, 0);
    line.kw = 5, line.pw = 2;
    each_kind(line, 0.2, 0.5);
}

/* Few errors beside many inputs: the weight gradient by the events of the error. */
static void sparse_errors(hk_kind kind, double density)
{
    hk_conv g = conv(2, 30, 31, 40, 33, 3, 1, 1);
    check(g, kind, density, 0.05);
    g.kw = 2, g.pw = 0;
    check(g, kind, density, 0.02);
    check(conv(3, 30, 30, 3, 70, 5, 1, 0), kind, density, 0.1);
    check(conv(1000, 1, 1, 50, 20, 1, 1, 0), kind, density, 0.0);
    check(conv(1000, 2, 2, 12, 20, 2, 1, 0), kind, density, 0.1);
}

static void test_sparse_errors(void **state)
{
    (void)state;
    static const double density[] = { 0.3, 0.6, 1.0 };
    for (size_t i = 0; i < 3; i++) {
        sparse_errors(HK_F32, density[i]);
        sparse_errors(HK_B16, density[i]);
    }
}

static void test_random_shapes(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        hk_conv g = conv(1 + (int32_t)draw(3), 3 + (int32_t)draw(8), 3 + (int32_t)draw(8),
                         1 + (int32_t)draw(40), 1 + (int32_t)draw(40), 1, 1, 0);
        g.kh = 1 + (int32_t)draw(3), g.kw = 1 + (int32_t)draw(3);
        g.sh = 1 + (int32_t)draw(2), g.sw = 1 + (int32_t)draw(2);
        g.ph = (int32_t)draw(3), g.pw = (int32_t)draw(3);
        check(g, (hk_kind)draw(4), draw(100) / 100.0, draw(100) / 100.0);
    }
}

static void count_task(void *arg, int i, int worker)
{
    int *calls = arg;
    calls[2 * i] += 1;
    calls[2 * i + 1] = worker;
}

static void test_parallel(void **state)
{
    (void)state;
    for (int32_t threads = 1; threads <= 3; threads++) {
        hk_host_kernels k;
        hk_error e;
        hk_host_kernels_cfg cfg = { .threads = threads };
        int calls[200] = { 0 };
        assert_int_equal(hk_host_kernels_open(&k, &cfg, &e), HK_OK);
        assert_int_equal(k.table.workers, threads);
        k.table.parallel(k.table.self, 0, count_task, calls);
        k.table.parallel(k.table.self, 100, count_task, calls);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(calls[2 * i], 1);
            assert_in_range(calls[2 * i + 1], 0, threads - 1);
        }
        hk_host_kernels_close(&k);
    }
}

static void test_open_refuses(void **state)
{
    (void)state;
    hk_host_kernels k;
    hk_error e;
    hk_host_kernels_cfg cfg = { .threads = -1 };
    assert_int_equal(hk_host_kernels_open(&k, &cfg, &e), HK_E_ARG);
    assert_non_null(strstr(e.text, "threads"));
    cfg = (hk_host_kernels_cfg){ .isa = 9 };
    assert_int_equal(hk_host_kernels_open(&k, &cfg, &e), HK_E_ARG);
    assert_non_null(strstr(e.text, "isa"));
    cfg = (hk_host_kernels_cfg){ .isa = HK_LEVEL_AVX2, .precision = HK_BF16 };
    assert_int_equal(hk_host_kernels_open(&k, &cfg, &e), HK_E_UNSUP);
    assert_non_null(strstr(e.text, "precision bf16"));
    hk_alloc_fail_at(1);
    assert_int_equal(hk_host_kernels_open(&k, NULL, &e), HK_E_NOMEM);
    hk_alloc_fail_at(0);
    hk_host_kernels_close(&k);
}

static void test_records_density(void **state)
{
    (void)state;
    problem p;
    problem_open(&p, conv(2, 8, 8, 32, 8, 3, 1, 1), HK_BITS, 0.1, 1.0);
    hk_host_kernels k;
    hk_error e;
    assert_int_equal(hk_host_kernels_open(&k, NULL, &e), HK_OK);
    const hk_conv_bytes n = k.table.conv_sizes(k.table.self, &p.g, HK_BITS, true);
    block packed = block_take(n.packed, 0), work = block_take(n.work, 0),
          y = block_take(4 * p.ny, 0);
    hk_conv_args a = {
        .g = &p.g, .w = floats(p.w), .packed = packed.data, .work = work.data, .id = 7
    };
    k.table.conv_prepare(k.table.self, &a, HK_BITS, true);
    k.table.conv_forward(k.table.self, &a, view_of(&p, p.x), floats(y));
    const hk_product_stat *stat = hk_host_kernels_stat(&k, 7);
    assert_true(stat->density[0] > 0.05f && stat->density[0] < 0.15f);
    assert_int_equal(stat->way[0], HK_WAY_EVENTS);
    assert_int_equal(stat->way[1], HK_WAY_AUTO);
    block_free(packed);
    block_free(work);
    block_free(y);
    hk_host_kernels_close(&k);
    problem_close(&p);
}

static void records_errors(hk_kind kind)
{
    problem p;
    problem_open(&p, conv(2, 20, 20, 32, 40, 3, 1, 1), kind, 0.6, 0.1);
    hk_host_kernels k;
    hk_error e;
    assert_int_equal(hk_host_kernels_open(&k, NULL, &e), HK_OK);
    const hk_conv_bytes n = k.table.conv_sizes(k.table.self, &p.g, HK_F32, true);
    block work = block_take(n.work, 0);
    hk_conv_args a = { .g = &p.g, .w = floats(p.w), .work = work.data, .id = 9 };
    k.table.conv_backward_weight(k.table.self, &a, view_of(&p, p.x), floats(p.dy), floats(p.dw));
    assert_true(hk_host_kernels_stat(&k, 9)->by_error);
    block_check(work, "work");
    for (size_t i = 0; i < p.ny; i++) floats(p.dy)[i] = 1.0f;
    k.table.conv_backward_weight(k.table.self, &a, view_of(&p, p.x), floats(p.dy), floats(p.dw));
    assert_false(hk_host_kernels_stat(&k, 9)->by_error);
    block_check(work, "work");
    block_free(work);
    hk_host_kernels_close(&k);
    problem_close(&p);
}

static void test_records_errors(void **state)
{
    (void)state;
    records_errors(HK_F32);
    records_errors(HK_B16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels),      cmocka_unit_test(test_winograd), cmocka_unit_test(test_strides_and_padding),
        cmocka_unit_test(test_whole_map),     cmocka_unit_test(test_groups),
        cmocka_unit_test(test_densities),     cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_random_shapes), cmocka_unit_test(test_parallel),
        cmocka_unit_test(test_open_refuses),  cmocka_unit_test(test_records_density),
        cmocka_unit_test(test_sparse_errors), cmocka_unit_test(test_records_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
