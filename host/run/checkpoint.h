/* Checkpoints: a folder with everything that a run needs to go on to the same bits.
 *
 *   weights.safetensors    parameters and running statistics
 *   optimizer.safetensors  slotK.LAYER.weight ..., and grad.LAYER.weight ... while gradients of
 *                          several batches are being accumulated
 *   manifest.json          position, counters, sums of the epoch, best score, hash of the recipe,
 *                          digest of the tensors
 *
 * The folder is replaced as a whole (folder.h): killed at any instant, a complete one is found.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_CHECKPOINT_H
#define HK_CHECKPOINT_H

#include "engine.h"
#include "stats.h"

#define HK_CKPT_WEIGHTS "weights.safetensors"

/* Where a run stands. */
typedef struct hk_position {
    int64_t  epoch, batch;               /* trained next, from 0                                  */
    int64_t  best_epoch;                 /* from 1; 0: none yet                                   */
    double   best_accuracy, best_loss;   /* on the validation split                               */
    double   seconds;                    /* spent so far, over all sittings                       */
    int64_t  log_bytes;                  /* length of metrics.jsonl                               */
    int64_t  reports;                    /* health reports given                                  */
    uint64_t recipe;                     /* hk_session.recipe_hash                                */
    int64_t  seed;
    hk_stats epoch_sums, window;         /* of the epoch, and since the last line of the log      */
} hk_position;

hk_status hk_position_init(hk_position *p, const hk_net *net, hk_error *e);
void      hk_position_deinit(hk_position *p);

/* Replaces folder by the state of g at p. E_IO, and E_NUM (a weight is not
 * finite), leave the former checkpoint in place. */
hk_status hk_checkpoint_save(const char *folder, const hk_engine *g, const hk_position *p,
                             hk_error *e);

/* Reads folder into g and p, which must be initialised. E_IO: there is none; E_FORMAT: damaged, of
 * another version or another recipe; E_SHAPE. After a failure weights and p are undefined, but can
 * be closed. */
hk_status hk_checkpoint_load(const char *folder, hk_engine *g, hk_position *p, hk_error *e);

#endif
