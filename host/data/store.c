/* Samples in memory. SPDX-License-Identifier: Apache-2.0 */
#include "host/data/store.h"

#include "host/base/alloc.h"

#include <string.h>

const char *hk_shape_name(hk_shape s, hk_shape_text *out)
{
    hk_format(out->text, sizeof out->text, "%ldx%ldx%ld", (long)s.h, (long)s.w, (long)s.c);
    return out->text;
}

/* Values of n samples, or 0 when the product (times 8, for any element) does not fit. */
static size_t form_values(const hk_store_form *f)
{
    int64_t factor[] = { f->n, f->steps > 0 ? f->steps : 1, f->shape.h, f->shape.w, f->shape.c };
    size_t v = 1;
    for (int k = 0; k < HK_COUNT(factor); k++) {
        if (factor[k] <= 0 || (uint64_t)factor[k] > SIZE_MAX / 8 / v) return 0;
        v *= (size_t)factor[k];
    }
    return v;
}

/* Where each sample begins, from its length; the values of all together. */
static hk_status lay_out(hk_dataset *d, hk_store *s, const hk_store_form *f, const char *name,
                         hk_error *e)
{
    const size_t frame = s->per / (size_t)f->steps;
    s->first = hk_alloc(((size_t)f->n + 1) * sizeof *s->first);
    d->length = hk_alloc((size_t)f->n * sizeof *d->length);
    HK_CHECK(e, s->first && d->length, HK_E_NOMEM, "%s: no memory for the lengths of %lld samples",
             name, (long long)f->n);
    memcpy(d->length, f->length, (size_t)f->n * sizeof *d->length);
    s->first[0] = 0;
    for (int64_t i = 0; i < f->n; i++) {
        HK_CHECK(e, f->length[i] >= 1 && f->length[i] <= f->steps, HK_E_FORMAT,
                 "%s: sample %lld has %ld steps, expected 1 to %ld", name, (long long)i,
                 (long)f->length[i], (long)f->steps);
        s->first[i + 1] = s->first[i] + (size_t)f->length[i] * frame;
    }
    s->total = s->first[f->n];
    return HK_OK;
}

static hk_status take(hk_dataset *d, const hk_store_form *f, const char *name, hk_error *e)
{
    hk_shape_text t;
    hk_store *s = d->self;
    if (f->length) HK_TRY(lay_out(d, s, f, name, e));
    s->label = hk_alloc_zero((size_t)f->n, sizeof *s->label);
    if (f->unit > 0) s->u8 = hk_alloc_zero(s->total, 1);
    else s->f32 = hk_alloc_zero(s->total, sizeof *s->f32);
    HK_CHECK(e, s->label && (s->u8 || s->f32), HK_E_NOMEM, "%s: no memory for %lld samples of %s",
             name, (long long)f->n, hk_shape_name(f->shape, &t));
    return HK_OK;
}

hk_status hk_store_new(hk_dataset *d, const hk_store_form *f, const char *name, hk_error *e)
{
    hk_shape_text t;
    HK_CHECK(e, f->n >= 1 && f->n <= INT32_MAX, HK_E_FORMAT,
             "%s: holds %lld samples, expected 1 to 2147483647", name, (long long)f->n);
    HK_CHECK(e, !f->length || f->steps >= 1, HK_E_FORMAT, "%s: samples have no steps", name);
    size_t v = form_values(f);
    HK_CHECK(e, v > 0, HK_E_FORMAT, "%s: %lld samples of %s, expected sizes above 0 that fit "
             "memory", name, (long long)f->n, hk_shape_name(f->shape, &t));
    hk_store *s = hk_alloc_zero(1, sizeof *s);
    HK_CHECK(e, s, HK_E_NOMEM, "%s: no memory for its samples", name);
    s->total = v;
    s->per = v / (size_t)f->n;
    s->unit = f->unit;
    d->self = s;
    hk_status st = take(d, f, name, e);
    if (st != HK_OK) {
        hk_store_close(d);
        return st;
    }
    d->n = f->n;
    d->shape = f->shape;
    d->steps = f->steps;
    return HK_OK;
}

hk_status hk_store_get(const hk_dataset *d, int64_t i, float *out, int32_t *label, hk_error *e)
{
    const hk_store *s = d->self;
    HK_CHECK(e, i >= 0 && i < d->n, HK_E_ARG, "%s: sample %lld, expected 0 to %lld",
             d->ops->info.name, (long long)i, (long long)(d->n - 1));
    if (label) *label = s->label[i];
    if (!out) return HK_OK;
    const size_t first = hk_store_first(s, i), n = hk_store_first(s, i + 1) - first;
    if (s->f32) memcpy(out, s->f32 + first, n * sizeof *out);
    for (size_t k = 0; s->u8 && k < n; k++) out[k] = (float)s->u8[first + k] / s->unit;
    memset(out + n, 0, (s->per - n) * sizeof *out);
    return HK_OK;
}

void hk_store_close(hk_dataset *d)
{
    hk_store *s = d->self;
    if (s) {
        hk_free(s->u8);
        hk_free(s->f32);
        hk_free(s->label);
        hk_free(s->first);
        hk_free(s);
    }
    hk_free(d->class_name);
    hk_free(d->length);
    d->self = NULL;
    d->class_name = NULL;
    d->length = NULL;
}

hk_status hk_store_label(hk_dataset *d, int64_t i, int64_t label, const char *name, hk_error *e)
{
    HK_CHECK(e, label >= 0 && label < d->n_class, HK_E_FORMAT,
             "%s: label of sample %lld is %lld, expected 0 to %d", name, (long long)i,
             (long long)label, d->n_class - 1);
    ((hk_store *)d->self)->label[i] = (int32_t)label;
    return HK_OK;
}

/* Folds one 64-bit word into h: multiply by an odd constant, then spread the high bits down. */
static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint64_t mix_bytes(uint64_t h, const uint8_t *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t word = 0;
        for (int k = 0; k < 8; k++) word |= (uint64_t)p[k] << 8 * k;
        h = mix(h, word);
    }
    uint64_t word = n;
    for (size_t k = 0; k < n; k++) word |= (uint64_t)p[k] << 8 * (k + 1);
    return mix(h, word);
}

void hk_store_digest(hk_dataset *d)
{
    const hk_store *s = d->self;
    size_t v = s->total;
    uint64_t h = mix(mix(0, (uint64_t)d->n), s->per);
    if (s->u8) h = mix_bytes(h, s->u8, v);
    for (size_t k = 0; s->f32 && k < v; k++) {
        uint32_t bits;
        memcpy(&bits, &s->f32[k], sizeof bits);
        h = mix(h, bits);
    }
    for (int64_t i = 0; i < d->n; i++) h = mix(h, (uint32_t)s->label[i]);
    for (int64_t i = 0; d->length && i < d->n; i++) h = mix(h, (uint32_t)d->length[i]);
    d->digest = h;
}
