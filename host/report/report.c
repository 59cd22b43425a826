/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <math.h>
#include <string.h>

#include "history.h"
#include "io/file.h"
#include "units.h"

enum {
    WIDE = 1180,
    MARGIN = 28,
    GAP = 18,
    HEAD = 96,
    CARD_W = (WIDE - 2 * MARGIN - GAP) / 2,
    CARD_H = 300
};

#define BLUE   "#3f6b9e"
#define ORANGE "#d98032"
#define GREEN  "#4f9a6b"

typedef struct report {
    hki_svg      s;
    hki_history  h;
    double       x_max;                  /* epochs */
    int          cards;                  /* drawn so far */
} report;

/* The next free place, two in a row. */
static hki_card place(report *r, const char *title, const char *note)
{
    int i = r->cards++;
    return (
        hki_card){ title,  note,  MARGIN + i % 2 * (CARD_W + GAP), HEAD + (i / 2) * (CARD_H + GAP),
                   CARD_W, CARD_H };
}

static void paint(hki_series *s, const char *color)
{
    if (s) hk_format(s->color, sizeof s->color, "%s", color);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void draw_lines(report *r, hki_list *l, const char *title, const char *note, bool percent,
                       bool from_zero)
{
    if (l->n) {
        hki_lines c = { place(r, title, note), l->at, l->n, r->x_max, percent ? 100 : 1,
                        percent ? " %" : "", from_zero };
        hki_draw_lines(&r->s, &c);
    }
    r->s.failed |= l->failed;
    hki_list_deinit(l);
}

/* Training over its windows (faint) and epochs, validation, test. */
static void draw_passes(report *r, const char *title, const char *what, bool percent)
{
    static const char *const split[] = { "train", "val", "test" };
    static const char *const name[] = { "training", "validation", "test" };
    static const char *const color[] = { BLUE, ORANGE, GREEN };
    hki_list l = { 0 };
    hki_series *s = hki_list_add(&l, r->h.step, "", what, false);
    paint(s, BLUE);
    if (s) s->faint = true;
    for (int i = 0; i < 3; i++) {
        char path[32];
        hk_format(path, sizeof path, "%s.%s", split[i], what);
        paint(hki_list_add(&l, r->h.epoch, name[i], path, false), color[i]);
    }
    draw_lines(r, &l, title, "", percent, !percent);
}

static bool any_learned(const report *r, const char *what)
{
    size_t n = json_array_size(r->h.epoch);
    json_t *layers = json_object_get(n ? json_array_get(r->h.epoch, n - 1) : NULL, what), *v;
    const char *key;
    json_object_foreach(layers, key, v) {
        if (json_is_true(json_object_get(v, "learned"))) return true;
    }
    return false;
}

static void draw_learned(report *r, const char *title, const char *what)
{
    hki_list l = { 0 };
    bool learned = any_learned(r, what);
    if (learned) hki_list_add_each(&l, r->h.epoch, what, true);
    draw_lines(r, &l, title, "learned; mean, and range where a layer has several", false, false);
}

static void draw_rates(report *r)
{
    hki_list l = { 0 };
    hki_list_add_each(&l, r->h.epoch, "rates", false);
    draw_lines(r, &l, "Firing rate", "spikes per neuron and step, training", true, true);
}

/* ---- bars ----------------------------------------------------------------------------------- */

static void draw_memory(report *r)
{
    hki_bar bar[12];
    int n = 0;
    char note[64], total[32];
    const char *key;
    json_t *v;
    json_object_foreach(json_object_get(r->h.run, "memory"), key, v) {
        if (!strcmp(key, "total") || n == 12) continue;
        bar[n].name = key;
        bar[n].value = json_number_value(v);
        hki_bytes_text(bar[n].value, bar[n].text, sizeof bar[n].text);
        n++;
    }
    if (!n) return;
    hki_bytes_text(hki_number(r->h.run, "memory.total"), total, sizeof total);
    hk_format(note, sizeof note, "%s, planned and taken", total);
    hki_card c = place(r, "Memory", note);
    hki_draw_bars(&r->s, &c, bar, n);
}

/* ---- head ----------------------------------------------------------------------------------- */

/* "recipes/digits-stop.yaml" to "digits-stop" */
static void run_name(const report *r, char *out, size_t cap)
{
    const char *path = hki_string(r->h.run, "recipe", "run"), *slash = strrchr(path, '/');
    hk_format(out, cap, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(out, '.');
    if (dot && dot != out) *dot = 0;
}

static void draw_outcome(report *r)
{
    char text[128];
    double accuracy = hki_number(r->h.result, "test.accuracy");
    if (!isfinite(accuracy)) return;
    hk_format(text, sizeof text, "%g %%", floor(accuracy * 1e4 + 0.5) / 100);
    hki_svg_text(&r->s, WIDE - MARGIN, 47, HKI_END,
                 "font-size='28' font-weight='600' fill='" GREEN "'", text);
    bool best = !strcmp(hki_string(r->h.result, "test.weights", ""), "best");
    hk_format(text, sizeof text, "test accuracy, %s (%g)",
              best ? "best epoch by validation" : "last epoch",
              hki_number(r->h.result, "test.epoch"));
    hki_svg_text(&r->s, WIDE - MARGIN, 71, HKI_END, "font-size='13' fill='" HKI_GREY "'", text);
}

static void draw_head(report *r, double height)
{
    char name[128], learned[32], neurons[32], text[400];
    HKI_PUT(&r->s,
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %g' width='%d' height='%g' ",
            WIDE, height, WIDE, height);
    hki_svg_raw(&r->s,
                "font-family='system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,"
                "\"DejaVu Sans\",sans-serif'>\n");
    run_name(r, name, sizeof name);
    HKI_PUT(&r->s, "<title>%s</title>\n", "Hillock: a training run");
    hki_svg_rect(&r->s, 0, 0, WIDE, height, 0, "#f6f6f3");
    hki_svg_text(&r->s, MARGIN, 47, HKI_START,
                 "font-size='26' font-weight='600' fill='" HKI_INK "'", name);
    hki_count_text(hki_number(r->h.run, "parameters"), learned, sizeof learned);
    hki_count_text(hki_number(r->h.run, "neurons"), neurons, sizeof neurons);
    double seconds =
        hki_number(json_array_get(r->h.epoch, json_array_size(r->h.epoch) - 1), "seconds");
    hk_format(text, sizeof text, "%s on %s, T = %g, batch %g, %s parameters, %s neurons, seed %g%s",
              hki_string(r->h.run, "rule", "?"), hki_string(r->h.run, "data", "?"),
              hki_number(r->h.run, "T"), hki_number(r->h.run, "batch"), learned, neurons,
              hki_number(r->h.run, "seed"), isfinite(seconds) ? "" : ", no epoch finished yet");
    if (isfinite(seconds)) {
        size_t at = strlen(text);
        hk_format(text + at, sizeof text - at, ", %g s", floor(seconds * 10 + 0.5) / 10);
    }
    hki_svg_text(&r->s, MARGIN, 71, HKI_START, "font-size='13' fill='" HKI_GREY "'", text);
    draw_outcome(r);
}

static double height_of(int cards)
{
    return HEAD + (cards + 1) / 2 * (CARD_H + GAP) + MARGIN - GAP;
}

static void draw(report *r)
{
    int cards = 3 + (json_object_size(json_object_get(r->h.run, "memory")) > 0);
    cards += any_learned(r, "threshold") + any_learned(r, "leak");
    size_t n = json_array_size(r->h.epoch), steps = json_array_size(r->h.step);
    double by_epoch = n ? hki_number(json_array_get(r->h.epoch, n - 1), "epoch") : 0;
    double by_step = steps ? hki_number(json_array_get(r->h.step, steps - 1), "epoch") : 0;
    r->x_max = fmax(1, ceil(fmax(by_epoch, by_step)));
    if (!n) cards -= 1;
    draw_head(r, height_of(cards));
    draw_passes(r, "Loss", "loss", false);
    draw_passes(r, "Accuracy", "accuracy", true);
    draw_rates(r);
    draw_learned(r, "Thresholds", "threshold");
    draw_learned(r, "Leaks", "leak");
    draw_memory(r);
    hki_svg_raw(&r->s, "</svg>\n");
}

hk_status hk_report_write(const char *folder, const char *out, hk_error *e)
{
    char path[1200];
    report r = { 0 };
    hk_format(path, sizeof path, "%s/metrics.jsonl", folder);
    hk_status st = hki_history_read(&r.h, path, e);
    if (st == HK_OK) {
        draw(&r);
        st = r.s.failed ? hk_fail(e, HK_E_NOMEM, "%s: no memory for the picture", out)
                        : hk_file_write(out, r.s.text, r.s.n, e);
    }
    hki_svg_deinit(&r.s);
    hki_history_deinit(&r.h);
    return st;
}
