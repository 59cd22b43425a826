/* Text that grows, for files of C source.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_EXPORT_TEXT_H
#define HK_EXPORT_TEXT_H

#include "hillock_core.h"

typedef struct hk_text {
    char  *at;
    size_t n, cap;
    bool   full;                         /* memory exhausted: what follows is dropped */
} hk_text;

void hk_text_put(hk_text *t, const char *fmt, ...) HK_FORMAT(2, 3);      /* any format of printf */

/* A float as a C constant that reads back as the same bits; NAN and INFINITY by name. */
void hk_text_float(hk_text *t, float v);

/* Rows of n numbers, each followed by a comma, about 100 columns wide. */
void hk_text_floats(hk_text *t, size_t n, const float *v);
void hk_text_words(hk_text *t, size_t n, const uint32_t *v);     /* hexadecimal */
void hk_text_halves(hk_text *t, size_t n, const uint16_t *v);    /* hexadecimal */
void hk_text_bytes(hk_text *t, size_t n, const uint8_t *v);
void hk_text_small(hk_text *t, size_t n, const int8_t *v);

/* Writes folder/name and empties t. E_NOMEM, E_IO. */
hk_status hk_text_save(hk_text *t, const char *folder, const char *name, hk_error *e);
void      hk_text_free(hk_text *t);

#endif
