/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include "base/alloc.h"
#include "io/file.h"
#include "io/number.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 96, PATH = 1400 };

static bool reserve(hk_text *t, size_t n)
{
    if (t->full) return false;
    if (t->n + n < t->cap) return true;
    const size_t cap = 2 * t->cap + n + 4096;
    char *at = hk_regrow(t->at, t->cap, cap);
    t->full = !at;
    if (!at) return false;
    t->at = at;
    t->cap = cap;
    return true;
}

void hk_text_put(hk_text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !reserve(t, (size_t)n + 1)) return;
    va_start(ap, fmt);
    vsnprintf(t->at + t->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    t->n += (size_t)n;
}

static const char *constant(float v, char out[HK_NUMBER + 4])
{
    if (isnan(v)) return "NAN";
    if (isinf(v)) return v > 0 ? "INFINITY" : "-INFINITY";
    hk_number_print(v, out);
    if (!strpbrk(out, ".e")) strcat(out, ".0");
    return strcat(out, "f");
}

void hk_text_float(hk_text *t, float v)
{
    char out[HK_NUMBER + 4];
    hk_text_put(t, "%s", constant(v, out));
}

/* Begins a line before the first number, and where the next one would not fit. */
static void next(hk_text *t, size_t i, size_t *line, size_t width)
{
    if (i && t->n - *line + width < WIDTH) {
        hk_text_put(t, " ");
        return;
    }
    hk_text_put(t, i ? "\n    " : "    ");
    *line = t->n - 4;
}

#define ROWS(name, type, width, format, value)                                                     \
    void name(hk_text *t, size_t n, const type *v)                                                 \
    {                                                                                              \
        char out[HK_NUMBER + 4];                                                                   \
        (void)out;                                                                                 \
        for (size_t i = 0, line = 0; i < n; i++) {                                                 \
            next(t, i, &line, width);                                                              \
            hk_text_put(t, format, value);                                                         \
        }                                                                                          \
        hk_text_put(t, "\n");                                                                      \
    }

ROWS(hk_text_floats, float, 16, "%s,", constant(v[i], out))
ROWS(hk_text_words, uint32_t, 12, "0x%08xu,", (unsigned)v[i])
ROWS(hk_text_halves, uint16_t, 8, "0x%04x,", (unsigned)v[i])
ROWS(hk_text_bytes, uint8_t, 5, "%u,", (unsigned)v[i])
ROWS(hk_text_small, int8_t, 6, "%d,", (int)v[i])

hk_status hk_text_save(hk_text *t, const char *folder, const char *name, hk_error *e)
{
    char path[PATH];
    HK_CHECK(e, !t->full, HK_E_NOMEM, "out of memory for %s", name);
    const int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    HK_CHECK(e, n > 0 && n < PATH, HK_E_ARG, "the path of folder %s is too long", folder);
    const hk_status st = hk_file_write(path, t->at, t->n, e);
    t->n = 0;
    return st;
}

void hk_text_free(hk_text *t)
{
    hk_free(t->at);
    memset(t, 0, sizeof *t);
}
