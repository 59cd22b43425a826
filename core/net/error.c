/* How the loss meets time and batch: value and gradient at one step, or once at the end.
 *
 *   each step   E = w sum_t l(z[t], y)                          z[t] the readout's output
 *   final       E = w l(d, y),  d = sum, mean, last or leaky    dE/dz[t] = w factor l'(d) for all t
 *                                                               (sum, mean), at t = T (last, leaky)
 *   w = 1/n (mean over the batch) and 1/T (divide_by_T, each step only)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "layer/readout.h"
#include "net.h"

static double weight(const hk_net *net)
{
    const hk_objective *o = &net->spec.objective;
    double w = o->batch_sum ? 1 : 1.0 / net->batch->n;
    return o->when == HK_EACH_STEP && o->divide_by_T ? w / net->spec.T : w;
}

/* Target of sample b: as given, or one-hot, smoothed. */
static const float *target(hk_net *net, int b, int t)
{
    const int c = net->readout->out.shape.c;
    const hk_batch *in = net->batch;
    if (in->target) return in->target + ((size_t)(t - 1) * (size_t)net->spec.batch + (size_t)b) * (size_t)c;
    const float eps = net->spec.objective.smoothing;
    for (int k = 0; k < c; k++)
        net->target[k] = eps / (float)c + (k == in->label[b] ? 1 - eps : 0);
    return net->target;
}

static bool has_loss(const hk_net *net)
{
    return net->spec.loss && (net->batch->label || net->batch->target);
}

void hk_loss_value(hk_net *net, int t)
{
    const hk_objective *o = &net->spec.objective;
    const hk_node *out = net->readout;
    const size_t c = (size_t)out->out.shape.c;
    const bool last = t == net->spec.T;
    if (has_loss(net) && (o->when == HK_EACH_STEP || last)) {
        float *dz = hk_readout_scratch(out);
        double sum = 0;
        for (int b = 0; b < net->batch->n; b++) {
            const float *z = o->when == HK_EACH_STEP ? (const float *)hk_slot(&out->y, t) + (size_t)b * c
                                                     : hk_readout_decision(out, b, dz + c);
            sum += net->spec.loss->eval((int)c, z, target(net, b, t), dz, net->spec.loss_cfg);
        }
        net->result.loss += sum * weight(net);
    }
    if (last) hk_count_correct(net);
}

void hk_count_correct(hk_net *net)
{
    const size_t c = (size_t)net->readout->out.shape.c;
    for (int b = 0; net->batch->label && b < net->batch->n; b++) {
        const float *d = hk_net_output(net) + (size_t)b * c;
        size_t best = 0;
        for (size_t k = 1; k < c; k++)
            if (d[k] > d[best]) best = k;
        net->result.correct += (int32_t)best == net->batch->label[b];
        net->result.seen++;
    }
}

void hk_loss_error(hk_net *net, int t, bool error)
{
    const hk_objective *o = &net->spec.objective;
    const hk_node *out = net->readout;
    const size_t c = (size_t)out->out.shape.c;
    float *dy = hk_dy(out, t);
    const bool now = error && has_loss(net) &&
                     (o->when == HK_EACH_STEP || t == net->spec.T || hk_readout_all_steps(out));
    const float w = (float)(weight(net) * (o->when == HK_FINAL ? (double)hk_readout_factor(out) : 1));
    for (int b = 0; b < net->spec.batch; b++, dy += c) {
        for (size_t k = 0; k < c; k++) dy[k] = 0;
        if (!now || b >= net->batch->n) continue;
        const float *z = o->when == HK_EACH_STEP ? (const float *)hk_slot(&out->y, t) + (size_t)b * c
                                                 : hk_readout_decision(out, b, hk_readout_scratch(out) + c);
        net->spec.loss->eval((int)c, z, target(net, b, o->when == HK_FINAL ? net->spec.T : t), dy,
                             net->spec.loss_cfg);
        for (size_t k = 0; k < c; k++) dy[k] *= w;
    }
}

const float *hk_net_output(const hk_net *net) { return hk_readout_output(net->readout); }
