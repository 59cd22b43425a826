/* What a user means by RUN or RECIPE: a recipe, and the weights that belong to it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_LOCATE_H
#define HK_LOCATE_H

#include "folder.h"

typedef struct hk_located {
    char recipe[HK_PATH];
    char weights[HK_PATH];               /* "": target is a recipe, which has none                */
    char choice[HK_PATH];                /* "": none, the products' forms are those of the recipe */
} hk_located;

/* A run folder stands for its recipe and its best checkpoint, or the last if there is no best; any
 * other target is a recipe. weights false: only the recipe is wanted. E_IO: a run without a checkpoint;
 * E_ARG: a path that is too long. */
hk_status hk_run_locate(const char *target, bool weights, hk_located *out, hk_error *e);

/* What a user means by a table of choices: a file, or a run folder, which stands for its choice.json.
 * E_IO: the run has none; E_ARG: a path that is too long. */
hk_status hk_choice_locate(const char *target, char out[HK_PATH], hk_error *e);

#endif
