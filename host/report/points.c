/* Points with their spread: one row for each kind of run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "chart.h"

#include <math.h>

enum { TOP = 52, BOTTOM = 40, VALUE = 128, LABEL = 56 };

typedef struct axis {
    double x, w, lo, hi, step, scale; /* lo, hi, step: scaled */
} axis;

static double px(const axis *a, double v)
{
    return a->x + (v * a->scale - a->lo) / (a->hi - a->lo) * a->w;
}

static void fit(axis *a, const hki_points *row, int n)
{
    double lo = INFINITY, hi = -INFINITY;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < row[i].n; k++) {
            lo = fmin(lo, row[i].value[k] * a->scale);
            hi = fmax(hi, row[i].value[k] * a->scale);
        }
        if (!row[i].n) continue;
        lo = fmin(lo, (row[i].mean - row[i].deviation) * a->scale);
        hi = fmax(hi, (row[i].mean + row[i].deviation) * a->scale);
    }
    if (!(lo <= hi)) lo = 0, hi = 1;
    const double pad = fmax(0.08 * (hi - lo), 1e-3 * fmax(1, fabs(hi)));
    a->step = hki_nice_step(hi - lo + 2 * pad, 5);
    a->lo = floor((lo - pad) / a->step) * a->step;
    a->hi = ceil((hi + pad) / a->step) * a->step;
}

static void draw_axis(hki_svg *s, const hki_card *c, const axis *a, const char *unit)
{
    char text[48];
    const double top = c->y + TOP - 6, bottom = c->y + c->h - BOTTOM;
    const int ticks = (int)floor((a->hi - a->lo) / a->step + 0.5);
    const int every = (int)ceil(LABEL * ticks / a->w);
    for (int i = 0; i <= ticks; i++) {
        double v = a->lo + i * a->step, x = a->x + (double)i / ticks * a->w;
        if (fabs(v) < 1e-9 * a->step) v = 0;
        hki_svg_line(s, x, top, x, bottom, HKI_GRID);
        if (i % every) continue;
        hk_format(text, sizeof text, "%g%s", v, unit);
        hki_svg_text(s, x, bottom + 18, HKI_MIDDLE, "font-size='12' fill='" HKI_GREY "'", text);
    }
}

static void draw_row(hki_svg *s, const axis *a, const hki_points *r, double y, double height)
{
    char color[8];
    hki_ramp(1, 6, color);
    if (!r->n) return;
    const double left = px(a, r->mean - r->deviation), right = px(a, r->mean + r->deviation);
    if (r->deviation > 0)
        HKI_PUT(
            s,
            "<rect x='%g' y='%g' width='%g' height='%g' rx='3' fill='%s' fill-opacity='0.22'/>\n",
            hki_px(left), hki_px(y - height * 0.3), hki_px(right - left), hki_px(height * 0.6),
            color);
    hki_svg_rect(s, px(a, r->mean) - 1.25, y - height * 0.36, 2.5, height * 0.72, 1, color);
    for (int k = 0; k < r->n; k++)
        HKI_PUT(s, "<circle cx='%g' cy='%g' r='3.4' fill='%s' fill-opacity='0.7' stroke='#fff'/>\n",
                hki_px(px(a, r->value[k])), hki_px(y), color);
}

void hki_draw_points(hki_svg *s, const hki_card *c, const hki_points *row, int n, double scale,
                     const char *unit)
{
    const double name = n ? hki_name_width(&row[0].name, sizeof *row, n) : 84;
    const double height = (c->h - TOP - BOTTOM) / (n > 0 ? n : 1);
    axis a = { .x = c->x + name + 6, .w = c->w - name - VALUE - 24, .scale = scale };
    fit(&a, row, n);
    hki_draw_card(s, c);
    draw_axis(s, c, &a, unit);
    for (int i = 0; i < n; i++) {
        const double y = c->y + TOP + height * (i + 0.5) - 3;
        hki_svg_text(s, c->x + name - 10, y + 4, HKI_END, "font-size='12.5' fill='" HKI_INK "'",
                     row[i].name);
        draw_row(s, &a, &row[i], y, height);
        hki_svg_text(s, c->x + c->w - 18, y + 4, HKI_END, "font-size='12.5' fill='" HKI_GREY "'",
                     row[i].text);
    }
}
