/* A net that stands in memory: its tables, one block per region, and the kernels that compute it.
 *
 * What it takes is known before it is taken (hk_engine_bytes equals what hk_alloc hands out), and
 * nothing is allocated afterwards.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_ENGINE_H
#define HK_ENGINE_H

#include "hillock_ext.h"
#include "kernel/host_kernels.h"

typedef struct hk_engine {
    hk_net          net;                 /* points into itself: an open engine must not be moved  */
    hk_host_kernels kernels;
    hk_node        *node;
    hk_param       *param;
    void           *region[HK_REGIONS];
    size_t          bytes[HK_REGIONS];   /* as hk_net_plan gave them                              */
    size_t          table_bytes;         /* node and param arrays                                 */
} hk_engine;

/* Builds, plans, takes the memory, binds and initialises spec->seed's weights. spec->kernels is
 * replaced by the engine's own table, opened with kernels (NULL: defaults). What spec points to
 * must outlive the engine. On failure *g is all zero. E_NOMEM names the region and its bytes;
 * otherwise the errors of hk_net_build and hk_net_plan. */
hk_status hk_engine_open(hk_engine *g, const hk_net_spec *spec, const hk_host_kernels_cfg *kernels,
                         hk_error *e);
/* The same without the memory of the regions: g->bytes says what it would be. The net may be looked
 * at, but not run. */
hk_status hk_engine_plan(hk_engine *g, const hk_net_spec *spec, const hk_host_kernels_cfg *kernels,
                         hk_error *e);
void      hk_engine_close(hk_engine *g);         /* an all-zero *g is allowed */

/* Bytes of all regions and both tables. */
size_t hk_engine_bytes(const hk_engine *g);

/* Where optimizer slot k of a learned parameter lies, [p->n] in memory order; NULL: none. */
float *hk_engine_slot(const hk_engine *g, const hk_param *p, int k);
/* Number of slots that the optimizer keeps per weight. */
int    hk_engine_slots(const hk_engine *g);

#endif
