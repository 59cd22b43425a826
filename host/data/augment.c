/* Augmentation and normalisation. SPDX-License-Identifier: Apache-2.0 */
#include "host/data/augment.h"

#include <math.h>
#include <string.h>

/* Draws of one sample; its counters begin at DRAWS * sample. */
enum { DRAW_CROP_Y, DRAW_CROP_X, DRAW_FLIP, DRAW_CUT_Y, DRAW_CUT_X, DRAWS = 8 };

static const hk_field augment_fields[] = {
    HK_ROW_INT(hk_augment_cfg, crop_pad, 0, 0, 1024, "pixels",
               "padding of each side before a random crop of the old size, 0 for none"),
    HK_ROW_BOOL(hk_augment_cfg, flip, 0, "mirror left to right with probability 1/2"),
    HK_ROW_INT(hk_augment_cfg, cutout, 0, 0, 1024, "pixels",
               "side of the square that is set to the mean, 0 for none"),
};

const hk_info hk_augment_info = {
    .name = "augment", .brief = "random crop, mirror image, normalisation, cutout",
    .source = "cutout: DeVries and Taylor, arXiv:1708.04552",
    .cfg_size = sizeof(hk_augment_cfg), .fields = augment_fields,
    .n_fields = HK_COUNT(augment_fields),
};

hk_status hk_augment_set_norm(hk_augment_cfg *cfg, const double *mean, const double *std, int n,
                              hk_error *e)
{
    HK_CHECK(e, n >= 1 && n <= HK_AUGMENT_CHANNELS, HK_E_ARG,
             "augment: mean and std of %d channels, expected 1 to %d", n, HK_AUGMENT_CHANNELS);
    for (int k = 0; k < n; k++)
        HK_CHECK(e, isfinite(mean[k]) && isfinite(std[k]) && std[k] >= 1e-6, HK_E_ARG,
                 "augment: channel %d has mean %g and std %g, expected finite numbers and a std of "
                 "at least 1e-06", k, mean[k], std[k]);
    for (int k = 0; k < n; k++) {
        cfg->mean[k] = (float)mean[k];
        cfg->std[k] = (float)std[k];
    }
    cfg->n_mean = n;
    return HK_OK;
}

hk_status hk_augment_check(const hk_augment_cfg *cfg, hk_shape s, hk_error *e)
{
    HK_CHECK(e, cfg->crop_pad >= 0 && cfg->crop_pad <= 1024, HK_E_ARG,
             "augment: crop_pad is %ld, expected 0 to 1024", (long)cfg->crop_pad);
    HK_CHECK(e, cfg->cutout >= 0 && cfg->cutout <= 1024, HK_E_ARG,
             "augment: cutout is %ld, expected 0 to 1024", (long)cfg->cutout);
    HK_CHECK(e, s.h * (int64_t)s.w > 1 || (!cfg->crop_pad && !cfg->flip && !cfg->cutout),
             HK_E_SHAPE, "augment: crop_pad, flip and cutout need a map, samples are vectors of "
             "%ld", (long)s.c);
    HK_CHECK(e, cfg->n_mean == 0 || cfg->n_mean == 1 ||
                (cfg->n_mean == s.c && s.c <= HK_AUGMENT_CHANNELS),
             HK_E_SHAPE, "augment: mean and std of %ld channels, the samples have %ld (1 stands "
             "for all)", (long)cfg->n_mean, (long)s.c);
    for (int k = 0; k < cfg->n_mean; k++)
        HK_CHECK(e, isfinite(cfg->mean[k]) && isfinite(cfg->std[k]) && cfg->std[k] >= 1e-6f,
                 HK_E_ARG, "augment: channel %d has mean %g and std %g, expected finite numbers "
                 "and a std of at least 1e-06", k, (double)cfg->mean[k], (double)cfg->std[k]);
    return HK_OK;
}

static uint32_t draw(const hk_augment_at *at, int which, uint32_t n)
{
    return hk_rng_below(at->r, at->sample * DRAWS + (uint64_t)which, n);
}

static int32_t clip(int32_t v, int32_t lo, int32_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

void hk_augment_crop(const hk_augment_at *at, int32_t pad, float *x, float *scratch)
{
    hk_shape s = at->shape;
    int32_t dy = (int32_t)draw(at, DRAW_CROP_Y, (uint32_t)(2 * pad + 1)) - pad;
    int32_t dx = (int32_t)draw(at, DRAW_CROP_X, (uint32_t)(2 * pad + 1)) - pad;
    size_t row = (size_t)s.w * (size_t)s.c, frame = row * (size_t)s.h;
    /* Output column w is input column w + dx; lo .. hi are those that exist. */
    int32_t lo = clip(-dx, 0, s.w), hi = clip(s.w - dx, lo, s.w);
    memcpy(scratch, x, frame * (size_t)at->steps * sizeof *x);
    memset(x, 0, frame * (size_t)at->steps * sizeof *x);
    for (int32_t t = 0; t < at->steps; t++)
        for (int32_t y = clip(-dy, 0, s.h); y < clip(s.h - dy, 0, s.h) && hi > lo; y++)
            memcpy(x + (size_t)t * frame + (size_t)y * row + (size_t)lo * (size_t)s.c,
                   scratch + (size_t)t * frame + (size_t)(y + dy) * row +
                       (size_t)(lo + dx) * (size_t)s.c,
                   (size_t)(hi - lo) * (size_t)s.c * sizeof *x);
}

void hk_augment_flip(const hk_augment_at *at, float *x)
{
    hk_shape s = at->shape;
    if (draw(at, DRAW_FLIP, 2) == 0) return;
    for (int64_t r = 0; r < (int64_t)at->steps * s.h; r++) {
        float *a = x + r * s.w * s.c, *b = a + (size_t)(s.w - 1) * (size_t)s.c;
        for (; a < b; a += s.c, b -= s.c)
            for (int32_t c = 0; c < s.c; c++) {
                float v = a[c];
                a[c] = b[c];
                b[c] = v;
            }
    }
}

void hk_augment_cutout(const hk_augment_at *at, int32_t side, float *x)
{
    hk_shape s = at->shape;
    int32_t y0 = (int32_t)draw(at, DRAW_CUT_Y, (uint32_t)s.h) - side / 2;
    int32_t x0 = (int32_t)draw(at, DRAW_CUT_X, (uint32_t)s.w) - side / 2;
    int32_t y1 = clip(y0 + side, 0, s.h), x1 = clip(x0 + side, 0, s.w);
    y0 = clip(y0, 0, y1);
    x0 = clip(x0, 0, x1);
    for (int32_t t = 0; t < at->steps; t++)
        for (int32_t y = y0; y < y1; y++) {
            float *row = x + (((size_t)t * (size_t)s.h + (size_t)y) * (size_t)s.w) * (size_t)s.c;
            for (int32_t k = x0 * s.c; k < x1 * s.c; k++) row[k] = 0.0f;
        }
}

void hk_augment_norm(const hk_augment_cfg *cfg, const hk_augment_at *at, float *x)
{
    hk_shape s = at->shape;
    size_t n = (size_t)at->steps * (size_t)s.h * (size_t)s.w;
    if (cfg->n_mean == 0) return;
    if (cfg->n_mean == 1) {
        for (size_t k = 0; k < n * (size_t)s.c; k++) x[k] = (x[k] - cfg->mean[0]) / cfg->std[0];
        return;
    }
    for (size_t k = 0; k < n; k++, x += s.c)
        for (int32_t c = 0; c < s.c; c++) x[c] = (x[c] - cfg->mean[c]) / cfg->std[c];
}

void hk_augment_apply(const hk_augment_cfg *cfg, const hk_augment_at *at, bool train, float *x,
                      float *scratch)
{
    if (train && cfg->crop_pad) hk_augment_crop(at, cfg->crop_pad, x, scratch);
    if (train && cfg->flip) hk_augment_flip(at, x);
    hk_augment_norm(cfg, at, x);
    if (train && cfg->cutout) hk_augment_cutout(at, cfg->cutout, x);
}
