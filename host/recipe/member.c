/* Members by name, and spiking layers, which consist of three of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "parts.h"

#include <string.h>

hk_status hk_part_take(hk_arena *a, size_t n, void **out, hk_error *e)
{
    *out = hk_arena_take(a, n);
    HK_CHECK(e, *out, HK_E_NOMEM, "out of memory for a recipe");
    return HK_OK;
}

hk_status hk_part_member(hk_arena *a, hk_family family, const char *section, hk_tree *map,
                         hk_member base, hk_member *out, hk_error *e)
{
    const char *name = base.info->name;
    if (map) HK_TRY(hk_tree_named(a, map, e));
    const hk_tree *given = hk_tree_get(map, "name");
    if (given) HK_TRY(hk_key_word(section, given, &name, e));
    hk_error inner;
    hk_status st = hk_family_get(family, name, &out->info, &inner);
    if (st) return hk_fail(e, st, "%s%s: %s", given ? hk_tree_where(given).text : "", section,
                           inner.text);
    HK_TRY(hk_part_take(a, out->info->cfg_size, &out->cfg, e));
    if (out->info == base.info && base.cfg) memcpy(out->cfg, base.cfg, out->info->cfg_size);
    else hk_fields_default(out->info, out->cfg);
    return HK_OK;
}

static hk_status read_surrogate(hk_arena *a, const char *section, hk_tree *map, hk_member *s,
                                hk_error *e)
{
    static const char *const other[] = { "name" };
    char label[96];
    hk_format(label, sizeof label, "%s.surrogate", section);
    hk_member base = *s;
    HK_TRY(hk_part_member(a, HK_FAM_SURROGATE, label, map, base, s, e));
    hk_target target = { s->info, s->cfg };
    hk_keys keys = { label, &target, 1, other, 1 };
    return hk_keys_read(&keys, map, e);
}

hk_status hk_part_spiking(hk_arena *a, const char *section, hk_tree *map, const hk_spiking *base,
                          const char *const *other, int n_other, hk_spiking *s, hk_error *e)
{
    s->layer.info = base->layer.info;
    HK_TRY(hk_part_take(a, base->layer.info->cfg_size, &s->layer.cfg, e));
    memcpy(s->layer.cfg, base->layer.cfg, base->layer.info->cfg_size);
    s->surrogate = base->surrogate;
    hk_tree *surrogate = hk_tree_get(map, "surrogate");
    if (surrogate) HK_TRY(read_surrogate(a, section, surrogate, &s->surrogate, e));
    hk_target target[] = { { s->layer.info, s->layer.cfg }, { s->neuron.info, s->neuron.cfg } };
    hk_keys keys = { section, target, HK_COUNT(target), other, n_other };
    return hk_keys_read(&keys, map, e);
}

/* The one layer that is made of members of other families. */
static const char spiking[] = "spiking";

hk_status hk_part_neuron(hk_parts *p, hk_error *e)
{
    static const char *const other[] = { "name", "surrogate" };
    const hk_member neuron = { hk_family_find(HK_FAM_NEURON, "lif"), NULL };
    hk_spiking base = {
        .layer = { hk_family_find(HK_FAM_LAYER, spiking), NULL },
        .surrogate = { hk_family_find(HK_FAM_SURROGATE, "triangle"), NULL },
    };
    HK_TRY(hk_part_take(&p->arena, base.layer.info->cfg_size, &base.layer.cfg, e));
    hk_fields_default(base.layer.info, base.layer.cfg);
    HK_TRY(hk_part_take(&p->arena, base.surrogate.info->cfg_size, &base.surrogate.cfg, e));
    hk_fields_default(base.surrogate.info, base.surrogate.cfg);
    hk_tree *map = hk_tree_get(p->root, "neuron");
    HK_TRY(hk_part_member(&p->arena, HK_FAM_NEURON, "neuron", map, neuron, &p->spiking.neuron, e));
    return hk_part_spiking(&p->arena, "neuron", map, &base, other, HK_COUNT(other), &p->spiking, e);
}
