/* The table of choices: which dense form a product takes, and below which density it goes by events.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "../base/alloc.h"
#include "product.h"

const char *hk_product_name(int32_t product)
{
    static const char *const names[HK_PRODUCTS] = { "forward", "input", "weights" };
    return product >= 0 && product < HK_PRODUCTS ? names[product] : "?";
}

const char *hk_dense_form_name(int32_t form)
{
    static const char *const names[HK_DENSE_FORMS] = { "fp32", "bf16", "winograd", "winograd_bf16",
                                                          "onednn", "cblas", "ref" };
    return form >= 0 && form < HK_DENSE_FORMS ? names[form] : "?";
}

bool hk_choice_same(const hk_choice *a, const hk_choice *b)
{
    return a->product == b->product && a->kind == b->kind && !memcmp(&a->g, &b->g, sizeof a->g);
}

static hk_dense_form plain_form(const hki_state *s) { return s->level == HK_LEVEL_BF16 ? HK_BY_BF16 : HK_BY_FP32; }

/* Forward, where a rounding error may move a membrane across its threshold, bf16 between the transforms errs too
 * much. */
static hk_dense_form winograd_form(const hki_state *s, hk_product product)
{
    return s->level == HK_LEVEL_BF16 && product != HK_FORWARD ? HK_BY_WINOGRAD_BF16 : HK_BY_WINOGRAD;
}

/* The dense form that the options ask for. */
static hk_dense_form standard_form(const hki_state *s, const hk_conv *r, hk_product product)
{
    const bool fits = hki_can_winograd(r) && hki_winograd_fits(r, product);
    switch (s->dense) {
    case HK_DENSE_ONEDNN: return HK_BY_ONEDNN;
    case HK_DENSE_CBLAS:  return HK_BY_CBLAS;
    case HK_DENSE_REF:    return HK_BY_REF;
    default:              return fits ? winograd_form(s, product) : plain_form(s);
    }
}

/* The density below which events are faster than this form. */
static double standard_below(const hki_state *s, hk_dense_form form, hk_product product, hk_kind kind)
{
    const bool weights = product == HK_BACKWARD_WEIGHT;
    const hki_isa *of = hki_filtered(form) ? hki_dense_isa(s, form) : s->isa;
    const double *plain = weights ? of->density_sum : of->density_map;
    const double *filter = weights ? of->winograd_sum : of->winograd_map;
    return (hki_filtered(form) ? filter : plain)[kind == HK_B16 ? HK_F32 : kind];
}

hki_chosen hki_choose(const hki_state *s, const hk_conv *r, hk_product product, hk_kind kind)
{
    const hk_choice want = { .g = *r, .product = (int32_t)product, .kind = (int32_t)kind };
    for (int i = 0; i < s->n_choice; i++) {
        if (!hk_choice_same(&s->choice[i], &want)) continue;
        hk_dense_form form = (hk_dense_form)s->choice[i].form;
        if (hki_filtered(form) && !hki_can_winograd(r)) form = plain_form(s);
        return (hki_chosen){ form, (double)s->choice[i].below };
    }
    const hk_dense_form form = standard_form(s, r, product);
    return (hki_chosen){ form, standard_below(s, form, product, kind) };
}

bool hki_filtered(hk_dense_form form) { return form == HK_BY_WINOGRAD || form == HK_BY_WINOGRAD_BF16; }

bool hki_takes_pairs(hk_dense_form form)
{
    return !hki_filtered(form) && form != HK_BY_FP32 && form != HK_BY_REF;
}

const hki_isa *hki_dense_isa(const hki_state *s, hk_dense_form form)
{
    return form == HK_BY_FP32 || form == HK_BY_WINOGRAD ? s->plain : s->isa;
}

static hk_status check(const hki_state *s, const hk_choice *c, int i, hk_error *e)
{
    HK_CHECK(e, c->product >= 0 && c->product < HK_PRODUCTS && c->kind >= HK_F32 &&
             c->kind <= HK_B16 && c->form >= 0 && c->form < HK_DENSE_FORMS && c->below >= 0, HK_E_ARG,
             "kernels: row %d of the choices is out of range: product %d, kind %d, form %d, below %g",
             i, (int)c->product, (int)c->kind, (int)c->form, (double)c->below);
    const hk_dense_by vendor = c->form == HK_BY_ONEDNN  ? HK_DENSE_ONEDNN
                               : c->form == HK_BY_CBLAS ? HK_DENSE_CBLAS
                                                          : HK_DENSE_OWN;
    HK_CHECK(e, vendor == HK_DENSE_OWN || hk_vendor_version(vendor), HK_E_UNSUP,
             "kernels: row %d of the choices takes dense products by %s, which is not in this build",
             i, hk_dense_form_name(c->form));
    HK_CHECK(e, (c->form != HK_BY_BF16 && c->form != HK_BY_WINOGRAD_BF16) || s->level == HK_LEVEL_BF16, HK_E_UNSUP,
             "kernels: row %d of the choices takes bf16, expected forms that instructions %s and the "
             "precision allow; set train.precision to bf16 on a processor that has it", i,
             hk_isa_name(s->level));
    return HK_OK;
}

hk_status hki_choose_open(hki_state *s, const hk_host_kernels_cfg *cfg, hk_error *e)
{
    if (cfg->n_choice < 1) return HK_OK;
    for (int i = 0; i < cfg->n_choice; i++) HK_TRY(check(s, &cfg->choice[i], i, e));
    const size_t bytes = (size_t)cfg->n_choice * sizeof *s->choice;
    s->choice = hk_alloc(bytes);
    HK_CHECK(e, s->choice, HK_E_NOMEM, "kernels: no memory for %zu bytes", bytes);
    s->n_choice = cfg->n_choice;
    for (int i = 0; i < s->n_choice; i++) {
        s->choice[i] = cfg->choice[i];
        s->choice[i].g = hki_reshaped(&cfg->choice[i].g);
    }
    return HK_OK;
}
