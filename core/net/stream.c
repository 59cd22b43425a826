/* An endless sample, step by step.
 *
 * Layers hear t = 1 at the first step of a sequence, then 2, and so on up to T (at least 2) and that
 * for ever: what steps have of their own, the last one has for all that follow. Under an online rule
 * every ring has one slot, so nothing else counts the steps, and nothing can overflow. Traces are recursions that
 * forget (a leak below 1), sums of a step are kept in double and cleared by each update.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_stream.h"
#include "net.h"

#include <string.h>

static const void *frame_of(void *self, int t)
{
    (void)t;
    return ((const hk_stream *)self)->frame;
}

hk_status hk_stream_check(const hk_net *net, hk_error *e)
{
    HK_CHECK(e, net->spec.learn, HK_E_ARG, "net: built for inference, cannot learn");
    HK_CHECK(e, net->spec.rule->step, HK_E_UNSUP,
             "rule '%s' needs whole samples, and a stream has no end; use a rule that learns step by "
             "step: sltt, ottt_a, ottt_o, stop, or solsa with points: 0", net->spec.rule->info.name);
    HK_CHECK(e, net->plan.updates != HK_AT_POINTS, HK_E_UNSUP,
             "rule '%s': it chooses the steps of its updates among those of a whole sample; set points: 0",
             net->spec.rule->info.name);
    HK_CHECK(e, !(net->plan.filter_ratio > 0), HK_E_UNSUP,
             "rule '%s': compat has factors that count the steps of a sample; set compat: false",
             net->spec.rule->info.name);
    HK_CHECK(e, net->spec.objective.when == HK_EACH_STEP, HK_E_UNSUP,
             "rule '%s': a step is learned with a loss of its own, found loss.when: final; use "
             "loss.when: step", net->spec.rule->info.name);
    HK_CHECK(e, net->update.accumulate <= 1, HK_E_ARG,
             "stream: accumulate is %d, expected 1; say the steps per update instead",
             (int)net->update.accumulate);
    return HK_OK;
}

hk_status hk_stream_open(hk_stream *s, hk_net *net, bool learn, int32_t every, hk_error *e)
{
    memset(s, 0, sizeof *s);
    HK_CHECK(e, net->spec.batch == 1, HK_E_ARG, "stream: the net's batch is %d, expected 1",
             (int)net->spec.batch);
    HK_CHECK(e, !hk_by_layer(net), HK_E_ARG, "stream: the net runs layer by layer (layer_major), expected step "
             "by step");
    HK_CHECK(e, every >= 0, HK_E_ARG, "stream: %d steps per update, expected 0 or more", (int)every);
    if (learn) HK_TRY(hk_stream_check(net, e));
    s->net = net;
    s->learn = learn;
    s->every = every;
    s->batch = (hk_batch){ .n = 1, .frame = frame_of, .self = s, .open = true };
    hk_stream_reset(s);
    return HK_OK;
}

void hk_stream_reset(hk_stream *s)
{
    hk_net *net = s->net;
    if (s->pending) hk_stream_update(s);
    if (s->here) net->samples++;
    s->here = 0;
    net->batch = &s->batch;
    net->training = s->learn;
    hk_net_begin(net);
}

void hk_stream_update(hk_stream *s)
{
    hk_net_finish(s->net);
    hk_net_update(s->net);
    s->pending = 0;
}

hk_status hk_stream_step(hk_stream *s, const void *frame, int32_t label, hk_error *e)
{
    hk_net *net = s->net;
    const hk_objective *o = &net->spec.objective;
    const int last = net->spec.T > 2 ? net->spec.T : 2, t = s->here < last ? (int)s->here + 1 : last;
    const bool labelled = label >= 0, error = labelled && s->learn;
    HK_CHECK(e, label < net->readout->out.shape.c, HK_E_ARG, "label is %d, expected 0 to %d",
             (int)label, (int)net->readout->out.shape.c - 1);
    s->frame = frame;
    s->label = label;
    s->batch.label = labelled ? &s->label : NULL;
    net->result = (hk_result){ 0 };
    if (s->learn) net->spec.rule->step(net, net->spec.rule_cfg, t, error);
    else hk_net_forward(net, t);
    s->here++;
    s->steps++;
    s->loss = net->result.loss * (o->when == HK_EACH_STEP && o->divide_by_T ? net->spec.T : 1);
    HK_CHECK(e, s->loss - s->loss == 0, HK_E_NUM, "loss is not finite at step %lld of the stream, "
             "after update %lld; lower optim.lr or set optim.clip_norm", (long long)s->steps,
             (long long)net->updates);
    if (!error) return HK_OK;
    s->pending++;
    if (net->plan.updates != HK_AT_EACH_STEP && s->pending != s->every) return HK_OK;
    hk_stream_update(s);
    return hk_net_check(net, e);
}

const float *hk_stream_output(const hk_stream *s)
{
    return hk_slot(&s->net->readout->y, 1);
}
