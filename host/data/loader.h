/* Batches from a data set: validation split, order, augmentation, read-ahead.
 *
 * What batch b of epoch e holds is a function of the data set and the configuration alone, so a run
 * that was interrupted seeks to its position and sees the same bits. One thread reads ahead into
 * the second of two buffers; it allocates nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_LOADER_H
#define HK_LOADER_H

#include "host/data/augment.h"
#include "host/data/data.h"

/* VAL is held out of the data set that is opened (the training split); TRAIN is the rest. */
typedef enum hk_part { HK_PART_TRAIN, HK_PART_VAL, HK_PART_ALL } hk_part;

typedef struct hk_loader_cfg {
    int32_t        batch;        /* samples per batch, >= 1                                       */
    uint64_t       seed;         /* order and augmentation                                        */
    uint64_t       split_seed;   /* which samples are held out; may stay fixed while seed varies  */
    double         val_fraction; /* 0 .. 1 (exclusive) of the samples, rounded to nearest         */
    hk_part        part;
    bool           stratify;     /* round per class instead of over all                           */
    bool           shuffle;      /* new order in each epoch; otherwise the order of the data set  */
    bool           drop_last;    /* leave out a last batch that is not full                       */
    bool           train;        /* random augmentation; otherwise only normalisation             */
    hk_augment_cfg augment;      /* all zero: nothing                                             */
} hk_loader_cfg;

/* One batch. Pointers are the loader's until the next call of next, seek or close. */
typedef struct hk_loaded {
    const float   *x;            /* [n][h][w][c]; with a time axis [steps][n][h][w][c]            */
    const int32_t *label;        /* [n]                                                           */
    const int32_t *length;       /* [n] steps that each sample has; NULL: all of them             */
    int32_t        steps;        /* of x, the longest of the data set; 0: static                  */
    const int64_t *index;        /* [n] numbers of the samples in the data set                    */
    int64_t        n;            /* samples, at most `batch`; 0: the epoch has ended              */
    int64_t        epoch, at;    /* position of this batch, or of the end                         */
} hk_loaded;

typedef struct hk_loader hk_loader;

/* Opens at epoch 0, batch 0. The data set is borrowed until close; cfg is copied. On failure *l is
 * NULL. Several loaders may share a data set.
 * E_ARG    cfg out of range, or a part with no batch
 * E_SHAPE  augmentation does not fit the samples
 * E_NOMEM  buffers (2 * batch samples) or the thread */
hk_status hk_loader_open(hk_loader **l, const hk_dataset *d, const hk_loader_cfg *cfg,
                         hk_error *e);

/* Samples of the part, and batches of an epoch. */
int64_t hk_loader_samples(const hk_loader *l);
int64_t hk_loader_batches(const hk_loader *l);

/* The next call of next gives this batch. batch == hk_loader_batches gives the end of the epoch.
 * E_ARG outside. Needed only to resume: epochs follow one another by themselves. */
hk_status hk_loader_seek(hk_loader *l, int64_t epoch, int64_t batch, hk_error *e);

/* Waits for the batch and lends it. After the last one comes n == 0 once, then the next epoch. An
 * error of the reading thread comes out here, again at each call until a seek. */
hk_status hk_loader_next(hk_loader *l, hk_loaded *out, hk_error *e);

/* NULL is allowed. */
void hk_loader_close(hk_loader *l);

#endif
