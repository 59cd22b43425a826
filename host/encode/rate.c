/* Bernoulli spikes: at every step each value fires with a probability equal to itself,
 * independently; with a time axis the value of that step. Every draw is a function of seed, stream,
 * step and position.
 *
 *   s[t] = 1 if r[t] < gain x[t], r uniform in [0, 1)        mean x, deviation sqrt(x (1 - x) / T)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "encode.h"

#include <string.h>

typedef struct rate_cfg { float gain; } rate_cfg;

static const hk_field rate_fields[] = {
    HK_ROW_FLOAT(rate_cfg, gain, 1, 0, 1e6, "1",
                 "factor on the values before they are clamped to 0..1"),
};

static void rate_step(const void *cfg, const hk_encode_in *in, int32_t t, int32_t T, void *out)
{
    (void)T;
    const float gain = ((const rate_cfg *)cfg)->gain;
    size_t rows = (size_t)in->batch * (size_t)in->shape.h * (size_t)in->shape.w;
    size_t c = (size_t)in->shape.c, words = hk_row_bytes(HK_BITS, c) / 4;
    const float *frame = hk_encode_frame(in, t);
    memset(out, 0, rows * words * 4);
    for (size_t i = 0; i < rows && frame; i++) {
        const float *x = frame + i * c;
        uint32_t *row = (uint32_t *)out + i * words;
        uint64_t first = ((uint64_t)t * rows + i) * c;
        for (size_t k = 0; k < c; k++) {
            float p = gain * x[k];                     /* a draw is below 1: p >= 1 always fires */
            if (p > 0 && hk_rng_uniform(in->r, first + k) < p) row[k / 32] |= 1u << k % 32;
        }
    }
}

const hk_encoder_ops hk_encoder_rate = {
    .info = { .name = "rate", .brief = "Bernoulli spikes with probability clamp(gain x, 0, 1)",
              .source = "Heeger, Poisson model of spike generation (2000)",
              .cfg_size = sizeof(rate_cfg), .fields = rate_fields,
              .n_fields = HK_COUNT(rate_fields) },
    .kind = HK_BITS,
    .step = rate_step,
};
