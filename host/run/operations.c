/* SPDX-License-Identifier: Apache-2.0 */
#include "operations.h"

#include <math.h>

typedef struct rates {
    double (*rate)(void *self, const hk_node *l);
    void *self;
} rates;

/* Share of the values of l's output that are not zero. */
static double density(const rates *r, const hk_node *l)
{
    if (!l || l->out.kind == HK_F32) return 1;
    if (l->spec->neuron) return r->rate(r->self, l);
    const int window = l->conv.kh > 0 ? l->conv.kh * l->conv.kw : 1;
    double silent = 1;
    for (int k = 0; k < l->spec->n_in; k++) silent *= pow(1 - density(r, l->from[k]), window);
    return 1 - silent;
}

hk_operations hk_count_operations(const hk_net *net, double (*rate)(void *self, const hk_node *l),
                                  void *self)
{
    const rates r = { rate, self };
    hk_operations sum = { 0, 0 };
    for (int32_t i = 0; i < net->n_node; i++) {
        const hk_node *l = &net->node[i];
        if (!l->ops->operations) continue;
        const double one = l->ops->operations(l), T = net->spec.T;
        sum.dense += one * T;
        sum.events += one * (l->constant ? 1 : T) * density(&r, l->from[0]);
    }
    return sum;
}
