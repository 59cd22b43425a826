/* SPDX-License-Identifier: Apache-2.0 */
#include "probe_input.h"

#include <string.h>

#include "base/alloc.h"
#include "io/npz.h"

static const void *frame(void *self, int t)
{
    const hki_input *in = self;
    hk_shape s = in->shape;
    size_t step = (size_t)in->B * (size_t)s.h * (size_t)s.w * (size_t)s.c;
    return in->x + (in->constant ? 0 : (size_t)(t - 1) * step);
}

static hk_status check_dims(const char *path, const hk_array *a, hk_error *e)
{
    for (int d = 0; d < a->rank; d++)
        HK_CHECK(e, a->dim[d] >= 1 && a->dim[d] <= INT32_MAX, HK_E_SHAPE,
                 "%s: array '%s': axis %d has length %lld, expected at least 1", path, a->name, d,
                 (long long)a->dim[d]);
    return HK_OK;
}

static hk_status read_x(hki_input *in, const char *path, const hk_array *a, int32_t T, hk_error *e)
{
    HK_CHECK(e, a, HK_E_FORMAT, "%s: array 'x' is missing", path);
    HK_CHECK(e, a->rank >= 2 && a->rank <= 5, HK_E_SHAPE,
             "%s: array 'x' has %d axes, expected [T,B,F], [B,F], [T,B,C,H,W] or [B,C,H,W]", path,
             a->rank);
    HK_TRY(check_dims(path, a, e));
    in->vector = a->rank <= 3;
    in->constant = a->rank == 2 || a->rank == 4;
    const int64_t *d = a->dim + !in->constant;
    in->T = in->constant ? T : (int32_t)a->dim[0];
    in->B = (int32_t)d[0];
    in->shape = in->vector ? (hk_shape){ 1, 1, (int32_t)d[1], false }
                           : (hk_shape){ (int32_t)d[2], (int32_t)d[3], (int32_t)d[1], false };
    size_t n = hk_array_count(a), map = n / (size_t)in->B / (size_t)(in->constant ? 1 : in->T);
    float *file = hk_alloc(n * sizeof *file);
    in->x = hk_alloc(n * sizeof *in->x);
    hk_status st = file && in->x ? hk_array_to_f32(a, file, n, e)
                                 : hk_fail(e, HK_E_NOMEM, "%s: no memory for 'x'", path);
    for (size_t i = 0; st == HK_OK && i < n; i += map)
        hk_map_from_file(in->shape, file + i, in->x + i);
    hk_free(file);
    return st;
}

static hk_status read_label(hki_input *in, const char *path, const hk_array *a, hk_error *e)
{
    HK_CHECK(e, a->rank == 1 && a->dim[0] == in->B, HK_E_SHAPE,
             "%s: array 'label' has %zu entries, expected [%d] as 'x' has", path, hk_array_count(a),
             in->B);
    in->label = hk_alloc((size_t)in->B * sizeof *in->label);
    HK_CHECK(e, in->label, HK_E_NOMEM, "%s: no memory for 'label'", path);
    HK_TRY(hk_array_to_i32(a, in->label, (size_t)in->B, e));
    for (int32_t b = 0; b < in->B; b++)
        if (in->label[b] > in->top_label) in->top_label = in->label[b];
    return HK_OK;
}

static hk_status read_target(hki_input *in, const char *path, const hk_array *a, hk_error *e)
{
    HK_TRY(check_dims(path, a, e));
    bool steps = a->rank == 3;
    HK_CHECK(e, a->rank == 2 || steps, HK_E_SHAPE,
             "%s: array 'target' has %d axes, expected [T,B,C] or [B,C]", path, a->rank);
    if (steps && in->constant) in->T = (int32_t)a->dim[0];
    HK_CHECK(e, (!steps || a->dim[0] == in->T) && a->dim[steps] == in->B, HK_E_SHAPE,
             "%s: array 'target' has T = %lld, B = %lld, expected %d and %d as 'x' has", path,
             (long long)(steps ? a->dim[0] : in->T), (long long)a->dim[steps], in->T, in->B);
    in->classes = (int32_t)a->dim[a->rank - 1];
    size_t n = hk_array_count(a), step = steps ? n / (size_t)in->T : n;
    in->target = hk_alloc(step * (size_t)in->T * sizeof *in->target);
    HK_CHECK(e, in->target, HK_E_NOMEM, "%s: no memory for 'target'", path);
    HK_TRY(hk_array_to_f32(a, in->target, n, e));
    for (size_t t = 1; !steps && t < (size_t)in->T; t++)
        memcpy(in->target + t * step, in->target, step * sizeof *in->target);
    return HK_OK;
}

static hk_status take(hki_input *in, const char *path, const hk_arrays *list, int32_t T,
                      hk_error *e)
{
    const hk_array *label = hk_arrays_find(list, "label"), *target = hk_arrays_find(list, "target");
    HK_CHECK(e, label || target, HK_E_FORMAT, "%s: neither 'label' nor 'target' is there", path);
    HK_TRY(read_x(in, path, hk_arrays_find(list, "x"), T, e));
    if (target) HK_TRY(read_target(in, path, target, e));
    return label ? read_label(in, path, label, e) : HK_OK;
}

hk_status hki_input_read(hki_input *in, const char *path, int32_t T, hk_error *e)
{
    hk_arrays list = { 0 };
    memset(in, 0, sizeof *in);
    HK_TRY(hk_npz_read(path, 0, &list, e));
    hk_status st = take(in, path, &list, T, e);
    hk_arrays_clear(&list);
    if (st != HK_OK) hki_input_free(in);
    in->batch = (hk_batch){ .n = in->B, .frame = frame, .self = in, .label = in->label,
                            .target = in->target };
    return st;
}

void hki_input_free(hki_input *in)
{
    hk_free(in->x);
    hk_free(in->label);
    hk_free(in->target);
    memset(in, 0, sizeof *in);
}
