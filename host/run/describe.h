/* What a run says about itself: lines of the log, the environment, the result.
 *
 * Every function returns a new JSON value, or NULL when memory is exhausted.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_DESCRIBE_H
#define HK_DESCRIBE_H

#include <jansson.h>

#include "session.h"

/* Bytes by region, the tables, and their sum as "total". */
json_t *hk_describe_memory(const hk_engine *g);
/* Loss, accuracy, samples, seconds, samples per second and mean firing rate of a pass. */
json_t *hk_describe_pass(const hk_stats *s, const hk_net *net);
/* Layer to firing rate. */
json_t *hk_describe_rates(const hk_stats *s, const hk_net *net);
/* Layer to {mean, min, max} of its thresholds or leaks (role). */
json_t *hk_describe_learned(const hk_net *net, hk_role role);
/* Version, compiler, processor, threads, kernels, libraries; with the data sets when s is given. */
json_t *hk_describe_environment(const hk_host_kernels *k, const hk_session *s);

/* "model name" of the first processor, or "unknown". */
void hk_cpu_name(char *out, size_t cap);
/* Largest resident memory of this process so far, in bytes. */
size_t hk_resident_peak(void);
/* Number of learned values, and of neurons. */
int64_t hk_count_learned(const hk_net *net);
int64_t hk_count_neurons(const hk_net *net);

#endif
