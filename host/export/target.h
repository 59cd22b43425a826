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

/* A kind of device. Sizes of the core's types are those of its compiler, in bytes, and exact
 * (tests/firmware.sh). `code` is what firmware/build.sh linked there for recipes/digits-mcu.yaml
 * beside constants and samples: the core, self-test, program, start-up and C library. It is an
 * estimate for any other net: an MLP took 8 KiB less, a net with batch norm, synapses, EM-PF and
 * AdamW 7 KiB more. The linker's map says it exactly. */
typedef struct hk_target {
    const char *name;                    /* as firmware/boards.sh has it                            */
    int32_t     node, param, model;      /* sizeof hk_node, hk_param, hk_model                      */
    int32_t     code;
} hk_target;

/* What else a plan must guess. Stack: 2 KiB were measured. Other data of a linked program, of start-up,
 * C library and alignment: 20 bytes were. A net's code beside the estimate: see above. */
enum { HK_TARGET_STACK = 4096, HK_TARGET_DATA = 32, HK_TARGET_SPREAD = 8192 };

/* Number 0 is "mcu": of every size the largest of all. NULL for no such number or name. */
const hk_target *hk_target_at(int i);
const hk_target *hk_target_find(const char *name);

/* The recipe's spec for batch 1, one worker and the reference kernels. r is shaped. tile 0: default. */
void hk_target_spec(const hk_recipe *r, int32_t tile, hk_net_spec *out);

/* Bytes of a parameter's constants in flash. Weights take `form`, all others are floats. */
hk_form hk_target_form(const hk_param *p, hk_form form);
size_t  hk_target_constant(const hk_param *p, hk_form form);
/* Values that share a scale of HK_FORM_I8 are those of one output channel; the number of channels. */
size_t  hk_target_channels(const hk_param *p);

/* Bytes of a layer's rows in the exported tables, and of the whole net's rows in RAM. */
size_t  hk_target_spec_bytes(const hk_node_spec *s);
size_t  hk_target_table_bytes(const hk_target *on, int32_t n_node, int32_t n_param);

/* "f32", "f16", "i8", or NULL for no such number. */
const char *hk_form_name(int form);

#endif
