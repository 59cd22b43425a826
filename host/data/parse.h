/* Formats that need no library, parsed from memory, so that the fuzzers reach them. Private to this
 * folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_DATA_PARSE_H
#define HK_DATA_PARSE_H

#include "host/data/store.h"

/* IDX, all numbers big-endian: magic 00 00 08 (unsigned bytes) and the number of dimensions, one
 * 32-bit size per dimension, then the bytes, last dimension fastest. images has 3 dimensions
 * [n][h][w], labels 1. d->n_class must be set. Makes the store of d; nothing is left on failure.
 * E_FORMAT: magic, sizes against the length of the file, unequal counts, label out of range. */
hk_status hk_idx_parse(hk_dataset *d, const hk_bytes *images, const hk_bytes *labels, hk_error *e);

/* CIFAR binaries: records of n_label bytes and 1024 red, 1024 green and 1024 blue values of a
 * 32 x 32 map; byte `use` is the class. Files hold any number of whole records, at least one.
 * Otherwise as above. */
typedef struct hk_cifar_form { int n_label, use; } hk_cifar_form;
hk_status hk_cifar_parse(hk_dataset *d, const hk_bytes *file, int n_file, hk_cifar_form form,
                         hk_error *e);

/* Time series of the UEA and UCR archives (.ts). Text: comment lines begin with #; a header of lines
 * `@directive value`, in any case and order, ends with @data; then one case a line,
 *
 *   v,v,...,v : v,v,...,v : ... : CLASS         one list per channel, all of one length
 *
 * Classes are numbered in the order of @classLabel. @equalLength true, @seriesLength, @dimensions and
 * @univariate are held to what the cases have. `?` and NaN are missing values, refused where @missing
 * is false, else filled as said. Makes the store of d, with lengths where they differ, and sets
 * n_class and class_name. E_FORMAT names file and line; E_UNSUP: time stamps, no classes. */
typedef enum hk_ts_missing { HK_TS_HOLD, HK_TS_ZERO, HK_TS_REFUSE } hk_ts_missing;
hk_status hk_ts_parse(hk_dataset *d, const hk_bytes *file, hk_ts_missing missing, hk_error *e);

#endif
