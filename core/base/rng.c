/* Counter-based random numbers: Philox-4x32-10 from Random123 (Salmon et al., SC 2011).
 * Key: the seed. Counter: index and stream. One block gives four words; word 0 serves the uniform
 * draws, words 0 and 1 the normal draw (Box-Muller).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/math.h"
#include "hillock_core.h"

#include <Random123/philox.h>
#include <math.h>

static philox4x32_ctr_t block(hk_rng r, uint64_t index)
{
    philox4x32_ctr_t ctr = { { (uint32_t)index, (uint32_t)(index >> 32), (uint32_t)r.stream,
                               (uint32_t)(r.stream >> 32) } };
    philox4x32_key_t key = { { (uint32_t)r.seed, (uint32_t)(r.seed >> 32) } };
    return philox4x32(ctr, key);
}

void hk_rng_block(hk_rng r, uint64_t index, uint32_t out[4])
{
    const philox4x32_ctr_t b = block(r, index);
    for (int k = 0; k < 4; k++) out[k] = b.v[k];
}

uint32_t hk_rng_u32(hk_rng r, uint64_t index) { return block(r, index).v[0]; }

static float unit(uint32_t u) { return (float)(u >> 8) * 0x1p-24f; }

float hk_rng_uniform(hk_rng r, uint64_t index) { return unit(block(r, index).v[0]); }

float hk_rng_normal(hk_rng r, uint64_t index)
{
    philox4x32_ctr_t b = block(r, index);
    float radius = sqrtf(-2.0f * hk_log(1.0f - unit(b.v[0])));
    return radius * (float)hk_cos_turns((double)unit(b.v[1]));
}

uint32_t hk_rng_below(hk_rng r, uint64_t index, uint32_t n)
{
    return (uint32_t)(((uint64_t)block(r, index).v[0] * n) >> 32);
}

void hk_rng_permute(hk_rng r, uint32_t n, uint32_t *order)
{
    for (uint32_t i = 0; i < n; i++) order[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = hk_rng_below(r, i, i), t = order[i - 1];
        order[i - 1] = order[j];
        order[j] = t;
    }
}
