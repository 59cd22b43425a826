/* SPDX-License-Identifier: Apache-2.0 */
#include "export.h"

#include "io/file.h"
#include "run/codes.h"
#include "run/engine.h"
#include "run/norms.h"

#include <string.h>

static hk_status shape(hk_recipe *r, hk_error *e)
{
    const hk_recipe_data *d = &r->data;
    hk_dataset set;
    if (d->shape.c && d->classes) return hk_recipe_shape(r, d->shape, d->classes, e);
    HK_CHECK(e, d->ops, HK_E_ARG, "data.name is 'none', and data.shape or data.classes is missing");
    const hk_dataset_cfg cfg = { d->path, "train", d->cfg };
    HK_TRY(hk_data_open(&set, d->ops, &cfg, e));
    const hk_status st = hk_recipe_shape(r, set.shape, set.n_class, e);
    hk_data_close(&set);
    return st;
}

/* Bytes of parameter k of l in the file: codes and a scale per output; scale and shift of a norm. */
static size_t stored(const hk_node *l, int32_t k)
{
    const hk_param *p = l->param[k];
    if (hk_norm_folds(l)) return k < 2 ? p->n * sizeof(float) : 0;
    return p->code_bits ? (p->n * (size_t)p->code_bits + 7) / 8 + 4 * (size_t)p->dim[0] : p->n * sizeof(float);
}

static hk_status write(hk_recipe *r, hk_engine *g, const hk_export_opts *o, hk_export_result *out,
                       hk_error *e)
{
    hk_net_spec spec;
    HK_TRY(hk_recipe_load(r, o->recipe, o->set, o->n_set, e));
    HK_TRY(shape(r, e));
    hk_recipe_spec(r, false, false, &spec);
    const hk_host_kernels_cfg kernels = hk_recipe_kernels(r, 1);
    HK_TRY(hk_engine_open(g, &spec, &kernels, e));
    if (o->weights) HK_TRY(hk_weights_load(&g->net, o->weights, e));
    HK_TRY(hk_codes_save(&g->net, o->out, NULL, e));
    for (int32_t i = 0; i < g->net.n_node; i++)
        for (int32_t k = 0; k < g->net.node[i].n_param; k++) {
            const hk_param *p = g->net.node[i].param[k];
            out->memory += p->n * sizeof(float);
            out->constants += stored(&g->net.node[i], k);
        }
    out->n_node = g->net.n_node;
    out->n_param = g->net.n_param;
    return HK_OK;
}

hk_status hk_export_compact(const hk_export_opts *o, hk_export_result *out, hk_error *e)
{
    hk_recipe recipe;
    hk_engine engine;
    memset(&recipe, 0, sizeof recipe);
    memset(&engine, 0, sizeof engine);
    memset(out, 0, sizeof *out);
    const hk_status st = write(&recipe, &engine, o, out, e);
    hk_engine_close(&engine);
    hk_recipe_free(&recipe);
    return st;
}
