/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include <string.h>

#include "base/alloc.h"

static const char *const region_name[HK_REGIONS] = HK_REGION_NAMES;

static hk_status take_tables(hk_engine *g, const hk_net_spec *spec, hk_error *e)
{
    size_t nodes = (size_t)spec->n_node * sizeof *g->node;
    int32_t max_param = hk_net_max_param(spec);
    size_t params = (size_t)max_param * sizeof *g->param;
    g->node = hk_alloc_zero(1, nodes);
    g->param = hk_alloc_zero(1, params);
    HK_CHECK(e, g->node && g->param, HK_E_NOMEM, "no memory for the tables of %d layers, %zu bytes",
             spec->n_node, nodes + params);
    g->table_bytes = nodes + params;
    return hk_net_build(&g->net, spec, g->node, g->param, max_param, e);
}

static hk_status take_regions(hk_engine *g, hk_error *e)
{
    for (int r = 0; r < HK_REGIONS; r++) {
        g->region[r] = hk_alloc_zero(1, g->bytes[r]);
        HK_CHECK(e, g->region[r], HK_E_NOMEM, "no memory for region '%s', %zu bytes",
                 region_name[r], g->bytes[r]);
    }
    return hk_net_bind(&g->net, g->region, e);
}

static hk_status plan_parts(hk_engine *g, const hk_net_spec *spec,
                            const hk_host_kernels_cfg *kernels, hk_error *e)
{
    HK_TRY(hk_host_kernels_open(&g->kernels, kernels, e));
    hk_net_spec own = *spec;
    own.kernels = &g->kernels.table;
    HK_TRY(take_tables(g, &own, e));
    return hk_net_plan(&g->net, g->bytes, e);
}

hk_status hk_engine_plan(hk_engine *g, const hk_net_spec *spec, const hk_host_kernels_cfg *kernels,
                         hk_error *e)
{
    memset(g, 0, sizeof *g);
    hk_status st = plan_parts(g, spec, kernels, e);
    if (st != HK_OK) hk_engine_close(g);
    return st;
}

hk_status hk_engine_open(hk_engine *g, const hk_net_spec *spec, const hk_host_kernels_cfg *kernels,
                         hk_error *e)
{
    HK_TRY(hk_engine_plan(g, spec, kernels, e));
    hk_status st = take_regions(g, e);
    if (st == HK_OK) hk_net_init(&g->net);
    else hk_engine_close(g);
    return st;
}

void hk_engine_close(hk_engine *g)
{
    for (int r = 0; r < HK_REGIONS; r++) hk_free(g->region[r]);
    hk_free(g->param);
    hk_free(g->node);
    hk_host_kernels_close(&g->kernels);
    memset(g, 0, sizeof *g);
}

size_t hk_engine_bytes(const hk_engine *g)
{
    size_t sum = g->table_bytes;
    for (int r = 0; r < HK_REGIONS; r++) sum += g->bytes[r];
    return sum;
}

int hk_engine_slots(const hk_engine *g)
{
    return g->net.spec.learn && g->net.spec.optim ? g->net.spec.optim->n_slot : 0;
}

float *hk_engine_slot(const hk_engine *g, const hk_param *p, int k)
{
    if (k >= hk_engine_slots(g) || p->role == HK_BUFFER || !p->g || !g->net.slot[k]) return NULL;
    return g->net.slot[k] + (p->w - (const float *)g->region[HK_R_PARAM]);
}
