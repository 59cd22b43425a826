/* Real values as they are: a static sample shows the same frame at every step, one with a time axis
 * frame t at step t. The first layer turns them into currents.
 *
 *   I[t] = x,  or  I[t] = x[t]  (0 beyond the last frame)
 *
 * `direct` takes both; `none` is the same for samples that must have a time axis.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "encode.h"

#include <string.h>

static void direct_step(const void *cfg, const hk_encode_in *in, int32_t t, int32_t T, void *out)
{
    (void)cfg, (void)T;
    const float *x = hk_encode_frame(in, t);
    size_t n = (size_t)in->batch * (size_t)in->shape.h * (size_t)in->shape.w * (size_t)in->shape.c;
    if (x) memcpy(out, x, n * sizeof *x);
    else memset(out, 0, n * sizeof *x);
}

const hk_encoder_ops hk_encoder_direct = {
    .info = { .name = "direct", .brief = "real values as they are: one frame at every step, or frame t",
              .source = "Rueckauer et al., Front. Neurosci. 11:682 (2017)" },
    .constant = true,
    .kind = HK_F32,
    .step = direct_step,
};

const hk_encoder_ops hk_encoder_none = {
    .info = { .name = "none",
              .brief = "frame t of the sample at step t (the data have a time axis)",
              .source = "no transformation" },
    .time = HK_TIME_AXIS,
    .kind = HK_F32,
    .step = direct_step,
};
