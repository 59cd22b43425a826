/* What the examples of the core have in common: configurations from the members' own tables, and a net in
 * one static buffer. Included once, by the program.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <hillock_ext.h>

#include <string.h>

/* A member's configuration; its rows say what lies where, so one type has room for any of them. */
typedef union config { double align; char bytes[64]; } config;

/* The member's defaults. */
static hk_status defaults(const hk_info *info, config *c, hk_error *e)
{
    HK_CHECK(e, info->cfg_size <= sizeof *c, HK_E_NOMEM, "%s: its configuration takes %zu bytes",
             info->name, info->cfg_size);
    hk_fields_default(info, c);
    return HK_OK;
}

/* Another value for one key, within its range. */
static hk_status set(const hk_info *info, config *c, const char *key, double value, hk_error *e)
{
    for (int k = 0; k < info->n_fields; k++)
        if (strcmp(info->fields[k].name, key) == 0)
            return hk_field_set(info, &info->fields[k], c, value, e);
    return hk_fail(e, HK_E_ARG, "%s has no key '%s'", info->name, key);
}

/* Builds the net that spec describes, plans it, gives each region its part of room[all] and draws first
 * weights. bytes: what the regions take, multiples of spec->align. */
static hk_status stand(hk_net *net, const hk_net_spec *spec, hk_node *node, hk_param *param, int n_param,
                       unsigned char *room, size_t all, size_t bytes[HK_REGIONS], hk_error *e)
{
    static const char *const name[] = HK_REGION_NAMES;
    void *base[HK_REGIONS];
    HK_TRY(hk_net_build(net, spec, node, param, n_param, e));
    HK_TRY(hk_net_plan(net, bytes, e));
    for (int r = 0; r < HK_REGIONS; r++) {
        HK_CHECK(e, bytes[r] <= all, HK_E_NOMEM, "region '%s' needs %zu bytes, the buffer has %zu left",
                 name[r], bytes[r], all);
        base[r] = room;
        room += bytes[r];
        all -= bytes[r];
    }
    HK_TRY(hk_net_bind(net, base, e));
    hk_net_init(net);
    return HK_OK;
}
