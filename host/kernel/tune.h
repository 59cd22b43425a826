/* Measuring which form of a product is the fastest on this machine.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_TUNE_H
#define HK_TUNE_H

#include "host_kernels.h"

/* row names geometry, product and kind; form and below are found by timing the product alone, with
 * random operands and with the threads, instructions and precision of cfg: each dense form that these
 * allow, then the event-driven form at a few densities. below is where that takes as long as the
 * fastest dense form, by linear interpolation; 2: it never does. Times are the least of a few runs.
 * cfg->dense other than auto: that form alone. E_NOMEM, and the errors of hk_host_kernels_open. */
hk_status hk_tune(const hk_host_kernels_cfg *cfg, hk_choice *row, hk_error *e);

/* The density at which a form that takes seconds[i] at density[i], ascending, reaches `dense`
 * seconds: 2 where it never does, and in proportion below the first one. */
double hk_break_even(int n, const double *density, const double *seconds, double dense);

#endif
