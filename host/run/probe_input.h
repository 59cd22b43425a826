/* What a probe is fed with.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_PROBE_INPUT_H
#define HK_PROBE_INPUT_H

#include "hillock_ext.h"

typedef struct hki_input {
    hk_shape shape;                      /* of a frame                                            */
    bool     vector;                     /* x is [..., F]                                         */
    bool     constant;                   /* without a time axis                                   */
    int32_t  T, B, classes;              /* classes: last axis of target, 0 without one           */
    int32_t  top_label;
    float   *x;                          /* [T or 1][B][h][w][c]                                  */
    int32_t *label;                      /* [B] or NULL                                           */
    float   *target;                     /* [T][B][classes] or NULL                               */
    hk_batch batch;                      /* of all this                                           */
} hki_input;

/* T stands for the steps where x has no time axis and target neither. On failure *in is zero. */
hk_status hki_input_read(hki_input *in, const char *path, int32_t T, hk_error *e);
void      hki_input_free(hki_input *in);

#endif
