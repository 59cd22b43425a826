/* The exponential function as the core's own code, so that every compiler, C library and CPU gives the
 * same bits. Branch-free: a loop around it becomes vector code.
 *
 *   x = k ln 2 + r,  k = round(x / ln 2),  |r| <= ln(2) / 2       (ln 2 in two parts, k hi exact)
 *   e^x = 2^k (1 + r + r^2 q(r))
 *
 * k is read from the low bits of x / ln 2 + 1.5 * 2^m, where m is the number of fraction bits: adding
 * rounds to a whole number and leaves it there in two's complement.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_BASE_MATH_H
#define HK_BASE_MATH_H

#include <stdint.h>
#include <string.h>

static inline float hk_from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t hk_to_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* e^x within 1 unit in the last place on [-87, 88]; x is clamped to that range, NaN stays NaN. q has
 * the minimax coefficients of degree 4 for the relative error of e^x (3e-9 before rounding). */
static inline float hk_exp(float x)
{
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float m = x * 1.44269504f + 12582912.0f;
    float k = m - 12582912.0f;
    float r = (x - k * 0.693359375f) - k * -2.12194440e-4f;
    float q = 0.00138143194f;
    q = q * r + 0.00836885162f;
    q = q * r + 0.0416684002f;
    q = q * r + 0.166665196f;
    q = q * r + 0.49999994f;
    float scale = hk_from_bits((hk_to_bits(m) + 127u) << 23);
    return (q * (r * r) + r + 1.0f) * scale;
}

/* The same in double, for sums over classes: x is clamped to [-708, 708], q is Taylor's. */
static inline double hk_exp_double(double x)
{
    x = x < -708.0 ? -708.0 : x;
    x = x > 708.0 ? 708.0 : x;
    double m = x * 1.4426950408889634 + 6755399441055744.0;
    double k = m - 6755399441055744.0;
    double r = (x - k * 0x1.62e42fefa0000p-1) - k * 0x1.cf79abc9e3b3ap-40;
    double q = 1.0;
    for (int i = 14; i > 1; i--) q = q * r / i + 1.0;
    uint64_t bits;
    memcpy(&bits, &m, sizeof bits);
    bits = (bits + 1023u) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return (q * r + 1.0) * scale;
}

/* 1 / (1 + e^-x). */
static inline float hk_sigmoid(float x)
{
    return 1.0f / (1.0f + hk_exp(-x));
}

#endif
