/* SPDX-License-Identifier: Apache-2.0 */
#include "weights.h"

#include <string.h>

#include "base/alloc.h"
#include "codes.h"
#include "norms.h"
#include "io/words.h"

char *hk_param_name(const hk_param *p, const char *prefix, char *out)
{
    hk_format(out, HK_PARAM_NAME, "%s%s.%s", prefix, p->layer, p->name);
    return out;
}

hk_status hk_param_collect(const hk_param *p, const char *prefix, const float *memory,
                           hk_arrays *out, hk_error *e)
{
    char name[HK_PARAM_NAME];
    int64_t dims[5];
    for (int d = 0; d < p->file_rank; d++) dims[d] = p->file_dim[d];
    HK_TRY(
        hk_arrays_add(out, hk_param_name(p, prefix, name), HK_DT_F32, p->file_rank, dims, NULL, e));
    hk_param_get(p, memory, out->at[out->n - 1].data);
    return HK_OK;
}

hk_status hk_weights_collect(const hk_net *net, hk_arrays *out, hk_error *e)
{
    for (int32_t i = 0; i < net->n_param; i++)
        HK_TRY(hk_param_collect(&net->param[i], "", net->param[i].w, out, e));
    return HK_OK;
}

/* "[64, 3, 3]" */
static void shape_text(int rank, const int64_t *dim, char *out, size_t cap)
{
    size_t at = hk_format(out, cap, "[");
    for (int d = 0; d < rank; d++)
        at += hk_format(out + at, cap - at, d ? ", %lld" : "%lld", (long long)dim[d]);
    hk_format(out + at, cap - at, "]");
}

static bool shape_fits(const hk_param *p, const hk_array *a)
{
    if (a->rank == 0 && p->n == 1) return true;
    if (a->rank != p->file_rank) return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dim[d] != p->file_dim[d]) return false;
    return true;
}

static hk_status check_one(const hk_param *p, const char *prefix, const hk_arrays *in,
                           const char *file, const hk_array **found, hk_error *e)
{
    char name[HK_PARAM_NAME], want[96], have[96];
    const hk_array *a = hk_arrays_find(in, hk_param_name(p, prefix, name));
    HK_CHECK(e, a, HK_E_FORMAT, "%s: tensor '%s' is missing", file, name);
    if (!shape_fits(p, a)) {
        int64_t dims[5];
        for (int d = 0; d < p->file_rank; d++) dims[d] = p->file_dim[d];
        shape_text(p->file_rank, dims, want, sizeof want);
        shape_text(a->rank, a->dim, have, sizeof have);
        return hk_fail(e, HK_E_SHAPE, "%s: tensor '%s': expected shape %s, found %s", file, name,
                       want, have);
    }
    *found = a;
    return HK_OK;
}

hk_status hk_param_apply(const hk_param *p, const char *prefix, const hk_arrays *in,
                         const char *file, float *memory, hk_error *e)
{
    const hk_array *a = NULL;
    HK_TRY(check_one(p, prefix, in, file, &a, e));
    if (a->dtype == HK_DT_F32) {
        hk_param_put(p, a->data, memory);
        return HK_OK;
    }
    float *copy = hk_alloc(p->n * sizeof *copy);
    HK_CHECK(e, copy, HK_E_NOMEM, "%s: no memory for %zu bytes", file, p->n * sizeof *copy);
    hk_status st = hk_array_to_f32(a, copy, p->n, e);
    if (st == HK_OK) hk_param_put(p, copy, memory);
    hk_free(copy);
    return st;
}

/* Every tensor of the file belongs to the net; otherwise the nearest parameter is named. */
static hk_status check_extra(const hk_net *net, const hk_arrays *in, const char *file,
                             char (*names)[HK_PARAM_NAME], const char **list, hk_error *e)
{
    for (int32_t i = 0; i < net->n_param; i++)
        list[i] = hk_param_name(&net->param[i], "", names[i]);
    for (int k = 0; k < in->n; k++) {
        bool known = false;
        for (int32_t i = 0; i < net->n_param && !known; i++)
            known = !strcmp(list[i], in->at[k].name);
        if (known) continue;
        char shown[64];
        hk_printable(shown, sizeof shown, in->at[k].name, strlen(in->at[k].name));
        const char *near = hk_nearest(in->at[k].name, list, net->n_param);
        return near ? hk_fail(e, HK_E_FORMAT,
                              "%s: tensor '%s' belongs to no layer of this net; nearest is '%s'",
                              file, shown, near)
                    : hk_fail(e, HK_E_FORMAT, "%s: tensor '%s' belongs to no layer of this net",
                              file, shown);
    }
    return HK_OK;
}

static hk_status check_all(const hk_net *net, const hk_arrays *in, const char *file, hk_error *e)
{
    size_t n = (size_t)net->n_param;
    char (*names)[HK_PARAM_NAME] = hk_alloc(n * sizeof *names);
    const char **list = hk_alloc(n * sizeof *list);
    hk_status st = names && list
                       ? check_extra(net, in, file, names, list, e)
                       : hk_fail(e, HK_E_NOMEM, "%s: no memory for the names of tensors", file);
    hk_free(list);
    hk_free(names);
    for (size_t i = 0; i < n && st == HK_OK; i++) {
        const hk_array *a;
        st = check_one(&net->param[i], "", in, file, &a, e);
    }
    return st;
}

hk_status hk_weights_apply(hk_net *net, const hk_arrays *in, const char *file, hk_error *e)
{
    HK_TRY(check_all(net, in, file, e));
    for (int32_t i = 0; i < net->n_param; i++)
        HK_TRY(hk_param_apply(&net->param[i], "", in, file, net->param[i].w, e));
    hk_net_prepare(net);
    return HK_OK;
}

hk_status hk_weights_save(const hk_net *net, const char *path, const hk_meta *meta, hk_error *e)
{
    hk_arrays list = { 0 };
    hk_status st = hk_weights_collect(net, &list, e);
    if (st == HK_OK) st = hk_safetensors_write(path, &list, meta, e);
    hk_arrays_clear(&list);
    return st;
}

hk_status hk_weights_load(hk_net *net, const char *path, hk_error *e)
{
    hk_arrays list = { 0 };
    HK_TRY(hk_safetensors_read(path, 0, &list, NULL, e));
    hk_status st = hk_codes_expand(net, &list, path, e);
    if (st == HK_OK) st = hk_norms_expand(net, &list, path, e);
    if (st == HK_OK) st = hk_weights_apply(net, &list, path, e);
    hk_arrays_clear(&list);
    return st;
}
