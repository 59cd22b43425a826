/* Reading of safetensors, the JSON part done by Jansson; format and checks are listed in
 * safetensors.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "safetensors.h"

#include "../base/alloc.h"
#include "file.h"
#include "words.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 100000000, META_MAX = 16384 };

/* One tensor as the header describes it; key is borrowed from the JSON object. */
typedef struct slot {
    const char *key;
    hk_dtype    dtype;
    int         rank;
    int64_t     dim[HK_ARRAY_RANK];
    size_t      begin, end;
} slot;

typedef struct reader {
    char        file[160];       /* for messages            */
    const char *block;           /* the data block          */
    size_t      block_bytes;
    json_t     *root;
    slot       *slots;
    size_t      n_slots;
} reader;

/* "file: tensor 'name'" for messages. */
static const char *where_of(const reader *r, const char *key, char out[320])
{
    char shown[128];
    hk_printable(shown, sizeof shown, key, strlen(key));
    hk_format(out, 320, "%s: tensor '%s'", r->file, shown);
    return out;
}

static hk_status dtype_parse(const char *where, const json_t *v, hk_dtype *out, hk_error *err)
{
    char shown[32];
    const char *s = json_string_value(v);
    HK_CHECK(err, s, HK_E_FORMAT, "%s: dtype must be a string", where);
    for (int t = 0; t < HK_DT_COUNT; t++)
        if (strcmp(hk_dtype_name((hk_dtype)t), s) == 0) {
            *out = (hk_dtype)t;
            return HK_OK;
        }
    return hk_fail(err, HK_E_UNSUP, "%s: dtype '%s' is not supported; known are BOOL, U8 to U64, "
                   "I8 to I64, F16, BF16, F32 and F64", where,
                   hk_printable(shown, sizeof shown, s, strlen(s)));
}

/* Entry i of a JSON array as a whole number of 0 or more. */
static hk_status index_parse(const char *where, const char *what, const json_t *list, size_t i,
                             int64_t *out, hk_error *err)
{
    const json_t *v = json_array_get(list, i);
    HK_CHECK(err, json_is_integer(v) && json_integer_value(v) >= 0, HK_E_FORMAT,
             "%s: %s[%zu] must be a whole number of 0 or more", where, what, i);
    *out = json_integer_value(v);
    return HK_OK;
}

static hk_status slot_parse(const reader *r, const char *key, const json_t *v, slot *out,
                            hk_error *err)
{
    char where[320];
    size_t bytes;
    slot s = { .key = key };
    int64_t offset[2];
    where_of(r, key, where);
    const json_t *shape = json_object_get(v, "shape");
    const json_t *offsets = json_object_get(v, "data_offsets");
    HK_CHECK(err, json_object_size(v) == 3 && json_object_get(v, "dtype") && shape && offsets,
             HK_E_FORMAT, "%s: must be an object of dtype, shape and data_offsets, nothing else",
             where);
    HK_TRY(dtype_parse(where, json_object_get(v, "dtype"), &s.dtype, err));
    HK_CHECK(err, json_is_array(shape), HK_E_FORMAT, "%s: shape must be a list", where);
    HK_CHECK(err, json_array_size(shape) <= HK_ARRAY_RANK, HK_E_UNSUP,
             "%s: has %zu dimensions, expected at most %d", where, json_array_size(shape),
             HK_ARRAY_RANK);
    s.rank = (int)json_array_size(shape);
    for (int i = 0; i < s.rank; i++)
        HK_TRY(index_parse(where, "shape", shape, (size_t)i, &s.dim[i], err));
    HK_CHECK(err, json_is_array(offsets) && json_array_size(offsets) == 2, HK_E_FORMAT,
             "%s: data_offsets must be a list of two", where);
    for (size_t i = 0; i < 2; i++)
        HK_TRY(index_parse(where, "data_offsets", offsets, i, &offset[i], err));
    HK_CHECK(err, offset[0] <= offset[1] && (uint64_t)offset[1] <= r->block_bytes, HK_E_FORMAT,
             "%s: data_offsets [%lld, %lld] do not lie in order in a block of %zu bytes", where,
             (long long)offset[0], (long long)offset[1], r->block_bytes);
    s.begin = (size_t)offset[0];
    s.end = (size_t)offset[1];
    HK_TRY(hk_array_measure(where, s.dtype, s.rank, s.dim, &bytes, err));
    HK_CHECK(err, s.end - s.begin == bytes, HK_E_FORMAT,
             "%s: data_offsets span %zu bytes, the shape asks for %zu", where, s.end - s.begin,
             bytes);
    *out = s;
    return HK_OK;
}

static hk_status meta_parse(const reader *r, json_t *v, hk_meta *meta, hk_error *err)
{
    const char *key;
    json_t *value;
    char shown[96];
    HK_CHECK(err, json_is_object(v), HK_E_FORMAT, "%s: __metadata__ must be an object", r->file);
    HK_CHECK(err, json_object_size(v) <= META_MAX, HK_E_FORMAT,
             "%s: __metadata__ has %zu keys, expected at most %d", r->file, json_object_size(v),
             META_MAX);
    json_object_foreach(v, key, value) {
        HK_CHECK(err, json_is_string(value), HK_E_FORMAT,
                 "%s: __metadata__ key '%s' must have a string", r->file,
                 hk_printable(shown, sizeof shown, key, strlen(key)));
        HK_TRY(hk_meta_set(meta, key, json_string_value(value), err));
    }
    return HK_OK;
}

/* Lengths first, then the JSON text; r->root and r->block are set on success. */
static hk_status header_parse(reader *r, const unsigned char *p, size_t n, hk_error *err)
{
    uint64_t length = 0;
    json_error_t why;
    char cause[128];
    HK_CHECK(err, n >= 8, HK_E_FORMAT, "%s: truncated: %zu bytes, expected 8 of header length",
             r->file, n);
    for (int i = 7; i >= 0; i--) length = length << 8 | p[i];
    HK_CHECK(err, length <= HEADER_MAX, HK_E_FORMAT, "%s: header length %llu, expected at most %d",
             r->file, (unsigned long long)length, HEADER_MAX);
    HK_CHECK(err, length <= n - 8, HK_E_FORMAT,
             "%s: truncated: header of %llu bytes, %zu are there", r->file,
             (unsigned long long)length, n - 8);
    HK_CHECK(err, length >= 2 && p[8] == '{', HK_E_FORMAT,
             "%s: header at byte 8 must begin with '{'", r->file);
    r->root = json_loadb((const char *)p + 8, (size_t)length, JSON_REJECT_DUPLICATES, &why);
    HK_CHECK(err, r->root, json_error_code(&why) == json_error_out_of_memory ? HK_E_NOMEM
             : HK_E_FORMAT, "%s: header at byte %zu: %s", r->file, (size_t)8 + (size_t)why.position,
             hk_printable(cause, sizeof cause, why.text, strlen(why.text)));
    r->block = (const char *)p + 8 + (size_t)length;
    r->block_bytes = n - 8 - (size_t)length;
    return HK_OK;
}

/* By place; an empty tensor goes before the one that begins where it stands. */
static int slot_order(const void *a, const void *b)
{
    const slot *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return strcmp(x->key, y->key);
}

/* The sorted slots must follow one another from 0 to the end of the block. */
static hk_status slots_cover(const reader *r, hk_error *err)
{
    char where[320];
    size_t at = 0;
    for (size_t i = 0; i < r->n_slots; i++) {
        const slot *s = &r->slots[i];
        HK_CHECK(err, s->begin == at, HK_E_FORMAT, "%s: begins at %zu, expected %zu: %s",
                 where_of(r, s->key, where), s->begin, at,
                 s->begin > at ? "a hole in the data" : "it overlaps another tensor");
        at = s->end;
    }
    HK_CHECK(err, at == r->block_bytes, HK_E_FORMAT,
             "%s: tensors cover %zu bytes, the data block has %zu", r->file, at, r->block_bytes);
    return HK_OK;
}

static hk_status tensors_read(reader *r, hk_arrays *list, hk_meta *meta, hk_error *err)
{
    const char *key;
    json_t *v;
    size_t n = json_object_size(r->root);
    HK_CHECK(err, n <= HK_ARRAYS_MAX, HK_E_FORMAT, "%s: %zu tensors, expected at most %d", r->file,
             n, HK_ARRAYS_MAX);
    r->slots = hk_alloc_zero(n, sizeof *r->slots);
    HK_CHECK(err, r->slots, HK_E_NOMEM, "%s: no memory for %zu tensors", r->file, n);
    json_object_foreach(r->root, key, v) {
        if (strcmp(key, "__metadata__") == 0) HK_TRY(meta_parse(r, v, meta, err));
        else HK_TRY(slot_parse(r, key, v, &r->slots[r->n_slots++], err));
    }
    qsort(r->slots, r->n_slots, sizeof *r->slots, slot_order);
    HK_TRY(slots_cover(r, err));
    for (size_t i = 0; i < r->n_slots; i++) {
        const slot *s = &r->slots[i];
        HK_TRY(hk_arrays_add(list, s->key, s->dtype, s->rank, s->dim, r->block + s->begin, err));
    }
    return HK_OK;
}

hk_status hk_safetensors_parse(const void *data, size_t n, const char *name, hk_arrays *out,
                               hk_meta *meta, hk_error *err)
{
    reader r = { .block = NULL };
    hk_arrays list = { 0 };
    hk_meta map = { 0 };
    hk_printable(r.file, sizeof r.file, name, strlen(name));
    hk_status status = header_parse(&r, data, n, err);
    if (status == HK_OK) status = tensors_read(&r, &list, &map, err);
    hk_free(r.slots);
    json_decref(r.root);
    if (status != HK_OK) hk_arrays_clear(&list);
    else *out = list;
    if (status != HK_OK || !meta) hk_meta_clear(&map);
    else *meta = map;
    return status;
}

hk_status hk_safetensors_read(const char *path, size_t limit, hk_arrays *out, hk_meta *meta,
                              hk_error *err)
{
    void *data;
    size_t n;
    HK_TRY(hk_file_read(path, limit, &data, &n, err));
    hk_status status = hk_safetensors_parse(data, n, path, out, meta, err);
    hk_free(data);
    return status;
}
