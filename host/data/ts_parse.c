/* Parser of .ts files: the header, then the cases twice, to measure and to fill. SPDX-License-Identifier: Apache-2.0 */
#include "host/data/parse.h"

#include "host/base/alloc.h"
#include "host/io/number.h"
#include "host/io/words.h"

#include <math.h>
#include <string.h>

enum { MOST_CLASSES = 65536, MOST_CHANNELS = 1 << 20, VALUE = 64 };

typedef struct text { const char *at, *end; } text;

typedef struct job {
    hk_dataset   *d;
    const char   *name;
    text          rest;                  /* what has not been read                     */
    long          line;                  /* number of the line that was read last      */
    hk_ts_missing fill;
    bool          missing, unequal, has_equal, univariate, has_classes;
    bool          open_end;              /* no newline behind that line                */
    int32_t       channels, steps;       /* of the header, 0: it does not say          */
} job;

/* ---- words -------------------------------------------------------------------------------------- */

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static text trim(text t)
{
    while (t.at < t.end && blank(*t.at)) t.at++;
    while (t.end > t.at && blank(t.end[-1])) t.end--;
    return t;
}

static size_t length(text t) { return (size_t)(t.end - t.at); }

/* Cuts off what stands before the separator (or the end), and says whether there was one. */
static bool cut(text *t, char separator, text *out)
{
    const char *p = memchr(t->at, separator, length(*t));
    *out = trim((text){ t->at, p ? p : t->end });
    t->at = p ? p + 1 : t->end;
    return p != NULL;
}

static text next_word(text *t)
{
    *t = trim(*t);
    text w = { t->at, t->at };
    while (w.end < t->end && !blank(*w.end)) w.end++;
    t->at = w.end;
    return w;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static bool same(text t, const char *word)
{
    size_t n = strlen(word);
    if (length(t) != n) return false;
    for (size_t k = 0; k < n; k++)
        if (lower(t.at[k]) != lower(word[k])) return false;
    return true;
}

typedef struct shown { char text[48]; } shown;
static shown show(text t)
{
    shown s;
    hk_printable(s.text, sizeof s.text, t.at, length(t));
    return s;
}

/* The next line that is neither empty nor a comment. */
static bool next_line(job *j, text *line)
{
    while (j->rest.at < j->rest.end) {
        j->open_end = !cut(&j->rest, '\n', line);
        j->line++;
        if (length(*line) && *line->at != '#') return true;
    }
    return false;
}

#define BAD(j, e, ...) HK_FAIL_AT((j), (e), HK_E_FORMAT, __VA_ARGS__)
#define HK_FAIL_AT(j, e, code, fmt, ...)                                                           \
    hk_fail((e), (code), "%s, line %ld: " fmt, (j)->name, (j)->line, __VA_ARGS__)

/* ---- header ------------------------------------------------------------------------------------- */

static hk_status truth(const job *j, const char *directive, text value, bool *out, hk_error *e)
{
    *out = same(value, "true");
    if (*out || same(value, "false")) return HK_OK;
    return BAD(j, e, "@%s is '%s', expected true or false", directive, show(value).text);
}

static hk_status whole(const job *j, const char *directive, text value, int32_t most, int32_t *out,
                       hk_error *e)
{
    int64_t v = 0;
    for (const char *p = value.at; p < value.end && v <= most; p++)
        v = *p >= '0' && *p <= '9' ? 10 * v + (*p - '0') : INT64_C(1) << 40;
    if (v < 1 || v > most)
        return BAD(j, e, "@%s is '%s', expected a whole number from 1 to %ld", directive,
                   show(value).text, (long)most);
    *out = (int32_t)v;
    return HK_OK;
}

static int32_t class_of(const hk_dataset *d, text t)
{
    for (int32_t k = 0; k < d->n_class; k++)
        if (strlen(d->class_name[k]) == length(t) && !memcmp(d->class_name[k], t.at, length(t)))
            return k;
    return -1;
}

/* Whether a class whose name goes on behind t. */
static bool begins_another(const hk_dataset *d, text t)
{
    for (int32_t k = 0; k < d->n_class; k++)
        if (strlen(d->class_name[k]) > length(t) && !memcmp(d->class_name[k], t.at, length(t)))
            return true;
    return false;
}

static hk_status classes(job *j, text value, hk_error *e)
{
    hk_dataset *d = j->d;
    const text all = value;
    int32_t n = 0;
    HK_TRY(truth(j, "classLabel", next_word(&value), &j->has_classes, e));
    if (!j->has_classes) return HK_OK;
    const text names = value;
    while (length(next_word(&value))) n++;
    if (n < 1 || n > MOST_CLASSES || d->class_name)
        return BAD(j, e, "@classLabel '%s': expected true and 1 to %d class names, once",
                   show(all).text, (int)MOST_CLASSES);
    d->class_name = hk_alloc_zero((size_t)n, sizeof *d->class_name);
    HK_CHECK(e, d->class_name, HK_E_NOMEM, "%s: no memory for %ld class names", j->name, (long)n);
    value = names;
    for (d->n_class = 0; d->n_class < n; d->n_class++) {
        const text w = next_word(&value);
        if (length(w) >= HK_CLASS_NAME || class_of(d, w) >= 0 || memchr(w.at, '\0', length(w)))
            return BAD(j, e, "class name '%s' is there twice or longer than %d bytes", show(w).text,
                       HK_CLASS_NAME - 1);
        memcpy(d->class_name[d->n_class], w.at, length(w));
    }
    return HK_OK;
}

static hk_status stamps(const job *j, text value, hk_error *e)
{
    bool yes;
    HK_TRY(truth(j, "timeStamps", value, &yes, e));
    if (!yes) return HK_OK;
    return HK_FAIL_AT(j, e, HK_E_UNSUP, "@timeStamps is %s: series with time stamps of their own are "
                      "not read, expected values at equal intervals", "true");
}

static hk_status directive(job *j, text line, hk_error *e)
{
    bool yes = false;
    const text word = next_word(&line), value = trim(line);
    if (same(word, "@problemName")) return HK_OK;
    if (same(word, "@timeStamps")) return stamps(j, value, e);
    if (same(word, "@missing")) return truth(j, "missing", value, &j->missing, e);
    if (same(word, "@univariate")) return truth(j, "univariate", value, &j->univariate, e);
    if (same(word, "@dimensions") || same(word, "@dimension"))
        return whole(j, "dimensions", value, MOST_CHANNELS, &j->channels, e);
    if (same(word, "@seriesLength"))
        return whole(j, "seriesLength", value, INT32_MAX, &j->steps, e);
    if (same(word, "@classLabel")) return classes(j, value, e);
    if (same(word, "@equalLength")) {
        HK_TRY(truth(j, "equalLength", value, &yes, e));
        j->has_equal = yes;
        j->unequal = !yes;
        return HK_OK;
    }
    if (same(word, "@targetLabel"))
        return HK_FAIL_AT(j, e, HK_E_UNSUP, "'%s': a regression problem, expected classes",
                          show(word).text);
    return BAD(j, e, "unknown directive '%s', expected one of @problemName @timeStamps @missing "
               "@univariate @dimensions @equalLength @seriesLength @classLabel @data",
               show(word).text);
}

static hk_status header(job *j, hk_error *e)
{
    text line;
    for (;;) {
        if (!next_line(j, &line))
            return hk_fail(e, HK_E_FORMAT, "%s: ends after line %ld without @data", j->name, j->line);
        if (same(line, "@data")) break;
        if (*line.at != '@')
            return BAD(j, e, "found '%s', expected a line that begins with @ or #, or @data",
                       show(line).text);
        HK_TRY(directive(j, line, e));
    }
    if (j->univariate && j->channels > 1)
        return BAD(j, e, "@univariate is true, but @dimensions is %ld", (long)j->channels);
    if (j->univariate) j->channels = 1;
    HK_CHECK(e, j->has_classes, HK_E_UNSUP, "%s: its header has no `@classLabel true NAME ...`: "
             "only classification problems are read", j->name);
    return HK_OK;
}

/* ---- cases -------------------------------------------------------------------------------------- */

typedef struct series { const float *end; float *out; size_t stride; int32_t n; } series;

static hk_status value_of(const job *j, text t, float before, float *out, hk_error *e)
{
    char local[VALUE];
    double v;
    if (same(t, "?") || same(t, "nan")) {
        if (!j->missing || j->fill == HK_TS_REFUSE)
            return BAD(j, e, "a value is missing (%s)%s", show(t).text,
                       j->missing ? "" : ", but @missing is not true");
        *out = j->fill == HK_TS_HOLD ? before : 0.0f;
        return HK_OK;
    }
    if (length(t) < sizeof local) {
        memcpy(local, t.at, length(t));
        local[length(t)] = '\0';
        if (!memchr(local, '\0', length(t)) && hk_number_parse(local, &v) && fabs(v) <= 3e38) {
            *out = (float)v;
            return HK_OK;
        }
    }
    return BAD(j, e, "'%s' is not a number", show(t).text);
}

/* One channel of a case: counts its values, and writes them where out is given. A value missing at
 * the start is held from the first that is there: it is filled backwards. */
static hk_status channel(const job *j, text list, float *out, size_t stride, int32_t *n, hk_error *e)
{
    bool more = true;
    float v = NAN;
    int32_t open = 0;                    /* values missing so far, at the start */
    *n = 0;
    if (!length(trim(list))) return BAD(j, e, "a channel has %d values, expected 1 or more", 0);
    while (more) {
        text t;
        more = cut(&list, ',', &t);
        HK_TRY(value_of(j, t, v, &v, e));
        if (out) out[(size_t)*n * stride] = v;
        if (isnan(v)) open++;
        for (; !isnan(v) && open > 0; open--)
            if (out) out[(size_t)(*n - open) * stride] = v;
        if (*n == INT32_MAX) return BAD(j, e, "a channel has more than %ld values", (long)INT32_MAX);
        ++*n;
    }
    for (; open > 0 && out; open--) out[(size_t)(*n - open) * stride] = 0;
    return HK_OK;
}

/* A line: its steps, its class; with out, its values [steps][channels]. */
static hk_status one_case(job *j, text line, float *out, int32_t *steps, int32_t *label, hk_error *e)
{
    int32_t c = 0, n;
    *steps = 0;
    for (;; c++) {
        text part;
        if (!cut(&line, ':', &part)) {
            *label = class_of(j->d, part);
            if (*label < 0)
                return BAD(j, e, "class '%s' is not in @classLabel", show(part).text);
            if (j->open_end && begins_another(j->d, part))
                return BAD(j, e, "the file ends in the line, and class '%s' begins the name of "
                           "another one: expected a newline", show(part).text);
            break;
        }
        if (j->channels && c == j->channels)
            return BAD(j, e, "more than %ld channels", (long)j->channels);
        if (c == MOST_CHANNELS) return BAD(j, e, "more than %d channels", (int)MOST_CHANNELS);
        HK_TRY(channel(j, part, out ? out + c : NULL, (size_t)j->channels, &n, e));
        if (c > 0 && n != *steps)
            return BAD(j, e, "channel %ld has %ld values and channel 1 has %ld", (long)c + 1, (long)n,
                       (long)*steps);
        *steps = n;
    }
    if (c == 0) return BAD(j, e, "found '%s', expected values, a colon and a class", show(line).text);
    if (!j->channels) j->channels = c;
    if (c != j->channels)
        return BAD(j, e, "%ld channels, expected %ld", (long)c, (long)j->channels);
    return HK_OK;
}

static int64_t count(job j)
{
    int64_t n = 0;
    text line;
    while (next_line(&j, &line)) n++;
    return n;
}

/* Lengths and their largest; what the header says of them must be true. */
static hk_status measure(job j, int32_t *length_of, job *found, hk_error *e)
{
    text line;
    int32_t label, first = 0;
    const int32_t said = j.steps;
    for (int64_t i = 0; next_line(&j, &line); i++) {
        HK_TRY(one_case(&j, line, NULL, &length_of[i], &label, e));
        const int32_t n = length_of[i];
        if (i == 0) first = n;
        if (j.has_equal && n != (said ? said : first))
            return BAD(&j, e, "%ld steps, expected %ld as in all cases (@equalLength true)", (long)n,
                       (long)(said ? said : first));
        if (said && n > said)
            return BAD(&j, e, "%ld steps, but @seriesLength is %ld", (long)n, (long)said);
        if (n > found->steps || i == 0) found->steps = n;
        found->unequal |= n != first;
    }
    found->channels = j.channels;
    return HK_OK;
}

static hk_status fill(job j, hk_error *e)
{
    hk_store *s = j.d->self;
    text line;
    for (int64_t i = 0; next_line(&j, &line); i++) {
        int32_t n;
        HK_TRY(one_case(&j, line, s->f32 + hk_store_first(s, i), &n, &s->label[i], e));
    }
    return HK_OK;
}

static hk_status parse(job *j, int32_t **lengths, hk_error *e)
{
    HK_TRY(header(j, e));
    const int64_t n = count(*j);
    HK_CHECK(e, n > 0, HK_E_FORMAT, "%s: no case after @data, line %ld", j->name, j->line);
    *lengths = hk_alloc((size_t)n * sizeof **lengths);
    HK_CHECK(e, *lengths, HK_E_NOMEM, "%s: no memory for %lld cases", j->name, (long long)n);
    job found = *j;
    found.unequal = false;
    HK_TRY(measure(*j, *lengths, &found, e));
    j->steps = found.steps;
    j->channels = found.channels;
    hk_store_form form = { .n = n, .shape = { 1, 1, j->channels, false }, .steps = j->steps,
                           .length = found.unequal ? *lengths : NULL };
    HK_TRY(hk_store_new(j->d, &form, j->name, e));
    return fill(*j, e);
}

hk_status hk_ts_parse(hk_dataset *d, const hk_bytes *file, hk_ts_missing missing, hk_error *e)
{
    const char *at = (const char *)file->at;
    job j = { .d = d, .name = file->name, .rest = { at, at + file->n }, .fill = missing };
    int32_t *lengths = NULL;
    hk_status st = parse(&j, &lengths, e);
    hk_free(lengths);
    if (st != HK_OK) hk_store_close(d);
    return st;
}
