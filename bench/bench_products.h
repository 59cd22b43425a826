/* How fast the products are, against a dense product of the same direction: verified first, then
 * timed in turns within one run. Part of `hillock bench`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_BENCH_PRODUCTS_H
#define HK_BENCH_PRODUCTS_H

#include "../host/kernel/host_kernels.h"

typedef struct hk_bench_products_cfg {
    hk_host_kernels_cfg kernels; /* `products` is set by the bench              */
    int32_t repeats;             /* timed runs of each; 0: 11                   */
    int32_t batch;               /* samples; 0: 16                              */
} hk_bench_products_cfg;

typedef struct hk_bench_row {
    char   layer[32];            /* "64->128 32x32"                             */
    char   product[32];          /* "forward bits", "weights traces", ..        */
    double activity;             /* share of inputs that are not zero, 1: dense */
    double seconds, spread;      /* median; distance of the quartiles           */
    double gflops;               /* of the dense product, by these seconds      */
    char   mark[32];             /* what it is compared with: "oneDNN 2.6.3"    */
    double mark_seconds, mark_spread;
    double ratio;                /* mark_seconds / seconds                      */
} hk_bench_row;

enum { HK_BENCH_ROWS = 256 };

/* Writes at most cap rows (HK_BENCH_ROWS are enough) and their number.
 * E_NOMEM  no memory for operands
 * E_NUM    a product differs from the definition by more than rounding: nothing is timed */
hk_status hk_bench_products(const hk_bench_products_cfg *cfg, hk_bench_row *rows, int cap, int *n,
                            hk_error *e);

#endif
