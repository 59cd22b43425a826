/* What is in here: every member of every family, by name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_REGISTRY_H
#define HK_REGISTRY_H

#include "data/data.h"
#include "encode/encode.h"
#include "hillock_ext.h"
#include "recipe/builder.h"

typedef enum hk_family {
    HK_FAM_NEURON, HK_FAM_SURROGATE, HK_FAM_LAYER, HK_FAM_RULE, HK_FAM_LOSS, HK_FAM_OPTIM,
    HK_FAM_SCHEDULE, HK_FAM_DATASET, HK_FAM_ENCODER, HK_FAM_BUILDER, HK_FAMILIES
} hk_family;

const char *hk_family_name(hk_family f);              /* "neuron", ...                            */
int         hk_family_count(hk_family f);

/* Member i in the order of registry.def. Every operations table begins with hk_info, so the pointer
 * may be cast to the family's own type. */
const hk_info *hk_family_at(hk_family f, int i);
const hk_info *hk_family_find(hk_family f, const char *name);         /* NULL: no such member    */

/* Like find, but an unknown name is E_ARG with the family, the name and the nearest known one. */
hk_status hk_family_get(hk_family f, const char *name, const hk_info **out, hk_error *e);

#endif
