/* A recipe: one file that says what to train and how (docs/recipe.md), resolved into members and
 * their configurations.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_RECIPE_H
#define HK_RECIPE_H

#include "data/augment.h"
#include "data/data.h"
#include "encode/encode.h"
#include "hillock_ext.h"
#include "kernel/host_kernels.h"

typedef struct hk_recipe_data {
    const hk_dataset_ops *ops;           /* NULL: none, the recipe says shape and classes */
    void                 *cfg;
    char                  path[1024];
    float                 validation;
    int32_t               normalise;     /* hk_normalise                                          */
    hk_augment_cfg        augment;
    hk_shape              shape;         /* of one frame; c is 0 until the recipe or a call of
                                            hk_recipe_shape gives it, as with classes             */
    int32_t               classes;
    int32_t               steps;         /* time axis of a sample, 0: static. From the recipe, or set
                                            by who has opened the data, before hk_recipe_shape    */
} hk_recipe_data;

typedef enum hk_normalise { HK_NORM_NONE, HK_NORM_CHANNEL } hk_normalise;

typedef struct hk_recipe_train {
    int32_t T, batch, epochs, accumulate, seed, threads;
    int32_t shards;                      /* pieces of sums, part of what fixes the bits           */
    int32_t precision, products;         /* hk_precision, hk_product_way                          */
    bool    tune;                        /* forms of products by measurement (host/run/choice.h)  */
    bool    layer_major;                 /* of inference: see hk_net_spec                         */
} hk_recipe_train;

typedef struct hk_recipe_optim {
    const hk_optim_ops    *ops;
    void                  *cfg;
    hk_update              update;       /* lr is the base rate                                   */
    const hk_schedule_ops *schedule;
    void                  *schedule_cfg;
    float                  warmup;       /* epochs before the schedule begins                     */
    float                  warmup_start; /* factor on lr at the first of them                     */
} hk_recipe_optim;

typedef struct hk_recipe {
    hk_recipe_data   data;
    const hk_encoder_ops *encoder;
    void            *encoder_cfg;
    hk_node_spec    *node;               /* owned, in order                                       */
    int32_t          n_node;
    const hk_rule_ops *rule;
    void            *rule_cfg;
    const hk_loss_ops *loss;
    void            *loss_cfg;
    hk_objective     objective;
    hk_recipe_optim  optim;
    hk_recipe_train  train;
    void            *self;               /* where the pointers above live    */
} hk_recipe;

enum { HK_RECIPE_LAYERS = 1024 };        /* most layers of a net */

/* Reads path, applies n_set assignments "a.b.c=value" in order, checks every key of every section
 * against the tables and fills r, all but what depends on the data's shape. E_IO, E_FORMAT (file,
 * line, column), E_ARG (section, key, nearest known name, range). On failure r needs no free. */
hk_status hk_recipe_load(hk_recipe *r, const char *path, const char *const *set, int n_set,
                         hk_error *e);

/* The same from n bytes of text; name stands for the file in messages. */
hk_status hk_recipe_parse(hk_recipe *r, const char *text, size_t n, const char *name,
                          const char *const *set, int n_set, hk_error *e);

/* The one or the other: text, which path then only names in messages, or when it is NULL the
 * file. */
hk_status hk_recipe_read(hk_recipe *r, const char *path, const char *text, const char *const *set,
                         int n_set, hk_error *e);

/* Builds the layers for samples of this shape (from the data set, or data.shape of the recipe) and
 * infers every shape. May be called again. E_SHAPE, E_ARG: layer, expected and found; also when the
 * recipe names another shape or other classes. */
hk_status hk_recipe_shape(hk_recipe *r, hk_shape shape, int32_t classes, hk_error *e);

/* The same with the shape that the recipe says or, when it says none, that of its training set,
 * which is opened for it and closed again. The errors of hk_data_open. */
hk_status hk_recipe_shape_from_data(hk_recipe *r, hk_error *e);

/* What the net sees of a frame: the encoder's output. */
hk_signal hk_recipe_input(const hk_recipe *r);

/* Where data.normalise asks for it and the recipe has no mean and std yet: those of every channel over
 * the training part of `train`, an opened training set, into data.augment; hk_recipe_print then writes
 * them. E_SHAPE: more channels than HK_AUGMENT_CHANNELS. */
hk_status hk_recipe_normalise(hk_recipe *r, const hk_dataset *train, hk_error *e);

/* Fills a net's spec from a shaped recipe. The rule is named in any case, as it may say
 * something of inference; learn: it is run; update: with the optimizer too. kernels may be set
 * afterwards. */
void hk_recipe_spec(const hk_recipe *r, bool learn, bool update, hk_net_spec *out);

/* What the recipe says of the kernels; threads > 0 takes the place of its number. */
hk_host_kernels_cfg hk_recipe_kernels(const hk_recipe *r, int32_t threads);

/* The recipe with every default written out, as YAML; *text is hk_alloc'ed. */
hk_status hk_recipe_print(const hk_recipe *r, char **text, hk_error *e);

void hk_recipe_free(hk_recipe *r);

#endif
