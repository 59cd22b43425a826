/* Memory traffic of one recipe, as a table or as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_CLI_TRAFFIC_H
#define HK_CLI_TRAFFIC_H

#include <jansson.h>

#include "bench/bench_case.h"

/* Counts the bytes of one batch of b, which must have been built and takes `seconds`, and measures the
 * bandwidth of memory with its threads. json NULL: prints a table; else sets its key "traffic".
 * Errors: of hk_bench_traffic and hk_bench_bandwidth. */
hk_status hk_cli_traffic(hk_bench_case *b, double seconds, json_t *json, hk_error *e);

#endif
