/* Two branches on one set of parameters: T steps of spikes, then one step on sums over time.
 *
 *   HK_SPIKES   forward only; running statistics, no dropout layer, no loss; spiking layers count
 *   HK_SUMS     the input is sum_t x[t] (or its mean), a spiking layer puts out its counts, and with
 *               offsets spread every linear layer has sum_t of what it had at the steps
 *
 * A phase needs other kinds of signals: counts in place of bits, floats where counts are pooled. So
 * a node keeps the kinds, scales and output of the phase that is not in use, and they change places.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "net.h"

static void swap_signal(hk_signal *s, hk_face *f, int k)
{
    const hk_signal now = *s;
    s->kind = f->kind[k];
    s->scale = f->scale[k];
    f->kind[k] = now.kind;
    f->scale[k] = now.scale;
}

void hk_turn(hk_node *l)
{
    const hk_ring y = l->y;
    l->y = l->other.y;
    l->other.y = y;
    for (int k = 0; k < HK_MAX_IN; k++) swap_signal(&l->in[k], &l->other, k);
    swap_signal(&l->out, &l->other, HK_MAX_IN);
}

void hk_net_phase(hk_net *net, hk_phase phase)
{
    const bool turn = (net->phase == HK_SUMS) != (phase == HK_SUMS);
    net->phase = phase;
    net->training = phase != HK_SPIKES;
    if (!turn) return;
    for (int32_t i = 0; i < net->n_node; i++) hk_turn(&net->node[i]);
    const hk_ring x = net->x;
    net->x = net->other_x;
    net->other_x = x;
}

float hk_offset(const hk_node *l, bool whole)
{
    const hk_net *net = l->net;
    if (!net->spec.rule || !net->spec.rule->spread) return 1;
    const float T = (float)net->spec.T;
    if (net->phase == HK_SUMS) return whole ? T : 1;
    return whole ? 1 : 1 / T;
}

/* ---- building ---------------------------------------------------------------------------------- */

/* Kinds in HK_SUMS, by the layers' own infer: the net's input is a float map there. */
hk_status hk_infer_sums(hk_net *net, hk_error *e)
{
    net->phase = HK_SUMS;
    for (int32_t i = 0; i < net->n_node; i++) {
        hk_node *l = &net->node[i];
        const hk_signal now[HK_MAX_IN + 1] = { l->in[0], l->in[1], l->out };
        for (int k = 0; k < l->spec->n_in; k++) {
            const hk_node *p = l->spec->in[k] >= 0 ? &net->node[l->spec->in[k]] : NULL;
            l->in[k].kind = p ? p->other.kind[HK_MAX_IN] : HK_F32;
            l->in[k].scale = p ? p->other.scale[HK_MAX_IN] : 1;
        }
        l->out = l->in[0];
        HK_TRY(l->ops->infer(l, e));
        const hk_signal sums[HK_MAX_IN + 1] = { l->in[0], l->in[1], l->out };
        for (int k = 0; k <= HK_MAX_IN; k++) {
            l->other.kind[k] = sums[k].kind;
            l->other.scale[k] = sums[k].scale;
        }
        l->two_faced = !l->ops->alias && (l->spec->neuron || sums[HK_MAX_IN].kind != now[HK_MAX_IN].kind);
        l->in[0] = now[0];
        l->in[1] = now[1];
        l->out = now[HK_MAX_IN];
    }
    net->phase = HK_STEPS;
    return HK_OK;
}

/* ---- input ------------------------------------------------------------------------------------- */

/* Adds the frame of step t to the input of HK_SUMS. */
typedef struct frames { hk_net *net; int t; float factor; } frames;

HK_CLONES static void add_row(size_t c, hk_view v, float factor, float *restrict out)
{
    const float *x = v.data;
    const unsigned char *count = v.data;
    const uint32_t *bits = v.data;
    const float f = factor * v.scale;
    if (v.kind == HK_F32)
        for (size_t k = 0; k < c; k++) out[k] += factor * x[k];
    else if (v.kind == HK_COUNTS)
        for (size_t k = 0; k < c; k++) out[k] += f * (float)count[k];
    else
        for (size_t k = 0; k < c; k++) out[k] += f * (float)(bits[k / 32] >> (k % 32) & 1u);
}

static void add_shard(void *arg, int shard, int worker)
{
    (void)worker;
    const frames *p = arg;
    const hk_net *net = p->net;
    const hk_signal in = net->spec.input;
    const size_t c = (size_t)in.shape.c, bytes = hk_row_bytes(in.kind, c);
    const size_t rows = (size_t)net->spec.batch * (size_t)in.shape.h * (size_t)in.shape.w;
    const char *x = hk_slot(&net->x, p->t);
    float *sum = hk_slot(&net->other_x, 0);
    for (size_t r = rows * (size_t)shard / HK_MAX_SHARD;
         r < rows * ((size_t)shard + 1) / HK_MAX_SHARD; r++)
        add_row(c, (hk_view){ x + r * bytes, in.kind, in.scale }, p->factor, sum + r * c);
}

void hk_sum_frame(hk_net *net, int t)
{
    const bool constant = net->spec.constant_input;
    const float T = (float)net->spec.T;
    if (constant && t > 1) return;
    frames p = { net, t, net->plan.frame_mean ? (constant ? 1 : 1 / T) : (constant ? T : 1) };
    net->spec.kernels->parallel(net->spec.kernels->self, HK_MAX_SHARD, add_shard, &p);
}
