/* The keys of sections that belong to no family.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_TABLES_H
#define HK_TABLES_H

#include "recipe.h"

typedef struct hk_objective_cfg {        /* hk_objective as recipes write it */
    int32_t when, batch;
    bool    divide_by_T;
    float   smoothing;
} hk_objective_cfg;

typedef struct hk_weights_cfg {          /* section net with a builder: of all dense and conv2d  */
    int32_t weights, ends;
} hk_weights_cfg;

extern const hk_info hk_table_net;       /* of hk_weights_cfg                                   */
extern const hk_info hk_table_data;      /* of hk_recipe_data: all but the data set's own keys  */
extern const hk_info hk_table_objective; /* of hk_objective_cfg: section loss                   */
extern const hk_info hk_table_optim;     /* of hk_update: section optim                         */
extern const hk_info hk_table_schedule;  /* of hk_recipe_optim: optim.schedule                  */
extern const hk_info hk_table_train;     /* of hk_recipe_train                                  */

/* Other names of layer types and keys, so that descriptions of networks from elsewhere can be read:
 * the name of the tables, or the word itself. */
const char *hk_synonym_type(const char *word);
const char *hk_synonym_key(const char *word);

#endif
