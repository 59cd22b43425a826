/* Status texts and the core's own formatter, so that messages need no stdio.
 *
 * Supported: %s %c %d %ld %lld %u %lu %llu %zu %g (six significant digits, as printf) and %%.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_core.h"

#include <stdarg.h>
#include <string.h>

typedef struct sink { char *out; size_t cap, n; } sink;

static void put(sink *s, char c)
{
    if (s->n + 1 < s->cap) s->out[s->n++] = c;
}

static void put_text(sink *s, const char *t)
{
    for (t = t ? t : "(none)"; *t; t++) put(s, *t);
}

static void put_unsigned(sink *s, unsigned long long v)
{
    char digit[24];
    int n = 0;
    do digit[n++] = (char)('0' + v % 10); while ((v /= 10) != 0);
    while (n) put(s, digit[--n]);
}

static void put_signed(sink *s, long long v)
{
    if (v < 0) put(s, '-');
    put_unsigned(s, v < 0 ? 0ULL - (unsigned long long)v : (unsigned long long)v);
}

/* Digits d (six of them) with the decimal point after the first `whole`; trailing zeros dropped. */
static void put_decimal(sink *s, long d, int whole)
{
    char digit[6];
    for (int i = 5; i >= 0; i--, d /= 10) digit[i] = (char)('0' + d % 10);
    int last = 6;
    while (last > (whole > 1 ? whole : 1) && digit[last - 1] == '0') last--;
    if (whole <= 0) {
        put(s, '0');
        put(s, '.');
        for (int i = whole; i < 0; i++) put(s, '0');
        whole = 0;
        for (int i = 0; i < last; i++) put(s, digit[i]);
        return;
    }
    for (int i = 0; i < last || i < whole; i++) {
        if (i == whole) put(s, '.');
        put(s, i < 6 ? digit[i] : '0');
    }
}

static void put_double(sink *s, double v)
{
    if (v != v) { put_text(s, "nan"); return; }
    if (v < 0) { put(s, '-'); v = -v; }
    if (v > 1.7e308) { put_text(s, "inf"); return; }
    if (v == 0) { put(s, '0'); return; }
    int e = 0;
    while (v >= 10) { v /= 10; e++; }
    while (v < 1) { v *= 10; e--; }
    long d = (long)(v * 1e5 + 0.5);
    if (d >= 1000000) { d /= 10; e++; }
    if (e >= -5 && e < 6) { put_decimal(s, d, e + 1); return; }
    put_decimal(s, d, 1);
    put(s, 'e');
    put(s, e < 0 ? '-' : '+');
    if (e < 0) e = -e;
    if (e < 10) put(s, '0');
    put_signed(s, e);
}

static size_t format(char *out, size_t cap, const char *fmt, va_list ap)
{
    sink s = { out, cap, 0 };
    for (; *fmt; fmt++) {
        if (*fmt != '%') { put(&s, *fmt); continue; }
        int longs = 0, size = 0;
        for (fmt++; *fmt == 'l' || *fmt == 'z'; fmt++) *fmt == 'l' ? longs++ : size++;
        switch (*fmt) {
        case 's': put_text(&s, va_arg(ap, const char *)); break;
        case 'c': put(&s, (char)va_arg(ap, int)); break;
        case 'g': put_double(&s, va_arg(ap, double)); break;
        case 'd':
            put_signed(&s, longs == 2 ? va_arg(ap, long long) : longs == 1 ? va_arg(ap, long)
                                                                         : va_arg(ap, int));
            break;
        case 'u':
            put_unsigned(&s, size ? va_arg(ap, size_t)
                             : longs == 2 ? va_arg(ap, unsigned long long)
                             : longs == 1 ? va_arg(ap, unsigned long) : va_arg(ap, unsigned));
            break;
        case '\0': fmt--; break;
        default: put(&s, *fmt); break;
        }
    }
    if (cap) out[s.n] = '\0';
    return s.n;
}

size_t hk_format(char *out, size_t cap, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    size_t n = format(out, cap, fmt, ap);
    va_end(ap);
    return n;
}

hk_status (hk_fail)(hk_error *e, hk_status code, const char *fmt, ...)
{
    if (!e) return code;
    e->code = code;
    va_list ap;
    va_start(ap, fmt);
    format(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return code;
}

const char *hk_status_text(hk_status code)
{
    switch (code) {
#define X(id, value, text) case HK_##id: return text;
    HK_STATUS_LIST(X)
#undef X
    }
    return "unknown status";
}
