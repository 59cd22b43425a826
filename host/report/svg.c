/* SPDX-License-Identifier: Apache-2.0 */
#include "svg.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

void hki_svg_init(hki_svg *s) { *s = (hki_svg){ 0 }; }

void hki_svg_deinit(hki_svg *s)
{
    hk_free(s->text);
    hki_svg_init(s);
}

static void put(hki_svg *s, const char *text, size_t n)
{
    if (s->failed) return;
    if (s->n + n + 1 > s->cap) {
        size_t cap = 2 * s->cap + n + 4096;
        char *p = hk_regrow(s->text, s->n, cap);
        s->failed = !p;
        if (!p) return;
        s->text = p;
        s->cap = cap;
    }
    memcpy(s->text + s->n, text, n);
    s->n += n;
    s->text[s->n] = 0;
}

void hki_svg_raw(hki_svg *s, const char *text) { put(s, text, strlen(text)); }

static void put_escaped(hki_svg *s, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&': hki_svg_raw(s, "&amp;"); break;
        case '<': hki_svg_raw(s, "&lt;"); break;
        case '>': hki_svg_raw(s, "&gt;"); break;
        default: put(s, (unsigned char)*text < ' ' ? "?" : text, 1);
        }
    }
}

double hki_px(double v) { return floor(v * 100 + 0.5) / 100; }

void hki_svg_line(hki_svg *s, double x1, double y1, double x2, double y2, const char *color)
{
    HKI_PUT(s, "<line x1='%g' y1='%g' x2='%g' y2='%g' stroke='%s'/>\n", hki_px(x1), hki_px(y1),
            hki_px(x2), hki_px(y2), color);
}

void hki_svg_rect(hki_svg *s, double x, double y, double w, double h, double radius,
                  const char *color)
{
    HKI_PUT(s, "<rect x='%g' y='%g' width='%g' height='%g' rx='%g' fill='%s'/>\n", hki_px(x),
            hki_px(y), hki_px(w), hki_px(h), hki_px(radius), color);
}

void hki_svg_text(hki_svg *s, double x, double y, hki_anchor a, const char *style, const char *text)
{
    static const char *const anchor[] = { "start", "middle", "end" };
    HKI_PUT(s, "<text x='%g' y='%g' text-anchor='%s' %s>", hki_px(x), hki_px(y), anchor[a], style);
    put_escaped(s, text);
    hki_svg_raw(s, "</text>\n");
}
