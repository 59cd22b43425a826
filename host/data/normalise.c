/* Normalisation by the training part: two passes, sums in double. SPDX-License-Identifier: Apache-2.0 */
#include "host/data/split.h"

#include "host/base/alloc.h"

#include <math.h>

typedef struct pass {
    const hk_dataset *d;
    const uint32_t   *list;
    int64_t           n;
    float            *sample;
} pass;

/* Adds x - mean, or its square, of all rows to sum[c]; returns the number of rows. */
static double add_rows(const float *x, size_t rows, size_t c, const double *mean, bool square, double *sum)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < c; k++) {
            const double v = (double)x[r * c + k] - mean[k];
            sum[k] += square ? v * v : v;
        }
    return (double)rows;
}

static hk_status run(const pass *p, const double *mean, bool square, double *out, hk_error *e)
{
    const hk_shape s = p->d->shape;
    double rows = 0;
    for (int64_t i = 0; i < p->n; i++) {
        const int64_t k = p->list[i], all = p->d->steps > 0 ? p->d->steps : 1;
        const int64_t steps = p->d->length ? p->d->length[k] : all;
        HK_TRY(hk_data_get(p->d, k, p->sample, NULL, e));
        rows += add_rows(p->sample, (size_t)steps * (size_t)s.h * (size_t)s.w, (size_t)s.c, mean, square, out);
    }
    for (int32_t k = 0; k < s.c; k++) out[k] /= rows;
    return HK_OK;
}

static hk_status both(const pass *p, hk_augment_cfg *out, hk_error *e)
{
    double mean[HK_AUGMENT_CHANNELS] = { 0 }, zero[HK_AUGMENT_CHANNELS] = { 0 };
    double std[HK_AUGMENT_CHANNELS] = { 0 };
    const int32_t c = p->d->shape.c;
    HK_TRY(run(p, zero, false, mean, e));
    HK_TRY(run(p, mean, true, std, e));
    for (int32_t k = 0; k < c; k++) {
        HK_CHECK(e, isfinite(mean[k]) && isfinite(std[k]), HK_E_NUM,
                 "normalise: channel %d has mean %g and variance %g", (int)k, mean[k], std[k]);
        std[k] = sqrt(std[k]);
        if (std[k] < 1e-6) std[k] = 1;
    }
    return hk_augment_set_norm(out, mean, std, c, e);
}

hk_status hk_data_normalise(const hk_dataset *d, double val_fraction, hk_augment_cfg *out, hk_error *e)
{
    const hk_loader_cfg part = { .val_fraction = val_fraction, .part = HK_PART_TRAIN, .stratify = true };
    uint32_t *list = NULL;
    pass p = { .d = d };
    HK_CHECK(e, d->shape.c <= HK_AUGMENT_CHANNELS, HK_E_SHAPE,
             "normalise: samples have %d channels, at most %d are normalised", (int)d->shape.c,
             HK_AUGMENT_CHANNELS);
    HK_TRY(hk_split_list(d, &part, &list, &p.n, e));
    p.list = list;
    p.sample = hk_alloc(hk_data_floats(d) * sizeof *p.sample);
    hk_status st = p.sample && p.n ? both(&p, out, e)
                                   : hk_fail(e, p.n ? HK_E_NOMEM : HK_E_ARG,
                                             "normalise: no memory or no samples, %lld in the training "
                                             "part", (long long)p.n);
    hk_free(p.sample);
    hk_free(list);
    return st;
}
