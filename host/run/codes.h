/* Weights of one and of two bits in files. A layer whose `weights` are binary or ternary may stand in a
 * safetensors file by
 *
 *   LAYER.weight.codes   U8   one or two bits per weight, in file order, least significant bits first;
 *                             binary: 1 for +, 0 for -; ternary: 0 for 0, 1 for +, 2 for -
 *   LAYER.weight.scale   F32  [out]
 *
 * in place of LAYER.weight: as little as inference needs, and exactly what was trained (core/layer/codes.h).
 * Latent weights, which training needs, are not in it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_RUN_CODES_H
#define HK_RUN_CODES_H

#include "weights.h"

/* Appends all parameters and buffers, weights that have codes as codes and scales, norms as norms.h has them. */
hk_status hk_codes_collect(const hk_net *net, hk_arrays *out, hk_error *e);

/* Replaces codes and scales of the net's layers by weights, scale times code. E_FORMAT: a scale without
 * codes, a wrong number of either, a code that is none; the message names file, tensor, expected and
 * found. Codes of layers with float weights are left, and are then refused as unknown. */
hk_status hk_codes_expand(const hk_net *net, hk_arrays *list, const char *file, hk_error *e);

/* hk_codes_collect into a safetensors file. */
hk_status hk_codes_save(const hk_net *net, const char *path, const hk_meta *meta, hk_error *e);

#endif
