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

hk_status hk_store_new(hk_dataset *d, const hk_store_form *f, const char *name, hk_error *e)
{
    hk_shape_text t;
    HK_CHECK(e, f->n >= 1 && f->n <= INT32_MAX, HK_E_FORMAT,
             "%s: holds %lld samples, expected 1 to 2147483647", name, (long long)f->n);
    size_t v = form_values(f);
    HK_CHECK(e, v > 0, HK_E_FORMAT, "%s: %lld samples of %s, expected sizes above 0 that fit "
             "memory", name, (long long)f->n, hk_shape_name(f->shape, &t));
    hk_store *s = hk_alloc_zero(1, sizeof *s);
    if (s) {
        s->per = v / (size_t)f->n;
        s->unit = f->unit;
        s->label = hk_alloc_zero((size_t)f->n, sizeof *s->label);
        if (f->unit > 0) s->u8 = hk_alloc_zero(v, 1);
        else s->f32 = hk_alloc_zero(v, sizeof *s->f32);
    }
    d->self = s;
    if (!s || !s->label || (!s->u8 && !s->f32)) {
        hk_store_close(d);
        return hk_fail(e, HK_E_NOMEM, "%s: no memory for %lld samples of %s", name, (long long)f->n,
                       hk_shape_name(f->shape, &t));
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
    if (s->f32) {
        memcpy(out, s->f32 + (size_t)i * s->per, s->per * sizeof *out);
        return HK_OK;
    }
    const uint8_t *u = s->u8 + (size_t)i * s->per;
    for (size_t k = 0; k < s->per; k++) out[k] = (float)u[k] / s->unit;
    return HK_OK;
}

void hk_store_close(hk_dataset *d)
{
    hk_store *s = d->self;
    if (s) {
        hk_free(s->u8);
        hk_free(s->f32);
        hk_free(s->label);
        hk_free(s);
    }
    hk_free(d->class_name);
    d->self = NULL;
    d->class_name = NULL;
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
    size_t v = (size_t)d->n * s->per;
    uint64_t h = mix(mix(0, (uint64_t)d->n), s->per);
    if (s->u8) h = mix_bytes(h, s->u8, v);
    for (size_t k = 0; s->f32 && k < v; k++) {
        uint32_t bits;
        memcpy(&bits, &s->f32[k], sizeof bits);
        h = mix(h, bits);
    }
    for (int64_t i = 0; i < d->n; i++) h = mix(h, (uint32_t)s->label[i]);
    d->digest = h;
}
