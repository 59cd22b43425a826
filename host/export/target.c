/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

void hk_target_spec(const hk_recipe *r, int32_t tile, hk_net_spec *out)
{
    hk_recipe_spec(r, true, true, out);
    out->batch = 1;
    out->kernels = &hk_kernels_ref;
    out->align = HK_TARGET_ALIGN;
    out->shards = HK_TARGET_SHARDS;
    out->tile = tile ? tile : HK_TARGET_TILE;
}

hk_form hk_target_form(const hk_param *p, hk_form form)
{
    return p->role == HK_WEIGHT ? form : HK_FORM_F32;
}

size_t hk_target_channels(const hk_param *p)
{
    return (size_t)p->dim[p->order[p->rank - 1]];
}

size_t hk_target_constant(const hk_param *p, hk_form form)
{
    switch (hk_target_form(p, form)) {
    case HK_FORM_F16: return p->n * sizeof(uint16_t);
    case HK_FORM_I8:  return p->n + hk_target_channels(p) * sizeof(float);
    default:          return p->n * sizeof(float);
    }
}

size_t hk_target_spec_bytes(const hk_node_spec *s)
{
    enum { ROW = 40 };                   /* hk_node_spec with pointers of four bytes */
    size_t bytes = ROW + s->layer->info.cfg_size;
    if (s->neuron) bytes += s->neuron->info.cfg_size + s->surrogate->info.cfg_size;
    return bytes;
}

size_t hk_target_table_bytes(int32_t n_node, int32_t n_param)
{
    return (size_t)n_node * HK_TARGET_NODE + (size_t)n_param * HK_TARGET_PARAM + HK_TARGET_MODEL;
}

const char *hk_form_name(int form)
{
    static const char *const name[] = { "f32", "f16", "i8" };
    return form >= 0 && form < HK_COUNT(name) ? name[form] : NULL;
}
