/* Lists of the stored values that are not zero, for events_isa.c. One entry per value, or pair of values: its place
 * (first + channel) * STEP, and the value itself unless it is a bit. Functions append to a list
 * that holds n entries and return the new length; they may write up to HKI_SLACK entries beyond
 * it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_LISTS_H
#define HK_LISTS_H

#include "product.h"
#include "simd.h"

/* An entry counts half tiles of bytes / 4, so that times 8 it is the byte offset of a row of a full
 * tile, times 4 of half a tile, and so on: one address, no shift. */
enum { STEP = TILE / 2 };

#if defined(__AVX512F__)

HK_INLINE __m512i places(uint32_t first)
{
    const __m512i lane = _mm512_set_epi32(15 * STEP, 14 * STEP, 13 * STEP, 12 * STEP, 11 * STEP,
                                          10 * STEP, 9 * STEP, 8 * STEP, 7 * STEP, 6 * STEP,
                                          5 * STEP, 4 * STEP, 3 * STEP, 2 * STEP, STEP, 0);
    return _mm512_add_epi32(lane, _mm512_set1_epi32((int)(first * STEP)));
}

HK_INLINE size_t append_bits(uint32_t *list, size_t n, const uint32_t *word, int words,
                             uint32_t first)
{
    for (int i = 0; i < words; i++, first += 32) {
        const uint32_t bits = word[i];
        if (!bits) continue;
        const __mmask16 lo = (__mmask16)bits, hi = (__mmask16)(bits >> 16);
        _mm512_storeu_si512(list + n, _mm512_maskz_compress_epi32(lo, places(first)));
        n += (size_t)__builtin_popcount(lo);
        _mm512_storeu_si512(list + n, _mm512_maskz_compress_epi32(hi, places(first + 16)));
        n += (size_t)__builtin_popcount(hi);
    }
    return n;
}

HK_INLINE size_t append_lanes(uint32_t *list, float *value, size_t n, __m512 v, __mmask16 in,
                              uint32_t first)
{
    const __mmask16 m = _mm512_mask_cmp_ps_mask(in, v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
    _mm512_storeu_si512(list + n, _mm512_maskz_compress_epi32(m, places(first)));
    _mm512_storeu_ps(value + n, _mm512_maskz_compress_ps(m, v));
    return n + (size_t)__builtin_popcount(m);
}

HK_INLINE size_t append_floats(uint32_t *list, float *value, size_t n, const float *x, int count,
                               uint32_t first)
{
    for (int i = 0; i < count; i += 16) {
        const __mmask16 in =
            count - i < 16 ? (__mmask16)((1u << (count - i)) - 1) : (__mmask16)0xffff;
        n = append_lanes(list, value, n, _mm512_maskz_loadu_ps(in, x + i), in, first + (uint32_t)i);
    }
    return n;
}

HK_INLINE size_t append_counts(uint32_t *list, float *value, size_t n, const unsigned char *x,
                               int count, uint32_t first)
{
    for (int i = 0; i < count; i += 16) {
        const __mmask16 in =
            count - i < 16 ? (__mmask16)((1u << (count - i)) - 1) : (__mmask16)0xffff;
        const __m512i wide = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(in, x + i));
        n = append_lanes(list, value, n, _mm512_cvtepi32_ps(wide), in, first + (uint32_t)i);
    }
    return n;
}

#else

HK_INLINE size_t append_bits(uint32_t *list, size_t n, const uint32_t *word, int words,
                             uint32_t first)
{
    for (int i = 0; i < words; i++, first += 32)
        for (uint32_t bits = word[i]; bits; bits &= bits - 1)
            list[n++] = (first + (uint32_t)__builtin_ctz(bits)) * STEP;
    return n;
}

/* No branch on the value: write always, advance where it is not zero. */
HK_INLINE size_t append_floats(uint32_t *list, float *value, size_t n, const float *x, int count,
                               uint32_t first)
{
    for (int i = 0; i < count; i++) {
        list[n] = (first + (uint32_t)i) * STEP;
        value[n] = x[i];
        n += x[i] != 0.0f;
    }
    return n;
}

HK_INLINE size_t append_counts(uint32_t *list, float *value, size_t n, const unsigned char *x,
                               int count, uint32_t first)
{
    for (int i = 0; i < count; i++) {
        list[n] = (first + (uint32_t)i) * STEP;
        value[n] = (float)x[i];
        n += x[i] != 0;
    }
    return n;
}

#endif

#if defined(__AVX512BF16__)

/* Pairs of neighbouring channels of which one is not zero at least, as two bf16; first counts pairs. Bits and
 * counts are exact in bf16. */
HK_INLINE size_t append_pairs(uint32_t *list, uint32_t *pair, size_t n, __mmask16 m, __m512i v, uint32_t first)
{
    _mm512_storeu_si512(list + n, _mm512_maskz_compress_epi32(m, places(first)));
    _mm512_storeu_si512(pair + n, _mm512_maskz_compress_epi32(m, v));
    return n + (size_t)__builtin_popcount(m);
}

HK_INLINE size_t append_bit_pairs(uint32_t *list, uint32_t *pair, size_t n, const uint32_t *word, int words,
                                  uint32_t first)
{
    enum { ONE = 0x3f80 };
    for (int i = 0; i < words; i++, first += 16) {
        if (!word[i]) continue;
        const __mmask16 even = (__mmask16)_pext_u32(word[i], 0x55555555u);
        const __mmask16 odd = (__mmask16)_pext_u32(word[i], 0xaaaaaaaau);
        const __m512i low = _mm512_maskz_set1_epi32(even, ONE);
        const __m512i both = _mm512_or_si512(low, _mm512_maskz_set1_epi32(odd, ONE << 16));
        n = append_pairs(list, pair, n, (__mmask16)(even | odd), both, first);
    }
    return n;
}

HK_INLINE size_t append_count_pairs(uint32_t *list, uint32_t *pair, size_t n, const unsigned char *x, int count,
                                    uint32_t first)
{
    for (int i = 0; i < count; i += 32, first += 16) {
        const __mmask32 in = count - i < 32 ? (1u << (count - i)) - 1 : ~0u;
        const __m512i two = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi8(in, x + i));
        const __m512 low = _mm512_cvtepi32_ps(_mm512_and_si512(two, _mm512_set1_epi32(255)));
        const __m512 high = _mm512_cvtepi32_ps(_mm512_srli_epi32(two, 8));
        const __m512i both = _mm512_or_si512(_mm512_srli_epi32(_mm512_castps_si512(low), 16),
                                             _mm512_and_si512(_mm512_castps_si512(high),
                                                              _mm512_set1_epi32((int)0xffff0000u)));
        n = append_pairs(list, pair, n, _mm512_test_epi32_mask(two, two), both, first);
    }
    return n;
}

/* Channels c0 .. c0+count-1 of one position of bits or counts as pairs; c0 is a multiple of 32. */
HK_INLINE size_t append_paired(uint32_t *list, float *value, size_t n, hk_kind kind, const char *row, int c0,
                               int count, uint32_t first)
{
    uint32_t *pair = (uint32_t *)(void *)value;
    if (kind == HK_BITS)
        return append_bit_pairs(list, pair, n, (const uint32_t *)(const void *)row + c0 / 32, (count + 31) / 32, first);
    return append_count_pairs(list, pair, n, (const unsigned char *)row + c0, count, first);
}

#else

HK_INLINE size_t append_paired(uint32_t *list, float *value, size_t n, hk_kind kind, const char *row, int c0,
                               int count, uint32_t first)
{
    (void)list, (void)value, (void)kind, (void)row, (void)c0, (void)count, (void)first;
    return n;                            /* there are no pairs */
}

#endif

/* Channels c0 .. c0+count-1 of one position, whatever its kind; c0 is a multiple of 32. */
HK_INLINE size_t append_position(uint32_t *list, float *value, size_t n, hk_kind kind,
                                 const char *row, int c0, int count, uint32_t first)
{
    switch (kind) {
    case HK_BITS:
        return append_bits(list, n, (const uint32_t *)(const void *)row + c0 / 32,
                           (count + 31) / 32, first);
    case HK_COUNTS:
        return append_counts(list, value, n, (const unsigned char *)row + c0, count, first);
    default:
        return append_floats(list, value, n, (const float *)(const void *)row + c0, count, first);
    }
}

#endif
