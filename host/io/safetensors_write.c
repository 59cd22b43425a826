/* Writing of safetensors, the JSON part done by Jansson; the format stands in safetensors.h.
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

enum { HEADER_MAX = 100000000, FLAGS = JSON_COMPACT };

static int array_order(const void *a, const void *b)
{
    const hk_array *x = *(const hk_array *const *)a, *y = *(const hk_array *const *)b;
    size_t wx = hk_dtype_width(x->dtype), wy = hk_dtype_width(y->dtype);
    if (wx != wy) return wx > wy ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* {"dtype": ..., "shape": ..., "data_offsets": ...}; NULL when memory is exhausted. */
static json_t *entry_new(const hk_array *a, size_t begin)
{
    json_t *shape = json_array();
    bool ok = shape;
    for (int i = 0; ok && i < a->rank; i++)
        ok = json_array_append_new(shape, json_integer(a->dim[i])) == 0;
    if (!ok) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", hk_dtype_name(a->dtype), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)(begin + a->bytes));
}

static hk_status meta_put(const char *path, const hk_meta *meta, json_t *root, hk_error *err)
{
    char shown[96];
    if (!meta || meta->n == 0) return HK_OK;
    json_t *map = json_object();
    HK_CHECK(err, map && json_object_set_new(root, "__metadata__", map) == 0, HK_E_NOMEM,
             "%s: no memory for the metadata", path);
    for (int i = 0; i < meta->n; i++) {
        const hk_meta_pair *p = &meta->at[i];
        /* Jansson refuses text that is not UTF-8 and says no more than that it failed. */
        HK_CHECK(err, json_object_set_new(map, p->key, json_string(p->value)) == 0, HK_E_ARG,
                 "%s: metadata key '%s' or its value is not UTF-8", path,
                 hk_printable(shown, sizeof shown, p->key, strlen(p->key)));
    }
    return HK_OK;
}

static hk_status entries_put(const char *path, const hk_array *const *sorted, int n, json_t *root,
                             hk_error *err)
{
    size_t at = 0;
    char shown[96];
    for (int i = 0; i < n; i++) {
        const hk_array *a = sorted[i];
        hk_printable(shown, sizeof shown, a->name, strlen(a->name));
        HK_CHECK(err, strcmp(a->name, "__metadata__") != 0, HK_E_ARG,
                 "%s: the name '%s' is reserved", path, shown);
        HK_CHECK(err, !json_object_get(root, a->name), HK_E_ARG,
                 "%s: tensor '%s' appears twice", path, shown);
        json_t *entry = entry_new(a, at);
        HK_CHECK(err, entry, HK_E_NOMEM, "%s: no memory for tensor '%s'", path, shown);
        HK_CHECK(err, json_object_set_new(root, a->name, entry) == 0, HK_E_ARG,
                 "%s: tensor name '%s' is not UTF-8", path, shown);
        at += a->bytes;
    }
    return HK_OK;
}

/* The eight length bytes and the padded JSON text; *out is on the heap. */
static hk_status header_print(const char *path, const json_t *root, char **out, size_t *n,
                              hk_error *err)
{
    size_t text = json_dumpb(root, NULL, 0, FLAGS), whole = (text + 7) / 8 * 8;
    HK_CHECK(err, text > 0, HK_E_NOMEM, "%s: no memory for the header", path);
    HK_CHECK(err, whole <= HEADER_MAX, HK_E_ARG, "%s: header of %zu bytes, expected at most %d",
             path, whole, HEADER_MAX);
    char *p = hk_alloc(8 + whole);
    HK_CHECK(err, p, HK_E_NOMEM, "%s: no memory for the header of %zu bytes", path, whole);
    for (int i = 0; i < 8; i++) p[i] = (char)((uint64_t)whole >> 8 * i & 255);
    if (json_dumpb(root, p + 8, text, FLAGS) != text) {
        hk_free(p);
        return hk_fail(err, HK_E_NOMEM, "%s: no memory for the header", path);
    }
    memset(p + 8 + text, ' ', whole - text);
    *out = p;
    *n = 8 + whole;
    return HK_OK;
}

static hk_status file_put(const char *path, const char *header, size_t header_n,
                          const hk_array *const *sorted, int n, hk_error *err)
{
    hk_writer w;
    hk_status status = hk_writer_open(&w, path, err);
    if (status == HK_OK) status = hk_writer_put(&w, header, header_n, err);
    for (int i = 0; status == HK_OK && i < n; i++)
        status = hk_writer_put(&w, sorted[i]->data, sorted[i]->bytes, err);
    if (status == HK_OK) return hk_writer_commit(&w, err);
    hk_writer_abort(&w);
    return status;
}

hk_status hk_safetensors_write(const char *path, const hk_arrays *list, const hk_meta *meta,
                               hk_error *err)
{
    char *header = NULL;
    size_t header_n = 0;
    const hk_array **sorted = hk_alloc_zero((size_t)list->n, sizeof *sorted);
    json_t *root = sorted ? json_object() : NULL;
    hk_status status = HK_OK;
    if (!root) {
        status = hk_fail(err, HK_E_NOMEM, "%s: no memory for %d tensors", path, list->n);
    } else {
        for (int i = 0; i < list->n; i++) sorted[i] = &list->at[i];
        qsort(sorted, (size_t)list->n, sizeof *sorted, array_order);
        status = meta_put(path, meta, root, err);
    }
    if (status == HK_OK) status = entries_put(path, sorted, list->n, root, err);
    if (status == HK_OK) status = header_print(path, root, &header, &header_n, err);
    if (status == HK_OK) status = file_put(path, header, header_n, sorted, list->n, err);
    json_decref(root);
    hk_free(header);
    hk_free(sorted);
    return status;
}
