/* Spikes to bits and back, compiled once per instruction set.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_BITS_H
#define HK_BITS_H

#include <stddef.h>
#include <stdint.h>

#define HKI_BITS(isa)                                                                              \
    size_t hki_pack_##isa(size_t rows, size_t c, const float *s, uint32_t *bits);                  \
    void   hki_unpack_##isa(size_t rows, size_t c, const uint32_t *bits, float scale, float *x);

HKI_BITS(sse2)
HKI_BITS(avx2)
HKI_BITS(avx512)

#endif
