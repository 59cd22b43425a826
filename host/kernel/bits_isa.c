/* Spikes to bits and back: whole words by vector compares and masks, the rest of a row bit by bit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bits.h"

#include "simd.h"

/* Bits of 32 floats that are not 0; and 32 floats from a word. */
#if defined(__AVX512F__)
static inline uint32_t word_of(const float *s)
{
    const __m512 zero = _mm512_setzero_ps();
    const uint32_t lo = _mm512_cmp_ps_mask(_mm512_loadu_ps(s), zero, _CMP_NEQ_UQ);
    const uint32_t hi = _mm512_cmp_ps_mask(_mm512_loadu_ps(s + 16), zero, _CMP_NEQ_UQ);
    return lo | hi << 16;
}
static inline void floats_of(uint32_t word, float scale, float *x)
{
    const __m512 v = _mm512_set1_ps(scale);
    _mm512_storeu_ps(x, _mm512_maskz_mov_ps((__mmask16)word, v));
    _mm512_storeu_ps(x + 16, _mm512_maskz_mov_ps((__mmask16)(word >> 16), v));
}
#elif defined(__AVX2__)
static inline uint32_t word_of(const float *s)
{
    uint32_t w = 0;
    for (int k = 0; k < 4; k++) {
        const __m256 d = _mm256_cmp_ps(_mm256_loadu_ps(s + 8 * k), _mm256_setzero_ps(), _CMP_NEQ_UQ);
        w |= (uint32_t)_mm256_movemask_ps(d) << (8 * k);
    }
    return w;
}
static inline void floats_of(uint32_t word, float scale, float *x)
{
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    for (int k = 0; k < 4; k++) {
        const __m256i w = _mm256_and_si256(_mm256_set1_epi32((int)(word >> (8 * k))), bit);
        const __m256 on = _mm256_castsi256_ps(_mm256_cmpeq_epi32(w, bit));
        _mm256_storeu_ps(x + 8 * k, _mm256_and_ps(on, _mm256_set1_ps(scale)));
    }
}
#else
static inline uint32_t word_of(const float *s)
{
    uint32_t w = 0;
    for (int k = 0; k < 32; k++) w |= (uint32_t)(s[k] != 0.0f) << k;
    return w;
}
static inline void floats_of(uint32_t word, float scale, float *x)
{
    for (int k = 0; k < 32; k++) x[k] = (word >> k & 1u) ? scale : 0.0f;
}
#endif

size_t HK_NAME(hki_pack)(size_t rows, size_t c, const float *s, uint32_t *bits)
{
    size_t count = 0;
    for (size_t r = 0; r < rows; r++, s += c) {
        size_t k = 0;
        for (; k + 32 <= c; k += 32) {
            const uint32_t w = word_of(s + k);
            count += (size_t)__builtin_popcount(w);
            *bits++ = w;
        }
        if (k == c) continue;
        uint32_t w = 0;
        for (size_t j = 0; k + j < c; j++) w |= (uint32_t)(s[k + j] != 0.0f) << j;
        count += (size_t)__builtin_popcount(w);
        *bits++ = w;
    }
    return count;
}

void HK_NAME(hki_unpack)(size_t rows, size_t c, const uint32_t *bits, float scale, float *x)
{
    for (size_t r = 0; r < rows; r++, x += c) {
        size_t k = 0;
        for (; k + 32 <= c; k += 32) floats_of(*bits++, scale, x + k);
        if (k == c) continue;
        const uint32_t w = *bits++;
        for (size_t j = 0; k + j < c; j++) x[k + j] = (w >> j & 1u) ? scale : 0.0f;
    }
}
