/* SPDX-License-Identifier: Apache-2.0 */
#include "points.h"

#include <string.h>

int32_t hk_points_floats(int32_t n, int32_t T) { return 2 + 2 * n + T; }

hk_points hk_points_of(float *state, int32_t n, int32_t T, int32_t period)
{
    float *now = state + 2;
    return (hk_points){ n, T, period, state, state + 1, now, now + n, now + 2 * n };
}

static bool listed(const float *list, int32_t n, int32_t t)
{
    for (int32_t k = 0; k < n; k++)
        if ((int32_t)list[k] == t) return true;
    return false;
}

/* The step before the last with the largest record that is not on the list; 0: none is left. */
static int32_t largest(const hk_points *p, const float *list, int32_t n)
{
    int32_t best = 0;
    for (int32_t t = 1; t < p->T; t++)
        if (!listed(list, n, t) && (!best || p->record[t - 1] > p->record[best - 1])) best = t;
    return best;
}

static void end_round(hk_points *p)
{
    const int32_t round = (int32_t)*p->rounds;
    for (int32_t k = 0; k < p->n - 1; k++) p->now[k] = (float)largest(p, p->now, k);
    p->chosen[round] = (float)largest(p, p->chosen, round);
    *p->rounds = (float)(round + 1);
    if (round + 1 == p->n - 1) memcpy(p->now, p->chosen, (size_t)(p->n - 1) * sizeof *p->now);
    memset(p->record, 0, (size_t)p->T * sizeof *p->record);
}

bool hk_points_recording(const hk_points *p)
{
    const int32_t epoch = (int32_t)*p->epoch;                 /* from 1 */
    return epoch && epoch % p->period == 0 && (int32_t)*p->rounds < p->n - 1;
}

void hk_points_begin(hk_points *p, int32_t epoch)
{
    if ((int32_t)*p->epoch == epoch + 1) return;
    if (hk_points_recording(p)) end_round(p);
    *p->epoch = (float)(epoch + 1);
}

bool hk_points_has(const hk_points *p, int32_t t) { return t == p->T || listed(p->now, p->n - 1, t); }
