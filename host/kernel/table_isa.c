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
#if defined(__AVX512F__)
#  define DENSITY_MAP { 0.60, 0.65, 0.60 }
#  define DENSITY_SUM { 0.75, 0.85, 0.75 }
#elif defined(__AVX2__)
#  define DENSITY_MAP { 0.52, 0.56, 0.52 }
#  define DENSITY_SUM { 0.70, 0.85, 0.70 }
#else
#  define DENSITY_MAP { 0.90, 2.00, 0.90 }
#  define DENSITY_SUM { 0.95, 2.00, 0.95 }
#endif

const hki_isa HK_NAME(hki_isa) = {
    .vl = VL, .tile = TILE, .density_map = DENSITY_MAP, .density_sum = DENSITY_SUM,
    .density = density,
    .events_bytes = HK_NAME(hki_events_bytes), .events = HK_NAME(hki_events),
    .direct_bytes = HK_NAME(hki_direct_bytes), .direct = HK_NAME(hki_direct),
    .sum_events_bytes = HK_NAME(hki_sum_events_bytes), .sum_events = HK_NAME(hki_sum_events),
    .sum_direct_bytes = HK_NAME(hki_sum_direct_bytes), .sum_direct = HK_NAME(hki_sum_direct),
};
