/* Which steps of a sample are update points, searched over the epochs (SOLSA): n points of T steps,
 * the last step (of the batch, if samples are shorter) always one of them. Every period-th epoch records how large the weight change of each
 * step is; then, until n - 1 rounds are done,
 *
 *   the n - 1 steps with the largest records are the points of the next period;
 *   the best of them that is not yet on the list of the chosen joins it;
 *
 * and after the last round the points are the chosen ones. Ties: the earlier step.
 *
 * All of it is one array of floats, 0 at first: hk_net.rule_state.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_POINTS_H
#define HK_POINTS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct hk_points {
    int32_t n, T, period;
    float  *epoch;                       /* [1] epoch of the last batch, from 1; 0: none yet */
    float  *rounds;                      /* [1] records that have been used                  */
    float  *now;                         /* [n] points, as steps 1..T; 0: none               */
    float  *chosen;                      /* [n] the list                                     */
    float  *record;                      /* [T] of steps 1..T                                */
} hk_points;

int32_t   hk_points_floats(int32_t n, int32_t T);
hk_points hk_points_of(float *state, int32_t n, int32_t T, int32_t period);
/* At the beginning of a batch; epoch from 0. */
void      hk_points_begin(hk_points *p, int32_t epoch);
/* Whether this epoch records; then add to record[t-1]. */
bool      hk_points_recording(const hk_points *p);
bool      hk_points_has(const hk_points *p, int32_t t);

#endif
