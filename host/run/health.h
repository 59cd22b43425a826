/* How the net looks after its first batches, before an hour has been spent on it: silent layers,
 * saturated layers, gradients that vanish; each with advice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_HEALTH_H
#define HK_HEALTH_H

#include <jansson.h>

#include "stats.h"

enum { HK_HEALTH_BATCHES = 10, HK_HEALTH_MAX = 64, HK_HEALTH_TEXT = 320 };

typedef struct hk_health {
    double *gradient;                    /* [n_node] rms of the gradient of each weight           */
    int32_t n;
    int     n_advice;
    char    advice[HK_HEALTH_MAX][HK_HEALTH_TEXT];
} hk_health;

hk_status hk_health_init(hk_health *h, const hk_net *net, hk_error *e);
void      hk_health_deinit(hk_health *h);

/* hk_net_learn, to the same bits, with a look at the gradients before the update consumes them.
 * Under a rule that updates at every step what is seen is the gradient of the last step. */
hk_status hk_health_learn(hk_health *h, hk_net *net, const hk_batch *batch, hk_result *out,
                          hk_error *e);
/* Judges the rates of sums and the gradients seen; advice is filled. Returns the line for the log;
 * NULL when memory is exhausted. */
json_t *hk_health_report(hk_health *h, const hk_net *net, const hk_stats *sums);

#endif
