/* Events where a value changes: what an event camera or a level-crossing converter sends.
 *
 *   d = x[t] - x[t-1];   on  if d >= threshold,   off  if d <= -threshold
 *
 * signs two: a channel for each sign, as spikes, [c on, c off]; one: +1, -1 or 0 in the value's own
 * channel. first zero: x[0] = 0; none: no event at the first step.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "encode.h"

#include <string.h>

typedef enum { TWO, ONE } signs;
typedef enum { ZERO, NONE } first_step;
typedef struct delta_cfg { float threshold; int32_t signs, first; } delta_cfg;

static const hk_field delta_fields[] = {
    HK_ROW_FLOAT(delta_cfg, threshold, 0.1, 1e-6, 1e6, "1", "least change from one step to the next"),
    HK_ROW_ENUM(delta_cfg, signs, TWO, "two|one", 2,
                "two channels of spikes, up and down; or one of +1, -1 and 0"),
    HK_ROW_ENUM(delta_cfg, first, ZERO, "zero|none", 2,
                "the first step is compared with 0, or has no event"),
};

static hk_signal delta_form(const void *cfg, hk_shape s)
{
    const bool two = ((const delta_cfg *)cfg)->signs == TWO;
    if (two) s.c *= 2;
    return (hk_signal){ s, two ? HK_BITS : HK_F32, 1 };
}

static void delta_step(const void *cfg, const hk_encode_in *in, int32_t t, int32_t T, void *out)
{
    (void)T;
    const delta_cfg *d = cfg;
    const float *now = hk_encode_frame(in, t), *before = t > 1 ? hk_encode_frame(in, t - 1) : NULL;
    const size_t rows = (size_t)in->batch * (size_t)in->shape.h * (size_t)in->shape.w;
    const size_t c = (size_t)in->shape.c, words = hk_row_bytes(HK_BITS, 2 * c) / 4;
    memset(out, 0, d->signs == TWO ? rows * words * 4 : rows * c * sizeof(float));
    if (!now || (t == 1 && d->first == NONE)) return;
    for (size_t i = 0; i < rows * c; i++) {
        const float change = now[i] - (before ? before[i] : 0.0f);
        const bool on = change >= d->threshold, off = change <= -d->threshold;
        if (d->signs == ONE) {
            ((float *)out)[i] = (float)on - (float)off;
        } else if (on || off) {
            const size_t k = i % c + (off ? c : 0);
            ((uint32_t *)out)[i / c * words + k / 32] |= 1u << k % 32;
        }
    }
}

const hk_encoder_ops hk_encoder_delta = {
    .info = { .name = "delta", .brief = "events where a value rises or falls by a threshold in a step",
              .source = "Lichtsteiner et al., IEEE J. Solid-State Circuits 43:566 (2008)",
              .cfg_size = sizeof(delta_cfg), .fields = delta_fields,
              .n_fields = HK_COUNT(delta_fields) },
    .time = HK_TIME_AXIS,
    .kind = HK_BITS,
    .form = delta_form,
    .step = delta_step,
};
