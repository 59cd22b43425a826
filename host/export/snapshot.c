/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot.h"

#include "base/alloc.h"
#include "run/weights.h"

#include <math.h>
#include <string.h>

enum { STREAM = 0x5e1f };                /* random numbers of the self-test's inputs */

/* ---- recipe ------------------------------------------------------------------------------------ */

static hk_status open_data(hk_snapshot *s, int split, hk_error *e)
{
    const hk_recipe_data *d = &s->recipe.data;
    hk_dataset_cfg cfg = { d->path, split ? "test" : "train", d->cfg };
    HK_CHECK(e, d->ops, HK_E_ARG, "data.name is 'none': there are no samples to write");
    return hk_data_open(&s->data[split], d->ops, &cfg, e);
}

static hk_status open_recipe(hk_snapshot *s, const hk_export_opts *o, hk_error *e)
{
    HK_TRY(hk_recipe_load(&s->recipe, o->recipe, o->set, o->n_set, e));
    const hk_recipe_data *d = &s->recipe.data;
    const bool known = d->shape.c && d->classes;
    if (o->train > 0 || !known) HK_TRY(open_data(s, 0, e));
    if (o->test > 0) HK_TRY(open_data(s, 1, e));
    if (s->data[0].ops) {
        if (!s->recipe.data.steps) s->recipe.data.steps = s->data[0].steps;
        HK_TRY(hk_recipe_normalise(&s->recipe, &s->data[0], e));
    }
    if (known) return hk_recipe_shape(&s->recipe, d->shape, d->classes, e);
    return hk_recipe_shape(&s->recipe, s->data[0].shape, s->data[0].n_class, e);
}

/* ---- net --------------------------------------------------------------------------------------- */

static hk_status build(hk_snapshot *s, const hk_export_opts *o, hk_error *e)
{
    void *base[HK_REGIONS];
    hk_net *net = &s->model.net;
    hk_target_spec(&s->recipe, o->tile, &s->spec);
    const int32_t most = hk_net_max_param(&s->spec);
    s->node = hk_alloc_zero((size_t)s->spec.n_node, sizeof *s->node);
    s->param = hk_alloc_zero((size_t)most, sizeof *s->param);
    HK_CHECK(e, s->node && s->param, HK_E_NOMEM, "no memory for the tables of %d layers",
             (int)s->spec.n_node);
    HK_TRY(hk_net_build(net, &s->spec, s->node, s->param, most, e));
    HK_TRY(hk_net_plan(net, s->image.bytes, e));
    const size_t bytes = hk_image_bytes(&s->image);
    char *at = s->memory = hk_alloc_zero(1, bytes);
    HK_CHECK(e, at, HK_E_NOMEM, "no memory for a net of %zu bytes", bytes);
    for (int r = 0; r < HK_REGIONS; r++) {
        base[r] = at;
        at += s->image.bytes[r];
    }
    HK_TRY(hk_net_bind(net, base, e));
    hk_net_init(net);
    return o->weights ? hk_weights_load(net, o->weights, e) : HK_OK;
}

/* ---- constants --------------------------------------------------------------------------------- */

/* Single to half precision, to nearest, ties to even; too large becomes infinite. */
static uint16_t to_half(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    const float a = fabsf(x);
    if (a != a) return sign | 0x7e00u;
    if (a >= 65520.0f) return sign | 0x7c00u;
    if (a < 0x1p-14f) return (uint16_t)(sign | (uint16_t)rintf(a * 0x1p24f));
    memcpy(&bits, &a, sizeof bits);
    const uint32_t rest = bits & 0x1fffu;
    uint32_t h = (bits >> 13) - (112u << 10);
    if (rest > 0x1000u || (rest == 0x1000u && (h & 1))) h++;
    return (uint16_t)(sign | h);
}

/* One scale per output channel: its largest magnitude becomes 127. */
static void to_small(const hk_param *p, int8_t *value, float *scale)
{
    const size_t inner = hk_target_channels(p);
    for (size_t k = 0; k < inner; k++) {
        float top = 0;
        for (size_t i = k; i < p->n; i += inner) top = fmaxf(top, fabsf(p->w[i]));
        scale[k] = top > 0 ? top / 127.0f : 1.0f;
        for (size_t i = k; i < p->n; i += inner) value[i] = (int8_t)rintf(p->w[i] / scale[k]);
    }
}

static void make_constant(const hk_param *p, hk_form form, char *at, hk_constant *out)
{
    *out = (hk_constant){ at, NULL, hk_target_form(p, form) };
    if (out->form == HK_FORM_F32) {
        memcpy(at, p->w, p->n * sizeof(float));
    } else if (out->form == HK_FORM_F16) {
        for (size_t i = 0; i < p->n; i++) ((uint16_t *)(void *)at)[i] = to_half(p->w[i]);
    } else {
        float *scale = (float *)(void *)at;
        int8_t *value = (int8_t *)(scale + hk_target_channels(p));
        to_small(p, value, scale);
        out->scale = scale;
        out->value = value;
    }
}

static size_t rounded(size_t n) { return (n + 15) / 16 * 16; }

static hk_status make_constants(hk_snapshot *s, hk_form form, hk_error *e)
{
    const hk_net *net = &s->model.net;
    size_t bytes = 0;
    for (int32_t i = 0; i < net->n_param; i++)
        bytes += rounded(hk_target_constant(&net->param[i], form));
    s->constant = hk_alloc_zero((size_t)net->n_param, sizeof *s->constant);
    char *at = s->values = hk_alloc_zero(1, bytes);
    HK_CHECK(e, at && s->constant, HK_E_NOMEM, "no memory for %zu bytes of constants", bytes);
    for (int32_t i = 0; i < net->n_param; i++) {
        make_constant(&net->param[i], form, at, &s->constant[i]);
        at += rounded(hk_target_constant(&net->param[i], form));
    }
    return HK_OK;
}

/* ---- self-test --------------------------------------------------------------------------------- */

/* Random inputs: floats of 0..1, or bits of which a third are set. */
static hk_status make_frames(hk_snapshot *s, hk_error *e)
{
    const hk_signal in = s->spec.input;
    const size_t rows = (size_t)in.shape.h * (size_t)in.shape.w, c = (size_t)in.shape.c;
    const hk_rng r = { s->spec.seed, STREAM };
    s->frame_bytes = rows * hk_row_bytes(in.kind, c);
    s->frames = hk_alloc_zero(HK_SELF_SAMPLES, s->frame_bytes);
    HK_CHECK(e, s->frames, HK_E_NOMEM, "no memory for the inputs of a self-test");
    for (size_t k = 0; k < HK_SELF_SAMPLES; k++) {
        char *frame = (char *)s->frames + k * s->frame_bytes;
        s->frame[k] = frame;
        for (size_t i = 0; i < rows * c; i++) {
            const float v = hk_rng_uniform(r, k * rows * c + i);
            uint32_t *row = (uint32_t *)(void *)frame + i / c * ((c + 31) / 32);
            if (in.kind == HK_F32) ((float *)(void *)frame)[i] = v;
            else if (3 * v < 1) row[i % c / 32] |= 1u << (i % c % 32);
        }
    }
    return HK_OK;
}

/* The net again, from its constants, as the device does it. */
static hk_status record(hk_snapshot *s, hk_error *e)
{
    s->image.spec = &s->spec;
    s->image.update = s->recipe.optim.update;
    s->image.update.accumulate = 1;
    s->image.n_param = s->model.net.n_param;
    s->image.param = s->constant;
    s->image.self_frame = s->frame;
    s->image.self = s->self;
    HK_TRY(hk_model_open(&s->model, &s->image, s->node, s->param, s->memory, e));
    for (int32_t k = 0; k < HK_SELF_SAMPLES; k++)
        HK_TRY(hk_model_self_sample(&s->model, k, &s->self[k], e));
    return hk_model_self_test(&s->model, e);
}

static hk_status open_all(hk_snapshot *s, const hk_export_opts *o, hk_error *e)
{
    HK_TRY(open_recipe(s, o, e));
    HK_TRY(build(s, o, e));
    HK_TRY(make_constants(s, o->form, e));
    HK_TRY(make_frames(s, e));
    return record(s, e);
}

hk_status hk_snapshot_open(hk_snapshot *s, const hk_export_opts *o, hk_error *e)
{
    memset(s, 0, sizeof *s);
    const hk_status st = open_all(s, o, e);
    if (st) hk_snapshot_close(s);
    return st;
}

void hk_snapshot_close(hk_snapshot *s)
{
    hk_free(s->frames);
    hk_free(s->values);
    hk_free(s->constant);
    hk_free(s->memory);
    hk_free(s->param);
    hk_free(s->node);
    for (int i = 0; i < 2; i++)
        if (s->data[i].ops) hk_data_close(&s->data[i]);
    hk_recipe_free(&s->recipe);
    memset(s, 0, sizeof *s);
}
