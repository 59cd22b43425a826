/* Named arrays of numbers in memory: what the readers of .npz, .npy and .safetensors hand out and
 * what the writers take. Data are row-major (last axis fastest), little-endian, without gaps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_IO_ARRAY_H
#define HK_IO_ARRAY_H

#include "hillock_core.h"

/* X(id, bytes per element, NumPy descr or "" where NumPy has none); id is the safetensors name. */
#define HK_DT_LIST(X)                                                                              \
    X(F32,  4, "<f4")                                                                              \
    X(BOOL, 1, "|b1")                                                                              \
    X(U8,   1, "|u1")                                                                              \
    X(I8,   1, "|i1")                                                                              \
    X(I16,  2, "<i2")                                                                              \
    X(U16,  2, "<u2")                                                                              \
    X(F16,  2, "<f2")                                                                              \
    X(BF16, 2, "")                                                                                 \
    X(I32,  4, "<i4")                                                                              \
    X(U32,  4, "<u4")                                                                              \
    X(I64,  8, "<i8")                                                                              \
    X(U64,  8, "<u8")                                                                              \
    X(F64,  8, "<f8")

/* Type of one element: HK_DT_F32, HK_DT_BOOL and so on. Never written to disk as a number. */
typedef enum hk_dtype {
#define X(id, width, descr) HK_DT_##id,
    HK_DT_LIST(X)
#undef X
    HK_DT_COUNT
} hk_dtype;

#define HK_ARRAY_RANK 8          /* most dimensions of an array    */
#define HK_ARRAYS_MAX 16384      /* most arrays of one list        */

typedef struct hk_array {
    char    *name;               /* owned, unique in its list; "" is legal                    */
    hk_dtype dtype;
    int      rank;               /* 0 (a scalar, one element) .. HK_ARRAY_RANK                */
    int64_t  dim[HK_ARRAY_RANK]; /* each >= 0; entries from rank on are 0                     */
    void    *data;               /* owned, 64-byte aligned, never NULL in a valid array       */
    size_t   bytes;              /* product of dim times the element width                    */
} hk_array;

/* A list of arrays; {0} is the empty list. Elements move when the list grows. */
typedef struct hk_arrays {
    hk_array *at;
    int       n;
} hk_arrays;

/* Bytes per element (1, 2, 4 or 8), and the name "F32", "BOOL" ...; "?" outside the enum. */
size_t      hk_dtype_width(hk_dtype t);
const char *hk_dtype_name(hk_dtype t);

/* Elements of a; 1 for a scalar. */
size_t hk_array_count(const hk_array *a);

/* Bytes of rank dimensions of type t. E_FORMAT with a message that begins with name: unknown type,
 * rank above HK_ARRAY_RANK (E_UNSUP), negative dimension, or a product that does not fit. */
hk_status hk_array_measure(const char *name, hk_dtype t, int rank, const int64_t *dims,
                           size_t *bytes, hk_error *err);

/* The array of that name, borrowed until the list changes; NULL when there is none. */
hk_array *hk_arrays_find(const hk_arrays *list, const char *name);

/* Appends one array: name and data are copied; data NULL means zeros. dims has rank entries and may
 * be NULL for rank 0. The new array is list->at[list->n - 1]. On failure the list is unchanged.
 * E_ARG a name already present or too many arrays, E_NOMEM, and the errors of hk_array_measure. */
hk_status hk_arrays_add(hk_arrays *list, const char *name, hk_dtype t, int rank,
                        const int64_t *dims, const void *data, hk_error *err);

/* Takes the array of that name out of the list; there must be one. */
void hk_arrays_drop(hk_arrays *list, const char *name);

/* E_FORMAT, with file, tensor, what it is and what was expected, unless a is n values of type t in a row. */
hk_status hk_array_expect(const hk_array *a, hk_dtype t, size_t n, const char *file, hk_error *err);

/* Frees everything and leaves an empty list / array; a zeroed one is legal. */
void hk_arrays_clear(hk_arrays *list);
void hk_array_clear(hk_array *a);

/* Converts all n elements, in row-major order, to out[n]. n must be the array's count (E_SHAPE).
 * To float: rounded to nearest, never fails otherwise. To integers: a value that is not a whole
 * number or does not fit is E_FORMAT and the message names array, index and value; out is then
 * partly written. BOOL gives 0 or 1. */
hk_status hk_array_to_f32(const hk_array *a, float *out, size_t n, hk_error *err);
hk_status hk_array_to_i64(const hk_array *a, int64_t *out, size_t n, hk_error *err);
hk_status hk_array_to_i32(const hk_array *a, int32_t *out, size_t n, hk_error *err);

#endif
