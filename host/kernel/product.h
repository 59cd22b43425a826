/* Inside host/kernel only.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_PRODUCT_H
#define HK_PRODUCT_H

#include "host_kernels.h"

/* What table.self points to. */
typedef struct hki_state {
    int             workers;
    hk_isa_level    isa;
    hk_dense_by     dense;
    hk_product_way  way;
    hk_kernels      table;       /* copy, for `parallel` */
    hk_product_stat stat[HK_STAT_LAYERS];
} hki_state;

/* The products; name, self, workers and parallel are filled by open. */
extern const hk_kernels hki_table;

void hki_generic_forward(const hk_kernels *k, const hk_conv_args *a, hk_view x, float *y);
void hki_generic_input(const hk_kernels *k, const hk_conv_args *a, const float *dy, float *dx);
void hki_generic_weight(const hk_kernels *k, const hk_conv_args *a, hk_view x, const float *dy, float *dw);

#endif
