/* Lists by channel for sum_events_isa.c: for each channel of a task the positions of the block
 * whose value is not zero, in order, and the values unless they are bits.
 *
 * With AVX-512, 16 positions are taken at a time: their words of bits, or a transposed square of
 * 16 x 16 values, give one mask per channel, and the positions under it are packed by one
 * instruction.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_SUM_LISTS_H
#define HK_SUM_LISTS_H

#include "product.h"
#include "simd.h"

typedef struct by_channel {
    int32_t   positions;         /* of the block                                                */
    const char **row;            /* [positions rounded up to 16] input rows, first channel c0   */
    uint32_t *entry;             /* [the same] byte offset of the position's line in the slab   */
    size_t    pitch;             /* entries between the lists of two channels                   */
    uint32_t *list, *count;      /* [channel][pitch], [channel]                                 */
    float    *value;             /* like list                                                   */
} by_channel;

#if defined(__AVX512F__)

HK_INLINE __mmask16 present(int32_t left)
{
    return left < 16 ? (__mmask16)((1u << left) - 1) : (__mmask16)0xffff;
}

/* channels: how many of the list are used, 32 to a word. */
static void lists_of_bits(const by_channel *l, int channels)
{
    for (int32_t i = 0; i < l->positions; i += 16) {
        const __mmask16 in = present(l->positions - i);
        const __m512i entry = _mm512_loadu_si512(l->entry + i);
        for (int w = 0; w * 32 < channels; w++) {
            _Alignas(64) uint32_t word[16];
            HK_UNROLL
            for (int k = 0; k < 16; k++)
                word[k] = ((const uint32_t *)(const void *)l->row[i + k])[w];
            const __m512i words = _mm512_maskz_load_epi32(in, word);
            uint32_t any = (uint32_t)_mm512_reduce_or_epi32(words);
            while (any) {
                const int bit = __builtin_ctz(any), c = w * 32 + bit;
                any &= any - 1;
                const __mmask16 m =
                    _mm512_test_epi32_mask(words, _mm512_set1_epi32((int)(1u << bit)));
                uint32_t *to = l->list + (size_t)c * l->pitch + l->count[c];
                _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(m, entry));
                l->count[c] += (uint32_t)__builtin_popcount(m);
            }
        }
    }
}

HK_INLINE void transpose16(__m512 r[16])
{
    __m512 t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    }
}

HK_INLINE __m512 lanes(hk_kind kind, const char *row, int c, __mmask16 in)
{
    if (kind == HK_F32) return _mm512_maskz_loadu_ps(in, (const float *)(const void *)row + c);
    if (kind == HK_B16) {
        const __m256i half = _mm256_maskz_loadu_epi16(in, (const uint16_t *)(const void *)row + c);
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
    }
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(in, row + c)));
}

HK_INLINE void lists_of_values(const by_channel *l, hk_kind kind, int channels)
{
    for (int32_t i = 0; i < l->positions; i += 16) {
        const __mmask16 in = present(l->positions - i);
        const __m512i entry = _mm512_loadu_si512(l->entry + i);
        for (int c0 = 0; c0 < channels; c0 += 16) {
            const int n = hki_min(16, channels - c0);
            const __mmask16 some = present(n);
            __m512 r[16];
            HK_UNROLL
            for (int k = 0; k < 16; k++) r[k] = lanes(kind, l->row[i + k], c0, some);
            transpose16(r);
            _Alignas(64) float column[16][16];
            HK_UNROLL
            for (int k = 0; k < 16; k++) _mm512_store_ps(column[k], r[k]);
            for (int k = 0; k < n; k++) {
                const __m512 v = _mm512_load_ps(column[k]);
                const __mmask16 m =
                    _mm512_mask_cmp_ps_mask(in, v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
                const size_t at = (size_t)(c0 + k) * l->pitch + l->count[c0 + k];
                _mm512_storeu_si512(l->list + at, _mm512_maskz_compress_epi32(m, entry));
                _mm512_storeu_ps(l->value + at, _mm512_maskz_compress_ps(m, v));
                l->count[c0 + k] += (uint32_t)__builtin_popcount(m);
            }
        }
    }
}

#else

static void lists_of_bits(const by_channel *l, int channels)
{
    for (int32_t i = 0; i < l->positions; i++)
        for (int w = 0; w * 32 < channels; w++)
            for (uint32_t bits = ((const uint32_t *)(const void *)l->row[i])[w]; bits;
                 bits &= bits - 1) {
                const int c = w * 32 + __builtin_ctz(bits);
                l->list[(size_t)c * l->pitch + l->count[c]++] = l->entry[i];
            }
}

/* No branch on the value: write always, advance where it is not zero. */
HK_INLINE void lists_of_values(const by_channel *l, hk_kind kind, int channels)
{
    for (int32_t i = 0; i < l->positions; i++) {
        const uint32_t entry = l->entry[i];
        for (int c = 0; c < channels; c++) {
            const char *row = l->row[i];
            const float v = kind == HK_F32 ? ((const float *)(const void *)row)[c]
                          : kind == HK_B16 ? hki_widen(((const uint16_t *)(const void *)row)[c])
                                           : (float)((const unsigned char *)row)[c];
            const size_t at = (size_t)c * l->pitch + l->count[c];
            l->list[at] = entry;
            l->value[at] = v;
            l->count[c] += v != 0.0f;
        }
    }
}

#endif
#endif
