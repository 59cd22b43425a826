/* SPDX-License-Identifier: Apache-2.0 */
#include "chart.h"

#include <math.h>
#include <string.h>

enum { LEFT = 58, RIGHT = 18, TOP = 52, BOTTOM = 44, LEGEND = 104, LEGEND_ROW = 17 };

typedef struct frame {                   /* the plotting area, and what it shows */
    double x, y, w, h;
    double x_max, y_lo, y_hi, step, scale;
} frame;

void hki_ramp(int i, int n, char color[8])
{
    static const unsigned char stop[][3] = { { 0x3d, 0x4f, 0x7d }, { 0x3b, 0x7e, 0xa1 },
        { 0x52, 0xa3, 0x8f }, { 0xa9, 0xb8, 0x5f }, { 0xe0, 0xa4, 0x58 }, { 0xc4, 0x5d, 0x46 } };
    enum { STOPS = sizeof stop / sizeof *stop };
    double at = n > 1 ? (double)i / (n - 1) * (STOPS - 1) : 1;
    int k = at >= STOPS - 1 ? STOPS - 2 : (int)at;
    static const char digits[] = "0123456789abcdef";
    color[0] = '#';
    for (int c = 0; c < 3; c++) {
        int v = (int)(stop[k][c] + (at - k) * (stop[k + 1][c] - stop[k][c]) + 0.5);
        color[1 + 2 * c] = digits[v >> 4 & 15];
        color[2 + 2 * c] = digits[v & 15];
    }
    color[7] = 0;
}

static double px(const frame *f, double x) { return f->x + x / f->x_max * f->w; }
static double py(const frame *f, double y)
{
    return f->y + f->h - (y * f->scale - f->y_lo) / (f->y_hi - f->y_lo) * f->h;
}

double hki_nice_step(double range, int ticks)
{
    double raw = range / ticks, power = pow(10, floor(log10(raw))), m = raw / power;
    return (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10) * power;
}

void hki_draw_card(hki_svg *s, const hki_card *c)
{
    HKI_PUT(s, "<rect x='%g' y='%g' width='%g' height='%g' rx='8' fill='#fff' stroke='#e3e3de'/>\n",
            c->x, c->y, c->w, c->h);
    hki_svg_text(s, c->x + 18, c->y + 29, HKI_START,
                 "font-size='15' font-weight='600' fill='" HKI_INK "'", c->title);
    if (c->note[0])
        hki_svg_text(s, c->x + c->w - 18, c->y + 29, HKI_END, "font-size='12' fill='" HKI_GREY "'",
                     c->note);
}

static bool inside(const frame *f, double y)
{
    return isfinite(y) && y * f->scale >= f->y_lo && y * f->scale <= f->y_hi;
}

/* Whether point i of a series decides about the range: what happens in the first epoch is so large
 * that nothing of the rest would be seen, so faint points of it may fall outside. */
static bool counts(const hki_lines *c, const hki_series *s, int i)
{
    bool alone = true;
    for (int k = 0; k < c->n_series; k++) alone = alone && c->series[k].faint;
    return isfinite(s->y[i]) && (alone || !s->faint || s->x[i] >= 1);
}

static void range(const hki_lines *c, frame *f)
{
    double lo = INFINITY, hi = -INFINITY;
    for (int k = 0; k < c->n_series; k++)
        for (int i = 0; i < c->series[k].n; i++) {
            const hki_series *s = &c->series[k];
            if (!counts(c, s, i)) continue;
            lo = fmin(lo, (s->lo ? s->lo[i] : s->y[i]) * c->scale);
            hi = fmax(hi, (s->hi ? s->hi[i] : s->y[i]) * c->scale);
        }
    if (!(lo <= hi)) lo = 0, hi = 1;
    if (c->from_zero) lo = fmin(lo, 0);
    if (hi - lo < 1e-6 * fmax(1, fabs(hi))) {
        double pad = fmax(0.05 * fabs(hi), 1e-3);
        lo -= c->from_zero ? 0 : pad;
        hi += pad;
    }
    f->step = hki_nice_step(hi - lo, 5);
    f->y_lo = floor(lo / f->step + 1e-9) * f->step;
    f->y_hi = ceil(hi / f->step - 1e-9) * f->step;
    if (f->y_hi <= f->y_lo) f->y_hi = f->y_lo + f->step;
}

static void draw_axes(hki_svg *s, const hki_lines *c, const frame *f)
{
    static const char style[] = "font-size='12' fill='" HKI_GREY "'";
    char text[48];
    int rows = (int)floor((f->y_hi - f->y_lo) / f->step + 0.5);
    for (int i = 0; i <= rows; i++) {
        double v = f->y_lo + i * f->step, y = f->y + f->h - (double)i / rows * f->h;
        if (fabs(v) < 1e-9 * f->step) v = 0;
        hki_svg_line(s, f->x, y, f->x + f->w, y, i ? HKI_GRID : "#b9bdb9");
        hk_format(text, sizeof text, "%g%s", v, c->unit);
        hki_svg_text(s, f->x - 8, y + 4, HKI_END, style, text);
    }
    double step = fmax(1, hki_nice_step(f->x_max, 6));
    for (double v = 0; v <= f->x_max + 1e-9; v += step) {
        hki_svg_line(s, px(f, v), f->y + f->h, px(f, v), f->y + f->h + 4, "#b9bdb9");
        hk_format(text, sizeof text, "%g", v);
        hki_svg_text(s, px(f, v), f->y + f->h + 18, HKI_MIDDLE, style, text);
    }
    hki_svg_text(s, f->x + f->w / 2, f->y + f->h + 35, HKI_MIDDLE, style, "epoch");
}

static void draw_band(hki_svg *s, const hki_series *r, const frame *f)
{
    hki_svg_raw(s, "<path d='");
    for (int i = 0; i < r->n; i++)
        HKI_PUT(s, "%c%g %g", i ? 'L' : 'M', hki_px(px(f, r->x[i])), hki_px(py(f, r->hi[i])));
    for (int i = r->n - 1; i >= 0; i--)
        HKI_PUT(s, "L%g %g", hki_px(px(f, r->x[i])), hki_px(py(f, r->lo[i])));
    HKI_PUT(s, "Z' fill='%s' fill-opacity='0.12'/>\n", r->color);
}

static void draw_series(hki_svg *s, const hki_series *r, const frame *f)
{
    bool down = false;
    if (r->lo && r->hi && r->n > 1) draw_band(s, r, f);
    hki_svg_raw(s, "<path d='");
    for (int i = 0; i < r->n; i++) {
        if (!inside(f, r->y[i])) continue;
        HKI_PUT(s, "%c%g %g", down ? 'L' : 'M', hki_px(px(f, r->x[i])), hki_px(py(f, r->y[i])));
        down = true;
    }
    HKI_PUT(
        s,
        "' fill='none' stroke='%s' stroke-width='%g' stroke-opacity='%g' "
        "stroke-linejoin='round'/>\n",
        r->color, r->faint ? 1.2 : 2.0, r->faint ? 0.45 : 1.0);
    for (int i = 0; i < r->n && !r->faint && r->n <= 40; i++)
        if (inside(f, r->y[i]))
            HKI_PUT(s, "<circle cx='%g' cy='%g' r='2.6' fill='%s'/>\n", hki_px(px(f, r->x[i])),
                    hki_px(py(f, r->y[i])), r->color);
}

static void draw_legend(hki_svg *s, const hki_lines *c, const frame *f)
{
    int shown = 0, most = (int)(f->h / LEGEND_ROW), every;
    for (int k = 0; k < c->n_series; k++) shown += !c->series[k].faint;
    every = (shown + most - 1) / (most > 0 ? most : 1);
    int row = 0, seen = 0;
    for (int k = 0; k < c->n_series; k++) {
        const hki_series *r = &c->series[k];
        if (r->faint || seen++ % (every > 0 ? every : 1)) continue;
        double y = f->y + 4 + LEGEND_ROW * row++, x = f->x + f->w + 16;
        hki_svg_rect(s, x, y - 1.5, 14, 3, 1.5, r->color);
        hki_svg_text(s, x + 20, y + 4, HKI_START, "font-size='12' fill='" HKI_INK "'", r->name);
    }
}

void hki_draw_lines(hki_svg *s, const hki_lines *c)
{
    const hki_card *d = &c->card;
    frame f = { d->x + LEFT, d->y + TOP, d->w - LEFT - RIGHT - LEGEND, d->h - TOP - BOTTOM,
                c->x_max > 0 ? c->x_max : 1, 0, 1, 1, c->scale };
    range(c, &f);
    hki_draw_card(s, d);
    draw_axes(s, c, &f);
    for (int pass = 0; pass < 2; pass++)                    /* faint ones below the others */
        for (int k = 0; k < c->n_series; k++)
            if (c->series[k].faint == !pass) draw_series(s, &c->series[k], &f);
    draw_legend(s, c, &f);
}

double hki_name_width(const char *const *name, size_t stride, int n)
{
    size_t most = 0;
    for (int i = 0; i < n; i++) {
        const void *at = (const char *)name + (size_t)i * stride;
        const size_t length = strlen(*(const char *const *)at);
        if (length > most) most = length;
    }
    return fmax(84, fmin(24 + 7.0 * (double)most, 240));
}

void hki_draw_bars(hki_svg *s, const hki_card *c, const hki_bar *bar, int n)
{
    enum { VALUE = 92 };
    const double name = n ? hki_name_width(&bar[0].name, sizeof *bar, n) : 84;
    double most = 0, row = (c->h - TOP - 22) / (n > 0 ? n : 1), wide = c->w - name - VALUE - 18;
    for (int i = 0; i < n; i++)
        if (isfinite(bar[i].value)) most = fmax(most, bar[i].value);
    hki_draw_card(s, c);
    for (int i = 0; i < n; i++) {
        char color[8];
        double y = c->y + TOP + row * i, w = most > 0 ? bar[i].value / most * wide : 0;
        hki_ramp(1, 6, color);
        hki_svg_text(s, c->x + name - 10, y + row / 2 + 4, HKI_END,
                     "font-size='12.5' fill='" HKI_INK "'", bar[i].name);
        hki_svg_rect(s, c->x + name, y + row * 0.18, wide, row * 0.64, 3, "#f3f3f0");
        if (w > 0) hki_svg_rect(s, c->x + name, y + row * 0.18, fmax(w, 2), row * 0.64, 3, color);
        hki_svg_text(s, c->x + c->w - 18, y + row / 2 + 4, HKI_END,
                     "font-size='12.5' fill='" HKI_GREY "'", bar[i].text);
    }
}
