/* JPEG and PNG images, one folder per class: <split>/<class>/<name>.(jpg|jpeg|png), as a tree of
 * folders or as a tar archive (plain or gzip) of it.
 *
 * Classes are numbered in the order of the lines of batches.meta.txt beside the splits. Without
 * that file it is the alphabetical (byte) order of the class folders of the training split, so that
 * both splits agree. Samples are ordered by class number, then name.
 *
 * Where a file [<any>_]<split>_labels.u8 lies beside them (one byte per sample), it gives the order
 * instead: sample i is the next image, by name, of the class that byte i says. That is how the
 * official order of CIFAR-10 is rebuilt from images that are stored by class.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host/base/alloc.h"
#include "host/data/decode.h"
#include "host/data/pack.h"
#include "host/io/file.h"

#include <stdlib.h>
#include <string.h>

typedef struct images_cfg { bool official_order; } images_cfg;

static const hk_field images_fields[] = {
    HK_ROW_BOOL(images_cfg, official_order, 1,
                "order of the samples from *<split>_labels.u8 when that file is there"),
};

typedef struct sorted_item {
    const char *path;            /* "<class>/<name>"        */
    int64_t     k;               /* position in the pack    */
    int32_t     label;
} sorted_item;

typedef struct images_job {
    hk_dataset  *d;
    hk_pack      pack;
    sorted_item *sorted;         /* [pack.n] by class, name                 */
    int64_t     *row;            /* [pack.n] item of the pack to sample     */
    int32_t     *label;          /* [pack.n] item of the pack to class      */
    hk_decoder  *dec;
} images_job;

/* By class number once it is known, class folder, name: '/' counts as the lowest character, so that
 * "a/x" comes before "a-b/x". */
static int item_order(const void *a, const void *b)
{
    const sorted_item *p = a, *q = b;
    const char *s = p->path, *t = q->path;
    if (p->label != q->label) return p->label < q->label ? -1 : 1;
    while (*s && *s == *t) s++, t++;
    int x = *s == '/' ? 1 : (unsigned char)*s, y = *t == '/' ? 1 : (unsigned char)*t;
    return (x > y) - (x < y);
}

static hk_status pack_sort(const hk_pack *p, sorted_item **out, hk_error *e)
{
    sorted_item *s = hk_alloc((size_t)p->n * sizeof *s);
    HK_CHECK(e, s, HK_E_NOMEM, "%s: no memory for a list of %lld images", p->place,
             (long long)p->n);
    for (int64_t k = 0; k < p->n; k++) s[k] = (sorted_item){ hk_pack_path(p, k), k, -1 };
    qsort(s, (size_t)p->n, sizeof *s, item_order);
    *out = s;
    return HK_OK;
}

static size_t class_length(const char *path)
{
    return strcspn(path, "/");
}

static bool same_class(const char *a, const char *b)
{
    size_t n = class_length(a);
    return class_length(b) == n && memcmp(a, b, n) == 0;
}

static hk_status class_add(hk_dataset *d, const char *name, size_t n, const char *file, hk_error *e)
{
    HK_CHECK(e, n < HK_CLASS_NAME, HK_E_FORMAT, "%s: a class name of %zu bytes, expected below %d",
             file, n, HK_CLASS_NAME);
    for (int k = 0; k < d->n_class; k++)
        HK_CHECK(e, strlen(d->class_name[k]) != n || memcmp(d->class_name[k], name, n) != 0,
                 HK_E_FORMAT, "%s: class %s occurs twice", file, d->class_name[k]);
    void *q = hk_regrow(d->class_name, (size_t)d->n_class * HK_CLASS_NAME,
                        (size_t)(d->n_class + 1) * HK_CLASS_NAME);
    HK_CHECK(e, q, HK_E_NOMEM, "%s: no memory for the class names", file);
    d->class_name = q;
    memcpy(d->class_name[d->n_class], name, n);
    d->class_name[d->n_class++][n] = '\0';
    return HK_OK;
}

static hk_status classes_from_text(hk_dataset *d, const char *path, hk_error *e)
{
    void *data = NULL;
    size_t n = 0;
    HK_TRY(hk_file_read(path, 1 << 20, &data, &n, e));
    hk_status st = HK_OK;
    for (const char *at = data; st == HK_OK && *at; at += strspn(at, "\r\n")) {
        size_t len = strcspn(at, "\r\n");
        if (len) st = class_add(d, at, len, path, e);
        at += len;
    }
    if (st == HK_OK && d->n_class == 0)
        st = hk_fail(e, HK_E_FORMAT, "%s: no class name, expected one per line", path);
    hk_free(data);
    return st;
}

static hk_status classes_from_pack(hk_dataset *d, const hk_pack *p, const sorted_item *s,
                                   hk_error *e)
{
    for (int64_t k = 0; k < p->n; k++)
        if (k == 0 || !same_class(s[k - 1].path, s[k].path))
            HK_TRY(class_add(d, s[k].path, class_length(s[k].path), p->place, e));
    return HK_OK;
}

/* Without names in a file: from the training split when there is one, whatever is being opened. */
static hk_status classes_from_folders(images_job *j, const char *root, hk_error *e)
{
    if (strcmp(j->pack.split, "train") == 0) return classes_from_pack(j->d, &j->pack, j->sorted, e);
    hk_pack train;
    HK_TRY(hk_pack_open(&train, root, "train", false, e));
    sorted_item *sorted = NULL;
    hk_status st = train.n ? pack_sort(&train, &sorted, e) : HK_OK;
    if (st == HK_OK)
        st = train.n ? classes_from_pack(j->d, &train, sorted, e)
                     : classes_from_pack(j->d, &j->pack, j->sorted, e);
    hk_free(sorted);
    hk_pack_close(&train);
    return st;
}

static hk_status classes_find(images_job *j, const char *root, hk_error *e)
{
    char *path = hk_path_join(root, "batches.meta.txt");
    HK_CHECK(e, path, HK_E_NOMEM, "%s: no memory for a path", root);
    hk_status st = hk_file_exists(path) ? classes_from_text(j->d, path, e)
                                        : classes_from_folders(j, root, e);
    hk_free(path);
    return st;
}

/* Gives each item its class and, for now, its place in the list sorted by class number. */
static hk_status items_number(images_job *j, hk_error *e)
{
    const hk_dataset *d = j->d;
    int32_t c = -1;
    for (int64_t i = 0; i < j->pack.n; i++) {
        sorted_item *s = &j->sorted[i];
        if (i == 0 || !same_class(s[-1].path, s->path))
            for (c = 0; c < d->n_class; c++)
                if (same_class(d->class_name[c], s->path)) break;
        HK_CHECK(e, c < d->n_class, HK_E_FORMAT,
                 "%s: the class of %s is none of the %d known ones (%s ...)", j->pack.place,
                 s->path, d->n_class, d->class_name[0]);
        s->label = c;
    }
    qsort(j->sorted, (size_t)j->pack.n, sizeof *j->sorted, item_order);
    for (int64_t i = 0; i < j->pack.n; i++) {
        j->label[j->sorted[i].k] = j->sorted[i].label;
        j->row[j->sorted[i].k] = i;
    }
    return HK_OK;
}

/* Rows from the label list; next[c] walks through the sorted items of class c. */
static hk_status order_from(images_job *j, const hk_bytes *list, hk_error *e)
{
    int64_t n = j->pack.n;
    HK_CHECK(e, list->n == (size_t)n, HK_E_FORMAT, "%s: %zu labels, expected %lld as in %s",
             list->name, list->n, (long long)n, j->pack.place);
    int64_t *next = hk_alloc((size_t)j->d->n_class * sizeof *next);
    HK_CHECK(e, next, HK_E_NOMEM, "%s: no memory for its classes", list->name);
    for (int c = 0; c < j->d->n_class; c++) next[c] = n;
    for (int64_t i = n; i-- > 0;) next[j->sorted[i].label] = i;
    hk_status st = HK_OK;
    for (int64_t i = 0; i < n && st == HK_OK; i++) {
        int c = list->at[i];
        if (c >= j->d->n_class)
            st = hk_fail(e, HK_E_FORMAT, "%s: label of sample %lld is %d, expected 0 to %d",
                         list->name, (long long)i, c, j->d->n_class - 1);
        else if (next[c] >= n || j->sorted[next[c]].label != c)
            st = hk_fail(e, HK_E_FORMAT, "%s: more samples of class %s than images in %s",
                         list->name, j->d->class_name[c], j->pack.place);
        else
            j->row[j->sorted[next[c]++].k] = i;
    }
    hk_free(next);
    return st;
}

static hk_status order_find(images_job *j, const char *root, hk_error *e)
{
    static const char *const ends[] = { "_labels.u8" };
    char *path = NULL;
    void *data = NULL;
    size_t n = 0;
    HK_TRY(hk_find_split(root, j->pack.split, ends, 1, &path, e));
    if (!path) return HK_OK;
    hk_status st = hk_file_read(path, 0, &data, &n, e);
    if (st == HK_OK) st = order_from(j, &(hk_bytes){ data, n, path }, e);
    hk_free(data);
    hk_free(path);
    return st;
}

static hk_status image_visit(void *ctx, int64_t k, const hk_bytes *file, hk_error *e)
{
    images_job *j = ctx;
    if (k == 0) {                /* the first image says what shape all have */
        hk_store_form form = { .n = j->pack.n, .unit = 255.0f };
        HK_TRY(hk_decoder_measure(j->dec, file, &form.shape, e));
        HK_TRY(hk_store_new(j->d, &form, j->pack.place, e));
    }
    hk_store *s = j->d->self;
    s->label[j->row[k]] = j->label[k];
    return hk_decoder_read(j->dec, file, j->d->shape, s->u8 + (size_t)j->row[k] * s->per, e);
}

static hk_status images_read(images_job *j, const hk_dataset_cfg *cfg, hk_error *e)
{
    HK_TRY(hk_pack_open(&j->pack, cfg->root, cfg->split, true, e));
    HK_TRY(pack_sort(&j->pack, &j->sorted, e));
    j->row = hk_alloc((size_t)j->pack.n * sizeof *j->row);
    j->label = hk_alloc((size_t)j->pack.n * sizeof *j->label);
    HK_CHECK(e, j->row && j->label, HK_E_NOMEM, "%s: no memory for a list of %lld images",
             j->pack.place, (long long)j->pack.n);
    HK_TRY(classes_find(j, cfg->root, e));
    HK_TRY(items_number(j, e));
    bool folder = !j->pack.tar || strcmp(j->pack.place, cfg->root) != 0;
    if (folder && ((const images_cfg *)cfg->member)->official_order)
        HK_TRY(order_find(j, cfg->root, e));
    HK_TRY(hk_decoder_open(&j->dec, e));
    HK_TRY(hk_pack_each(&j->pack, image_visit, j, e));
    hk_decoder_variant(j->dec, j->d->variant, sizeof j->d->variant);
    return HK_OK;
}

static hk_status images_open(hk_dataset *d, const hk_dataset_cfg *cfg, hk_error *e)
{
    images_job j = { .d = d };
    hk_status st = images_read(&j, cfg, e);
    hk_decoder_close(j.dec);
    hk_free(j.sorted);
    hk_free(j.row);
    hk_free(j.label);
    hk_pack_close(&j.pack);
    if (st != HK_OK) hk_store_close(d);
    return st;
}

const hk_dataset_ops hk_dataset_images = {
    .info = { "images", "folders or tar archives of JPEG or PNG images, one folder per class",
              "JPEG: ITU-T T.81; PNG: ISO/IEC 15948",
              sizeof(images_cfg), images_fields, HK_COUNT(images_fields) },
    .needs_root = true, .open = images_open, .get = hk_store_get, .close = hk_store_close,
};
