/* The table of one instruction set, and how densely values are not zero.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "product.h"
#include "simd.h"

size_t HK_NAME(hki_events_bytes)(const hki_map *m);
void   HK_NAME(hki_events)(void *task, int i, int worker);
size_t HK_NAME(hki_direct_bytes)(const hki_map *m);
void   HK_NAME(hki_direct)(void *task, int i, int worker);
size_t HK_NAME(hki_sum_events_bytes)(const hki_sum *s);
void   HK_NAME(hki_sum_events)(void *sum, int i, int worker);
size_t HK_NAME(hki_sum_direct_bytes)(const hki_sum *s);
void   HK_NAME(hki_sum_direct)(void *sum, int i, int worker);
size_t HK_NAME(hki_winograd_weights_bytes)(const hki_map *m, int32_t tiles);
void   HK_NAME(hki_winograd_weights)(void *task, int i, int worker);
size_t HK_NAME(hki_winograd_bytes)(const hki_map *m);
void   HK_NAME(hki_winograd)(void *task, int i, int worker);
size_t HK_NAME(hki_sum_winograd_bytes)(const hki_sum *s);
void   HK_NAME(hki_sum_winograd)(void *sum, int i, int worker);

#if defined(__AVX512BF16__)
/* to[c/2][width][2] from from[c][width], an odd c filled up with zeros. */
static void pairs(void *to, const float *from, size_t c, size_t width)
{
    uint32_t *out = to;
    for (size_t k = 0; k < c; k += 2)
        for (size_t i = 0; i < width; i += 16, out += 16) {
            const float *a = from + k * width + i;
            const __m512 b = k + 1 < c ? _mm512_loadu_ps(a + width) : _mm512_setzero_ps();
            const __m512i lo = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(a)));
            const __m512i hi = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(b));
            _mm512_storeu_si512(out, _mm512_or_si512(lo, _mm512_slli_epi32(hi, 16)));
        }
}
#  define PAIRS pairs
#else
#  define PAIRS NULL
#endif

/* Of at most about SAMPLE values: whole positions, at distances that hit all columns and rows. */
static double density(hk_view x, size_t positions, size_t pitch, size_t channels)
{
    enum { SAMPLE = 1 << 17 };
    const size_t enough = SAMPLE / channels + 1;
    const size_t count = positions < enough ? positions : enough;
    const char *data = x.data;
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t at = (size_t)((uint64_t)i * positions / count);
        const char *row = data + at * pitch;
        if (x.kind == HK_BITS)
            for (size_t w = 0; w < pitch / 4; w++)
                found += (size_t)__builtin_popcount(((const uint32_t *)(const void *)row)[w]);
        else if (x.kind == HK_COUNTS)
            for (size_t c = 0; c < channels; c++) found += ((const unsigned char *)row)[c] != 0;
        else if (x.kind == HK_B16)
            for (size_t c = 0; c < channels; c++)
                found += (((const uint16_t *)(const void *)row)[c] & 0x7fff) != 0;
        else {
            uint32_t some = 0;
            for (size_t c = 0; c < channels; c++)
                some += ((const float *)(const void *)row)[c] != 0.0f;
            found += some;
        }
    }
    return (double)found / ((double)count * (double)channels);
}

/* Below these densities the event-driven form was the faster one on a Zen 4, one thread, over the
 * layers of the bench of products and 4 x 4 to 1 x 1, densities 0.40, 0.53, .. 0.92: the crossing
 * of the two, taken where most layers cross. Order: float, bits, counts; 2 means always. Without
 * fused multiply-add (sse2) the dense form needs two instructions where bits need one. */
#if defined(__AVX512BF16__)
#  define DENSITY_MAP { 0.32, 0.42, 0.40 }      /* bits and counts in pairs: tuned on VGG-11, one sample */
#  define DENSITY_SUM { 0.45, 0.50, 0.45 }
#elif defined(__AVX512F__)
#  define DENSITY_MAP { 0.60, 0.65, 0.60 }
#  define DENSITY_SUM { 0.75, 0.85, 0.75 }
#elif defined(__AVX2__)
#  define DENSITY_MAP { 0.52, 0.56, 0.52 }
#  define DENSITY_SUM { 0.70, 0.85, 0.70 }
#else
#  define DENSITY_MAP { 0.90, 2.00, 0.90 }
#  define DENSITY_SUM { 0.95, 2.00, 0.95 }
#endif

/* The same beside minimal filtering (tuned on two VGGs, fp32 and bf16). */
#if defined(__AVX512BF16__)
#  define WINOGRAD_MAP { 0.14, 0.16, 0.16 }
#  define WINOGRAD_SUM { 0.18, 0.22, 0.18 }
#else
#  define WINOGRAD_MAP { 0.19, 0.21, 0.24 }
#  define WINOGRAD_SUM { 0.24, 0.33, 0.24 }
#endif

const hki_isa HK_NAME(hki_isa) = {
    .vl = VL, .tile = TILE, .density_map = DENSITY_MAP, .density_sum = DENSITY_SUM,
    .winograd_map = WINOGRAD_MAP, .winograd_sum = WINOGRAD_SUM,
    .density = density, .pairs = PAIRS,
    .events_bytes = HK_NAME(hki_events_bytes), .events = HK_NAME(hki_events),
    .direct_bytes = HK_NAME(hki_direct_bytes), .direct = HK_NAME(hki_direct),
    .sum_events_bytes = HK_NAME(hki_sum_events_bytes), .sum_events = HK_NAME(hki_sum_events),
    .sum_direct_bytes = HK_NAME(hki_sum_direct_bytes), .sum_direct = HK_NAME(hki_sum_direct),
    .winograd_weights_bytes = HK_NAME(hki_winograd_weights_bytes),
    .winograd_weights = HK_NAME(hki_winograd_weights),
    .winograd_bytes = HK_NAME(hki_winograd_bytes), .winograd = HK_NAME(hki_winograd),
    .sum_winograd_bytes = HK_NAME(hki_sum_winograd_bytes), .sum_winograd = HK_NAME(hki_sum_winograd),
};
