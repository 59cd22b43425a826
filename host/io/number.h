/* Numbers as text, whatever the locale.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_NUMBER_H
#define HK_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

/* [-+]digits[.digits][e[-+]digits]; false for anything else, also for what overflows a double. */
bool hk_number_parse(const char *text, double *out);

/* The shortest text that reads back as the same float. out holds at least HK_NUMBER bytes. */
enum { HK_NUMBER = 32 };
const char *hk_number_print(float v, char *out);

#endif
