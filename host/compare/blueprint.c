/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "parts.h"

#include <string.h>

static bool learns(const hk_net *net, hk_role role)
{
    for (int32_t i = 0; i < net->n_param; i++)
        if (net->param[i].role == role && net->param[i].learn) return true;
    return false;
}

/* Whether this is about net and rule, and not about files, memory or the form of the recipe. */
static bool is_refusal(hk_status st)
{
    return st == HK_E_UNSUP || st == HK_E_SHAPE || st == HK_E_ARG;
}

static hk_status settle(hki_blueprint *b, hk_status st, const hk_error *inner, hk_error *e)
{
    if (is_refusal(st))
        b->refused = *inner;
    else if (st && e)
        *e = *inner;
    return is_refusal(st) ? HK_OK : st;
}

static hk_status plan(hki_blueprint *b, hk_error *e)
{
    hk_error inner;
    hk_net_spec spec;
    HK_TRY(settle(b, hk_recipe_shape_from_data(&b->recipe, &inner), &inner, e));
    if (b->refused.code) return HK_OK;
    hk_recipe_spec(&b->recipe, true, true, &spec);
    const hk_host_kernels_cfg kernels = hk_recipe_kernels(&b->recipe, 0);
    return settle(b, hk_engine_plan(&b->engine, &spec, &kernels, &inner), &inner, e);
}

/* What does not change the training is put aside, so that equal trainings have equal texts; and what
 * follows from the data, which a run has written down and a recipe has not. */
static hk_status print(hki_blueprint *b, hk_error *e)
{
    hk_recipe r = b->recipe;
    if (b->refused.code) {
        b->text = hk_strdup("");
        HK_CHECK(e, b->text, HK_E_NOMEM, "out of memory for a recipe");
        return HK_OK;
    }
    r.data.path[0] = '\0';
    if (r.data.normalise != HK_NORM_NONE) r.data.augment.n_mean = 0;      /* a run computes them */
    r.train.threads = r.train.seed = 0;
    r.data.steps = 0;
    if (r.data.normalise == HK_NORM_CHANNEL) r.data.augment.n_mean = 0;
    if (!learns(&b->engine.net, HK_THRESHOLD)) r.optim.update.lr_threshold = 1;
    if (!learns(&b->engine.net, HK_LEAK)) r.optim.update.lr_leak = 1;
    return hk_recipe_print(&r, &b->text, e);
}

hk_status hki_blueprint_open(hki_blueprint *b, const char *path, const char *text,
                             const char *const *set, int n_set, hk_error *e)
{
    memset(b, 0, sizeof *b);
    HK_TRY(hk_recipe_read(&b->recipe, path, text, set, n_set, e));
    b->seed = b->recipe.train.seed;
    hk_status st = plan(b, e);
    if (st == HK_OK) st = print(b, e);
    if (st != HK_OK) hki_blueprint_close(b);
    return st;
}

void hki_blueprint_close(hki_blueprint *b)
{
    hk_free(b->text);
    hk_engine_close(&b->engine);
    hk_recipe_free(&b->recipe);
    memset(b, 0, sizeof *b);
}
