/* Opening and closing of data sets. SPDX-License-Identifier: Apache-2.0 */
#include "host/data/data.h"

#include "host/base/alloc.h"
#include "host/data/store.h"

#include <string.h>

size_t hk_data_floats(const hk_dataset *d)
{
    size_t steps = d->steps > 0 ? (size_t)d->steps : 1;
    return steps * (size_t)d->shape.h * (size_t)d->shape.w * (size_t)d->shape.c;
}

static hk_status open_with(hk_dataset *d, const hk_dataset_cfg *cfg, hk_error *e)
{
    const hk_info *info = &d->ops->info;
    hk_dataset_cfg full = *cfg;
    void *defaults = NULL;
    if (!full.member && info->cfg_size) {
        defaults = hk_alloc(info->cfg_size);
        HK_CHECK(e, defaults, HK_E_NOMEM, "%s: no memory for its configuration", info->name);
        hk_fields_default(info, defaults);
        full.member = defaults;
    }
    hk_status st = d->ops->open(d, &full, e);
    hk_free(defaults);
    return st;
}

hk_status hk_data_open(hk_dataset *d, const hk_dataset_ops *ops, const hk_dataset_cfg *cfg,
                       hk_error *e)
{
    *d = (hk_dataset){ .ops = NULL };
    HK_CHECK(e, cfg->split && (!strcmp(cfg->split, "train") || !strcmp(cfg->split, "test")),
             HK_E_ARG, "%s: split is '%s', expected train or test", ops->info.name,
             cfg->split ? cfg->split : "");
    HK_CHECK(e, !ops->needs_root || (cfg->root && cfg->root[0]), HK_E_ARG,
             "%s: no root path given, the folder of the data is needed", ops->info.name);
    d->ops = ops;
    hk_status st = open_with(d, cfg, e);
    if (st != HK_OK) {
        hk_data_close(d);
        return st;
    }
    hk_store_digest(d);
    return HK_OK;
}

hk_status hk_data_get(const hk_dataset *d, int64_t i, float *out, int32_t *label, hk_error *e)
{
    return d->ops->get(d, i, out, label, e);
}

void hk_data_close(hk_dataset *d)
{
    if (d->ops) d->ops->close(d);
    *d = (hk_dataset){ .ops = NULL };
}
