/* Scaled weight standardisation (equations in weighted.h), on weights [n][outputs].
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_STANDARDIZE_H
#define HK_STANDARDIZE_H

#include "kernel/kernel.h"

/* out = gain (w - mean) / D for each of `outputs` columns of n rows. */
void hk_standardize(const hk_kernels *k, size_t n, size_t outputs, const float *w, const float *gain, float *out);
/* g: from dE/dout to dE/dw, in place; dgain +=. */
void hk_standardize_back(const hk_kernels *k, size_t n, size_t outputs, const float *w, const float *gain,
                         float *g, float *dgain);

#endif
