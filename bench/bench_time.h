/* Clock and medians of the benches.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_BENCH_TIME_H
#define HK_BENCH_TIME_H

#include <stdlib.h>

#include "run/session.h"

enum { HKI_REPEATS = 101 };

typedef struct hki_times { double t[HKI_REPEATS]; int n; } hki_times;

static inline void hki_time_add(hki_times *s, double seconds)
{
    if (s->n < HKI_REPEATS) s->t[s->n++] = seconds;
}

static inline int hki_time_order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* 0 for an empty list. */
static inline double hki_time_median(hki_times *s)
{
    if (!s->n) return 0;
    qsort(s->t, (size_t)s->n, sizeof *s->t, hki_time_order);
    return s->t[s->n / 2];
}

/* Distance of the quartiles; after the median. */
static inline double hki_time_spread(const hki_times *s)
{
    return s->n ? s->t[s->n * 3 / 4] - s->t[s->n / 4] : 0;
}

#endif
