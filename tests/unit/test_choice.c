/* Tables of choices in the kernels: a row decides for its product which way and which dense form is
 * taken and leaves all other products alone; whatever it says, the result is that of the definition.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernel_problem.h"

#include "../../host/kernel/tune.h"

enum { LAYER = 400 };            /* stands for any: ids are taken modulo HK_STAT_LAYERS */

typedef struct answer { block out; hk_product_stat stat; } answer;

/* One product of p with these kernels. */
static answer run(const problem *p, int32_t product, hk_host_kernels_cfg cfg)
{
    hk_host_kernels k;
    hk_error e;
    if (hk_host_kernels_open(&k, &cfg, &e)) fail_msg("%s", e.text);
    const hk_kernels *t = &k.table;
    const hk_kind kind = p->kind == HK_B16 ? HK_F32 : p->kind;   /* as the core plans for traces */
    const hk_conv_bytes n = t->conv_sizes(t->self, &p->g, kind, true);
    block packed = block_take(n.packed, 0), work = block_take(n.work, 0);
    const size_t values[] = { p->ny, p->nx, p->nw };
    answer r = { .out = block_take(4 * values[product], 4) };
    hk_conv_args a = { &p->g, floats(p->w), packed.data, work.data, LAYER };
    t->conv_prepare(t->self, &a, kind, true);
    if (product == HK_FORWARD) t->conv_forward(t->self, &a, view_of(p, p->x), floats(r.out));
    if (product == HK_BACKWARD_INPUT) t->conv_backward_input(t->self, &a, floats(p->dy), floats(r.out));
    if (product == HK_BACKWARD_WEIGHT) {
        memcpy(r.out.data, p->dw.data, 4 * p->nw);
        t->conv_backward_weight(t->self, &a, view_of(p, p->x), floats(p->dy), floats(r.out));
    }
    block_check(packed, "packed");
    block_check(work, "work");
    block_check(r.out, hk_product_name(product));
    block_free(packed);
    block_free(work);
    r.stat = *hk_host_kernels_stat(&k, LAYER);
    hk_host_kernels_close(&k);
    return r;
}

/* loose: bf16 between the transforms of minimal filtering. */
static void right(const problem *p, int32_t product, block got, bool narrow, bool loose)
{
    const block want[] = { p->y_ref, p->dx_ref, p->dw_ref }, sum[] = { p->y_abs, p->dx_abs, p->dw_abs };
    const size_t values[] = { p->ny, p->nx, p->nw };
    const double each = (narrow ? 0.0079 : 0) + 2e-4;
    if (loose) {
        assert_true(near_in_norm(floats(got), floats(want[product]), values[product], 0.025));
        return;
    }
    for (size_t i = 0; i < values[product]; i++) {
        const double error = fabs((double)floats(got)[i] - (double)floats(want[product])[i]);
        if (!(error <= each * (double)floats(sum[product])[i] + 1e-30))
            fail_msg("%s: value %d is %g, expected %g", hk_product_name(product), (int)i,
                     (double)floats(got)[i], (double)floats(want[product])[i]);
    }
}

static bool has_bf16(void)
{
    const hk_host_kernels_cfg cfg = { .precision = HK_PRECISION_AUTO };
    hk_host_kernels k;
    hk_error e;
    assert_int_equal(hk_host_kernels_open(&k, &cfg, &e), HK_OK);
    const bool has = k.isa == HK_LEVEL_BF16;
    hk_host_kernels_close(&k);
    return has;
}

static bool there(int32_t form)
{
    if (form == HK_BY_BF16 || form == HK_BY_WINOGRAD_BF16) return has_bf16();
    return (form != HK_BY_ONEDNN || hk_vendor_version(HK_DENSE_ONEDNN)) &&
           (form != HK_BY_CBLAS || hk_vendor_version(HK_DENSE_CBLAS));
}

static hk_choice row_of(const problem *p, int32_t product, int32_t form, float below)
{
    return (hk_choice){ .g = p->g, .product = product, .form = form, .below = below,
                        .kind = product == HK_BACKWARD_INPUT ? HK_F32 : (int32_t)p->kind };
}

static bool half(int32_t form) { return form == HK_BY_BF16 || form == HK_BY_WINOGRAD_BF16; }

/* oneDNN may multiply in bf16 then, with AMX; elsewhere it keeps to floats. */
static void vendor_in_bf16(void **state)
{
    (void)state;
    if (!has_bf16() || !hk_vendor_version(HK_DENSE_ONEDNN)) skip();
    problem p;
    problem_open(&p, (hk_conv){ 3, 9, 9, 20, 9, 9, 70, 3, 3, 1, 1, 1, 1, 1 }, HK_F32, 0.4, 0.4);
    for (int32_t product = HK_FORWARD; product < HK_PRODUCTS; product++) {
        const hk_choice row = row_of(&p, product, HK_BY_ONEDNN, 0);
        const hk_host_kernels_cfg cfg = { .precision = HK_BF16, .threads = 2, .choice = &row, .n_choice = 1 };
        const answer r = run(&p, product, cfg);
        assert_int_equal(r.stat.form[product], HK_BY_ONEDNN);
        right(&p, product, r.out, true, false);
        block_free(r.out);
    }
    problem_close(&p);
}

/* The form that computes what the row asks for: minimal filtering has its shapes. */
static int32_t taken(const problem *p, int32_t form)
{
    if (filtered(&p->g) || (form != HK_BY_WINOGRAD && form != HK_BY_WINOGRAD_BF16)) return form;
    return half(form) ? HK_BY_BF16 : HK_BY_FP32;
}

/* Whether events take weights in bf16, as the dense form does. Spikes and counts are exact there. */
static bool in_pairs(const problem *p, int32_t product, int32_t form)
{
    return product == HK_FORWARD && taken(p, form) == HK_BY_BF16 && (p->kind == HK_BITS || p->kind == HK_COUNTS);
}

static void same_products(const problem *p, block events, block dense)
{
    for (size_t i = 0; i < p->ny; i++) {
        const double off = fabs((double)floats(events)[i] - (double)floats(dense)[i]);
        if (!(off <= 1e-5 * (double)floats(p->y_abs)[i] + 1e-30)) fail_msg("events and dense differ by %g", off);
    }
}

/* Every form and both ways, for one product of p. */
static void each_form(const problem *p, int32_t product)
{
    for (int32_t form = 0; form < HK_DENSE_FORMS; form++) {
        if (!there(form)) continue;
        block dense = { 0 };
        for (int events = 0; events < 2; events++) {
            const hk_choice row = row_of(p, product, form, events ? 2 : 0);
            const hk_host_kernels_cfg cfg = { .precision = half(form) ? HK_BF16 : HK_FP32,
                                              .threads = 2, .choice = &row, .n_choice = 1 };
            const answer r = run(p, product, cfg);
            assert_int_equal(r.stat.way[product], events ? HK_WAY_EVENTS : HK_WAY_DENSE);
            assert_int_equal(r.stat.form[product], taken(p, form));
            const bool pairs = in_pairs(p, product, form);
            const bool loose = taken(p, form) == HK_BY_WINOGRAD_BF16 && !events;
            right(p, product, r.out, half(form) && (!events || pairs), loose);
            if (events && pairs) same_products(p, r.out, dense);
            if (events) block_free(r.out);
            else dense = r.out;
        }
        block_free(dense);
    }
}

static hk_conv conv(int32_t side, int32_t ci, int32_t co, int32_t k, int32_t stride, int32_t pad)
{
    return (hk_conv){ .batch = 3, .hi = side, .wi = side, .ci = ci, .co = co, .kh = k, .kw = k,
                      .sh = stride, .sw = stride, .ph = pad, .pw = pad, .groups = 1 };
}

static void rows_decide(void **state)
{
    static const hk_kind kinds[] = { HK_F32, HK_BITS, HK_COUNTS, HK_B16 };
    (void)state;
    for (int i = 0; i < 4; i++) {
        const hk_conv shapes[] = { conv(9, 20, 70, 3, 1, 1), conv(7, 33, 12, 3, 2, 1),
                                   conv(4, 18, 10, 4, 1, 0), conv(7, 32, 48, 3, 1, 1) };
        for (int k = 0; k < 4; k++) {
            problem p;
            problem_open(&p, shapes[k], kinds[i], 0.4, 0.4);
            const int32_t first = kinds[i] == HK_B16 ? HK_BACKWARD_WEIGHT : HK_FORWARD;
            for (int32_t product = first; product < HK_PRODUCTS; product++) each_form(&p, product);
            problem_close(&p);
        }
    }
}

/* Floats at a precision that allows bf16 are those of a run without it, bit for bit. */
static void floats_among_bf16(void **state)
{
    (void)state;
    if (!has_bf16()) skip();
    problem p;
    problem_open(&p, conv(9, 20, 70, 3, 1, 1), HK_F32, 0.4, 0.4);
    const size_t values[] = { p.ny, p.nx, p.nw };
    for (int32_t product = 0; product < HK_PRODUCTS; product++) {
        const hk_choice row = row_of(&p, product, HK_BY_FP32, 0);
        const answer a = run(&p, product, (hk_host_kernels_cfg){ .precision = HK_BF16, .choice = &row,
                                                                 .n_choice = 1 });
        const answer b = run(&p, product, (hk_host_kernels_cfg){ .products = HK_WAY_DENSE });
        assert_memory_equal(a.out.data, b.out.data, 4 * values[product]);
        block_free(a.out);
        block_free(b.out);
    }
    problem_close(&p);
}

/* Rows about another geometry, product or operand. */
static void other_rows(void **state)
{
    (void)state;
    problem p;
    problem_open(&p, conv(9, 20, 70, 3, 1, 1), HK_BITS, 0.3, 0.3);
    hk_choice row[3];
    for (int i = 0; i < 3; i++) row[i] = row_of(&p, HK_FORWARD, HK_BY_REF, 0);
    row[0].g.batch++;
    row[1].product = HK_BACKWARD_WEIGHT;
    row[2].kind = HK_COUNTS;
    const answer a = run(&p, HK_FORWARD, (hk_host_kernels_cfg){ .choice = row, .n_choice = 3 });
    const answer b = run(&p, HK_FORWARD, (hk_host_kernels_cfg){ 0 });
    assert_int_equal(a.stat.way[HK_FORWARD], HK_WAY_EVENTS);
    assert_int_equal(a.stat.form[HK_FORWARD], HK_BY_FP32);
    assert_memory_equal(a.out.data, b.out.data, 4 * p.ny);
    block_free(a.out);
    block_free(b.out);
    problem_close(&p);
}

static void rows_refused(void **state)
{
    (void)state;
    hk_choice row[2] = { { .g = conv(9, 20, 70, 3, 1, 1) }, { .g = conv(9, 20, 70, 3, 1, 1) } };
    const hk_host_kernels_cfg cfg = { .choice = row, .n_choice = 2 };
    hk_host_kernels k;
    hk_error e;
    row[1].form = HK_BY_BF16;
    assert_int_equal(hk_host_kernels_open(&k, &cfg, &e), HK_E_UNSUP);
    assert_non_null(strstr(e.text, "row 1"));
    assert_non_null(strstr(e.text, "train.precision"));
    row[1].form = HK_DENSE_FORMS;
    assert_int_equal(hk_host_kernels_open(&k, &cfg, &e), HK_E_ARG);
    row[1].form = HK_BY_FP32;
    row[1].below = NAN;
    assert_int_equal(hk_host_kernels_open(&k, &cfg, &e), HK_E_ARG);
    row[1].below = 0;
    hk_alloc_fail_at(2);
    assert_int_equal(hk_host_kernels_open(&k, &cfg, &e), HK_E_NOMEM);
    hk_alloc_fail_at(0);
    assert_int_equal(hk_alloc_counts().live, 0);
}

static void break_even(void **state)
{
    static const double at[] = { 0.1, 0.3, 0.9 }, rising[] = { 1, 3, 9 }, flat[] = { 2, 2, 2 };
    (void)state;
    assert_true(fabs(hk_break_even(3, at, rising, 6) - 0.6) < 1e-12);
    assert_true(fabs(hk_break_even(3, at, rising, 0.5) - 0.05) < 1e-12);
    assert_true(hk_break_even(3, at, rising, 10) > 1);
    assert_true(hk_break_even(3, at, flat, 3) > 1);
    assert_true(hk_break_even(3, at, flat, 1) < 0.1);
}

/* What measuring gives is a row that the kernels take; which one is the machine's business. */
static void tuned_rows(void **state)
{
    (void)state;
    problem p;
    problem_open(&p, conv(6, 16, 24, 3, 1, 1), HK_BITS, 0.3, 0.3);
    for (int32_t product = 0; product < HK_PRODUCTS; product++) {
        const hk_host_kernels_cfg plain = { .threads = 1 };
        hk_choice row = row_of(&p, product, -1, -1);
        hk_error e;
        if (hk_tune(&plain, &row, &e)) fail_msg("%s", e.text);
        assert_true(row.form != HK_BY_BF16 && row.form != HK_BY_REF && row.below >= 0);
        const answer r = run(&p, product, (hk_host_kernels_cfg){ .choice = &row, .n_choice = 1 });
        assert_int_equal(r.stat.form[product], row.form);
        right(&p, product, r.out, false, false);
        block_free(r.out);
    }
    for (long n = 1;; n++) {
        hk_choice row = row_of(&p, HK_FORWARD, -1, -1);
        hk_error e;
        hk_alloc_fail_at(n);
        const hk_status st = hk_tune(&(hk_host_kernels_cfg){ .threads = 1 }, &row, &e);
        hk_alloc_fail_at(0);
        assert_int_equal(hk_alloc_counts().live, 0);
        if (st == HK_OK) break;
        assert_int_equal(st, HK_E_NOMEM);
    }
    problem_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_decide), cmocka_unit_test(vendor_in_bf16), cmocka_unit_test(floats_among_bf16),
        cmocka_unit_test(other_rows),  cmocka_unit_test(rows_refused),
        cmocka_unit_test(break_even),  cmocka_unit_test(tuned_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
