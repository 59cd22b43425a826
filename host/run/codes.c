/* SPDX-License-Identifier: Apache-2.0 */
#include "codes.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "norms.h"

static const float value_of[2][4] = { { -1, 1 }, { 0, 1, -1 } };        /* [bits - 1][code] */

static char *name_of(const hk_param *p, const char *what, char *out)
{
    hk_format(out, HK_PARAM_NAME, "%s.%s.%s", p->layer, p->name, what);
    return out;
}

static size_t code_bytes(const hk_param *p) { return (p->n * (size_t)p->code_bits + 7) / 8; }
static size_t outputs(const hk_param *p) { return (size_t)p->dim[0]; }

/* ---- out ----------------------------------------------------------------------------------------- */

static unsigned code_of(int bits, float v)
{
    if (bits == 1) return v >= 0;
    return v > 0 ? 1 : v < 0 ? 2 : 0;
}

/* From the values in use, in file order, to codes and scales. */
static void encode(const hk_param *p, const float *used, uint8_t *codes, float *scale)
{
    const size_t each = p->n / outputs(p), bits = (size_t)p->code_bits;
    memset(codes, 0, code_bytes(p));
    for (size_t i = 0; i < p->n; i++) {
        scale[i / each] = fmaxf(i % each ? scale[i / each] : 0, fabsf(used[i]));
        codes[i * bits / 8] |= (uint8_t)(code_of(p->code_bits, used[i]) << (i * bits % 8));
    }
}

static hk_status collect(const hk_param *p, hk_arrays *out, hk_error *e)
{
    char name[HK_PARAM_NAME];
    const int64_t bytes = (int64_t)code_bytes(p), o = (int64_t)outputs(p);
    HK_TRY(hk_arrays_add(out, name_of(p, "codes", name), HK_DT_U8, 1, &bytes, NULL, e));
    HK_TRY(hk_arrays_add(out, name_of(p, "scale", name), HK_DT_F32, 1, &o, NULL, e));
    float *file = hk_alloc(p->n * sizeof *file);
    HK_CHECK(e, file, HK_E_NOMEM, "no memory for %zu weights", p->n);
    hk_param_get(p, p->used, file);
    encode(p, file, out->at[out->n - 2].data, out->at[out->n - 1].data);
    hk_free(file);
    return HK_OK;
}

hk_status hk_codes_collect(const hk_net *net, hk_arrays *out, hk_error *e)
{
    for (int32_t i = 0; i < net->n_node; i++) {
        const hk_node *l = &net->node[i];
        if (hk_norm_folds(l)) HK_TRY(hk_norm_collect(l, out, e));
        for (int32_t k = 0; k < l->n_param && !hk_norm_folds(l); k++) {
            const hk_param *p = l->param[k];
            HK_TRY(p->code_bits ? collect(p, out, e) : hk_param_collect(p, "", p->w, out, e));
        }
    }
    return HK_OK;
}

hk_status hk_codes_save(const hk_net *net, const char *path, const hk_meta *meta, hk_error *e)
{
    hk_arrays list = { 0 };
    hk_status st = hk_codes_collect(net, &list, e);
    if (st == HK_OK) st = hk_safetensors_write(path, &list, meta, e);
    hk_arrays_clear(&list);
    return st;
}

/* ---- in ------------------------------------------------------------------------------------------ */

static hk_status decode(const hk_param *p, const hk_array *codes, const float *scale,
                        const char *file, float *out, hk_error *e)
{
    const size_t each = p->n / outputs(p), bits = (size_t)p->code_bits;
    const uint8_t *from = codes->data;
    for (size_t i = 0; i < p->n; i++) {
        const unsigned code = from[i * bits / 8] >> (i * bits % 8) & ((1u << bits) - 1);
        HK_CHECK(e, code < 3, HK_E_FORMAT, "%s: tensor '%s': weight %zu has code 3, expected 0 to 2",
                 file, codes->name, i);
        out[i] = scale[i / each] * value_of[bits - 1][code];
    }
    return HK_OK;
}

static hk_status expand(const hk_param *p, hk_arrays *list, const char *file, hk_error *e)
{
    char code_name[HK_PARAM_NAME], scale_name[HK_PARAM_NAME], name[HK_PARAM_NAME];
    int64_t dims[5];
    const hk_array *codes = hk_arrays_find(list, name_of(p, "codes", code_name));
    const hk_array *scale = hk_arrays_find(list, name_of(p, "scale", scale_name));
    if (!codes && !scale) return HK_OK;
    HK_CHECK(e, codes && scale, HK_E_FORMAT, "%s: tensor '%s' is missing beside '%s'", file,
             codes ? scale_name : code_name, codes ? code_name : scale_name);
    HK_TRY(hk_array_expect(codes, HK_DT_U8, code_bytes(p), file, e));
    HK_TRY(hk_array_expect(scale, HK_DT_F32, outputs(p), file, e));
    for (int d = 0; d < p->file_rank; d++) dims[d] = p->file_dim[d];
    HK_TRY(hk_arrays_add(list, hk_param_name(p, "", name), HK_DT_F32, p->file_rank, dims, NULL, e));
    codes = hk_arrays_find(list, code_name);         /* the list may have moved */
    scale = hk_arrays_find(list, scale_name);
    HK_TRY(decode(p, codes, scale->data, file, list->at[list->n - 1].data, e));
    hk_arrays_drop(list, code_name);
    hk_arrays_drop(list, scale_name);
    return HK_OK;
}

hk_status hk_codes_expand(const hk_net *net, hk_arrays *list, const char *file, hk_error *e)
{
    for (int32_t i = 0; i < net->n_param; i++)
        if (net->param[i].code_bits) HK_TRY(expand(&net->param[i], list, file, e));
    return HK_OK;
}
