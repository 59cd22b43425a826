/* Arrays from NumPy. In the folder root the file [<any>_]<split>.npz or [<any>_]<split>_data.npz
 * with the arrays x (or data) and label (or y, labels); or root is itself a .npz that holds both
 * splits as x_train, y_train, x_test, y_test.
 *
 *   x [N,F]         vectors            -> 1 x 1 x F
 *   x [N,T,F]       with time          -> T steps of 1 x 1 x F     (axes: nct: x [N,F,T])
 *   x [N,C,H,W]     maps               -> H x W x C
 *   x [N,T,C,H,W]   maps with time     -> T steps of H x W x C
 *   label [N]       whole numbers from 0
 *   length [N]      optional: steps of each sample, whole numbers from 1 to T
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

typedef enum nan_use { REFUSE, ZERO, PADDING } nan_use;
typedef struct npz_cfg { int32_t classes, axes, nan; } npz_cfg;

static const hk_field npz_fields[] = {
    HK_ROW_INT(npz_cfg, classes, 0, 0, 1 << 24, "1",
               "number of classes, 0 for the highest label of the split plus 1"),
    HK_ROW_ENUM(npz_cfg, axes, 0, "ntc|nct", 2, "of x with three dimensions: time first, or channels"),
    HK_ROW_ENUM(npz_cfg, nan, REFUSE, "refuse|zero|padding", 3,
                "NaN: refused; 0; or last steps of NaN alone end their sample before them"),
};

typedef struct npz_job {
    hk_dataset     *d;
    const npz_cfg  *cfg;
    char           *path;
    hk_arrays       list;
    const hk_array *x, *label, *length;
    float          *value;               /* floats of the file, time first              */
    int32_t        *steps;               /* [N] or NULL                                 */
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
    const char *const len[] = { train ? "length_train" : "length_test", "length" };
    j->length = array_any(&j->list, len, HK_COUNT(len));
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
    const bool nct = r == 3 && j->cfg->axes == 1;
    const int64_t *map = nct ? dim + 1 : dim + 1 + time;
    *f = (hk_store_form){ .n = dim[0], .steps = time ? (int32_t)dim[nct ? 2 : 1] : 0,
                          .unit = j->x->dtype == HK_DT_U8 ? 255.0f : 0.0f,
                          .shape = { .h = 1, .w = 1, .c = (int32_t)map[0] } };
    if (r >= 4) {
        f->shape.h = (int32_t)map[1];
        f->shape.w = (int32_t)map[2];
    }
    return HK_OK;
}

/* [blocks][a][b] to [blocks][b][a], elements of `width` bytes. */
static void turn(const char *in, char *out, size_t blocks, size_t a, size_t b, size_t width)
{
    for (size_t f = 0; f < blocks; f++, in += a * b * width, out += a * b * width)
        for (size_t i = 0; i < a; i++)
            for (size_t k = 0; k < b; k++)
                memcpy(out + (k * a + i) * width, in + (i * b + k) * width, width);
}

/* Frames of the file to channels last with the time first, whatever the type. */
static void arrange(const npz_job *j, const hk_store_form *f, const void *in, void *out, size_t width)
{
    const size_t c = (size_t)f->shape.c, n = (size_t)f->n, T = f->steps > 0 ? (size_t)f->steps : 1;
    if (j->x->rank == 3 && j->cfg->axes == 1) turn(in, out, n, c, T, width);
    else turn(in, out, n * T, c, (size_t)f->shape.h * (size_t)f->shape.w, width);
}

/* Steps of a sample without those at the end that are NaN alone; at least one. */
static int32_t without_padding(const float *x, int32_t steps, size_t frame)
{
    for (; steps > 1; steps--)
        for (size_t k = 0; k < frame; k++)
            if (!isnan(x[((size_t)steps - 1) * frame + k])) return steps;
    return steps;
}

static hk_status npz_lengths(npz_job *j, const hk_store_form *f, hk_error *e)
{
    const size_t frame = (size_t)f->shape.h * (size_t)f->shape.w * (size_t)f->shape.c;
    const bool cut = j->cfg->nan == PADDING && j->value && f->steps > 0;
    if (!cut && !j->length) return HK_OK;
    HK_CHECK(e, f->steps > 0, HK_E_FORMAT, "%s: %s, but %s has no time axis", j->path,
             j->length->name, j->x->name);
    HK_CHECK(e, !j->length || (j->length->rank == 1 && j->length->dim[0] == f->n), HK_E_FORMAT,
             "%s: %s has not one entry for each of %lld samples", j->path, j->length->name,
             (long long)f->n);
    j->steps = hk_alloc((size_t)f->n * sizeof *j->steps);
    HK_CHECK(e, j->steps, HK_E_NOMEM, "%s: no memory for the lengths of samples", j->path);
    if (j->length) return hk_array_to_i32(j->length, j->steps, (size_t)f->n, e);
    for (int64_t i = 0; i < f->n; i++)
        j->steps[i] = without_padding(j->value + (size_t)i * (size_t)f->steps * frame, f->steps, frame);
    return HK_OK;
}

static hk_status npz_floats(npz_job *j, const hk_store_form *f, hk_error *e)
{
    const size_t n = hk_array_count(j->x);
    float *v = hk_alloc(n * sizeof *v);
    j->value = hk_alloc(n * sizeof *v);
    hk_status st = v && j->value ? hk_array_to_f32(j->x, v, n, e)
                                 : hk_fail(e, HK_E_NOMEM, "%s: no memory for %zu values", j->path, n);
    if (st == HK_OK) arrange(j, f, v, j->value, sizeof *v);
    hk_free(v);
    return st;
}

/* The steps that there are, from all of the file's, into the store. */
static hk_status npz_fill(npz_job *j, hk_error *e)
{
    hk_dataset *d = j->d;
    hk_store *s = d->self;
    for (int64_t i = 0; i < d->n; i++) {
        const float *from = j->value + (size_t)i * s->per;
        float *to = s->f32 + hk_store_first(s, i);
        const size_t n = hk_store_first(s, i + 1) - hk_store_first(s, i);
        for (size_t k = 0; k < n; k++) {
            to[k] = isnan(from[k]) && j->cfg->nan == ZERO ? 0.0f : from[k];
            HK_CHECK(e, isfinite(to[k]), HK_E_FORMAT, "%s: value %zu of sample %lld of %s is %g, "
                     "expected a finite number (key nan: zero, or padding for short series)", j->path,
                     k, (long long)i, j->x->name, (double)to[k]);
        }
    }
    return HK_OK;
}

static hk_status npz_bytes(npz_job *j, const hk_store_form *f, hk_error *e)
{
    hk_store *s = j->d->self;
    uint8_t *all = hk_alloc(j->x->bytes);
    HK_CHECK(e, all, HK_E_NOMEM, "%s: no memory for %zu bytes", j->path, j->x->bytes);
    arrange(j, f, j->x->data, all, 1);
    for (int64_t i = 0; i < f->n; i++)
        memcpy(s->u8 + hk_store_first(s, i), all + (size_t)i * s->per,
               hk_store_first(s, i + 1) - hk_store_first(s, i));
    hk_free(all);
    return HK_OK;
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
    if (form.unit == 0) HK_TRY(npz_floats(j, &form, e));
    HK_TRY(npz_lengths(j, &form, e));
    form.length = j->steps;
    HK_TRY(hk_store_new(j->d, &form, j->path, e));
    HK_TRY(form.unit == 0 ? npz_fill(j, e) : npz_bytes(j, &form, e));
    return npz_labels(j, e);
}

static hk_status npz_open(hk_dataset *d, const hk_dataset_cfg *cfg, hk_error *e)
{
    npz_job j = { .d = d, .cfg = cfg->member };
    hk_status st = npz_read(&j, cfg, e);
    hk_arrays_clear(&j.list);
    hk_free(j.value);
    hk_free(j.steps);
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
