/* From a loader's batch to what the net takes: the encoder's frames, step by step.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_FEED_H
#define HK_FEED_H

#include "data/loader.h"
#include "recipe/recipe.h"

typedef struct hk_feed {
    const hk_encoder_ops *encoder;
    const void           *cfg;
    int32_t               T;
    hk_encode_in          in;            /* in.batch: samples of the batch at hand                */
    uint64_t              seed;
    void                 *buffer;        /* one step: [batch*h*w] rows of the encoder's kind      */
    size_t                bytes, sample_bytes;
    int32_t              *length;        /* [batch] steps of the samples at hand, or NULL         */
    hk_batch              batch;         /* what hk_feed_put lends                                */
} hk_feed;

/* Bytes that hk_feed_open takes for a shaped recipe: one step of a batch. */
size_t hk_feed_bytes(const hk_recipe *r);

/* r is shaped. ragged: samples have lengths of their own; the net then sees as many steps of each, T
 * at most, and T may be beyond the longest.
 * E_SHAPE: encoder and time axis do not go together; E_NOMEM. On failure *f is all zero. */
hk_status hk_feed_open(hk_feed *f, const hk_recipe *r, bool ragged, hk_error *e);
void      hk_feed_close(hk_feed *f);

/* The batch for hk_net_learn or hk_net_infer, lent until the next call; l must live as long.
 * Samples from l->n on are zero. stream: which random numbers the encoder draws. */
const hk_batch *hk_feed_put(hk_feed *f, const hk_loaded *l, uint64_t stream);

#endif
