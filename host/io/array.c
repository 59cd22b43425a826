/* Lists of named arrays and reading their elements as one type.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "array.h"

#include "../base/alloc.h"
#include "words.h"

#include <math.h>
#include <string.h>

/* Files are little-endian and are copied to memory as they are. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "host/io needs a little-endian machine");

size_t hk_dtype_width(hk_dtype t)
{
    static const unsigned char width[] = {
#define X(id, w, descr) w,
        HK_DT_LIST(X)
#undef X
    };
    return (unsigned)t < HK_DT_COUNT ? width[t] : 0;
}

const char *hk_dtype_name(hk_dtype t)
{
    static const char *const name[] = {
#define X(id, w, descr) #id,
        HK_DT_LIST(X)
#undef X
    };
    return (unsigned)t < HK_DT_COUNT ? name[t] : "?";
}

size_t hk_array_count(const hk_array *a)
{
    size_t width = hk_dtype_width(a->dtype);
    return width ? a->bytes / width : 0;
}

hk_status hk_array_measure(const char *name, hk_dtype t, int rank, const int64_t *dims,
                           size_t *bytes, hk_error *err)
{
    size_t total = hk_dtype_width(t);
    bool empty = false;
    HK_CHECK(err, total, HK_E_FORMAT, "%s: unknown element type %d", name, (int)t);
    HK_CHECK(err, rank >= 0 && rank <= HK_ARRAY_RANK, HK_E_UNSUP,
             "%s: has %d dimensions, expected at most %d", name, rank, HK_ARRAY_RANK);
    for (int i = 0; i < rank; i++) {
        HK_CHECK(err, dims[i] >= 0, HK_E_FORMAT, "%s: dimension %d is %lld, expected 0 or more",
                 name, i, (long long)dims[i]);
        empty = empty || dims[i] == 0;
    }
    for (int i = 0; i < rank && !empty; i++) {
        HK_CHECK(err, (uint64_t)dims[i] <= SIZE_MAX / 4 / total, HK_E_FORMAT,
                 "%s: dimension %d is %lld, the product of all dimensions does not fit", name, i,
                 (long long)dims[i]);
        total *= (size_t)dims[i];
    }
    *bytes = empty ? 0 : total;
    return HK_OK;
}

hk_array *hk_arrays_find(const hk_arrays *list, const char *name)
{
    for (int i = 0; i < list->n; i++)
        if (strcmp(list->at[i].name, name) == 0) return &list->at[i];
    return NULL;
}

/* Room for one more: the capacity is the power of two at or above n, so it needs no member. */
static bool arrays_grow(hk_arrays *list)
{
    size_t n = (size_t)list->n;
    if (n & (n - 1)) return true;
    hk_array *at = hk_regrow(list->at, n * sizeof *at, (n ? 2 * n : 1) * sizeof *at);
    if (!at) return false;
    list->at = at;
    return true;
}

hk_status hk_arrays_add(hk_arrays *list, const char *name, hk_dtype t, int rank,
                        const int64_t *dims, const void *data, hk_error *err)
{
    char shown[96];
    hk_array a = { .dtype = t, .rank = rank };
    hk_printable(shown, sizeof shown, name, strlen(name));
    HK_TRY(hk_array_measure(shown, t, rank, dims, &a.bytes, err));
    HK_CHECK(err, !hk_arrays_find(list, name), HK_E_ARG, "array '%s' appears twice", shown);
    HK_CHECK(err, list->n < HK_ARRAYS_MAX, HK_E_ARG, "array '%s': a list holds at most %d arrays",
             shown, HK_ARRAYS_MAX);
    for (int i = 0; i < rank; i++) a.dim[i] = dims[i];
    a.name = hk_strdup(name);
    a.data = a.name ? hk_alloc(a.bytes) : NULL;
    if (!a.data || !arrays_grow(list)) {
        hk_array_clear(&a);
        return hk_fail(err, HK_E_NOMEM, "array '%s': no memory for %zu bytes", shown, a.bytes);
    }
    if (data) memcpy(a.data, data, a.bytes);
    else      memset(a.data, 0, a.bytes);
    list->at[list->n++] = a;
    return HK_OK;
}

void hk_arrays_drop(hk_arrays *list, const char *name)
{
    hk_array *a = hk_arrays_find(list, name);
    const size_t at = (size_t)(a - list->at);
    hk_array_clear(a);
    memmove(a, a + 1, ((size_t)list->n - at - 1) * sizeof *a);
    list->n--;
}

hk_status hk_array_expect(const hk_array *a, hk_dtype t, size_t n, const char *file, hk_error *err)
{
    HK_CHECK(err, a->dtype == t && a->rank == 1 && (size_t)a->dim[0] == n, HK_E_FORMAT,
             "%s: tensor '%s' is %s of %zu values, expected %s [%zu]", file, a->name,
             hk_dtype_name(a->dtype), hk_array_count(a), hk_dtype_name(t), n);
    return HK_OK;
}

void hk_array_clear(hk_array *a)
{
    hk_free(a->name);
    hk_free(a->data);
    *a = (hk_array){ 0 };
}

void hk_arrays_clear(hk_arrays *list)
{
    for (int i = 0; i < list->n; i++) hk_array_clear(&list->at[i]);
    hk_free(list->at);
    *list = (hk_arrays){ 0 };
}

/* ---- elements ------------------------------------------------------------------------------- */

static float float_from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static float float_from_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 31u, mantissa = h & 1023u;
    if (exponent == 31) return float_from_bits(sign | 0x7f800000u | mantissa << 13);
    if (exponent == 0) {                                  /* zero and subnormal: mantissa * 2^-24 */
        float small = (float)mantissa * 0x1p-24f;
        return sign ? -small : small;
    }
    return float_from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

/* One element, in whichever of the two forms loses nothing. */
typedef struct element {
    bool     whole, big;
    double   real;               /* !whole                       */
    int64_t  i;                  /* whole and not big            */
    uint64_t u;                  /* big: above INT64_MAX         */
} element;

/* Data are 64-byte aligned by hk_alloc, so each element is aligned to its type. */
static element element_at(const hk_array *a, size_t k)
{
    const void *p = a->data;
    switch (a->dtype) {
    case HK_DT_BOOL: return (element){ .whole = true, .i = ((const uint8_t *)p)[k] != 0 };
    case HK_DT_U8:   return (element){ .whole = true, .i = ((const uint8_t *)p)[k] };
    case HK_DT_I8:   return (element){ .whole = true, .i = ((const int8_t *)p)[k] };
    case HK_DT_I16:  return (element){ .whole = true, .i = ((const int16_t *)p)[k] };
    case HK_DT_U16:  return (element){ .whole = true, .i = ((const uint16_t *)p)[k] };
    case HK_DT_I32:  return (element){ .whole = true, .i = ((const int32_t *)p)[k] };
    case HK_DT_U32:  return (element){ .whole = true, .i = ((const uint32_t *)p)[k] };
    case HK_DT_I64:  return (element){ .whole = true, .i = ((const int64_t *)p)[k] };
    case HK_DT_U64: {
        uint64_t u = ((const uint64_t *)p)[k];
        if (u > INT64_MAX) return (element){ .whole = true, .big = true, .u = u };
        return (element){ .whole = true, .i = (int64_t)u };
    }
    case HK_DT_F16:  return (element){ .real = float_from_half(((const uint16_t *)p)[k]) };
    case HK_DT_BF16: return (element){ .real =
                         float_from_bits((uint32_t)((const uint16_t *)p)[k] << 16) };
    case HK_DT_F64:  return (element){ .real = ((const double *)p)[k] };
    default:         return (element){ .real = ((const float *)p)[k] };
    }
}

static hk_status count_check(const hk_array *a, size_t n, hk_error *err)
{
    char shown[96];
    HK_CHECK(err, n == hk_array_count(a), HK_E_SHAPE, "array '%s' has %zu elements, expected %zu",
             hk_printable(shown, sizeof shown, a->name ? a->name : "", 95), hk_array_count(a), n);
    return HK_OK;
}

static float element_f32(element e)
{
    if (!e.whole) return (float)e.real;
    return e.big ? (float)e.u : (float)e.i;
}

hk_status hk_array_to_f32(const hk_array *a, float *out, size_t n, hk_error *err)
{
    HK_TRY(count_check(a, n, err));
    if (a->dtype == HK_DT_F32) memcpy(out, a->data, n * sizeof *out);
    else for (size_t k = 0; k < n; k++) out[k] = element_f32(element_at(a, k));
    return HK_OK;
}

/* The element as an integer in [lo, hi]; the message names what stands in the way. */
static hk_status element_int(const hk_array *a, size_t k, int64_t lo, int64_t hi, int64_t *out,
                             hk_error *err)
{
    element e = element_at(a, k);
    char shown[96];
    double real = e.whole ? (e.big ? (double)e.u : (double)e.i) : e.real;
    /* -2^63 and 2^63 are exact as doubles, so this test makes the cast below defined. */
    if (!e.whole && real >= -0x1p63 && real < 0x1p63 && floor(real) == real) {
        e.whole = true;
        e.i = (int64_t)real;
    }
    HK_CHECK(err, e.whole && !e.big && e.i >= lo && e.i <= hi, HK_E_FORMAT,
             "array '%s': element %zu is %g, expected a whole number from %lld to %lld",
             hk_printable(shown, sizeof shown, a->name ? a->name : "", 95), k, real,
             (long long)lo, (long long)hi);
    *out = e.i;
    return HK_OK;
}

hk_status hk_array_to_i64(const hk_array *a, int64_t *out, size_t n, hk_error *err)
{
    HK_TRY(count_check(a, n, err));
    for (size_t k = 0; k < n; k++)
        HK_TRY(element_int(a, k, INT64_MIN, INT64_MAX, &out[k], err));
    return HK_OK;
}

hk_status hk_array_to_i32(const hk_array *a, int32_t *out, size_t n, hk_error *err)
{
    int64_t wide;
    HK_TRY(count_check(a, n, err));
    for (size_t k = 0; k < n; k++) {
        HK_TRY(element_int(a, k, INT32_MIN, INT32_MAX, &wide, err));
        out[k] = (int32_t)wide;
    }
    return HK_OK;
}
