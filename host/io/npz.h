/* NumPy files.
 *
 * .npy: the bytes 93 'N' 'U' 'M' 'P' 'Y', version major and minor, header length (16 bits in
 * version 1, 32 bits in versions 2 and 3, little-endian), then a Python dictionary literal with the
 * keys descr, fortran_order and shape, filled with spaces and closed by a newline so that the data
 * begin on a multiple of 64; then the data and nothing else.
 * .npz: a zip file with one member "<array name>.npy" per array.
 *
 * Read: versions 1 to 3, byte order '<' or '|', both axis orders (column-major data are turned
 * round), members stored or deflated. Refused with a message: object arrays, strings, complex and
 * structured types, big-endian data, members that are not .npy, repeated names, trailing bytes,
 * any size that the file cannot hold. Written: version 1, row-major, members stored, no time
 * stamps, so equal arrays give equal files. BF16 has no NumPy type and is refused by the writers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_IO_NPZ_H
#define HK_IO_NPZ_H

#include "array.h"

/* Reads all arrays of a .npz, in the order of the file. limit bounds the bytes of all arrays
 * together (0: no bound but the address space). out is overwritten on success only and then owned
 * by the caller (hk_arrays_clear). E_IO, E_FORMAT, E_UNSUP, E_NOMEM; messages name file, member,
 * what was expected and what was found. */
hk_status hk_npz_read(const char *path, size_t limit, hk_arrays *out, hk_error *err);
/* The same from n bytes in memory; name stands for the file in messages. */
hk_status hk_npz_parse(const void *data, size_t n, const char *name, size_t limit, hk_arrays *out,
                       hk_error *err);

/* Reads one .npy; the array's name is the last part of the path without ".npy". out is overwritten
 * on success only (hk_array_clear). Errors as above. */
hk_status hk_npy_read(const char *path, size_t limit, hk_array *out, hk_error *err);
hk_status hk_npy_parse(const void *data, size_t n, const char *name, size_t limit, hk_array *out,
                       hk_error *err);

/* Replace path atomically. E_ARG: an empty name; E_UNSUP: BF16; E_IO; E_NOMEM. */
hk_status hk_npz_write(const char *path, const hk_arrays *list, hk_error *err);
hk_status hk_npy_write(const char *path, const hk_array *a, hk_error *err);

#endif
