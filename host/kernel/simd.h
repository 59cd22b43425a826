/* Vectors of float for the files *_isa.c, each of which is compiled once per instruction set with
 * HK_ISA = sse2, avx2, avx512 or bf16 (avx512 with products of pairs of bf16) as the suffix of its
 * symbols. sse2 is plain vector code of 16 bytes and compiles on any machine.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_SIMD_H
#define HK_SIMD_H

#include <stdint.h>
#include <string.h>

#ifndef HK_ISA
#  define HK_ISA sse2
#endif
#define HK_JOIN2(a, b) a##_##b
#define HK_JOIN(a, b) HK_JOIN2(a, b)
#define HK_NAME(symbol) HK_JOIN(symbol, HK_ISA)

#if defined(__AVX512F__)
#  include <immintrin.h>
enum { VL = 16, TILE = 64 };
typedef float vf __attribute__((vector_size(64), may_alias));
typedef float vfu __attribute__((vector_size(64), aligned(4), may_alias));
static inline vf vset(float s) { return _mm512_set1_ps(s); }
static inline vf vfma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
#elif defined(__AVX2__)
#  include <immintrin.h>
enum { VL = 8, TILE = 64 };
typedef float vf __attribute__((vector_size(32), may_alias));
typedef float vfu __attribute__((vector_size(32), aligned(4), may_alias));
static inline vf vset(float s) { return _mm256_set1_ps(s); }
static inline vf vfma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
#else
enum { VL = 4, TILE = 32 };
typedef float vf __attribute__((vector_size(16), may_alias));
typedef float vfu __attribute__((vector_size(16), aligned(4), may_alias));
static inline vf vset(float s) { return (vf){ s, s, s, s }; }
static inline vf vfma(vf a, vf b, vf c) { return a * b + c; }
#endif

/* What dense products, and events of spikes and counts, multiply: floats, or pairs of bf16 whose products are summed in fp32. */
#if defined(__AVX512BF16__)
enum { PAIR = 2 };
typedef uint16_t elem;
typedef __m512bh ve;
static inline ve eload(const elem *p) { return (ve)_mm512_load_si512(p); }
static inline ve eset(const elem *p)
{
    int32_t two;
    memcpy(&two, p, sizeof two);
    return (ve)_mm512_set1_epi32(two);
}
static inline vf edot(ve a, ve b, vf c) { return (vf)_mm512_dpbf16_ps((__m512)c, a, b); }
#else
enum { PAIR = 1 };
typedef float elem;
typedef vf ve;
static inline ve eload(const elem *p) { return *(const vf *)p; }
static inline ve eset(const elem *p) { return vset(*p); }
static inline vf edot(ve a, ve b, vf c) { return vfma(a, b, c); }
#endif

static inline vf vload(const float *p) { return *(const vf *)p; }
static inline void vstore(float *p, vf v) { *(vf *)p = v; }
static inline vf vloadu(const float *p) { return *(const vfu *)p; }
static inline void vstoreu(float *p, vf v) { *(vfu *)p = v; }

/* VL floats from bf16; one. */
typedef uint16_t vhu __attribute__((vector_size(2 * VL), aligned(2), may_alias));
typedef uint32_t vu __attribute__((vector_size(4 * VL)));
static inline vf vwiden(const uint16_t *p) { return (vf)(__builtin_convertvector(*(const vhu *)p, vu) << 16); }
/* VL floats from bytes; bits 0 .. VL-1 of a word as 0 or 1. */
typedef uint8_t vbu __attribute__((vector_size(VL), aligned(1), may_alias));
static inline vf vbytes(const uint8_t *p) { return __builtin_convertvector(*(const vbu *)p, vf); }
static inline vf vbits(uint32_t word)
{
#if defined(__AVX512F__)
    return _mm512_maskz_mov_ps((__mmask16)word, vset(1.0f));
#else
    vf v;
    for (int i = 0; i < VL; i++) v[i] = (float)((word >> i) & 1u);
    return v;
#endif
}
static inline float hki_widen(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Loops of constant length over registers. */
#if defined(__clang__)
#  define HK_UNROLL _Pragma("clang loop unroll(full)")
#else
#  define HK_UNROLL _Pragma("GCC unroll 16")
#endif
#define HK_INLINE static inline __attribute__((always_inline))

#endif
