/* The validation split. SPDX-License-Identifier: Apache-2.0 */
#include "host/data/split.h"

#include "host/base/alloc.h"

/* How many of n are held out: to nearest, halves up. */
static int64_t held_of(double fraction, int64_t n)
{
    return (int64_t)(fraction * (double)n + 0.5);
}

/* left[k]: how many samples of class k (of all, in left[0], without stratify) are still to be held
 * out. Walks the permutation and marks those samples. */
static hk_status mark_held(const hk_dataset *d, const hk_loader_cfg *cfg, const uint32_t *order,
                           int64_t *left, uint8_t *held, hk_error *e)
{
    int32_t label = 0;
    for (int64_t i = 0; i < d->n; i++) {
        if (cfg->stratify) HK_TRY(hk_data_get(d, i, NULL, &label, e));
        left[cfg->stratify ? label : 0]++;
    }
    for (int k = 0; k < (cfg->stratify ? d->n_class : 1); k++)
        left[k] = held_of(cfg->val_fraction, left[k]);
    for (int64_t i = 0; i < d->n; i++) {
        if (cfg->stratify) HK_TRY(hk_data_get(d, order[i], NULL, &label, e));
        int64_t *more = &left[cfg->stratify ? label : 0];
        if (*more > 0) {
            held[order[i]] = 1;
            --*more;
        }
    }
    return HK_OK;
}

hk_status hk_split_list(const hk_dataset *d, const hk_loader_cfg *cfg, uint32_t **list, int64_t *n,
                        hk_error *e)
{
    size_t all = (size_t)d->n;
    uint32_t *order = hk_alloc(all * sizeof *order);
    uint8_t *held = hk_alloc_zero(all, 1);
    int64_t *left = hk_alloc_zero((size_t)d->n_class, sizeof *left);
    hk_status st = HK_OK;
    *list = NULL;
    *n = 0;
    if (!order || !held || !left)
        st = hk_fail(e, HK_E_NOMEM, "loader: no memory to split %lld samples", (long long)d->n);
    if (st == HK_OK && cfg->part != HK_PART_ALL && cfg->val_fraction > 0) {
        hk_rng_permute((hk_rng){ cfg->split_seed, HK_STREAM_SPLIT }, (uint32_t)all, order);
        st = mark_held(d, cfg, order, left, held, e);
    }
    if (st == HK_OK) {           /* the permutation is done with: its block takes the list */
        for (uint32_t i = 0; i < all; i++)
            if (cfg->part == HK_PART_ALL || held[i] == (cfg->part == HK_PART_VAL))
                order[(*n)++] = i;
        *list = order;
        order = NULL;
    }
    hk_free(order);
    hk_free(held);
    hk_free(left);
    return st;
}
