/* SPDX-License-Identifier: Apache-2.0 */
#include "norms.h"

#include <math.h>
#include <string.h>

enum { WEIGHT, BIAS, MEAN, VAR, PARAMS };

static size_t channels(const hk_node *l) { return l->param[WEIGHT]->n; }

bool hk_norm_folds(const hk_node *l)
{
    return strcmp(l->ops->info.name, "batchnorm") == 0 && l->n_param == PARAMS && l->param[MEAN]->n == channels(l);
}

static double eps_of(const hk_node *l)
{
    return hk_field_get(hk_field_find(&l->ops->info, "eps"), l->spec->cfg);
}

static char *name_of(const hk_node *l, const char *what, char *out)
{
    hk_format(out, HK_PARAM_NAME, "%s.%s", l->name, what);
    return out;
}

/* In the arithmetic of core/layer/batchnorm.c. */
hk_status hk_norm_collect(const hk_node *l, hk_arrays *out, hk_error *e)
{
    char name[HK_PARAM_NAME];
    const int64_t c = (int64_t)channels(l);
    HK_TRY(hk_arrays_add(out, name_of(l, "scale", name), HK_DT_F32, 1, &c, NULL, e));
    HK_TRY(hk_arrays_add(out, name_of(l, "shift", name), HK_DT_F32, 1, &c, NULL, e));
    float *scale = out->at[out->n - 2].data, *shift = out->at[out->n - 1].data;
    for (size_t k = 0; k < channels(l); k++) {
        scale[k] = l->param[WEIGHT]->w[k] * (float)(1 / sqrt((double)l->param[VAR]->w[k] + eps_of(l)));
        shift[k] = l->param[BIAS]->w[k] - scale[k] * l->param[MEAN]->w[k];
    }
    return HK_OK;
}

static hk_status expand(const hk_node *l, hk_arrays *list, const char *file, hk_error *e)
{
    char names[2][HK_PARAM_NAME], name[HK_PARAM_NAME];
    const hk_array *scale = hk_arrays_find(list, name_of(l, "scale", names[0]));
    const hk_array *shift = hk_arrays_find(list, name_of(l, "shift", names[1]));
    const int64_t c = (int64_t)channels(l);
    if (!scale && !shift) return HK_OK;
    HK_CHECK(e, scale && shift, HK_E_FORMAT, "%s: tensor '%s' is missing beside '%s'", file,
             scale ? names[1] : names[0], scale ? names[0] : names[1]);
    HK_TRY(hk_array_expect(scale, HK_DT_F32, channels(l), file, e));
    HK_TRY(hk_array_expect(shift, HK_DT_F32, channels(l), file, e));
    for (int i = 0; i < PARAMS; i++) {
        HK_TRY(hk_arrays_add(list, hk_param_name(l->param[i], "", name), HK_DT_F32, 1, &c, NULL, e));
        float *to = list->at[list->n - 1].data;              /* zeros */
        const hk_array *from = i > BIAS ? NULL : hk_arrays_find(list, names[i]);
        if (from) memcpy(to, from->data, channels(l) * sizeof *to);
        for (size_t k = 0; i == VAR && k < channels(l); k++) to[k] = (float)(1 - eps_of(l));
    }
    hk_arrays_drop(list, names[0]);
    hk_arrays_drop(list, names[1]);
    return HK_OK;
}

hk_status hk_norms_expand(const hk_net *net, hk_arrays *list, const char *file, hk_error *e)
{
    for (int32_t i = 0; i < net->n_node; i++)
        if (hk_norm_folds(&net->node[i])) HK_TRY(expand(&net->node[i], list, file, e));
    return HK_OK;
}
