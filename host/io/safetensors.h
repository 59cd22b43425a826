/* safetensors files: named tensors plus a map of strings.
 *
 * Eight bytes N (unsigned, little-endian), N <= 100000000; N bytes of JSON that begin with '{' and
 * may end in spaces; then the data block. Each key of the JSON object names a tensor:
 *
 *   "layers.3.weight": { "dtype": "F32", "shape": [10, 20], "data_offsets": [begin, end] }
 *
 * with offsets relative to the data block; the key "__metadata__" maps strings to strings.
 * Row-major, little-endian. Checked: no repeated key, end - begin = product of shape times width,
 * and tensors that cover the block exactly, without holes or overlap. Rank 0 and empty tensors are
 * legal. Written: tensors by descending element width, then by name, the header filled with spaces
 * to a multiple of 8, so every tensor is aligned to its element width.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_IO_SAFETENSORS_H
#define HK_IO_SAFETENSORS_H

#include "array.h"

/* The string map; {0} is the empty map, in which keys keep the order in which they were set. */
typedef struct hk_meta_pair {
    char *key, *value;           /* owned */
} hk_meta_pair;

typedef struct hk_meta {
    hk_meta_pair *at;
    int           n;
} hk_meta;

/* The value of key, borrowed until the map changes; NULL when absent. m may be NULL. */
const char *hk_meta_get(const hk_meta *m, const char *key);
/* Adds or replaces; key and value (UTF-8) are copied. E_NOMEM leaves the map as it was. */
hk_status   hk_meta_set(hk_meta *m, const char *key, const char *value, hk_error *err);
void        hk_meta_clear(hk_meta *m);

/* Reads all tensors, in the order of the data block, and the string map. limit bounds the size of
 * the file (0: no bound but the address space). out and meta (which may be NULL) are overwritten on
 * success only and then owned by the caller. E_IO; E_FORMAT: the message names file, tensor,
 * expected and found; E_UNSUP: element types below one byte and 8-bit floats, rank above
 * HK_ARRAY_RANK; E_NOMEM. */
hk_status hk_safetensors_read(const char *path, size_t limit, hk_arrays *out, hk_meta *meta,
                              hk_error *err);
/* The same from n bytes in memory; name stands for the file in messages. */
hk_status hk_safetensors_parse(const void *data, size_t n, const char *name, hk_arrays *out,
                               hk_meta *meta, hk_error *err);

/* Replaces path atomically; meta may be NULL. E_ARG: a tensor named "__metadata__", a name, key or
 * value that is not UTF-8, a header above N's limit; E_IO; E_NOMEM. */
hk_status hk_safetensors_write(const char *path, const hk_arrays *list, const hk_meta *meta,
                               hk_error *err);

#endif
