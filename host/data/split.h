/* Which samples belong to a part of a data set. Private to this folder.
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

#endif
