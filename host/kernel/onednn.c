/* oneDNN 2.x through its C interface, and nothing else of this project knows it. Without the
 * library, or with version 3 and later, whose interface differs, the functions say no.
 *
 * Primitives are made on as many OpenMP threads as they will run on, because they fix their
 * partition then; scratch is ours, one per copy, because the library's own belongs to the
 * creating thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "vendor.h"

#if defined(HK_HAVE_ONEDNN)
#  include <dnnl.h>
#  if DNNL_VERSION_MAJOR == 2
#    define USE_ONEDNN 1
#  endif
#endif

#ifdef USE_ONEDNN

#include <omp.h>
#include <string.h>

#include "../base/alloc.h"

struct hki_onednn {
    hki_direction    way;
    int              threads, copies;
    dnnl_engine_t    engine;
    dnnl_stream_t    stream;
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t ours[3], theirs[3];
    dnnl_primitive_t import;     /* weights from our layout; NULL: it is the same */
    dnnl_memory_t    from, to;   /* of import                                     */
    dnnl_memory_t   *memory;     /* [copies][4]: a, w, y, scratch                 */
    void            *scratch;
};

#define STRING2(x) #x
#define STRING(x) STRING2(x)
const char *hki_onednn_version(void)
{
    return STRING(DNNL_VERSION_MAJOR) "." STRING(DNNL_VERSION_MINOR) "." STRING(DNNL_VERSION_PATCH);
}

/* Descriptors of x, w, y of the forward convolution: tags for signals and for weights. */
static bool describe(dnnl_memory_desc_t d[3], const hk_conv *g, dnnl_format_tag_t signal,
                     dnnl_format_tag_t weight)
{
    const dnnl_dims_t x = { g->batch, g->ci, g->hi, g->wi }, w = { g->co, g->ci, g->kh, g->kw };
    const dnnl_dims_t y = { g->batch, g->co, g->ho, g->wo };
    return dnnl_memory_desc_init_by_tag(&d[0], 4, x, dnnl_f32, signal) == dnnl_success
           && dnnl_memory_desc_init_by_tag(&d[1], 4, w, dnnl_f32, weight) == dnnl_success
           && dnnl_memory_desc_init_by_tag(&d[2], 4, y, dnnl_f32, signal) == dnnl_success;
}

/* d: x, w, y. */
static dnnl_status_t operation(dnnl_convolution_desc_t *op, hki_direction way, const hk_conv *g,
                               const dnnl_memory_desc_t d[3])
{
    const dnnl_dims_t stride = { g->sh, g->sw }, left = { g->ph, g->pw };
    const dnnl_dims_t right = { (g->ho - 1) * g->sh + g->kh - g->hi - g->ph,
                                (g->wo - 1) * g->sw + g->kw - g->wi - g->pw };
    const dnnl_alg_kind_t alg = dnnl_convolution_direct;
    switch (way) {
    case HKI_INPUT:
        return dnnl_convolution_backward_data_desc_init(op, alg, &d[0], &d[1], &d[2], stride, left,
                                                        right);
    case HKI_WEIGHT:
        return dnnl_convolution_backward_weights_desc_init(op, alg, &d[0], &d[1], NULL, &d[2],
                                                           stride, left, right);
    default:
        return dnnl_convolution_forward_desc_init(op, dnnl_forward_training, alg, &d[0], &d[1],
                                                  NULL, &d[2], stride, left, right);
    }
}

/* Floats may be multiplied as bf16: the library does so with AMX, elsewhere it keeps to floats. */
static bool set_precision(dnnl_primitive_attr_t attr, bool narrow)
{
#  if DNNL_VERSION_MINOR >= 6
    return !narrow || dnnl_primitive_attr_set_fpmath_mode(attr, dnnl_fpmath_mode_bf16) == dnnl_success;
#  else
    (void)attr, (void)narrow;
    return true;
#  endif
}

static bool make_primitive(hki_onednn *o, const hk_conv *g, bool narrow, bool blocked, size_t *scratch)
{
    dnnl_memory_desc_t any[3];
    dnnl_convolution_desc_t op, forward;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t hint = NULL, pd = NULL;
    bool ok =
        describe(any, g, blocked ? dnnl_format_tag_any : dnnl_nhwc, dnnl_format_tag_any) &&
        dnnl_primitive_attr_create(&attr) == dnnl_success &&
        dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user) == dnnl_success &&
        set_precision(attr, narrow) &&
        operation(&forward, HKI_FORWARD, g, any) == dnnl_success &&
        dnnl_primitive_desc_create(&hint, &forward, attr, o->engine, NULL) == dnnl_success &&
        operation(&op, o->way, g, any) == dnnl_success &&
        dnnl_primitive_desc_create(&pd, &op, attr, o->engine, hint) == dnnl_success &&
        dnnl_primitive_create(&o->primitive, pd) == dnnl_success;
    if (ok) {
        const dnnl_query_t x = o->way == HKI_INPUT ? dnnl_query_diff_src_md : dnnl_query_src_md;
        const dnnl_query_t w =
            o->way == HKI_WEIGHT ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
        const dnnl_query_t y = o->way == HKI_FORWARD ? dnnl_query_dst_md : dnnl_query_diff_dst_md;
        const bool swap = o->way == HKI_INPUT;           /* a is dy, y is dx */
        o->theirs[HKI_A] = *dnnl_primitive_desc_query_md(pd, swap ? y : x, 0);
        o->theirs[HKI_W] = *dnnl_primitive_desc_query_md(pd, w, 0);
        o->theirs[HKI_Y] = *dnnl_primitive_desc_query_md(pd, swap ? x : y, 0);
        *scratch = dnnl_memory_desc_get_size(
            dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
        dnnl_memory_desc_t own[3];
        ok = describe(own, g, dnnl_nhwc, dnnl_hwio);
        o->ours[HKI_A] = own[swap ? 2 : 0];
        o->ours[HKI_W] = own[1];
        o->ours[HKI_Y] = own[swap ? 0 : 2];
        const size_t up = hki_up64(*scratch);
        o->scratch = hk_alloc(up * (size_t)o->copies);
        o->memory = hk_alloc_zero(4 * (size_t)o->copies, sizeof *o->memory);
        ok = ok && o->scratch && o->memory;
        const dnnl_memory_desc_t *s = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
        for (int i = 0; ok && i < 4 * o->copies; i++) {
            char *at = (char *)o->scratch + (size_t)(i / 4) * up;
            ok = dnnl_memory_create(&o->memory[i], i % 4 == 3 ? s : &o->theirs[i % 4], o->engine,
                                    i % 4 == 3 ? (void *)at : DNNL_MEMORY_NONE) == dnnl_success;
        }
    }
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (hint) dnnl_primitive_desc_destroy(hint);
    if (attr) dnnl_primitive_attr_destroy(attr);
    return ok;
}

/* The reorder that conv_prepare repeats. */
static bool make_import(hki_onednn *o)
{
    const dnnl_memory_desc_t *ours = &o->ours[HKI_W], *theirs = &o->theirs[HKI_W];
    dnnl_primitive_desc_t pd = NULL;
    if (dnnl_memory_desc_equal(ours, theirs)) return true;
    bool ok = dnnl_memory_create(&o->from, ours, o->engine, DNNL_MEMORY_NONE) == dnnl_success
              && dnnl_memory_create(&o->to, theirs, o->engine, DNNL_MEMORY_NONE) == dnnl_success
              && dnnl_reorder_primitive_desc_create(&pd, ours, o->engine, theirs, o->engine, NULL)
                 == dnnl_success
              && dnnl_primitive_create(&o->import, pd) == dnnl_success;
    if (pd) dnnl_primitive_desc_destroy(pd);
    return ok;
}

hki_onednn *hki_onednn_create(const hk_conv *g, hki_direction way, int threads, int copies, bool narrow,
                              bool blocked)
{
    hki_onednn *o = hk_alloc_zero(1, sizeof *o);
    if (!o) return NULL;
    o->way = way;
    o->threads = threads;
    o->copies = copies;
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    size_t scratch = 0;
    const bool ok =
        dnnl_engine_create(&o->engine, dnnl_cpu, 0) == dnnl_success &&
        dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags) == dnnl_success &&
        make_primitive(o, g, narrow, blocked, &scratch) && make_import(o);
    omp_set_num_threads(before);
    if (ok) return o;
    hki_onednn_destroy(o);
    return NULL;
}

void hki_onednn_destroy(hki_onednn *o)
{
    if (!o) return;
    for (int i = 0; o->memory && i < 4 * o->copies; i++)
        if (o->memory[i]) dnnl_memory_destroy(o->memory[i]);
    if (o->primitive) dnnl_primitive_destroy(o->primitive);
    if (o->import) dnnl_primitive_destroy(o->import);
    if (o->from) dnnl_memory_destroy(o->from);
    if (o->to) dnnl_memory_destroy(o->to);
    if (o->stream) dnnl_stream_destroy(o->stream);
    if (o->engine) dnnl_engine_destroy(o->engine);
    hk_free(o->memory);
    hk_free(o->scratch);
    hk_free(o);
}

size_t hki_onednn_bytes(const hki_onednn *o, hki_operand which)
{
    return dnnl_memory_desc_get_size(&o->theirs[which]);
}

bool hki_onednn_same_weights(const hki_onednn *o, const hki_onednn *p)
{
    return dnnl_memory_desc_equal(&o->theirs[HKI_W], &p->theirs[HKI_W]);
}

static void reorder(const hki_onednn *o, const dnnl_memory_desc_t *from_d,
                    const dnnl_memory_desc_t *to_d, const void *from, void *to)
{
    if (dnnl_memory_desc_equal(from_d, to_d)) {
        memcpy(to, from, dnnl_memory_desc_get_size(from_d));
        return;
    }
    dnnl_memory_t a = NULL, b = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t p = NULL;
    dnnl_memory_create(&a, from_d, o->engine, (void *)(uintptr_t)from);
    dnnl_memory_create(&b, to_d, o->engine, to);
    dnnl_reorder_primitive_desc_create(&pd, from_d, o->engine, to_d, o->engine, NULL);
    dnnl_primitive_create(&p, pd);
    const dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, a }, { DNNL_ARG_TO, b } };
    dnnl_primitive_execute(p, o->stream, 2, args);
    dnnl_stream_wait(o->stream);
    dnnl_primitive_destroy(p);
    dnnl_primitive_desc_destroy(pd);
    dnnl_memory_destroy(a);
    dnnl_memory_destroy(b);
}

void hki_onednn_import(const hki_onednn *o, hki_operand which, const float *ours, void *theirs)
{
    if (which != HKI_W || !o->import) {
        reorder(o, &o->ours[which], &o->theirs[which], ours, theirs);
        return;
    }
    dnnl_memory_set_data_handle(o->from, (void *)(uintptr_t)ours);
    dnnl_memory_set_data_handle(o->to, theirs);
    const dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, o->from }, { DNNL_ARG_TO, o->to } };
    dnnl_primitive_execute(o->import, o->stream, 2, args);
    dnnl_stream_wait(o->stream);
}

void hki_onednn_export(const hki_onednn *o, hki_operand which, const void *theirs, float *ours)
{
    reorder(o, &o->theirs[which], &o->ours[which], theirs, ours);
}

void hki_onednn_run(const hki_onednn *o, int copy, const void *a, void *w, void *y)
{
    static const int names[3][3] = {
        [HKI_FORWARD] = { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST },
        [HKI_INPUT] = { DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC },
        [HKI_WEIGHT] = { DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST },
    };
    dnnl_memory_t *m = o->memory + 4 * copy;
    dnnl_memory_set_data_handle(m[HKI_A], (void *)(uintptr_t)a);
    dnnl_memory_set_data_handle(m[HKI_W], w);
    dnnl_memory_set_data_handle(m[HKI_Y], y);
    const int *n = names[o->way];
    const dnnl_exec_arg_t args[] = { { n[0], m[0] }, { n[1], m[1] }, { n[2], m[2] },
                                     { DNNL_ARG_SCRATCHPAD, m[3] } };
    const int before = omp_get_max_threads();
    if (before != o->threads) omp_set_num_threads(o->threads);
    dnnl_primitive_execute(o->primitive, o->stream, 4, args);
    dnnl_stream_wait(o->stream);
    if (before != o->threads) omp_set_num_threads(before);
}

#else

const char *hki_onednn_version(void) { return NULL; }

hki_onednn *hki_onednn_create(const hk_conv *g, hki_direction way, int threads, int copies, bool narrow,
                              bool blocked)
{
    (void)g, (void)way, (void)threads, (void)copies, (void)narrow, (void)blocked;
    return NULL;
}

void hki_onednn_destroy(hki_onednn *o) { (void)o; }

size_t hki_onednn_bytes(const hki_onednn *o, hki_operand which)
{
    (void)o, (void)which;
    return 0;
}

bool hki_onednn_same_weights(const hki_onednn *o, const hki_onednn *p)
{
    (void)o, (void)p;
    return false;
}

void hki_onednn_import(const hki_onednn *o, hki_operand which, const float *ours, void *theirs)
{
    (void)o, (void)which, (void)ours, (void)theirs;
}

void hki_onednn_export(const hki_onednn *o, hki_operand which, const void *theirs, float *ours)
{
    (void)o, (void)which, (void)ours, (void)theirs;
}

void hki_onednn_run(const hki_onednn *o, int copy, const void *a, void *w, void *y)
{
    (void)o, (void)copy, (void)a, (void)w, (void)y;
}

#endif
