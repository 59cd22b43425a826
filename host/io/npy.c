/* Reading and writing of .npy streams; format and refusals are listed in npz.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "npy.h"

#include "../base/alloc.h"
#include "file.h"
#include "npz.h"
#include "words.h"

#include <string.h>

enum { HEAD_LIMIT = 65536 };     /* NumPy itself writes at most a few hundred bytes */

static hk_status read_exactly(hk_npy_source *s, void *out, size_t n, size_t at, const char *what,
                              hk_error *err)
{
    size_t got = 0;
    HK_TRY(s->read(s->self, out, n, &got, err));
    HK_CHECK(err, got == n, HK_E_FORMAT, "%s: truncated: ends at byte %zu, expected %zu bytes of "
             "%s from byte %zu", s->where, at + got, n, what, at);
    return HK_OK;
}

/* Magic, version and header; *at is then the offset of the data. */
static hk_status load_head(hk_npy_source *s, hk_npy_head *h, size_t *at, hk_error *err)
{
    unsigned char p[12] = { 0 };
    HK_TRY(read_exactly(s, p, 10, 0, "magic and version", err));
    HK_CHECK(err, memcmp(p, "\x93NUMPY", 6) == 0, HK_E_FORMAT,
             "%s: does not begin with the .npy magic", s->where);
    HK_CHECK(err, p[6] >= 1 && p[6] <= 3 && p[7] == 0, HK_E_FORMAT,
             "%s: .npy version %u.%u, expected 1.0, 2.0 or 3.0", s->where, (unsigned)p[6],
             (unsigned)p[7]);
    size_t base = 10, n = (size_t)p[8] | (size_t)p[9] << 8;
    if (p[6] > 1) {
        HK_TRY(read_exactly(s, p + 10, 2, 10, "header length", err));
        n |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
        base = 12;
    }
    HK_CHECK(err, n <= HEAD_LIMIT, HK_E_FORMAT,
             "%s: header of %zu bytes, expected at most %d", s->where, n, HEAD_LIMIT);
    char *text = hk_alloc(n);
    HK_CHECK(err, text, HK_E_NOMEM, "%s: no memory for %zu bytes", s->where, n);
    hk_status status = read_exactly(s, text, n, base, "header", err);
    if (status == HK_OK) status = hk_npy_head_parse(text, n, base, s->where, h, err);
    hk_free(text);
    *at = base + n;
    return status;
}

/* Turns column-major data of a into row-major. Element [i0][i1]... stands at i0 + d0 (i1 + d1 ...)
 * before and at ((i0 d1) + i1) d2 ... after. The last axis runs fastest in the target. */
static hk_status turn_axes(hk_array *a, hk_error *err)
{
    size_t count = hk_array_count(a), width = hk_dtype_width(a->dtype);
    size_t stride[HK_ARRAY_RANK], from = 0;
    int64_t i[HK_ARRAY_RANK] = { 0 };
    if (a->rank < 2 || count == 0) return HK_OK;
    stride[0] = 1;
    for (int k = 1; k < a->rank; k++) stride[k] = stride[k - 1] * (size_t)a->dim[k - 1];
    char *out = hk_alloc(a->bytes);
    HK_CHECK(err, out, HK_E_NOMEM, "array '%s': no memory for %zu bytes", a->name, a->bytes);
    for (size_t to = 0; to < count; to++) {
        memcpy(out + to * width, (const char *)a->data + from * width, width);
        for (int k = a->rank - 1; k >= 0; k--) {
            from += stride[k];
            if (++i[k] < a->dim[k]) break;
            from -= stride[k] * (size_t)a->dim[k];
            i[k] = 0;
        }
    }
    hk_free(a->data);
    a->data = out;
    return HK_OK;
}

hk_status hk_npy_load(hk_npy_source *s, const char *name, size_t limit, hk_arrays *list,
                      hk_error *err)
{
    hk_npy_head h;
    size_t at, got;
    char more;
    HK_TRY(load_head(s, &h, &at, err));
    HK_CHECK(err, s->size >= at && s->size - at == h.bytes, HK_E_FORMAT,
             "%s: %s: the shape asks for %zu bytes of data, %zu are there", s->where,
             s->size >= at && s->size - at > h.bytes ? "bytes left over" : "truncated", h.bytes,
             s->size >= at ? s->size - at : (size_t)0);
    HK_CHECK(err, h.bytes <= limit, HK_E_FORMAT, "%s: %zu bytes of data, the limit leaves %zu",
             s->where, h.bytes, limit);
    HK_TRY(hk_arrays_add(list, name, h.dtype, h.rank, h.dim, NULL, err));
    hk_array *a = &list->at[list->n - 1];
    HK_TRY(read_exactly(s, a->data, h.bytes, at, "data", err));
    /* Reaching the end also makes an archive check its sum. */
    HK_TRY(s->read(s->self, &more, 1, &got, err));
    HK_CHECK(err, got == 0, HK_E_FORMAT, "%s: bytes left over after %zu bytes of data", s->where,
             h.bytes);
    return h.fortran ? turn_axes(a, err) : HK_OK;
}

/* ---- a .npy of its own ---------------------------------------------------------------------- */

typedef struct block { const char *p; size_t left; } block;

static hk_status block_read(void *self, void *out, size_t n, size_t *got, hk_error *err)
{
    block *b = self;
    (void)err;
    *got = n < b->left ? n : b->left;
    if (*got) memcpy(out, b->p, *got);
    b->p += *got;
    b->left -= *got;
    return HK_OK;
}

/* The last part of a path without ".npy", at most cap - 1 bytes. */
static void base_name(const char *path, char *out, size_t cap)
{
    const char *slash = strrchr(path, '/'), *s = slash ? slash + 1 : path;
    size_t n = strlen(s);
    if (n >= 4 && strcmp(s + n - 4, ".npy") == 0) n -= 4;
    if (n > cap - 1) n = cap - 1;
    memcpy(out, s, n);
    out[n] = 0;
}

hk_status hk_npy_parse(const void *data, size_t n, const char *name, size_t limit, hk_array *out,
                       hk_error *err)
{
    char base[256], where[320];
    block b = { data, n };
    hk_npy_source src = { block_read, &b, where, n };
    hk_arrays list = { 0 };
    hk_printable(where, sizeof where, name, strlen(name));
    base_name(name, base, sizeof base);
    if (limit == 0 || limit > HK_FILE_MAX) limit = HK_FILE_MAX;
    hk_status status = hk_npy_load(&src, base, limit, &list, err);
    if (status != HK_OK) {
        hk_arrays_clear(&list);
        return status;
    }
    *out = list.at[0];
    hk_free(list.at);
    return HK_OK;
}

hk_status hk_npy_read(const char *path, size_t limit, hk_array *out, hk_error *err)
{
    void *data;
    size_t n;
    if (limit == 0 || limit > HK_FILE_MAX / 2) limit = HK_FILE_MAX / 2;
    HK_TRY(hk_file_read(path, limit + HEAD_LIMIT + 12, &data, &n, err));
    hk_status status = hk_npy_parse(data, n, path, limit, out, err);
    hk_free(data);
    return status;
}

hk_status hk_npy_write(const char *path, const hk_array *a, hk_error *err)
{
    char head[HK_NPY_HEAD];
    size_t n;
    hk_writer w;
    HK_TRY(hk_npy_head_print(a, head, &n, err));
    hk_status status = hk_writer_open(&w, path, err);
    if (status == HK_OK) status = hk_writer_put(&w, head, n, err);
    if (status == HK_OK) status = hk_writer_put(&w, a->data, a->bytes, err);
    if (status == HK_OK) return hk_writer_commit(&w, err);
    hk_writer_abort(&w);
    return status;
}
