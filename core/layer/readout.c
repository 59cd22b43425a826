/* Readouts: what the net says, step by step and in the end.
 *
 *   sum, count   z[t] = o[t]               decision  d = sum_t z[t]     (count: o are spikes)
 *   mean         z[t] = o[t]               d = (1/T) sum_t z[t]
 *   last         z[t] = o[t]               d = z[T]
 *   leaky        z[t] = a z[t-1] + o[t]    d = z[T]                     no spike
 *
 * T is the sample's own number of steps: after its end the decision stays as it is.
 *
 * Backward, with m = dE/dz[t]: do[t] = m[t] + a (what came to z[t] from z[t+1], under an adjoint).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "readout.h"

#include <string.h>

typedef enum { SUM, MEAN, LAST, LEAKY, COUNT } kind;
typedef struct readout_cfg { int32_t kind; float leak; } readout_cfg;

static const hk_field fields[] = {
    HK_ROW_ENUM(readout_cfg, kind, SUM, "sum|mean|last|leaky|count", 5,
                "what decides: sum, mean or last of the logits, leaky membrane, spike count"),
    HK_ROW_FLOAT(readout_cfg, leak, 0.9, 0, 1, "1", "leak of kind leaky, per step"),
};

enum { DECISION, SCRATCH };              /* buf */

static const readout_cfg *cfg_of(const hk_node *l) { return l->spec->cfg; }

const float *hk_readout_output(const hk_node *l) { return l->buf[DECISION]; }
float *hk_readout_scratch(const hk_node *l) { return l->buf[SCRATCH]; }
float hk_readout_factor(const hk_node *l, int b)
{
    const hk_net *net = l->net;
    if (cfg_of(l)->kind != MEAN) return 1.0f;
    return 1.0f / (float)(net->batch->open ? net->spec.T : hk_steps_of(net, b));
}
bool hk_readout_all_steps(const hk_node *l)
{
    const int32_t k = cfg_of(l)->kind;
    return k == SUM || k == MEAN || k == COUNT;
}

const float *hk_readout_decision(const hk_node *l, int b, float *out)
{
    const size_t c = (size_t)l->out.shape.c;
    const float *d = (const float *)l->buf[DECISION] + (size_t)b * c, f = hk_readout_factor(l, b);
    if (f == 1.0f) return d;
    for (size_t k = 0; k < c; k++) out[k] = f * d[k];
    return out;
}

static hk_status infer(hk_node *l, hk_error *e)
{
    const hk_shape s = l->in[0].shape;
    HK_CHECK(e, s.h == 1 && s.w == 1, HK_E_SHAPE,
             "layer '%s' (readout): expected a vector, found a map of %dx%dx%d (c, h, w); put gap or "
             "flatten and dense before it", l->name, (int)s.c, (int)s.h, (int)s.w);
    l->out.kind = HK_F32;
    l->out.scale = 1;
    l->decay = cfg_of(l)->kind == LEAKY ? cfg_of(l)->leak : 0;
    return HK_OK;
}

static hk_status bind(hk_node *l, hk_mem *m, hk_error *e)
{
    (void)e;
    const size_t bytes = l->rows * (size_t)l->out.shape.c * sizeof(float);
    l->buf[DECISION] = hk_take(m, HK_R_STATE, bytes);
    l->buf[SCRATCH] = hk_take(m, HK_R_WORK, 2 * (size_t)l->out.shape.c * sizeof(float));
    if (l->net->spec.learn && l->net->plan.adjoint && cfg_of(l)->kind == LEAKY)
        l->adjoint[0] = hk_take(m, HK_R_STATE, bytes);
    return HK_OK;
}

static void forward_tile(hk_node *l, const hk_tile *a)
{
    const size_t c = (size_t)l->out.shape.c, n = a->rows * c;
    const bool leaky = cfg_of(l)->kind == LEAKY, sums = l->net->phase == HK_SUMS;
    const bool last = leaky || cfg_of(l)->kind == LAST || sums;      /* y is the sum already */
    const bool ragged = hk_ragged(l->net);
    const float *before = (const float *)hk_slot(&l->y, a->t - 1) + a->row * c;
    for (size_t i = 0; i < n; i++) a->y[i] = leaky ? l->decay * before[i] + a->x[0][i] : a->x[0][i];
    for (size_t r = 0; r < a->rows; r++) {
        const float *y = a->y + r * c;
        float *decision = (float *)l->buf[DECISION] + (a->row + r) * c;
        if (l->net->replay || (ragged && a->t > hk_steps_of(l->net, (int32_t)(a->row + r)))) continue;
        for (size_t k = 0; k < c; k++) decision[k] = last ? y[k] : decision[k] + y[k];
    }
}

static void backward_tile(hk_node *l, const hk_tile *a)
{
    const size_t c = (size_t)l->out.shape.c, n = a->rows * c;
    if (!a->dx[0]) return;
    if (!l->adjoint[0]) {
        for (size_t i = 0; i < n; i++) a->dx[0][i] = a->add[0] ? a->dx[0][i] + a->dy[i] : a->dy[i];
        return;
    }
    float *adj = l->adjoint[0] + a->row * c;
    for (size_t i = 0; i < n; i++) {
        const float d = a->dy[i] + adj[i];
        adj[i] = l->decay * d;
        a->dx[0][i] = a->add[0] ? a->dx[0][i] + d : d;
    }
}

const hk_layer_ops hk_layer_readout = {
    .info = { "readout", "what the net says: sum, mean, last, leaky membrane or spike count of its outputs",
              "sum and last: 2210.04195, 2302.14311; leaky: 2411.11082, its released code", sizeof(readout_cfg),
              fields, HK_COUNT(fields) },
    .n_in = 1, .memory = true, .infer = infer, .bind = bind,
    .forward_tile = forward_tile, .backward_tile = backward_tile,
};
