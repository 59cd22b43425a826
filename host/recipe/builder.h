/* Builders: networks with a name. A builder appends layers to a list, with the same public layer
 * names and keys that a recipe could spell out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_BUILDER_H
#define HK_BUILDER_H

#include "hillock_core.h"

/* A list of layers that grows; the recipe owns it. */
typedef struct hk_layers hk_layers;

/* Appends one layer: its type and name, its keys as the recipe would write them in flow style, e.g.
 * "out: 32, kernel: 3, padding: 1, bias: false", and the names of its inputs (NULL, NULL: the layer
 * before). Errors are kept in the list and come out at the end of the build. */
void hk_layers_add(hk_layers *l, const char *type, const char *name, const char *from0,
                   const char *from1, const char *keys, ...) HK_FORMAT(6, 7);

typedef struct hk_builder_ops {
    hk_info info;
    /* input: shape of a sample; classes: outputs of the head. */
    void  (*build)(hk_layers *l, hk_shape input, int32_t classes, const void *cfg);
} hk_builder_ops;

#endif
