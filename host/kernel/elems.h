/* Stored values of a row as what dense products multiply: floats or bf16, see simd.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_ELEMS_H
#define HK_ELEMS_H

#include "product.h"
#include "simd.h"

#if defined(__AVX512BF16__)
/* n values of a trace as they are. */
HK_INLINE void hki_from_b16(elem *to, const uint16_t *from, size_t n) { memcpy(to, from, n * sizeof *to); }
/* n floats to bf16, to nearest, ties to even. */
HK_INLINE void hki_narrow(elem *to, const float *from, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = n - i < 16 ? (__mmask16)((1u << (n - i)) - 1) : (__mmask16)0xffff;
        const __m256bh v = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(m, from + i));
        _mm256_mask_storeu_epi16(to + i, m, (__m256i)v);
    }
}
static inline elem hki_elem(unsigned v)         /* exact: v < 256 */
{
    const float f = (float)v;
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return (elem)(u >> 16);
}
#else
HK_INLINE void hki_from_b16(elem *to, const uint16_t *from, size_t n)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL) vstoreu(to + i, vwiden(from + i));
    for (; i < n; i++) to[i] = hki_widen(from[i]);
}
HK_INLINE void hki_narrow(elem *to, const float *from, size_t n) { memcpy(to, from, n * sizeof *to); }
static inline elem hki_elem(unsigned v) { return (elem)v; }
#endif

/* Channels first .. first+n-1. */
HK_INLINE void hki_elems(elem *to, hk_kind kind, const char *row, size_t first, size_t n)
{
    const uint32_t *word = (const uint32_t *)(const void *)row;
    const unsigned char *count = (const unsigned char *)row;
    if (kind == HK_F32)
        hki_narrow(to, (const float *)(const void *)row + first, n);
    else if (kind == HK_B16)
        hki_from_b16(to, (const uint16_t *)(const void *)row + first, n);
    else if (kind == HK_BITS)
        for (size_t i = first; i < first + n; i++)
            *to++ = (elem)((elem)((word[i / 32] >> (i % 32)) & 1u) * hki_elem(1));
    else
        for (size_t i = first; i < first + n; i++) *to++ = hki_elem(count[i]);
}

#endif
