/* The same real-valued frame at every step: the first layer turns it into currents.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "encode.h"

#include <string.h>

static void direct_step(const void *cfg, const hk_encode_in *in, int32_t t, int32_t T, void *out)
{
    (void)cfg, (void)t, (void)T;
    size_t n = (size_t)in->batch * (size_t)in->shape.h * (size_t)in->shape.w * (size_t)in->shape.c;
    memcpy(out, in->x, n * sizeof *in->x);
}

const hk_encoder_ops hk_encoder_direct = {
    .info = { .name = "direct", .brief = "the same real-valued frame at every step",
              .source = "Rueckauer et al., Front. Neurosci. 11:682 (2017)" },
    .constant = true,
    .kind = HK_F32,
    .step = direct_step,
};
