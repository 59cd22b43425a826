/* Numbers as people read them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_UNITS_H
#define HK_UNITS_H

#include <stddef.h>

/* "3.25 MiB": two decimals below 10, else one. */
void hki_bytes_text(double v, char *out, size_t cap);
/* "606 M", "96.6 k", "640", in powers of 1000. */
void hki_count_text(double v, char *out, size_t cap);

#endif
