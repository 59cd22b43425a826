/* SPDX-License-Identifier: Apache-2.0 */
#include "number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *digits(const char *s)
{
    while (*s >= '0' && *s <= '9') s++;
    return s;
}

static bool is_number(const char *s)
{
    if (*s == '+' || *s == '-') s++;
    const char *whole = s, *end = digits(s);
    bool any = end > whole;
    if (*end == '.') {
        const char *part = end + 1;
        end = digits(part);
        any = any || end > part;
    }
    if (any && (*end == 'e' || *end == 'E')) {
        const char *power = end + 1;
        if (*power == '+' || *power == '-') power++;
        end = digits(power);
        any = end > power;
    }
    return any && !*end;
}

static char point(void)
{
    const char *p = localeconv()->decimal_point;
    return p && p[0] && !p[1] ? p[0] : '.';
}

static void swap(char *s, char from, char to)
{
    for (char *p = from == to ? NULL : strchr(s, from); p; p = strchr(p, from)) *p = to;
}

bool hk_number_parse(const char *text, double *out)
{
    char local[64];
    size_t n = strlen(text);
    if (n >= sizeof local || !is_number(text)) return false;
    memcpy(local, text, n + 1);
    swap(local, '.', point());
    double v = strtod(local, NULL);
    if (!isfinite(v)) return false;
    *out = v;
    return true;
}

const char *hk_number_print(float v, char *out)
{
    for (int precision = 6; precision <= 9; precision++) {
        double back;
        snprintf(out, HK_NUMBER, "%.*g", precision, (double)v);
        swap(out, point(), '.');
        if (hk_number_parse(out, &back) && (float)back == v) break;
    }
    return out;
}
