/* Parsers of IDX and of the CIFAR binaries. SPDX-License-Identifier: Apache-2.0 */
#include "host/data/parse.h"

enum { CIFAR_SIDE = 32, CIFAR_PLANE = CIFAR_SIDE * CIFAR_SIDE, CIFAR_PIXELS = 3 * CIFAR_PLANE };

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Checks magic and length, and gives the sizes of the n_dim dimensions. */
static hk_status idx_header(const hk_bytes *b, int n_dim, uint32_t *dim, hk_error *e)
{
    size_t head = 4 + 4 * (size_t)n_dim;
    HK_CHECK(e, b->n >= head, HK_E_FORMAT, "%s: %zu bytes, expected a header of %zu", b->name, b->n,
             head);
    uint32_t magic = be32(b->at), want = 0x800 + (uint32_t)n_dim;
    HK_CHECK(e, magic == want, HK_E_FORMAT,
             "%s: magic number %lu, expected %lu (unsigned bytes, %d dimensions)", b->name,
             (unsigned long)magic, (unsigned long)want, n_dim);
    size_t total = 1;
    for (int k = 0; k < n_dim; k++) {
        dim[k] = be32(b->at + 4 + 4 * k);
        HK_CHECK(e, dim[k] > 0 && dim[k] <= INT32_MAX && dim[k] <= SIZE_MAX / total, HK_E_FORMAT,
                 "%s: dimension %d is %lu, expected 1 to 2147483647 and a size that fits memory",
                 b->name, k, (unsigned long)dim[k]);
        total *= dim[k];
    }
    HK_CHECK(e, b->n - head == total, HK_E_FORMAT, "%s: %zu bytes after the header, expected %zu",
             b->name, b->n - head, total);
    return HK_OK;
}

hk_status hk_idx_parse(hk_dataset *d, const hk_bytes *images, const hk_bytes *labels, hk_error *e)
{
    uint32_t dim[3], n_label;
    HK_TRY(idx_header(images, 3, dim, e));
    HK_TRY(idx_header(labels, 1, &n_label, e));
    HK_CHECK(e, n_label == dim[0], HK_E_FORMAT, "%s: %lu labels, expected %lu as in %s",
             labels->name, (unsigned long)n_label, (unsigned long)dim[0], images->name);
    hk_store_form form = { .n = dim[0], .unit = 255.0f,
                           .shape = { .h = (int32_t)dim[1], .w = (int32_t)dim[2], .c = 1 } };
    HK_TRY(hk_store_new(d, &form, images->name, e));
    hk_store *s = d->self;
    const uint8_t *pixel = images->at + 16, *label = labels->at + 8;
    for (size_t k = 0; k < (size_t)d->n * s->per; k++) s->u8[k] = pixel[k];
    hk_status st = HK_OK;
    for (int64_t i = 0; i < d->n && st == HK_OK; i++)
        st = hk_store_label(d, i, label[i], labels->name, e);
    if (st != HK_OK) hk_store_close(d);
    return st;
}

static void planes_join(const uint8_t *plane, uint8_t *out)
{
    for (int p = 0; p < CIFAR_PLANE; p++)
        for (int c = 0; c < 3; c++) out[3 * p + c] = plane[c * CIFAR_PLANE + p];
}

static hk_status cifar_fill(hk_dataset *d, const hk_bytes *b, hk_cifar_form form, int64_t *at,
                            hk_error *e)
{
    hk_store *s = d->self;
    size_t record = (size_t)form.n_label + CIFAR_PIXELS;
    for (size_t k = 0; k < b->n; k += record, ++*at) {
        HK_TRY(hk_store_label(d, *at, b->at[k + (size_t)form.use], b->name, e));
        planes_join(b->at + k + form.n_label, s->u8 + (size_t)*at * s->per);
    }
    return HK_OK;
}

hk_status hk_cifar_parse(hk_dataset *d, const hk_bytes *file, int n_file, hk_cifar_form form,
                         hk_error *e)
{
    size_t record = (size_t)form.n_label + CIFAR_PIXELS;
    int64_t n = 0, at = 0;
    for (int k = 0; k < n_file; k++) {
        HK_CHECK(e, file[k].n > 0 && file[k].n % record == 0, HK_E_FORMAT,
                 "%s: %zu bytes, expected a multiple of %zu above 0", file[k].name, file[k].n,
                 record);
        n += (int64_t)(file[k].n / record);
    }
    hk_store_form want = { .n = n, .unit = 255.0f,
                           .shape = { .h = CIFAR_SIDE, .w = CIFAR_SIDE, .c = 3 } };
    HK_TRY(hk_store_new(d, &want, file[0].name, e));
    hk_status st = HK_OK;
    for (int k = 0; k < n_file && st == HK_OK; k++) st = cifar_fill(d, &file[k], form, &at, e);
    if (st != HK_OK) hk_store_close(d);
    return st;
}
