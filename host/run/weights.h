/* Weights of a net as named arrays: LAYER.weight, .bias, .threshold, .leak, .running_mean and so
 * on, float32 in file order (convolutions [out, in, h, w], dense [out, in]).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_WEIGHTS_H
#define HK_WEIGHTS_H

#include "hillock_ext.h"
#include "io/safetensors.h"

enum { HK_PARAM_NAME = 192 };

/* "LAYER.name" with prefix and suffix, either may be "", into out[HK_PARAM_NAME]; returns out. */
char *hk_param_name(const hk_param *p, const char *prefix, char *out);

/* Appends one array in file order, named prefix + LAYER.name, from values in memory order. */
hk_status hk_param_collect(const hk_param *p, const char *prefix, const float *memory,
                           hk_arrays *out, hk_error *e);

/* Appends every parameter and buffer of the net. */
hk_status hk_weights_collect(const hk_net *net, hk_arrays *out, hk_error *e);

/* The array named prefix + LAYER.name, in file order, to values in memory order.
 * E_SHAPE: file, tensor, expected and found shape; E_FORMAT: missing. */
hk_status hk_param_apply(const hk_param *p, const char *prefix, const hk_arrays *in,
                         const char *file, float *memory, hk_error *e);

/* All parameters and buffers. Names and shapes are checked before the first weight is written, so a
 * failure leaves the net as it was. Every tensor of the file must belong to the net and every
 * parameter must be there; messages name file, tensor, expected, found and the nearest name. */
hk_status hk_weights_apply(hk_net *net, const hk_arrays *in, const char *file, hk_error *e);

/* The same with a safetensors file; load takes codes and folded norms as well (codes.h, norms.h). */
hk_status hk_weights_save(const hk_net *net, const char *path, const hk_meta *meta, hk_error *e);
hk_status hk_weights_load(hk_net *net, const char *path, hk_error *e);

#endif
