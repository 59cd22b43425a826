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
    bool    bias, norm, spike;           /* behind the convolution: batch norm, spiking layer */
    bool    instant;                     /* its neurons start every step at rest              */
} hk_conv_form;

/* A builder's key `parallel`, and whether spiking layer `number`, from 1, is among that share: the
 * layers are spread evenly, the first one last (0.5: every second). */
#define HK_ROW_PARALLEL(cfg)                                                                       \
    HK_ROW_FLOAT(cfg, parallel, 0, 0, 1, "1",                                                      \
                 "share of the spiking layers that keep no state (recurrent: false)")
bool hk_block_parallel(int number, float share);

void hk_block_conv(hk_layers *l, int number, hk_conv_form f);
/* A 3 x 3 convolution that keeps the size. */
void hk_block_conv3(hk_layers *l, int number, int32_t out, bool norm, bool instant);
void hk_block_dense(hk_layers *l, int number, int32_t out, bool bias, bool norm);
void hk_block_pool(hk_layers *l, int number, int32_t pooling);
void hk_block_dropout(hk_layers *l, int number, float p);        /* nothing when p is 0 */
/* The layer `head`, a vector of class scores, and the readout that sums them over time. */
void hk_block_head(hk_layers *l, int32_t classes, bool bias);
/* The same with their mean over time. */
void hk_block_mean_head(hk_layers *l, int32_t classes);
/* A head without bias whose scores are the spikes of output neurons (or, without, their input). */
void hk_block_score(hk_layers *l, int32_t classes, bool spiking);
/* A layer without keys. */
void hk_block_plain(hk_layers *l, const char *type, const char *name);

#endif
