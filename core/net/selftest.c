/* The self-test of an image: learn a few samples and compare membranes, spikes, gradients and weights
 * with what the exporting machine got, bit by bit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_image.h"

#include "base/math.h"
#include "net.h"

#include <string.h>

uint32_t hk_digest(uint32_t digest, const void *words, size_t bytes)
{
    const uint32_t *w = words;
    for (size_t i = 0; i < bytes / sizeof *w; i++) digest = (digest ^ w[i]) * 16777619u;
    return digest;
}

uint32_t hk_model_digest_states(const hk_model *m, int t, uint32_t digest)
{
    for (int32_t i = 0; i < m->net.n_node; i++) {
        const hk_node *l = &m->net.node[i];
        for (int k = 0; l->spec->neuron && k < l->spec->neuron->n_state; k++)
            digest = hk_digest(digest, hk_slot(&l->state[k], t), hk_map_floats(l) * sizeof(float));
    }
    return digest;
}

uint32_t hk_model_digest_spikes(const hk_model *m, int t, uint32_t digest)
{
    for (int32_t i = 0; i < m->net.n_node; i++) {
        const hk_node *l = &m->net.node[i];
        if (l->spec->neuron)
            digest = hk_digest(digest, hk_slot(&l->y, t), hk_map_bytes(l->rows, l->out));
    }
    return digest;
}

/* Digest of one array per parameter: gradients, or weights. */
static uint32_t digest_params(const hk_net *net, bool gradient)
{
    uint32_t digest = HK_DIGEST;
    for (int32_t i = 0; i < net->n_param; i++) {
        const hk_param *p = &net->param[i];
        if (!gradient || p->g) digest = hk_digest(digest, gradient ? p->g : p->w, p->n * sizeof *p->w);
    }
    return digest;
}

static void first_values(size_t n, const float *v, float out[HK_SELF_RAW])
{
    for (size_t i = 0; i < HK_SELF_RAW; i++) out[i] = i < n ? v[i] : 0.0f;
}

typedef struct recorder { hk_model *model; hk_self_sample *out; } recorder;

static void watch(void *self, hk_net *net, int t, hk_event what)
{
    const recorder *r = self;
    if (what != HK_AFTER_FORWARD) return;
    r->out->membranes = hk_model_digest_states(r->model, t, r->out->membranes);
    r->out->spikes = hk_model_digest_spikes(r->model, t, r->out->spikes);
    for (int32_t i = 0; t == net->spec.T && i < net->n_node; i++) {
        const hk_node *l = &net->node[i];
        if (!l->spec->neuron) continue;
        first_values(hk_map_floats(l), hk_slot(&l->state[0], t), r->out->membrane);
        break;
    }
}

/* As hk_net_learn, with a look at the gradients before they become weights. */
hk_status hk_model_self_sample(hk_model *m, int32_t k, hk_self_sample *out, hk_error *e)
{
    hk_net *net = &m->net;
    HK_CHECK(e, m->image->self_frame, HK_E_ARG, "image: exported without a self-test");
    const hk_optim_ops *optim = net->spec.optim;
    recorder r = { m, out };
    hk_result result;
    memset(out, 0, sizeof *out);
    out->membranes = out->spikes = HK_DIGEST;
    net->watch = watch;
    net->watch_self = &r;
    if (net->plan.updates == HK_AT_END) net->spec.optim = NULL;
    m->frame = m->image->self_frame[k];
    m->stride = 0;
    m->label = k % net->readout->out.shape.c;
    m->batch.label = &m->label;
    const hk_status st = hk_net_learn(net, &m->batch, &result, e);
    net->spec.optim = optim;
    net->watch = NULL;
    HK_TRY(st);
    out->loss = hk_to_bits((float)result.loss);
    out->gradients = digest_params(net, true);
    first_values(net->param[0].n, net->param[0].g, out->gradient);
    if (net->plan.updates == HK_AT_END) hk_net_update(net);
    out->weights = digest_params(net, false);
    first_values(net->param[0].n, net->param[0].w, out->weight);
    return HK_OK;
}

static hk_status differs(int32_t k, const char *what, uint32_t want, uint32_t found, hk_error *e)
{
    return hk_fail(e, HK_E_NUM, "self-test, sample %d: %s: expected %lu, found %lu", (int)k, what,
                   (unsigned long)want, (unsigned long)found);
}

static hk_status compare(const hk_self_sample *a, const hk_self_sample *b, int32_t k, hk_error *e)
{
    if (a->membranes != b->membranes) return differs(k, "membranes", a->membranes, b->membranes, e);
    if (a->spikes != b->spikes) return differs(k, "spikes", a->spikes, b->spikes, e);
    if (a->gradients != b->gradients) return differs(k, "gradients", a->gradients, b->gradients, e);
    if (a->weights != b->weights) return differs(k, "weights", a->weights, b->weights, e);
    if (a->loss != b->loss) return differs(k, "loss", a->loss, b->loss, e);
    HK_CHECK(e, memcmp(a, b, sizeof *a) == 0, HK_E_NUM,
             "self-test, sample %d: digests agree, first values do not", (int)k);
    return HK_OK;
}

hk_status hk_model_self_test(hk_model *m, hk_error *e)
{
    hk_status st = HK_OK;
    hk_model_load(m);
    for (int32_t k = 0; st == HK_OK && k < HK_SELF_SAMPLES; k++) {
        hk_self_sample found;
        st = hk_model_self_sample(m, k, &found, e);
        if (st == HK_OK) st = compare(&m->image->self[k], &found, k, e);
    }
    hk_model_load(m);
    return st;
}
