/* Pieces of which builders are made. Private to this folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_BUILD_BLOCKS_H
#define HK_BUILD_BLOCKS_H

#include "builder.h"

/* The index words of a field `pool: avg|max`. */
typedef enum hk_pooling { HK_POOL_AVG, HK_POOL_MAX } hk_pooling;
#define HK_POOL_WORDS "avg|max"

/* Layers are called after what they are and a number: conv3, bn3, spike3. */
typedef struct hk_conv_form {
    int32_t out, kernel, stride, padding;
    bool    bias;
    int32_t norm;                        /* batch norm behind it: sets of statistics, 0: none */
    bool    spike;                       /* and a spiking layer                               */
    bool    instant;                     /* its neurons start every step at rest              */
} hk_conv_form;

/* A builder's key `parallel`, and whether spiking layer `number`, from 1, is among that share: the
 * layers are spread evenly, the first one last (0.5: every second). */
#define HK_ROW_PARALLEL(cfg)                                                                       \
    HK_ROW_FLOAT(cfg, parallel, 0, 0, 1, "1",                                                      \
                 "share of the spiking layers that keep no state (recurrent: false)")
bool hk_block_parallel(int number, float share);

/* A builder's key `running_steps`, of all its batch norms. */
#define HK_ROW_RUNNING_STEPS(cfg)                                                                  \
    HK_ROW_INT(cfg, running_steps, 1, 1, 1024, "steps",                                            \
               "batch norm: first steps with running statistics of their own")

void hk_block_conv(hk_layers *l, int number, hk_conv_form f);
/* A 3 x 3 convolution that keeps the size. */
void hk_block_conv3(hk_layers *l, int number, int32_t out, int32_t norm, bool instant);
void hk_block_dense(hk_layers *l, int number, int32_t out, bool bias, int32_t norm);
void hk_block_pool(hk_layers *l, int number, int32_t pooling);
void hk_block_dropout(hk_layers *l, int number, float p);        /* nothing when p is 0 */
/* The layer `head`, a vector of class scores, and the readout that sums them over time. */
void hk_block_head(hk_layers *l, int32_t classes, bool bias);
/* The same with their mean over time. */
void hk_block_mean_head(hk_layers *l, int32_t classes);
/* A head without bias whose scores are the spikes of output neurons (or, without, their input). */
void hk_block_score(hk_layers *l, int32_t classes, bool spiking);
/* ---- residual networks: layers named by block, which others read by name ---------------------- */

typedef struct hk_trunk {
    hk_layers *l;
    char       last[32];                 /* the layer that the next one reads by default        */
    float      dropout;                  /* probability in hk_trunk_drop                         */
    int32_t    running_steps;            /* of hk_trunk_norm                                     */
    const char *init;                    /* first weights, where the builder says so; else NULL  */
} hk_trunk;

/* Appends a layer called WHAT or, in a block, b12.WHAT (stage 1, block 2). from NULL: t->last. */
void hk_trunk_put(hk_trunk *t, int block, const char *type, const char *what, const char *from0,
                  const char *from1, const char *keys);
void hk_trunk_norm(hk_trunk *t, int block, const char *what);
/* Nothing when t->dropout is 0. */
void hk_trunk_drop(hk_trunk *t, int block, const char *what);
void hk_trunk_name(char out[32], const char *name);              /* a copy of a name            */

/* A layer without keys. */
void hk_block_plain(hk_layers *l, const char *type, const char *name);

#endif
