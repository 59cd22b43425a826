/* 3 x 3 products with stride 1 by minimal filtering, F(4x4, 3x3): four outputs in a row from six inputs
 * by six multiplications instead of twelve, so 36 for a tile of 4 x 4 outputs instead of 144.
 * Winograd, Arithmetic Complexity of Computations, 1980; Lavin, Gray, arXiv:1509.09308.
 *
 *   out = A^T [ (G w G^T) . (B^T in B) ] A                      in 6 x 6, w 3 x 3, out 4 x 4
 *   dw  = G^T [ (A dout A^T) . (B^T in B) ] G                   its transpose to w
 *
 * with . the product of elements, which summed over channels (out) or tiles (dw) is a matrix product
 * for each of the 36 points. The matrices follow from interpolation in 0, +-a, +-b and infinity; with
 * a = sqrt(1/2), b = sqrt(2) no constant exceeds 3, which keeps rounding errors small (1 and 2, as is
 * usual, need 8):
 *
 *   B^T = 1    0  -5/2    0  1  0     G = 1    0    0          A^T = 1    1    1    1   1  0
 *         0  -2a    -2    a  1  0         s   sa  s/2                0    a   -a    b  -b  0
 *         0   2a    -2   -a  1  0         s  -sa  s/2                0  1/2  1/2    2   2  0
 *         0 -b/2  -1/2    b  1  0         r   rb   2r                0  a/2 -a/2   2b -2b  1
 *         0  b/2  -1/2   -b  1  0         r  -rb   2r
 *         0    1     0 -5/2  0  1         0    0    1          s = -2/3, r = 1/6
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_WINOGRAD_H
#define HK_WINOGRAD_H

#include "elems.h"

enum { WINO_IN = 6, WINO_OUT = 4, WINO_TAPS = 3, WINO_POINTS = WINO_IN * WINO_IN };

#define WINO_A 0.70710678118654752f
#define WINO_B 1.41421356237309505f

/* ---- one dimension: to[i * t] from from[i * f] ------------------------------------------------- */

/* B^T: 6 to 6 */
HK_INLINE void wino_input(vf *to, const int t, const vf *from, const int f)
{
    const vf d1 = from[f], d2 = from[2 * f], d3 = from[3 * f], d4 = from[4 * f];
    const vf even_a = vfma(vset(-2.0f), d2, d4), odd_a = vset(WINO_A) * vfma(vset(-2.0f), d1, d3);
    const vf even_b = vfma(vset(-0.5f), d2, d4), odd_b = vset(WINO_B) * vfma(vset(-0.5f), d1, d3);
    to[0] = vfma(vset(-2.5f), d2, from[0]) + d4;
    to[t] = even_a + odd_a;
    to[2 * t] = even_a - odd_a;
    to[3 * t] = even_b + odd_b;
    to[4 * t] = even_b - odd_b;
    to[5 * t] = vfma(vset(-2.5f), d3, d1) + from[5 * f];
}

/* A^T: 6 to 4 */
HK_INLINE void wino_output(vf *to, const int t, const vf *from, const int f)
{
    const vf even_a = from[f] + from[2 * f], odd_a = vset(WINO_A) * (from[f] - from[2 * f]);
    const vf even_b = from[3 * f] + from[4 * f], odd_b = vset(WINO_B) * (from[3 * f] - from[4 * f]);
    to[0] = from[0] + even_a + even_b;
    to[t] = odd_a + odd_b;
    to[2 * t] = vfma(vset(2.0f), even_b, vset(0.5f) * even_a);
    to[3 * t] = vfma(vset(2.0f), odd_b, vfma(vset(0.5f), odd_a, from[5 * f]));
}

/* A: 4 to 6 */
HK_INLINE void wino_error(vf *to, const int t, const vf *from, const int f)
{
    const vf y0 = from[0], y1 = from[f], y2 = from[2 * f], y3 = from[3 * f];
    const vf even_a = vfma(vset(0.5f), y2, y0), odd_a = vset(WINO_A) * vfma(vset(0.5f), y3, y1);
    const vf even_b = vfma(vset(2.0f), y2, y0), odd_b = vset(WINO_B) * vfma(vset(2.0f), y3, y1);
    to[0] = y0;
    to[t] = even_a + odd_a;
    to[2 * t] = even_a - odd_a;
    to[3 * t] = even_b + odd_b;
    to[4 * t] = even_b - odd_b;
    to[5 * t] = y3;
}

/* G: 3 to 6 */
HK_INLINE void wino_weights(vf *to, const int t, const vf *from, const int f)
{
    const vf s = vset(-2.0f / 3.0f), r = vset(1.0f / 6.0f);
    const vf even_a = s * vfma(vset(0.5f), from[2 * f], from[0]), odd_a = s * vset(WINO_A) * from[f];
    const vf even_b = r * vfma(vset(2.0f), from[2 * f], from[0]), odd_b = r * vset(WINO_B) * from[f];
    to[0] = from[0];
    to[t] = even_a + odd_a;
    to[2 * t] = even_a - odd_a;
    to[3 * t] = even_b + odd_b;
    to[4 * t] = even_b - odd_b;
    to[5 * t] = from[2 * f];
}

/* G^T: 6 to 3 */
HK_INLINE void wino_gradient(vf *to, const int t, const vf *from, const int f)
{
    const vf s = vset(-2.0f / 3.0f), r = vset(1.0f / 6.0f);
    const vf even_a = s * (from[f] + from[2 * f]), odd_a = s * (from[f] - from[2 * f]);
    const vf even_b = r * (from[3 * f] + from[4 * f]), odd_b = r * (from[3 * f] - from[4 * f]);
    to[0] = from[0] + even_a + even_b;
    to[t] = vfma(vset(WINO_A), odd_a, vset(WINO_B) * odd_b);
    to[2 * t] = vfma(vset(0.5f), even_a, vfma(vset(2.0f), even_b, from[5 * f]));
}

/* ---- what is multiplied: floats, or bf16 in pairs ---------------------------------------------- */

/* VL values one behind the other or, paired, as half 0 or 1 of VL pairs; half 0 comes first and zeroes the
 * other. */
HK_INLINE void wino_put(elem *to, vf v, const bool paired, int half)
{
#if defined(__AVX512BF16__)
    const __m256i narrow = (__m256i)_mm512_cvtneps_pbh((__m512)v);
    if (!paired) {
        _mm256_store_si256((__m256i *)(void *)to, narrow);
        return;
    }
    const __m512i wide = _mm512_cvtepu16_epi32(narrow);
    if (half == 0) _mm512_store_si512(to, wide);
    else _mm512_store_si512(to, _mm512_or_si512(_mm512_load_si512(to), _mm512_slli_epi32(wide, 16)));
#else
    (void)paired, (void)half;
    vstore(to, v);
#endif
}

/* ---- tiles of a map -------------------------------------------------------------------------- */

/* Where a tile of outputs lies: sample, first row and column. */
typedef struct wino_place { int32_t b, u, v; } wino_place;

HK_INLINE wino_place wino_at(const hki_map *m, int32_t tile)
{
    const int32_t across = hki_tiles(m->nv, WINO_OUT), per = across * hki_tiles(m->nu, WINO_OUT);
    return (wino_place){ tile / per, tile % per / across * WINO_OUT, tile % across * WINO_OUT };
}

/* A square of positions: byte c of position i is at[i][c & keep[i]]; outside the map that is in a line
 * of zeros whatever c is. */
typedef struct wino_square { const char *at[WINO_POINTS]; size_t keep[WINO_POINTS]; } wino_square;

static const float wino_zeros[VL] __attribute__((aligned(64)));

/* side x side positions from row y and column x of a sample, [h][w] of pitch bytes each. */
HK_INLINE void wino_open(wino_square *s, const int side, const char *sample, int32_t y, int32_t x, int32_t h,
                         int32_t w, size_t pitch)
{
    for (int r = 0; r < side; r++)
        for (int q = 0; q < side; q++) {
            const bool inside = y + r >= 0 && y + r < h && x + q >= 0 && x + q < w;
            const size_t position = (size_t)((y + r) * w + x + q);
            s->at[r * side + q] = inside ? sample + position * pitch : (const char *)wino_zeros;
            s->keep[r * side + q] = inside ? ~(size_t)0 : 0;
        }
}

/* Channels c .. c+VL-1 of position i. */
HK_INLINE vf wino_load(const wino_square *s, int i, size_t c, const hk_kind kind)
{
    const size_t byte = kind == HK_F32 ? 4 * c : kind == HK_B16 ? 2 * c : kind == HK_COUNTS ? c : c / 32 * 4;
    const void *from = s->at[i] + (byte & s->keep[i]);
    if (kind == HK_F32) return vloadu(from);
    if (kind == HK_B16) return vwiden(from);
    if (kind == HK_COUNTS) return vbytes(from);
    return vbits(*(const uint32_t *)from >> (c % 32));
}

/* B^T in B for channels c .. c+VL-1 of a square of 6 x 6 inputs; point i goes to to + i * apart, see
 * wino_put. */
HK_INLINE void wino_input_square(elem *to, size_t apart, const wino_square *s, size_t c, const hk_kind kind,
                                 const bool paired, int half)
{
    vf d[WINO_IN], down[WINO_POINTS];
    HK_UNROLL
    for (int q = 0; q < WINO_IN; q++) {
        HK_UNROLL
        for (int r = 0; r < WINO_IN; r++) d[r] = wino_load(s, r * WINO_IN + q, c, kind);
        wino_input(down + q, WINO_IN, d, 1);
    }
    HK_UNROLL
    for (int r = 0; r < WINO_IN; r++) {
        wino_input(d, 1, down + r * WINO_IN, 1);
        HK_UNROLL
        for (int q = 0; q < WINO_IN; q++) wino_put(to + (size_t)(r * WINO_IN + q) * apart, d[q], paired, half);
    }
}

/* The same for cb channels from c on. */
HK_INLINE void wino_input_squares(elem *to, size_t apart, const wino_square *s, size_t c, size_t cb,
                                  const hk_kind kind, const bool paired, int half)
{
    const size_t each = paired ? PAIR : 1;
    for (size_t i = 0; i < cb; i += VL) wino_input_square(to + i * each, apart, s, c + i, kind, paired, half);
}

HK_INLINE void wino_open_inputs(elem *to, size_t apart, const wino_square *s, size_t c, size_t cb,
                                hk_kind kind, const bool paired, int half)
{
    switch (kind) {
    case HK_F32:    wino_input_squares(to, apart, s, c, cb, HK_F32, paired, half); return;
    case HK_B16:    wino_input_squares(to, apart, s, c, cb, HK_B16, paired, half); return;
    case HK_COUNTS: wino_input_squares(to, apart, s, c, cb, HK_COUNTS, paired, half); return;
    default:        wino_input_squares(to, apart, s, c, cb, HK_BITS, paired, half); return;
    }
}

#endif
