/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include <string.h>

/* The Arm compilers take the shortest integer for an enum, that of RISC-V an int. */
static const hk_target target[] = {
    { "mcu", 544, 100, 576, 86160 },
    { "cortex-m4f", 536, 96, 576, 75680 },
    { "cortex-m7", 536, 96, 576, 69776 },
    { "cortex-m55", 536, 96, 576, 72552 },
    { "rv32", 544, 100, 576, 86160 },
};

const hk_target *hk_target_at(int i)
{
    return i >= 0 && i < HK_COUNT(target) ? &target[i] : NULL;
}

const hk_target *hk_target_find(const char *name)
{
    for (int i = 0; i < HK_COUNT(target); i++)
        if (strcmp(target[i].name, name) == 0) return &target[i];
    return NULL;
}

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

size_t hk_target_table_bytes(const hk_target *on, int32_t n_node, int32_t n_param)
{
    return (size_t)n_node * (size_t)on->node + (size_t)n_param * (size_t)on->param + (size_t)on->model;
}

const char *hk_form_name(int form)
{
    static const char *const name[] = { "f32", "f16", "i8" };
    return form >= 0 && form < HK_COUNT(name) ? name[form] : NULL;
}
