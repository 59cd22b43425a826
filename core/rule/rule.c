/* SPDX-License-Identifier: Apache-2.0 */
#include "rule.h"

#include "layer/readout.h"

hk_status hk_rule_check_online(const hk_net *net, hk_error *e)
{
    HK_CHECK(e, net->spec.objective.when == HK_EACH_STEP || !hk_readout_all_steps(net->readout),
             HK_E_UNSUP,
             "rule '%s': a final loss on the summed outputs of readout '%s' reaches back to every "
             "step, which an online rule has not kept; use loss.when: step, or readout kind last or "
             "leaky, or rule bptt", net->spec.rule->info.name, net->readout->name);
    return HK_OK;
}

void hk_rule_run_online(hk_net *net)
{
    const bool each = net->spec.objective.when == HK_EACH_STEP;
    const int T = hk_net_steps(net);
    for (int t = 1; t <= T; t++) {
        hk_net_forward(net, t);
        if (each || hk_net_ends(net, t)) hk_net_backward(net, t, t, true);
    }
    hk_net_finish(net);
}

void hk_rule_step(hk_net *net, const void *cfg, int t, bool error)
{
    (void)cfg;
    hk_net_forward(net, t);
    if (error) hk_net_backward(net, t, t, true);
}
