/* Sums over the batches of a pass (an epoch, a validation), from which the reported numbers come.
 * They are kept exactly in checkpoints, so a resumed epoch reports what an uninterrupted one would.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_STATS_H
#define HK_STATS_H

#include <jansson.h>

#include "hillock_ext.h"

typedef struct hk_stats {
    double  loss;                        /* sum of per-sample losses                              */
    int64_t correct, seen, batches;
    int64_t spiking;                     /* correct by the spikes of a count branch, in training  */
    double  seconds;
    int32_t n_rate;                      /* layers of the net                                     */
    double *rate;                        /* [n_rate] firing rates, summed over samples            */
} hk_stats;

hk_status hk_stats_init(hk_stats *s, const hk_net *net, hk_error *e);
void      hk_stats_deinit(hk_stats *s);
void      hk_stats_reset(hk_stats *s);

/* Adds the batch that net has just computed. */
void hk_stats_add(hk_stats *s, const hk_net *net, const hk_result *r, double seconds);

double hk_stats_loss(const hk_stats *s);                 /* per sample; 0 before the first batch  */
double hk_stats_accuracy(const hk_stats *s);             /* 0..1                                  */
double hk_stats_rate(const hk_stats *s, const hk_node *l);       /* of one layer                  */
/* Over all spiking layers, weighted by their neurons. */
double hk_stats_mean_rate(const hk_stats *s, const hk_net *net);

/* Everything, exactly; NULL when memory is exhausted. */
json_t *hk_stats_print(const hk_stats *s);
/* E_FORMAT: a member is missing or of another type or length; file is for the message. */
hk_status hk_stats_parse(hk_stats *s, const json_t *in, const char *file, hk_error *e);

#endif
