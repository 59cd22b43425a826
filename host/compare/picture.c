/* The picture of a comparison: compare.svg from the summary, in the style of a run's report.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "io/file.h"
#include "parts.h"
#include "report/chart.h"
#include "report/history.h"
#include "report/units.h"

enum {
    WIDE = 1180,
    MARGIN = 28,
    GAP = 18,
    HEAD = 96,
    CARD_W = (WIDE - 2 * MARGIN - GAP) / 2,
    ROW = 30,
    AROUND = 100,
    LEAST = 200
};

typedef struct picture {
    hki_svg s;
    const json_t *variants;
    int n, cards;
    double card_h;
    hki_points *points; /* [n] */
    hki_bar *bar;       /* [n] */
    double *value;      /* [n][seeds] */
    int seeds;
} picture;

static hki_card place(picture *p, const char *title, const char *note)
{
    const int i = p->cards++;
    return (hki_card){
        title,  note,     MARGIN + i % 2 * (CARD_W + GAP), HEAD + (i / 2) * (p->card_h + GAP),
        CARD_W, p->card_h
    };
}

static const json_t *variant(const picture *p, int i)
{
    return json_array_get(p->variants, (size_t)i);
}

static double mean_of(const json_t *v, const char *key)
{
    const json_t *m = json_object_get(json_object_get(v, "mean"), key);
    return json_is_number(m) ? json_number_value(m) : NAN;
}

static double deviation_of(const json_t *v, const char *key)
{
    return json_number_value(json_object_get(json_object_get(v, "deviation"), key));
}

static void draw_points(picture *p, const char *title, const char *note, const char *key)
{
    for (int i = 0; i < p->n; i++) {
        const json_t *v = variant(p, i), *runs = json_object_get(v, "runs");
        double *value = p->value + (size_t)i * (size_t)p->seeds;
        int n = 0;
        for (size_t k = 0; k < json_array_size(runs) && n < p->seeds; k++) {
            value[n] = hki_number(json_array_get(runs, k), key);
            n += isfinite(value[n]);
        }
        const double mean = mean_of(v, key), deviation = deviation_of(v, key);
        p->points[i] = (hki_points){
            hki_string(v, "name", "?"), value, isfinite(mean) ? n : 0, mean, deviation, ""
        };
        char *text = p->points[i].text;
        if (!p->points[i].n)
            hk_format(text, sizeof p->points[i].text, "%s", hki_string(v, "state", ""));
        else if (n < 2)
            snprintf(text, sizeof p->points[i].text, "%.2f %%", 100 * mean);
        else
            snprintf(text, sizeof p->points[i].text, "%.2f ± %.2f %%", 100 * mean,
                     100 * deviation);
    }
    const hki_card c = place(p, title, note);
    hki_draw_points(&p->s, &c, p->points, p->n, 100, " %");
}

static void draw_bars(picture *p, const char *title, const char *note, const char *key,
                      void text(double, char *, size_t))
{
    for (int i = 0; i < p->n; i++) {
        const json_t *v = variant(p, i);
        p->bar[i] = (hki_bar){ .name = hki_string(v, "name", "?"), .value = mean_of(v, key) };
        if (isfinite(p->bar[i].value))
            text(p->bar[i].value, p->bar[i].text, sizeof p->bar[i].text);
        else
            hk_format(p->bar[i].text, sizeof p->bar[i].text, "%s", hki_string(v, "state", ""));
    }
    const hki_card c = place(p, title, note);
    hki_draw_bars(&p->s, &c, p->bar, p->n);
}

static void seconds_text(double v, char *out, size_t cap)
{
    snprintf(out, cap, v < 100 ? "%.3g s" : "%.0f s", v);
}

static void draw_head(picture *p, const json_t *summary, double height)
{
    char name[128], text[200];
    const char *path = hki_string(summary, "recipe", "?"), *slash = strrchr(path, '/');
    hk_format(name, sizeof name, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(name, '.');
    if (dot && dot != name) *dot = '\0';
    HKI_PUT(&p->s,
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %g' width='%d' height='%g' ",
            WIDE, height, WIDE, height);
    hki_svg_raw(&p->s,
                "font-family='system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,"
                "\"DejaVu Sans\",sans-serif'>\n<title>Hillock: a comparison</title>\n");
    hki_svg_rect(&p->s, 0, 0, WIDE, height, 0, "#f6f6f3");
    hki_svg_text(&p->s, MARGIN, 47, HKI_START,
                 "font-size='26' font-weight='600' fill='" HKI_INK "'", name);
    hk_format(text, sizeof text,
              "%d variants, %d %s each; points are seeds, bars one standard deviation "
              "to both sides",
              p->n, p->seeds, p->seeds == 1 ? "seed" : "seeds");
    hki_svg_text(&p->s, MARGIN, 71, HKI_START, "font-size='13' fill='" HKI_GREY "'", text);
}

static void draw(picture *p, const json_t *summary)
{
    enum { CARD_ROWS = 3 };
    p->card_h = fmax(LEAST, AROUND + ROW * p->n);
    draw_head(p, summary, HEAD + CARD_ROWS * (p->card_h + GAP) - GAP + MARGIN);
    const bool chosen = json_is_true(json_object_get(variant(p, 0), "validation"));
    draw_points(p, "Test accuracy", chosen ? "epoch chosen by validation" : "last epoch",
                "accuracy");
    draw_points(p, "Firing rate", "spikes per neuron and step, test set", "rate");
    draw_bars(p, "Memory planned", "the net, to the byte", "planned", hki_bytes_text);
    draw_bars(p, "Resident peak", "the process, data included", "resident", hki_bytes_text);
    draw_bars(p, "Time per epoch", "training batches", "seconds_per_epoch", seconds_text);
    draw_bars(p, "Multiply-adds per sample", "forward, skipping zeros, estimate",
              "operations_events", hki_count_text);
    hki_svg_raw(&p->s, "</svg>\n");
}

hk_status hki_picture(const json_t *summary, const char *path, hk_error *e)
{
    picture p = { .variants = json_object_get(summary, "variants"),
                  .seeds = (int)json_integer_value(json_object_get(summary, "seeds")) };
    p.n = (int)json_array_size(p.variants);
    p.points = hk_alloc_zero((size_t)p.n, sizeof *p.points);
    p.bar = hk_alloc_zero((size_t)p.n, sizeof *p.bar);
    p.value = hk_alloc_zero((size_t)p.n * (size_t)p.seeds, sizeof *p.value);
    const bool ready = p.points && p.bar && p.value;
    if (ready) draw(&p, summary);
    hk_status st = !ready || p.s.failed
                       ? hk_fail(e, HK_E_NOMEM, "%s: no memory for the picture", path)
                       : hk_file_write(path, p.s.text, p.s.n, e);
    hki_svg_deinit(&p.s);
    hk_free(p.value);
    hk_free(p.bar);
    hk_free(p.points);
    return st;
}
