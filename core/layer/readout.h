/* The readout as the loss sees it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_READOUT_H
#define HK_READOUT_H

#include "hillock_ext.h"

/* [batch][C] what decides: the sum of the outputs so far, or the last or leaky one. */
const float *hk_readout_output(const hk_node *l);
/* Decision of sample b with the kind's factor, either in place or written to out[C]. */
const float *hk_readout_decision(const hk_node *l, int b, float *out);
float        hk_readout_factor(const hk_node *l, int b);  /* 1/T of sample b for mean, else 1       */
bool         hk_readout_all_steps(const hk_node *l);   /* a final loss reaches every output z[t] */
float       *hk_readout_scratch(const hk_node *l);     /* [2][C]                                 */

#endif
