/* The .npy format of npz.h in pieces: for this folder, and for streams of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_IO_NPY_H
#define HK_IO_NPY_H

#include "array.h"

/* What the header says; bytes is the size of the data. */
typedef struct hk_npy_head {
    hk_dtype dtype;
    int      rank;
    bool     fortran;            /* first axis fastest */
    int64_t  dim[HK_ARRAY_RANK];
    size_t   bytes;
} hk_npy_head;

/* Parses the dictionary text[0..n), which stands at byte `base` of the file. `where` begins every
 * message. E_FORMAT: not such a dictionary; E_UNSUP: a type that is refused. */
hk_status hk_npy_head_parse(const char *text, size_t n, size_t base, const char *where,
                            hk_npy_head *out, hk_error *err);

/* Everything that stands before the data of a into out, its length, a multiple of 64, into *n.
 * E_UNSUP: the type has no NumPy name. */
#define HK_NPY_HEAD 512
hk_status hk_npy_head_print(const hk_array *a, char out[HK_NPY_HEAD], size_t *n, hk_error *err);

/* A stream of bytes: read fills out with up to n bytes and sets *got, which is below n only at the
 * end. size is the length of the whole stream. */
typedef struct hk_npy_source {
    hk_status (*read)(void *self, void *out, size_t n, size_t *got, hk_error *err);
    void       *self;
    const char *where;           /* begins every message */
    size_t      size;
} hk_npy_source;

/* Reads one .npy to its end and appends it to list as `name`; the data may take limit bytes. On
 * failure list may hold one array more, of undefined content. */
hk_status hk_npy_load(hk_npy_source *src, const char *name, size_t limit, hk_arrays *list,
                      hk_error *err);

#endif
