/* Arrays from NumPy. In the folder root the file [<any>_]<split>.npz or [<any>_]<split>_data.npz
 * with the arrays x (or data) and label (or y, labels); or root is itself a .npz that holds both
 * splits as x_train, y_train, x_test, y_test.
 *
 *   x [N,F]         vectors            -> 1 x 1 x F
 *   x [N,T,F]       with time          -> T steps of 1 x 1 x F
 *   x [N,C,H,W]     maps               -> H x W x C
 *   x [N,T,C,H,W]   maps with time     -> T steps of H x W x C
 *   label [N]       whole numbers from 0
 *
 * Unsigned bytes stay bytes and come out as 0..1; every other type comes out as the number it is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host/io/npz.h"

#include "host/base/alloc.h"
#include "host/data/store.h"
#include "host/io/file.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

typedef struct npz_cfg { int32_t classes; bool zero_nan; } npz_cfg;

static const hk_field npz_fields[] = {
    HK_ROW_INT(npz_cfg, classes, 0, 0, 1 << 24, "1",
               "number of classes, 0 for the highest label of the split plus 1"),
    HK_ROW_BOOL(npz_cfg, zero_nan, 0, "NaN, the padding of short series, becomes 0 (else refused)"),
};

typedef struct npz_job {
    hk_dataset     *d;
    const npz_cfg  *cfg;
    char           *path;
    hk_arrays       list;
    const hk_array *x, *label;
} npz_job;

static hk_status npz_find_file(npz_job *j, const hk_dataset_cfg *cfg, hk_error *e)
{
    static const char *const ends[] = { ".npz", "_data.npz" };
    struct stat s;
    if (stat(cfg->root, &s) == 0 && !S_ISDIR(s.st_mode)) {
        j->path = hk_strdup(cfg->root);
        HK_CHECK(e, j->path, HK_E_NOMEM, "%s: no memory for a path", cfg->root);
        return HK_OK;
    }
    HK_TRY(hk_find_split(cfg->root, cfg->split, ends, HK_COUNT(ends), &j->path, e));
    HK_CHECK(e, j->path, HK_E_IO, "%s: holds no file *%s.npz or *%s_data.npz", cfg->root,
             cfg->split, cfg->split);
    return HK_OK;
}

static const hk_array *array_any(const hk_arrays *list, const char *const *names, int n)
{
    for (int k = 0; k < n; k++) {
        const hk_array *a = hk_arrays_find(list, names[k]);
        if (a) return a;
    }
    return NULL;
}

static hk_status npz_find_arrays(npz_job *j, const char *split, hk_error *e)
{
    bool train = strcmp(split, "train") == 0;
    const char *const x[] = { train ? "x_train" : "x_test", "x", "data" };
    const char *const y[] = { train ? "y_train" : "y_test", "label", "labels", "y" };
    j->x = array_any(&j->list, x, HK_COUNT(x));
    j->label = array_any(&j->list, y, HK_COUNT(y));
    HK_CHECK(e, j->x, HK_E_FORMAT, "%s: no array %s, x or data", j->path, x[0]);
    HK_CHECK(e, j->label, HK_E_FORMAT, "%s: no array %s, label, labels or y", j->path, y[0]);
    HK_CHECK(e, j->x->rank >= 2 && j->x->rank <= 5, HK_E_FORMAT,
             "%s: %s has %d dimensions, expected 2 to 5", j->path, j->x->name, j->x->rank);
    HK_CHECK(e, j->label->rank == 1 && j->label->dim[0] == j->x->dim[0], HK_E_FORMAT,
             "%s: %s has %d dimensions and %lld entries, expected 1 and %lld", j->path,
             j->label->name, j->label->rank, (long long)j->label->dim[0], (long long)j->x->dim[0]);
    return HK_OK;
}

/* Sizes of the samples by the number of dimensions. */
static hk_status npz_form(const npz_job *j, hk_store_form *f, hk_error *e)
{
    const int64_t *dim = j->x->dim;
    int r = j->x->rank, time = r == 3 || r == 5;
    for (int k = 1; k < r; k++)
        HK_CHECK(e, dim[k] >= 1 && dim[k] <= INT32_MAX, HK_E_FORMAT,
                 "%s: dimension %d of %s is %lld, expected 1 to 2147483647", j->path, k, j->x->name,
                 (long long)dim[k]);
    const int64_t *map = dim + 1 + time;
    *f = (hk_store_form){ .n = dim[0], .steps = time ? (int32_t)dim[1] : 0,
                          .unit = j->x->dtype == HK_DT_U8 ? 255.0f : 0.0f,
                          .shape = { .h = 1, .w = 1, .c = (int32_t)map[0] } };
    if (r >= 4) {
        f->shape.h = (int32_t)map[1];
        f->shape.w = (int32_t)map[2];
    }
    return HK_OK;
}

/* Channels first to channels last for `frames` maps of elements of `width` bytes. */
static void channels_last(const char *in, char *out, size_t frames, hk_shape s, size_t width)
{
    size_t hw = (size_t)s.h * (size_t)s.w, c_all = (size_t)s.c;
    for (size_t f = 0; f < frames; f++, in += hw * c_all * width, out += hw * c_all * width)
        for (size_t p = 0; p < hw; p++)
            for (size_t c = 0; c < c_all; c++)
                memcpy(out + (p * c_all + c) * width, in + (c * hw + p) * width, width);
}

static hk_status npz_floats(npz_job *j, size_t frames, hk_error *e)
{
    hk_store *s = j->d->self;
    size_t n = (size_t)j->d->n * s->per;
    float *v = hk_alloc(n * sizeof *v);
    HK_CHECK(e, v, HK_E_NOMEM, "%s: no memory for %zu values", j->path, n);
    hk_status st = hk_array_to_f32(j->x, v, n, e);
    for (size_t k = 0; k < n && st == HK_OK; k++) {
        if (isnan(v[k]) && j->cfg->zero_nan) v[k] = 0.0f;
        if (!isfinite(v[k]))
            st = hk_fail(e, HK_E_FORMAT, "%s: value %zu of %s is %g, expected a finite number",
                         j->path, k, j->x->name, (double)v[k]);
    }
    if (st == HK_OK)
        channels_last((const char *)v, (char *)s->f32, frames, j->d->shape, sizeof *v);
    hk_free(v);
    return st;
}

static hk_status npz_labels(npz_job *j, hk_error *e)
{
    hk_dataset *d = j->d;
    hk_store *s = d->self;
    HK_TRY(hk_array_to_i32(j->label, s->label, (size_t)d->n, e));
    d->n_class = j->cfg->classes;
    for (int64_t i = 0; i < d->n && !j->cfg->classes; i++)
        if (s->label[i] >= d->n_class && s->label[i] < 1 << 24) d->n_class = s->label[i] + 1;
    for (int64_t i = 0; i < d->n; i++) HK_TRY(hk_store_label(d, i, s->label[i], j->path, e));
    return HK_OK;
}

static hk_status npz_read(npz_job *j, const hk_dataset_cfg *cfg, hk_error *e)
{
    hk_store_form form;
    HK_TRY(npz_find_file(j, cfg, e));
    HK_TRY(hk_npz_read(j->path, 0, &j->list, e));
    HK_TRY(npz_find_arrays(j, cfg->split, e));
    HK_TRY(npz_form(j, &form, e));
    HK_TRY(hk_store_new(j->d, &form, j->path, e));
    hk_store *s = j->d->self;
    size_t frames = (size_t)form.n * (size_t)(form.steps > 0 ? form.steps : 1);
    if (s->u8) channels_last(j->x->data, (char *)s->u8, frames, form.shape, 1);
    else HK_TRY(npz_floats(j, frames, e));
    return npz_labels(j, e);
}

static hk_status npz_open(hk_dataset *d, const hk_dataset_cfg *cfg, hk_error *e)
{
    npz_job j = { .d = d, .cfg = cfg->member };
    hk_status st = npz_read(&j, cfg, e);
    hk_arrays_clear(&j.list);
    hk_free(j.path);
    if (st != HK_OK) hk_store_close(d);
    return st;
}

const hk_dataset_ops hk_dataset_npz = {
    .info = { "npz", "NumPy arrays: vectors, maps and series with their labels",
              "NumPy Enhancement Proposal 1, a simple file format for NumPy arrays",
              sizeof(npz_cfg), npz_fields, HK_COUNT(npz_fields) },
    .needs_root = true, .open = npz_open, .get = hk_store_get, .close = hk_store_close,
};
