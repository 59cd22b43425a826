/* Samples that have a time axis of their own: step t shows frame t. Beyond the last frame the input
 * is zero; a static sample is shown at every step.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "encode.h"

#include <string.h>

static void frames_step(const void *cfg, const hk_encode_in *in, int32_t t, int32_t T, void *out)
{
    (void)cfg, (void)T;
    size_t n = (size_t)in->batch * (size_t)in->shape.h * (size_t)in->shape.w * (size_t)in->shape.c;
    size_t frame = in->steps ? (size_t)(t - 1) : 0;
    if (in->steps && t > in->steps) memset(out, 0, n * sizeof *in->x);
    else memcpy(out, in->x + frame * n, n * sizeof *in->x);
}

const hk_encoder_ops hk_encoder_none = {
    .info = { .name = "none",
              .brief = "frame t of the sample at step t (the data have a time axis)",
              .source = "no transformation" },
    .kind = HK_F32,
    .step = frames_step,
};
