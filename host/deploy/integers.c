/* Integer products: sums of counts k under codes of -1, 0 and 1, bit by bit of k,
 *
 *   N[o] = sum_b 2^b (|x_b & plus[o]| - |x_b & minus[o]|)          two bits
 *   N[o] = sum_b 2^b (2 |x_b & plus[o]| - |x_b|)                   one bit: minus is all that is not plus
 *
 * with x_b the bits b of the window in one piece, |.| the population count. Outputs lie side by side, so that a
 * vector of them takes each word of the window at once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "stage.h"

#include <string.h>

enum { OUT = 32 };                       /* outputs summed in registers */

#if defined(__x86_64__) && defined(__GNUC__)
#  include <immintrin.h>
#  define VECTOR_POPCOUNT __attribute__((target("avx512f,avx512dq,avx512vpopcntdq")))
#endif

static int planes(const hk_stage *s)
{
    int n = 0;
    while (s->in.top >> n) n++;
    return n;
}

/* A plane has zeros around the map where windows reach over it. */
static size_t columns(const hk_stage *s) { return (size_t)(s->conv.wi + 2 * s->conv.pw) * s->words; }
static size_t plane_words(const hk_stage *s) { return (size_t)(s->conv.hi + 2 * s->conv.ph) * columns(s); }

size_t hk_integers_scratch(const hk_stage *s)
{
    return (size_t)planes(s) * (2 * hk_window_words(s) + plane_words(s)) * sizeof(uint32_t);
}

/* ---- bits of counts -------------------------------------------------------------------------------- */

/* Bit b of up to 32 counts as one word. */
HK_PART uint32_t bits_of(const uint8_t *x, size_t n, int b)
{
    uint32_t word = 0;
    for (size_t i = 0; i < n; i++) word |= (uint32_t)(x[i] >> b & 1u) << i;
    return word;
}

/* [planes][hi + 2 ph][wi + 2 pw][words] */
HK_CLONES static void split(const hk_stage *s, const uint8_t *x, uint32_t *bits)
{
    const hk_conv *g = &s->conv;
    const size_t c = (size_t)g->ci, plane = plane_words(s), row = columns(s);
    const int n = planes(s);
    memset(bits, 0, (size_t)n * plane * sizeof *bits);
    for (int y = 0; y < g->hi; y++)
        for (int xi = 0; xi < g->wi; xi++, x += c) {
            uint32_t *to = bits + (size_t)(y + g->ph) * row + (size_t)(xi + g->pw) * s->words;
            for (int b = 0; b < n; b++, to += plane)
                for (size_t k = 0; k < s->words; k++)
                    to[k] = c - 32 * k >= 32 ? bits_of(x + 32 * k, 32, b) : bits_of(x + 32 * k, c - 32 * k, b);
        }
}

/* The window that begins at `from` in one piece: bit p * 32 words + c is channel c at kernel position p. Returns
 * how many are set. */
HK_PART int64_t window(const hk_stage *s, const uint32_t *from, uint32_t *win)
{
    const size_t row = columns(s), n = (size_t)s->conv.kw * s->words;
    int64_t set = 0;
    for (int p = 0; p < s->conv.kh; p++, from += row, win += n)
        for (size_t i = 0; i < n; i++) {
            win[i] = from[i];
            set += __builtin_popcount(from[i]);
        }
    return set;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "two words of 32 bits are read as one of 64");

static inline uint64_t word_of(const uint32_t *win, size_t i)
{
    uint64_t word;
    memcpy(&word, win + 2 * i, sizeof word);
    return word;
}

/* ---- sums ------------------------------------------------------------------------------------------ */

/* Adds 2^b |win & code[o]| of n outputs to sum; each: words of 64. */
typedef void add_common(size_t each, const uint32_t *win, const uint64_t *code, size_t co, size_t n, int b,
                        int64_t *sum);

HK_PART void add_by_words(size_t each, const uint32_t *win, const uint64_t *code, size_t co, size_t n, int b,
                          int64_t *sum)
{
    for (size_t i = 0; i < each; i++, code += co) {
        const uint64_t word = word_of(win, i);
        for (size_t o = 0; o < n; o++) sum[o] += (int64_t)__builtin_popcountll(word & code[o]) << b;
    }
}

#ifdef VECTOR_POPCOUNT
enum { VECTORS = OUT / 8 };

/* Eight outputs in a vector, four vectors for each word of the window; those beyond n are masked. */
VECTOR_POPCOUNT static inline void add_by_vectors(size_t each, const uint32_t *win, const uint64_t *code, size_t co,
                                                  size_t n, int b, int64_t *sum)
{
    __m512i part[VECTORS] = { 0 };
    __mmask8 mask[VECTORS];
    for (size_t v = 0; v < VECTORS; v++)
        mask[v] = (__mmask8)(n >= 8 * v + 8 ? 0xff : n > 8 * v ? (1u << (n - 8 * v)) - 1 : 0);
    for (size_t i = 0; i < each; i++, code += co) {
        const __m512i word = _mm512_set1_epi64((long long)word_of(win, i));
        for (size_t v = 0; v < VECTORS; v++) {
            const __m512i both = _mm512_and_si512(word, _mm512_maskz_loadu_epi64(mask[v], code + 8 * v));
            part[v] = _mm512_add_epi64(part[v], _mm512_popcnt_epi64(both));
        }
    }
    for (size_t v = 0; v < VECTORS; v++) {
        const __m512i all = _mm512_add_epi64(_mm512_loadu_si512(sum + 8 * v),
                                             _mm512_slli_epi64(part[v], (unsigned)b));
        _mm512_storeu_si512(sum + 8 * v, all);
    }
}
#endif

/* N of n outputs at one position. live: planes that are not empty. */
HK_PART void outputs(const hk_stage *s, const uint32_t *win, uint32_t live, int64_t whole, size_t first, size_t n,
                     add_common *add, float *y)
{
    const size_t each = hk_window_words(s), co = (size_t)s->conv.co;
    int64_t plus[OUT] = { 0 }, minus[OUT] = { 0 };
    for (int b = 0; live >> b; b++) {
        if (!(live >> b & 1)) continue;
        add(each, win + (size_t)b * 2 * each, s->plus + first, co, n, b, plus);
        if (s->minus) add(each, win + (size_t)b * 2 * each, s->minus + first, co, n, b, minus);
    }
    for (size_t o = 0; o < n; o++) y[first + o] = (float)(s->minus ? plus[o] - minus[o] : 2 * plus[o] - whole);
}

HK_PART void rows(const hk_stage *s, const uint32_t *bits, uint32_t *win, add_common *add, float *y)
{
    const hk_conv *g = &s->conv;
    const size_t each = hk_window_words(s), plane = plane_words(s), co = (size_t)g->co;
    const int n = planes(s);
    for (int yo = 0; yo < g->ho; yo++)
        for (int xo = 0; xo < g->wo; xo++, y += co) {
            const uint32_t *from = bits + (size_t)(yo * g->sh) * columns(s) + (size_t)(xo * g->sw) * s->words;
            uint32_t live = 0;
            int64_t whole = 0;
            for (int b = 0; b < n; b++) {
                const int64_t k = window(s, from + (size_t)b * plane, win + (size_t)b * 2 * each);
                whole += k << b;
                live |= (uint32_t)(k > 0) << b;
            }
            size_t o = 0;
            for (; o + OUT <= co; o += OUT) outputs(s, win, live, whole, o, OUT, add, y);
            if (o < co) outputs(s, win, live, whole, o, co - o, add, y);
        }
}

HK_CLONES static void rows_by_words(const hk_stage *s, const uint32_t *bits, uint32_t *win, float *y)
{
    rows(s, bits, win, add_by_words, y);
}

#ifdef VECTOR_POPCOUNT
VECTOR_POPCOUNT static void rows_by_vectors(const hk_stage *s, const uint32_t *bits, uint32_t *win, float *y)
{
    rows(s, bits, win, add_by_vectors, y);
}

bool hk_vector_popcount(void)
{
    return __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vpopcntdq");
}
#else
#  define rows_by_vectors rows_by_words
bool hk_vector_popcount(void) { return false; }
#endif

void hk_integers(const hk_stage *s, const uint8_t *x, void *scratch, float *y)
{
    const size_t windows = (size_t)planes(s) * 2 * hk_window_words(s);
    uint32_t *win = scratch, *bits = win + windows;
    memset(win, 0, windows * sizeof *win);           /* the half word behind an odd window stays 0 */
    split(s, x, bits);
    if (s->vectors) rows_by_vectors(s, bits, win, y);
    else rows_by_words(s, bits, win, y);
}
