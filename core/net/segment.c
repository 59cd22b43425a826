/* Back-propagation with steps computed again instead of kept. The tape holds one segment of K steps;
 * of each boundary between segments only the states are kept. After one pass forward the segments
 * are swept from the last to the first: states put back, K steps forward again, K steps backward.
 *
 *   memory   K tapes + (ceil(T/K) - 1) states        time   one more forward pass (less a segment)
 *
 * Nothing is random in a step, so the gradient has the same bits as with the whole tape. The fewest
 * segments that fit the user's budget are taken. Sources: Griewank 1992; for networks in time
 * 1604.06174, 1606.03401.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "net.h"

#include <string.h>

static int32_t segments_of(const hk_net *net)
{
    return (net->spec.T + net->plan.window - 1) / net->plan.window;
}

/* The rings of a node that carry something from step to step: its output, its states. */
static hk_ring *ring_of(hk_node *l, int k)
{
    hk_ring *r = k == 0 ? (l->ops->memory ? &l->y : NULL) : &l->state[k - 1];
    return r && r->slots == l->net->plan.window + 1 ? r : NULL;
}

void hk_take_saved(hk_node *l, hk_mem *m)
{
    if (!l->net->spec.learn || !l->net->plan.recompute) return;
    for (int k = 0; k <= HK_MAX_STATE; k++) {
        const hk_ring *r = ring_of(l, k);
        const int32_t n = segments_of(l->net) - 1;
        l->saved[k] = (hk_ring){ 0 };
        if (r && n > 0)
            l->saved[k] = (hk_ring){ hk_take(m, HK_R_TAPE, r->stride * (size_t)n), r->stride, n };
    }
}

/* Copies between slot t of every ring and place i of what was saved of it. */
static void copy_states(hk_net *net, int t, int i, bool back)
{
    for (int32_t j = 0; j < net->n_node; j++)
        for (int k = 0; k <= HK_MAX_STATE; k++) {
            hk_node *l = &net->node[j];
            if (!l->saved[k].slots) continue;
            void *now = hk_slot(ring_of(l, k), t), *kept = hk_slot(&l->saved[k], i);
            memcpy(back ? now : kept, back ? kept : now, l->saved[k].stride);
        }
}

void hk_net_segments(hk_net *net)
{
    const int K = net->plan.window, T = net->spec.T, n = segments_of(net);
    for (int t = 1; t <= T; t++) {
        hk_net_forward(net, t);
        if (t % K == 0 && t < T) copy_states(net, t, t / K - 1, false);
    }
    hk_net_clear_adjoint(net);
    for (int s = n - 1; s >= 0; s--) {
        const int first = s * K + 1, last = (s + 1) * K < T ? (s + 1) * K : T;
        net->replay = s < n - 1;
        if (net->replay && s > 0) copy_states(net, s * K, s - 1, true);
        if (net->replay && s == 0) hk_net_rest(net);
        for (int t = first; t <= last && net->replay; t++) hk_net_forward(net, t);
        net->replay = false;
        for (int t = last; t >= first; t--) hk_net_backward(net, t, 1, true);
    }
}

static size_t total(const size_t bytes[HK_REGIONS])
{
    size_t sum = 0;
    for (int r = 0; r < HK_REGIONS; r++) sum += bytes[r];
    return sum;
}

hk_status hk_fit_budget(hk_net *net, hk_status (*measure)(hk_net *net, hk_error *e), hk_error *e)
{
    const int32_t T = net->spec.T;
    size_t least = SIZE_MAX;
    for (int32_t n = 1, K = 0; n <= T; n++) {
        if (K == (T + n - 1) / n) continue;              /* no shorter than the last one */
        net->plan.window = K = (T + n - 1) / n;
        HK_TRY(measure(net, e));
        const size_t bytes = total(net->bytes);
        if (bytes <= net->plan.budget) return HK_OK;
        if (bytes < least) least = bytes;
    }
    return hk_fail(e, HK_E_UNSUP, "rule '%s': budget is %zu bytes, the net needs at least %zu; raise "
                   "rule.budget, lower train.batch, or use an online rule such as stop or sltt",
                   net->spec.rule->info.name, net->plan.budget, least);
}
