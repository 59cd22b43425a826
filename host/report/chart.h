/* Three kinds of charts on a card: lines over the epochs, horizontal bars, and points with their
 * spread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_CHART_H
#define HK_CHART_H

#include "svg.h"

typedef struct hki_series {
    char    name[64];
    char    color[8];                    /* "#4c72b0"                                             */
    int     n;
    double *x, *y;                       /* [n]; points with a y that is not finite are left out  */
    double *lo, *hi;                     /* [n] band around y, or NULL                            */
    bool    faint;                       /* a thin pale line without marks or legend              */
} hki_series;

typedef struct hki_card {
    const char *title, *note;            /* note: small text beside the title, or ""              */
    double      x, y, w, h;
} hki_card;

typedef struct hki_lines {
    hki_card          card;
    const hki_series *series;
    int               n_series;
    double            x_max;             /* the axis goes from 0 to this                          */
    double            scale;             /* values are multiplied by it: 100 for percent          */
    const char       *unit;              /* behind the numbers of the y axis: " %" or ""          */
    bool              from_zero;
} hki_lines;

typedef struct hki_bar {
    const char *name;
    double      value;
    char        text[32];                /* the value as a person reads it                        */
} hki_bar;

typedef struct hki_points {              /* what several runs of one kind gave                    */
    const char   *name;
    const double *value;                 /* [n], n 0: nothing yet                                 */
    int           n;
    double        mean, deviation;       /* deviation 0: of one run                               */
    char          text[48];
} hki_points;

void hki_draw_lines(hki_svg *s, const hki_lines *c);
/* Bars of values that are not finite are left out, their text stays. */
void hki_draw_bars(hki_svg *s, const hki_card *c, const hki_bar *bar, int n);
/* A row for each of the n kinds: its values, a pale bar of one deviation to both sides, a mark
 * at the mean. scale and unit as in hki_lines. */
void hki_draw_points(hki_svg *s, const hki_card *c, const hki_points *row, int n, double scale,
                     const char *unit);

/* For charts: the card itself; 1, 2 or 5 times a power of ten, so that about `ticks` of them
 * span the range; pixels that the longest of n names needs, the first at `name`, the others
 * `stride` bytes apart. */
void   hki_draw_card(hki_svg *s, const hki_card *c);
double hki_nice_step(double range, int ticks);
double hki_name_width(const char *const *name, size_t stride, int n);

/* Colour i of n along a ramp, for things that have an order. */
void hki_ramp(int i, int n, char color[8]);

#define HKI_INK   "#2b3038"
#define HKI_GREY  "#7b828c"
#define HKI_GRID  "#e8e8e4"

#endif
