/* One spike per value, the larger the earlier: x in 0..1 fires at step 1 + round((1 - x)(T - 1)). One
 * value is spread over all steps, so samples with a time axis are refused.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "encode.h"

#include <string.h>

typedef struct latency_cfg { float floor; } latency_cfg;

static const hk_field latency_fields[] = {
    HK_ROW_FLOAT(latency_cfg, floor, 0, 0, 1, "1", "values below it never fire; 0: all of them do"),
};

static int32_t fires_at(float x, int32_t T)
{
    float u = x > 1 ? 1 : x > 0 ? x : 0;               /* also for NaN: last */
    return 1 + (int32_t)((1 - u) * (float)(T - 1) + 0.5f);
}

static void latency_step(const void *cfg, const hk_encode_in *in, int32_t t, int32_t T, void *out)
{
    const float least = ((const latency_cfg *)cfg)->floor;
    size_t rows = (size_t)in->batch * (size_t)in->shape.h * (size_t)in->shape.w;
    size_t c = (size_t)in->shape.c, words = hk_row_bytes(HK_BITS, c) / 4;
    memset(out, 0, rows * words * 4);
    for (size_t i = 0; i < rows; i++) {
        const float *x = in->x + i * c;
        uint32_t *row = (uint32_t *)out + i * words;
        for (size_t k = 0; k < c; k++)
            if ((least == 0 || x[k] >= least) && fires_at(x[k], T) == t)
                row[k / 32] |= 1u << k % 32;
    }
}

const hk_encoder_ops hk_encoder_latency = {
    .info = { .name = "latency", .brief = "one spike per value, the larger the earlier",
              .source = "Thorpe et al., Neural Networks 14:715 (2001)",
              .cfg_size = sizeof(latency_cfg), .fields = latency_fields,
              .n_fields = HK_COUNT(latency_fields) },
    .time = HK_TIME_STATIC,
    .kind = HK_BITS,
    .step = latency_step,
};
