/* Two kinds of charts on a card: lines over the epochs, and horizontal bars.
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

void hki_draw_lines(hki_svg *s, const hki_lines *c);
void hki_draw_bars(hki_svg *s, const hki_card *c, const hki_bar *bar, int n);

/* Colour i of n along a ramp, for things that have an order. */
void hki_ramp(int i, int n, char color[8]);

#define HKI_INK   "#2b3038"
#define HKI_GREY  "#7b828c"
#define HKI_GRID  "#e8e8e4"

#endif
