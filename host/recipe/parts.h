/* What lies behind hk_recipe.self. Private to this folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_PARTS_H
#define HK_PARTS_H

#include "builder.h"
#include "keys.h"
#include "recipe.h"
#include "registry.h"
#include "tables.h"

/* A member of a family and its configuration. */
typedef struct hk_member {
    const hk_info *info;
    void          *cfg;
} hk_member;

/* A spiking layer in full: its own keys, its neuron and its surrogate. */
typedef struct hk_spiking {
    hk_member layer, neuron, surrogate;
} hk_spiking;

/* What is remembered of a layer besides its spec. */
typedef struct hk_note {
    const hk_tree *tree;
    int32_t        channels;             /* the recipe's claim about its input; 0: none           */
    bool           own;                  /* a spiking layer that differs from section neuron      */
} hk_note;

typedef struct hk_parts {
    hk_arena         arena;              /* tree and configurations                               */
    hk_arena         made;               /* layers: made anew by hk_recipe_shape                  */
    hk_tree         *root;
    hk_member        builder;            /* info NULL: an explicit list                           */
    hk_spiking       spiking;            /* section neuron                                        */
    hk_objective_cfg objective;
    hk_note         *note;               /* [n_node]                                              */
    hk_shape         claimed;            /* data.shape of the recipe; c is 0 without              */
    int32_t          claimed_classes, claimed_steps;
    hk_weights_cfg   weights;            /* of the builder's layers                               */
} hk_parts;

struct hk_layers {                       /* the builder's side */
    hk_parts   *parts;
    hk_tree    *list;
    const char *file;
    hk_status   status;
    hk_error    error;
};

/* Gives the builder's layers the weights that section net asks for. */
hk_status hk_layers_weights(hk_layers *l, const hk_weights_cfg *c, hk_error *e);

/* Memory for n bytes; E_NOMEM. */
hk_status hk_part_take(hk_arena *a, size_t n, void **out, hk_error *e);

/* Resolves the member that `map` (NULL, a word or a map) names. Without a name, or with the name
 * of base, it starts from a copy of base's configuration (base.cfg NULL: from the defaults).
 * Other keys are left to the caller. E_ARG: the place, the section, the nearest known name. */
hk_status hk_part_member(hk_arena *a, hk_family family, const char *section, hk_tree *map,
                         hk_member base, hk_member *out, hk_error *e);

/* Section by section. */
hk_status hk_part_data(hk_recipe *r, hk_parts *p, hk_error *e);
hk_status hk_part_learning(hk_recipe *r, hk_parts *p, hk_error *e);
hk_status hk_part_neuron(hk_parts *p, hk_error *e);
hk_status hk_part_net(hk_recipe *r, hk_parts *p, hk_error *e);

/* Layers from a list of maps into r->node and p->note, which live in p->made. */
hk_status hk_part_layers(hk_recipe *r, hk_parts *p, hk_tree *list, hk_error *e);

/* Reads the keys of a spiking layer or of section neuron; s starts as a copy of base. */
hk_status hk_part_spiking(hk_arena *a, const char *section, hk_tree *map, const hk_spiking *base,
                          const char *const *other, int n_other, hk_spiking *s, hk_error *e);

#endif
