/* Small helpers for messages about names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_IO_WORDS_H
#define HK_IO_WORDS_H

#include <stddef.h>

/* The candidate nearest to word by edit distance (insert, delete, replace, swap of neighbours, each
 * 1; case is ignored), for "unknown key 'lerning_rate'; nearest is 'learning_rate'". NULL when word
 * or candidates are NULL or empty, or when nothing is near: more than two edits per five letters
 * of the longer word. Among equals the first wins. Words above 63 bytes are never near. */
const char *hk_nearest(const char *word, const char *const *candidates, int n);

/* Copies at most cap - 1 bytes of s[0..n) to out, always terminated, stopping at a zero byte, with
 * control bytes turned into '?', so that a name from a file can be printed. Returns out. */
const char *hk_printable(char *out, size_t cap, const char *s, size_t n);

#endif
