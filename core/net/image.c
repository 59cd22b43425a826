/* From a net as constants to a model in one block of memory; samples and single steps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_image.h"

#include "base/math.h"
#include "net.h"

#include <string.h>

size_t hk_image_bytes(const hk_image *image)
{
    size_t sum = 0;
    for (int r = 0; r < HK_REGIONS; r++) sum += image->bytes[r];
    return sum;
}

int32_t hk_largest(int32_t n, const float *v)
{
    int32_t best = 0;
    for (int32_t k = 1; k < n; k++)
        if (v[k] > v[best]) best = k;
    return best;
}

/* ---- constants --------------------------------------------------------------------------------- */

/* IEEE half to single precision, exact. A subnormal half is fraction * 2^-24. */
static float from_half(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, e = h >> 10 & 31u, f = h & 1023u;
    if (e == 0) return hk_from_bits(hk_to_bits((float)f * 0x1p-24f) | sign);
    return hk_from_bits(sign | (e == 31 ? 255u : e + 112u) << 23 | f << 13);
}

static void load(const hk_param *p, const hk_constant *c)
{
    const size_t inner = (size_t)p->dim[p->order[p->rank - 1]];
    const uint16_t *half = c->value;
    const int8_t *small = c->value;
    switch (c->form) {
    case HK_FORM_F16:
        for (size_t i = 0; i < p->n; i++) p->w[i] = from_half(half[i]);
        break;
    case HK_FORM_I8:
        for (size_t i = 0; i < p->n; i++) p->w[i] = (float)small[i] * c->scale[i % inner];
        break;
    default:
        memcpy(p->w, c->value, p->n * sizeof(float));
    }
}

void hk_model_load(hk_model *m)
{
    hk_net *net = &m->net;
    for (int r = 0; r < HK_REGIONS; r++)
        if (net->bytes[r]) memset(net->base[r], 0, net->bytes[r]);
    for (int32_t i = 0; i < net->n_param; i++) load(&net->param[i], &m->image->param[i]);
    net->updates = net->samples = 0;
    net->pending = 0;
    hk_net_prepare(net);
}

/* ---- open -------------------------------------------------------------------------------------- */

static const void *frame_of(void *self, int t)
{
    const hk_model *m = self;
    return (const char *)m->frame + (size_t)(t - 1) * m->stride;
}

static hk_status carve(hk_net *net, const hk_image *image, char *memory, hk_error *e)
{
    static const char *const name[] = HK_REGION_NAMES;
    void *base[HK_REGIONS];
    size_t bytes[HK_REGIONS];
    HK_TRY(hk_net_plan(net, bytes, e));
    for (int r = 0; r < HK_REGIONS; r++) {
        HK_CHECK(e, bytes[r] == image->bytes[r], HK_E_ARG,
                 "image: region '%s' has %zu bytes, this core plans %zu: export the net again",
                 name[r], image->bytes[r], bytes[r]);
        base[r] = memory;
        memory += bytes[r];
    }
    return hk_net_bind(net, base, e);
}

hk_status hk_model_open(hk_model *m, const hk_image *image, hk_node *node, hk_param *param,
                        void *memory, hk_error *e)
{
    memset(m, 0, sizeof *m);
    m->image = image;
    HK_CHECK(e, image->spec->batch == 1, HK_E_ARG, "image: batch is %d, expected 1",
             (int)image->spec->batch);
    HK_TRY(hk_net_build(&m->net, image->spec, node, param, image->n_param, e));
    HK_TRY(carve(&m->net, image, memory, e));
    HK_CHECK(e, m->net.n_param == image->n_param, HK_E_ARG,
             "image: %d parameters, this core has %d: export the net again", (int)image->n_param,
             (int)m->net.n_param);
    m->net.update = image->update;
    m->batch = (hk_batch){ .n = 1, .frame = frame_of, .self = m };
    hk_model_load(m);
    return HK_OK;
}

/* ---- samples ----------------------------------------------------------------------------------- */

static void show(hk_model *m, const void *frames, int32_t label)
{
    const hk_net_spec *s = &m->net.spec;
    const size_t rows = (size_t)s->input.shape.h * (size_t)s->input.shape.w;
    m->frame = frames;
    m->stride = s->constant_input ? 0 : hk_map_bytes(rows, s->input);
    m->label = label;
    m->batch.label = label < 0 ? NULL : &m->label;
}

hk_status hk_model_infer(hk_model *m, const void *frames, int32_t *best, hk_error *e)
{
    show(m, frames, -1);
    HK_TRY(hk_net_infer(&m->net, &m->batch, NULL, e));
    if (best) *best = hk_largest(m->net.readout->out.shape.c, hk_net_output(&m->net));
    return HK_OK;
}

hk_status hk_model_learn(hk_model *m, const void *frames, int32_t label, hk_result *out,
                         hk_error *e)
{
    show(m, frames, label);
    return hk_net_learn(&m->net, &m->batch, out, e);
}

/* ---- steps ------------------------------------------------------------------------------------- */

void hk_model_begin(hk_model *m, bool learn)
{
    learn = learn && hk_stream_check(&m->net, NULL) == HK_OK;
    hk_stream_open(&m->stream, &m->net, learn, 0, NULL);       /* batch 1: cannot fail */
}

const float *hk_model_infer_step(hk_model *m, const void *frame)
{
    hk_error e;
    return hk_stream_step(&m->stream, frame, -1, &e) ? NULL : hk_stream_output(&m->stream);
}

hk_status hk_model_learn_step(hk_model *m, const void *frame, int32_t label, hk_error *e)
{
    HK_TRY(hk_stream_check(&m->net, e));
    HK_CHECK(e, m->stream.learn, HK_E_ARG, "stream: begun for inference, cannot learn");
    HK_CHECK(e, label >= 0, HK_E_ARG, "label is %d, expected 0 or more", (int)label);
    return hk_stream_step(&m->stream, frame, label, e);
}

void hk_model_update(hk_model *m) { hk_stream_update(&m->stream); }
