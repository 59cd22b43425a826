/* How the traces of weights, neurons and norms lie in memory: as floats, or as bf16 (rule key
 * `traces`). A layer reads a run of values as floats, advances them, and writes the run back:
 *
 *   float *v = hk_trace_read(kind, trace, at, n, expand);    where they lie, or expanded
 *   v[i] = a v[i] + x[i];
 *   hk_trace_write(kind, trace, at, n, v);                   nothing to do for floats
 *
 * A trace is summed in fp32 and rounded once per step, by at most u = 2^-8 of its value. With
 * w~[t] = a w~[t-1] + x[t] the errors of the steps decay like the trace itself, so they add up to
 *
 *   |error of w~[t]| <= u sum_k a^k |w~[t-k]| <= u / (1 - a) max_k |w~[k]|
 *
 * 1/128 of the largest value at a = 0.5, on average far less, as errors of both signs cancel. Sums of
 * few binary fractions (leak 0.5, spikes, 8 steps) are exact. What is not: (1 - a) w~ below half a unit
 * is lost, so from a = 1 - 2^-8 on a trace no longer decays, and at a = 1 a count stops at 256.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_TRACES_H
#define HK_TRACES_H

#include "hillock_ext.h"

#include "base/bf16.h"

static inline hk_kind hk_trace_kind(const hk_node *l) { return (hk_kind)l->net->plan.trace_kind; }

/* Bytes of n values. */
static inline size_t hk_trace_bytes(const hk_node *l, size_t n) { return hk_row_bytes(hk_trace_kind(l), n); }

HK_PART float *hk_trace_read(hk_kind kind, void *trace, size_t at, size_t n, float *restrict expand)
{
    if (kind == HK_F32) return (float *)trace + at;
    const uint16_t *restrict from = (const uint16_t *)trace + at;
    for (size_t i = 0; i < n; i++) expand[i] = hk_from_bf16(from[i]);
    return expand;
}

HK_PART void hk_trace_write(hk_kind kind, void *trace, size_t at, size_t n, const float *restrict v)
{
    if (kind == HK_F32) return;
    uint16_t *restrict to = (uint16_t *)trace + at;
    for (size_t i = 0; i < n; i++) to[i] = hk_to_bf16(v[i]);
}

HK_PART void hk_trace_prefetch(hk_kind kind, const void *trace, size_t at, size_t n)
{
    hk_prefetch((const float *)(const void *)((const char *)trace + hk_row_bytes(kind, at)),
                hk_row_bytes(kind, n) / sizeof(float));
}

#endif
