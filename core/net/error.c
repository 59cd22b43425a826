/* How the loss meets time and batch: value and gradient at one step, or once at the end.
 *
 *   each step   E = w sum_t l(z[t], y)                          z[t] the readout's output
 *   final       E = w l(d, y),  d = sum, mean, last or leaky    dE/dz[t] = w factor l'(d) for all t
 *                                                               (sum, mean), at t = T (last, leaky)
 *   w = 1/n (mean over the batch) and 1/T (divide_by_T, each step only); gradients times the rule's
 *   error_factor
 *
 * T is the sample's own number of steps where the batch says lengths: after its end there is no loss
 * and no error. An open sample has no end; its 1/T is that of the spec.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "layer/readout.h"
#include "net.h"

static double weight(const hk_net *net, int b)
{
    const hk_objective *o = &net->spec.objective;
    double w = o->batch_sum ? 1 : 1.0 / net->batch->n;
    if (o->when != HK_EACH_STEP || !o->divide_by_T) return w;
    return w / (net->batch->open ? net->spec.T : hk_steps_of(net, b));
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

static void count_decision(hk_net *net, int b)
{
    const size_t c = (size_t)net->readout->out.shape.c;
    const float *d = hk_net_output(net) + (size_t)b * c;
    size_t best = 0;
    for (size_t k = 1; k < c; k++)
        if (d[k] > d[best]) best = k;
    net->result.correct += (int32_t)best == net->batch->label[b];
    net->result.seen++;
}

/* What the loss sees of sample b at step t: the output of the step, or the decision. */
static const float *seen_by_loss(const hk_net *net, int b, int t, float *scratch)
{
    const hk_node *out = net->readout;
    if (net->spec.objective.when == HK_FINAL) return hk_readout_decision(out, b, scratch);
    return (const float *)hk_slot(&out->y, t) + (size_t)b * (size_t)out->out.shape.c;
}

void hk_loss_value(hk_net *net, int t)
{
    const bool each = net->spec.objective.when == HK_EACH_STEP;
    const int c = net->readout->out.shape.c;
    float *dz = hk_readout_scratch(net->readout);
    double sum = 0;
    for (int b = 0; b < net->batch->n; b++) {
        const int32_t steps = hk_steps_of(net, b);
        if (t > steps || (!each && t < steps)) continue;
        if (has_loss(net))
            sum += weight(net, b) * net->spec.loss->eval(c, seen_by_loss(net, b, t, dz + c),
                                                         target(net, b, t), dz, net->spec.loss_cfg);
        if (t == steps && net->batch->label) count_decision(net, b);
    }
    net->result.loss += sum;
}

void hk_count_rest(hk_net *net)
{
    for (int b = 0; net->batch->label && b < net->batch->n; b++)
        if (net->steps < hk_steps_of(net, b)) count_decision(net, b);
}

void hk_count_spiking(hk_net *net)
{
    for (int b = 0; net->batch->label && b < net->batch->n; b++) count_decision(net, b);
    net->result.spiking = net->result.correct;
    net->result.correct = net->result.seen = 0;
}

void hk_loss_error(hk_net *net, int t, bool error)
{
    const bool each = net->spec.objective.when == HK_EACH_STEP;
    const hk_node *out = net->readout;
    const size_t c = (size_t)out->out.shape.c;
    const double factor = net->plan.error_factor > 0 ? (double)net->plan.error_factor : 1;
    float *dy = hk_dy(out, t);
    for (int b = 0; b < net->spec.batch; b++, dy += c) {
        const int32_t steps = hk_steps_of(net, b);
        for (size_t k = 0; k < c; k++) dy[k] = 0;
        if (!error || !has_loss(net) || t > steps) continue;
        if (!each && t < steps && !hk_readout_all_steps(out)) continue;
        const float w = (float)(factor * weight(net, b) * (each ? 1 : (double)hk_readout_factor(out, b)));
        net->spec.loss->eval((int)c, seen_by_loss(net, b, t, hk_readout_scratch(out) + c),
                             target(net, b, each ? t : steps), dy, net->spec.loss_cfg);
        for (size_t k = 0; k < c; k++) dy[k] *= w;
    }
}

const float *hk_net_output(const hk_net *net) { return hk_readout_output(net->readout); }
