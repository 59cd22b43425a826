/* Exponential, logarithm and cosine as the core's own code, so that every compiler, C library and
 * CPU gives the same bits. Branch-free: a loop around them becomes vector code. The exponential:
 *
 *   x = k ln 2 + r,  k = round(x / ln 2),  |r| <= ln(2) / 2       (ln 2 in two parts, k hi exact)
 *   e^x = 2^k (1 + r + r^2 q(r))
 *
 * k is read from the low bits of x / ln 2 + 1.5 * 2^m, where m is the number of fraction bits:
 * adding rounds to a whole number and leaves it there in two's complement.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_BASE_MATH_H
#define HK_BASE_MATH_H

#include <stdbool.h>
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

/* e^x within 1 unit in the last place on [-87, 88]; below it is 0, so that products do not
 * become subnormal and slow; above it is e^88; NaN stays NaN. q has the minimax coefficients of
 * degree 4 for the relative error of e^x (3e-9 before rounding). */
static inline float hk_exp(float x)
{
    const float top = x > 88.0f ? 88.0f : x;
    const bool vanishes = x < -87.0f;
    x = vanishes ? 0.0f : top;
    float m = x * 1.44269504f + 12582912.0f;
    float k = m - 12582912.0f;
    float r = (x - k * 0.693359375f) - k * -2.12194440e-4f;
    float q = 0.00138143194f;
    q = q * r + 0.00836885162f;
    q = q * r + 0.0416684002f;
    q = q * r + 0.166665196f;
    q = q * r + 0.49999994f;
    float scale = hk_from_bits((hk_to_bits(m) + 127u) << 23);
    return vanishes ? 0.0f : (q * (r * r) + r + 1.0f) * scale;
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

/* ln x within 2 units in the last place for positive, finite, not subnormal x:
 *   x = 2^k m, m in [2/3, 4/3);  u = (m - 1) / (m + 1)
 *   ln x = k ln 2 + 2 (u + u^3/3 + ... + u^11/11) */
static inline float hk_log(float x)
{
    const uint32_t bits = hk_to_bits(x) - 0x3f2aaaabu;              /* bits of 2/3 */
    const float k = (float)((int32_t)bits >> 23);
    const float m = hk_from_bits((bits & 0x7fffffu) + 0x3f2aaaabu);
    const float u = (m - 1.0f) / (m + 1.0f), y = u * u;
    float q = 1.0f / 11;
    q = q * y + 1.0f / 9;
    q = q * y + 1.0f / 7;
    q = q * y + 1.0f / 5;
    q = q * y + 1.0f / 3;
    return k * 0.693359375f + (k * -2.12194440e-4f + 2 * (u + u * (y * q)));
}

/* ln x in double, for the value of a loss, by the same series up to u^25; x positive, finite, not
 * subnormal. NaN and infinity come back as they are. */
static inline double hk_log_double(double x)
{
    if (!(x - x == 0.0)) return x;
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits -= 0x3fe5555555555555u;                                    /* bits of 2/3 */
    const double k = (double)((int64_t)bits >> 52);
    bits = (bits & 0xfffffffffffffu) + 0x3fe5555555555555u;
    double m;
    memcpy(&m, &bits, sizeof m);
    const double u = (m - 1.0) / (m + 1.0), y = u * u;
    double q = 1.0 / 25;
    for (int i = 23; i > 1; i -= 2) q = q * y + 1.0 / i;
    return k * 0x1.62e42fefa0000p-1 + (k * 0x1.cf79abc9e3b3ap-40 + 2 * (u + u * (y * q)));
}

/* cos(2 pi u), u in turns, |u| < 2^51: the nearest whole turn is subtracted exactly, then
 * cos(2 pi v) = sin(2 pi (1/4 - |v|)) by Taylor's series up to degree 21. */
static inline double hk_cos_turns(double u)
{
    double m = u + 6755399441055744.0, v = u - (m - 6755399441055744.0);
    double y = 6.283185307179586 * (0.25 - (v < 0 ? -v : v)), q = 1.0;
    for (int k = 20; k > 0; k -= 2) q = 1.0 - q * (y * y) / (k * (k + 1));
    return y * q;
}

#endif
