/* Batch norms in compact files. A norm with one set of running statistics may stand in a safetensors file by
 *
 *   LAYER.scale   F32 [C]   weight / sqrt(running_var + eps)
 *   LAYER.shift   F32 [C]   bias - scale running_mean
 *
 * in place of its weight, bias and running statistics: what inference computes with, y = scale x + shift. It is
 * read as a norm of mean 0 and variance 1 - eps, which gives the same bits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_RUN_NORMS_H
#define HK_RUN_NORMS_H

#include "weights.h"

/* Whether l is such a norm. */
bool hk_norm_folds(const hk_node *l);

/* Appends its scale and shift. */
hk_status hk_norm_collect(const hk_node *l, hk_arrays *out, hk_error *e);

/* Replaces scales and shifts of the net's norms by their parameters. E_FORMAT: one without the other, a wrong
 * number; the message names file, tensor, expected and found. */
hk_status hk_norms_expand(const hk_net *net, hk_arrays *list, const char *file, hk_error *e);

#endif
