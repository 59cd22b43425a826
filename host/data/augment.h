/* Random changes of a sample before it reaches the net, and its normalisation.
 *
 * In this order: random crop out of a zero-padded map, mirror image, normalisation per channel,
 * cutout. So padding is black, and the square that cutout removes is the mean (DeVries and Taylor,
 * arXiv:1708.04552: centre uniform over the map, clipped at the border). All steps of a sample with
 * a time axis are changed alike. Every draw is a function of (seed, stream, sample): neither
 * threads nor batch size matter.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_AUGMENT_H
#define HK_AUGMENT_H

#include "hillock_core.h"

enum { HK_AUGMENT_CHANNELS = 1024 };    /* most in lists of mean and std */

/* Mean and std are lists in a recipe, `mean: [0.49, 0.48, 0.45]`: see hk_augment_set_norm. */
typedef struct hk_augment_cfg {
    int32_t crop_pad;            /* pixels of padding on each side, 0: no crop                    */
    bool    flip;                /* mirror left to right with probability 1/2                     */
    int32_t cutout;              /* side of the removed square in pixels, 0: none                 */
    int32_t n_mean;              /* 0: no normalisation; 1: mean[0], std[0] for all channels;
                                    otherwise the number of channels                              */
    float   mean[HK_AUGMENT_CHANNELS];
    float   std[HK_AUGMENT_CHANNELS];      /* out = (in - mean) / std */
} hk_augment_cfg;

extern const hk_info hk_augment_info;      /* fields crop_pad flip cutout */

/* Which sample of which epoch: r.stream carries the epoch, sample its number in the data set. */
typedef struct hk_augment_at {
    hk_rng   r;
    uint64_t sample;
    hk_shape shape;
    int32_t  steps;              /* frames of the sample, >= 1 */
} hk_augment_at;

/* Sets n_mean, mean and std from lists of n values. E_ARG: n above HK_AUGMENT_CHANNELS or below 1,
 * a value that is not finite, or a std that is not positive; cfg is then unchanged. */
hk_status hk_augment_set_norm(hk_augment_cfg *cfg, const double *mean, const double *std, int n,
                              hk_error *e);

/* Whether cfg fits samples of this shape. E_ARG or E_SHAPE, naming field, expected and found. */
hk_status hk_augment_check(const hk_augment_cfg *cfg, hk_shape shape, hk_error *e);

/* x [steps][h][w][c], changed in place; scratch holds as many floats. These need a checked cfg. */
void hk_augment_crop(const hk_augment_at *at, int32_t pad, float *x, float *scratch);
void hk_augment_flip(const hk_augment_at *at, float *x);
void hk_augment_cutout(const hk_augment_at *at, int32_t side, float *x);
void hk_augment_norm(const hk_augment_cfg *cfg, const hk_augment_at *at, float *x);

/* All of them; without `train` only the normalisation. */
void hk_augment_apply(const hk_augment_cfg *cfg, const hk_augment_at *at, bool train, float *x,
                      float *scratch);

#endif
