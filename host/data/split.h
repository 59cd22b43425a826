/* Which samples belong to a part of a data set, and the normalisation that the training part gives.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_DATA_SPLIT_H
#define HK_DATA_SPLIT_H

#include "host/data/loader.h"

/* Streams of the random numbers of this folder; the low bits hold the epoch. */
#define HK_STREAM_ORDER   (UINT64_C(0xd1) << 56)
#define HK_STREAM_SPLIT   (UINT64_C(0xd2) << 56)
#define HK_STREAM_AUGMENT (UINT64_C(0xd3) << 56)

/* Lists the samples of cfg->part in the order of the data set: *list is owned by the caller
 * (hk_free), *n its length, possibly 0. A sample is held out when it comes first in a permutation
 * of all by split_seed; with stratify, first within its class. E_NOMEM, or an error of d. */
hk_status hk_split_list(const hk_dataset *d, const hk_loader_cfg *cfg, uint32_t **list, int64_t *n,
                        hk_error *e);

/* Mean and standard deviation of every channel over the training part of d (without the share that a
 * stratified split holds out), over all positions and the steps that each sample has; a channel that
 * does not vary has deviation 1. Sets n_mean, mean and std of out. E_SHAPE, E_NUM, or an error of d. */
hk_status hk_data_normalise(const hk_dataset *d, double val_fraction, hk_augment_cfg *out,
                            hk_error *e);

#endif
