/* The picture of a run: report.svg from metrics.jsonl.
 *
 * Loss and accuracy over the epochs, firing rate of each layer, learned thresholds and leaks,
 * memory by region. One file without references to others; any browser opens it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_REPORT_H
#define HK_REPORT_H

#include "hillock_core.h"

/* Reads folder/metrics.jsonl and replaces out. A half line at the end of the log is ignored.
 * E_IO, E_NOMEM; E_FORMAT: a line that is not a JSON object. */
hk_status hk_report_write(const char *folder, const char *out, hk_error *e);

#endif
