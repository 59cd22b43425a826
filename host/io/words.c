/* SPDX-License-Identifier: Apache-2.0 */
#include "words.h"

#include <string.h>

enum { WORD_MAX = 63 };

static int lower(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; }

static int least(int a, int b) { return a < b ? a : b; }

/* Edit distance in which a swap of neighbours is one edit (optimal string alignment):
 *
 *   d[i][j] = min(d[i-1][j] + 1, d[i][j-1] + 1, d[i-1][j-1] + (a[i] != b[j]),
 *                 d[i-2][j-2] + 1 where a[i-1] a[i] = b[j] b[j-1])
 *
 * Three rows are kept. Both lengths are at most WORD_MAX. */
static int distance(const char *a, int m, const char *b, int n)
{
    unsigned char row[3][WORD_MAX + 1];
    for (int j = 0; j <= n; j++) row[0][j] = (unsigned char)j;
    for (int i = 1; i <= m; i++) {
        unsigned char *d = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
        d[0] = (unsigned char)i;
        for (int j = 1; j <= n; j++) {
            int x = lower(a[i - 1]), y = lower(b[j - 1]);
            int v = least(least(up[j], d[j - 1]) + 1, up[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]))
                v = least(v, up2[j - 2] + 1);
            d[j] = (unsigned char)v;
        }
    }
    return row[m % 3][n];
}

const char *hk_nearest(const char *word, const char *const *candidates, int n)
{
    const char *best = NULL;
    int best_distance = 0;
    size_t m = word ? strlen(word) : 0;
    if (m == 0 || m > WORD_MAX || !candidates) return NULL;
    for (int i = 0; i < n; i++) {
        size_t k = candidates[i] ? strlen(candidates[i]) : 0;
        if (k == 0 || k > WORD_MAX) continue;
        int d = distance(word, (int)m, candidates[i], (int)k), longer = (int)(m > k ? m : k);
        if (5 * d <= 2 * longer && (!best || d < best_distance)) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}

const char *hk_printable(char *out, size_t cap, const char *s, size_t n)
{
    size_t k = 0;
    for (; k < n && k + 1 < cap && s[k]; k++) {
        unsigned char c = (unsigned char)s[k];
        out[k] = c < 32 || c == 127 ? '?' : s[k];
    }
    if (cap) out[k] = 0;
    return out;
}
