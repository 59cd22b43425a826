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

#ifndef HK_CLONES                        /* see hillock_ext.h */
#  define HK_CLONES
#endif

static philox4x32_ctr_t block(hk_rng r, uint64_t index)
{
    philox4x32_ctr_t ctr = { { (uint32_t)index, (uint32_t)(index >> 32), (uint32_t)r.stream,
                               (uint32_t)(r.stream >> 32) } };
    philox4x32_key_t key = { { (uint32_t)r.seed, (uint32_t)(r.seed >> 32) } };
    return philox4x32(ctr, key);
}

/* ---- many at once ------------------------------------------------------------------------------ */

enum { SIDE = 16, ROUNDS = 10 };         /* blocks side by side: loops over them become vector code */

typedef struct words { uint32_t v[4][SIDE]; } words;

HK_CLONES static void side_by_side(hk_rng r, uint64_t index, words *c)
{
    uint32_t k0 = (uint32_t)r.seed, k1 = (uint32_t)(r.seed >> 32);
    for (uint32_t i = 0; i < SIDE; i++) {
        c->v[0][i] = (uint32_t)(index + i);
        c->v[1][i] = (uint32_t)((index + i) >> 32);
        c->v[2][i] = (uint32_t)r.stream;
        c->v[3][i] = (uint32_t)(r.stream >> 32);
    }
    for (int k = 0; k < ROUNDS; k++, k0 += PHILOX_W32_0, k1 += PHILOX_W32_1)
        for (int i = 0; i < SIDE; i++) {
            const uint64_t a = (uint64_t)PHILOX_M4x32_0 * c->v[0][i];
            const uint64_t b = (uint64_t)PHILOX_M4x32_1 * c->v[2][i];
            c->v[0][i] = (uint32_t)(b >> 32) ^ c->v[1][i] ^ k0;
            c->v[2][i] = (uint32_t)(a >> 32) ^ c->v[3][i] ^ k1;
            c->v[1][i] = (uint32_t)b;
            c->v[3][i] = (uint32_t)a;
        }
}

void hk_rng_words(hk_rng r, uint64_t index, size_t n, uint32_t *out)
{
    for (size_t done = 0; done < n; done += SIDE) {
        words c;
        side_by_side(r, index + done, &c);
        for (size_t i = 0; i < SIDE && done + i < n; i++, out += 4)
            for (int k = 0; k < 4; k++) out[k] = c.v[k][i];
    }
}

/* ---- one at a time ----------------------------------------------------------------------------- */

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
