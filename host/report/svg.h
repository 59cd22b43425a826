/* A growing SVG text and the few shapes that charts are made of. Coordinates are pixels.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_SVG_H
#define HK_SVG_H

#include "hillock_core.h"

typedef struct hki_svg {
    char  *text;
    size_t n, cap;
    bool   failed;                       /* memory was exhausted: everything after is dropped */
} hki_svg;

typedef enum hki_anchor { HKI_START, HKI_MIDDLE, HKI_END } hki_anchor;

void hki_svg_init(hki_svg *s);
void hki_svg_deinit(hki_svg *s);
void hki_svg_raw(hki_svg *s, const char *text);

/* Up to 511 bytes by hk_format. */
#define HKI_PUT(s, ...)                                                                            \
    do {                                                                                           \
        char piece_[512];                                                                          \
        hk_format(piece_, sizeof piece_, __VA_ARGS__);                                             \
        hki_svg_raw(s, piece_);                                                                    \
    } while (0)

void hki_svg_line(hki_svg *s, double x1, double y1, double x2, double y2, const char *color);
void hki_svg_rect(hki_svg *s, double x, double y, double w, double h, double radius,
                  const char *color);
/* style: further attributes, e.g. "font-size='13' fill='#333'". */
void hki_svg_text(hki_svg *s, double x, double y, hki_anchor a, const char *style,
                  const char *text);

/* v rounded to hundredths: what a coordinate needs. */
double hki_px(double v);

#endif
