/* bf16: the upper half of a float, 8 significant bits and the range of fp32. Plain C that becomes
 * vector code in a loop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_BASE_BF16_H
#define HK_BASE_BF16_H

#include "math.h"

static inline float hk_from_bf16(uint16_t half) { return hk_from_bits((uint32_t)half << 16); }

/* To nearest, ties to even: relative error at most 2^-8. What is too large becomes infinite; NaN stays
 * NaN, quiet. */
static inline uint16_t hk_to_bf16(float x)
{
    const uint32_t bits = hk_to_bits(x), even = bits >> 16 & 1u;
    const uint32_t nearest = (bits + 0x7fffu + even) >> 16, quiet = bits >> 16 | 0x40u;
    return (uint16_t)(x == x ? nearest : quiet);
}

#endif
