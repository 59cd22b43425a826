/* Bytes that a training step or inference moves between memory and processor, counted while it runs: by
 * layer and stage, read and written. Part of `hillock bench`.
 *
 * No layer says what it moves. The net's regions are made of pages that are watched (page_watch.h), and
 * the tables of layers and kernels are replaced by ones that note who works and then do the same. A
 * page counts as read, or written, once per sweep. A sweep is one call of the kernels, a product or a
 * pass of tiles over all rows; what is done between two calls is one, too. So the count is that of a
 * processor whose caches keep everything within a sweep and nothing from one to the next. Real caches
 * keep small arrays from sweep to sweep, and a product may read its operands more than once.
 *
 * Not counted: scratch of products and tiles, which is meant to stay in the cache; reading the samples;
 * memory that a vendor's library takes for itself. A small array counts as a page. Like the bandwidth
 * of bench_memory.h, which takes a[i] = b[i] + s c[i] for 12 bytes, this leaves out lines that a
 * processor reads because it is about to write them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_BENCH_TRAFFIC_H
#define HK_BENCH_TRAFFIC_H

#include "bench_case.h"

/* Where in a layer: its whole-tensor stages and its tile stages. A trace per synapse is advanced after
 * the forward pass and counts there. Other: sums into gradients, packing of weights. */
typedef enum hk_traffic_stage {
    HK_TRAFFIC_FORWARD, HK_TRAFFIC_FORWARD_TILE, HK_TRAFFIC_BACKWARD_TILE, HK_TRAFFIC_BACKWARD,
    HK_TRAFFIC_OTHER, HK_TRAFFIC_STAGES
} hk_traffic_stage;

#define HK_TRAFFIC_STAGE_NAMES { "forward", "forward_tile", "backward_tile", "backward", "other" }

typedef struct hk_traffic_row {          /* a layer, or what belongs to none, all of it OTHER     */
    const char *name;                    /* borrowed from the recipe                              */
    bool        layer;
    double      bytes[HK_TRAFFIC_STAGES][2];     /* read, written, of one batch                   */
} hk_traffic_row;

typedef struct hk_traffic {
    hk_traffic_row *row;                 /* layers in order, then "start": states to zero,
                                            "between": frames and loss, "update": the optimizer   */
    int             n_row;
    double          read, written;       /* sums over all                                         */
    double          neuron_steps;        /* spiking neurons of the batch, times T                 */
} hk_traffic;

/* Builds the net of b, which must have been built, a second time, on one thread; runs its batch once, and
 * once more while counting. Errors: of the net; E_NOMEM, also when the system keeps no more pages
 * apart; E_UNSUP where pages cannot be watched, or rule.budget gives other segments with whole pages. */
hk_status hk_bench_traffic(hk_bench_case *b, hk_traffic *out, hk_error *e);
void      hk_bench_traffic_free(hk_traffic *t);  /* all zero is allowed */

#endif
