/* What a microcontroller changes in a net's spec, and what the net then takes there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_TARGET_H
#define HK_TARGET_H

#include "hillock_image.h"
#include "recipe/recipe.h"

/* Layout of memory on the device; part of what fixes the bits. */
enum { HK_TARGET_ALIGN = 8, HK_TARGET_SHARDS = 1, HK_TARGET_TILE = 64 };

/* Bytes of the core's tables on a 32-bit machine, at most; exported code asserts them. */
enum { HK_TARGET_NODE = 532, HK_TARGET_PARAM = 100, HK_TARGET_MODEL = 576 };

/* What a plan must guess: the core's code with the members of an ordinary net (52 to 60 KiB were
 * measured), and the stack (2 KiB were). The linker's map and the painted stack say it exactly. */
enum { HK_TARGET_CODE = 60 * 1024, HK_TARGET_STACK = 4096 };

/* The recipe's spec for batch 1, one worker and the reference kernels. r is shaped. tile 0: default. */
void hk_target_spec(const hk_recipe *r, int32_t tile, hk_net_spec *out);

/* Bytes of a parameter's constants in flash. Weights take `form`, all others are floats. */
hk_form hk_target_form(const hk_param *p, hk_form form);
size_t  hk_target_constant(const hk_param *p, hk_form form);
/* Values that share a scale of HK_FORM_I8 are those of one output channel; the number of channels. */
size_t  hk_target_channels(const hk_param *p);

/* Bytes of a layer's rows in the exported tables, and of the whole net's rows in RAM. */
size_t  hk_target_spec_bytes(const hk_node_spec *s);
size_t  hk_target_table_bytes(int32_t n_node, int32_t n_param);

/* "f32", "f16", "i8", or NULL for no such number. */
const char *hk_form_name(int form);

#endif
