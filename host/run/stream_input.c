/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_input.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/npy.h"
#include "io/number.h"
#include "io/words.h"

enum { ROOM = 1 << 16, FIELD = 64, NPY_PRELUDE = 12 };

/* ---- bytes -------------------------------------------------------------------------------------- */

static bool stopped(const hk_stream_input *in) { return in->cfg.stop && *in->cfg.stop; }

/* Reads once; at the end of the file, or when told to stop, nothing comes. */
static hk_status fill(hk_stream_input *in, hk_error *e)
{
    if (in->at) memmove(in->buffer, in->buffer + in->at, in->end - in->at);
    in->end -= in->at;
    in->at = 0;
    for (;;) {
        if (stopped(in)) return HK_OK;
        const ssize_t n = read(in->fd, in->buffer + in->end, in->cap - in->end);
        if (n < 0 && errno == EINTR) continue;
        HK_CHECK(e, n >= 0, HK_E_IO, "%s: cannot be read: %s", in->name, strerror(errno));
        in->end += (size_t)n;
        in->eof = n == 0;
        return HK_OK;
    }
}

/* n bytes at once, n <= cap; *have false at the end. */
static hk_status want(hk_stream_input *in, size_t n, bool *have, hk_error *e)
{
    while (in->end - in->at < n && !in->eof && !stopped(in)) HK_TRY(fill(in, e));
    *have = in->end - in->at >= n && !stopped(in);
    return HK_OK;
}

/* ---- text --------------------------------------------------------------------------------------- */

/* The next line without its newline, *n SIZE_MAX at the end; a line longer than the buffer is refused. */
static hk_status next_line(hk_stream_input *in, const char **line, size_t *n, hk_error *e)
{
    const char *end = NULL;
    for (;;) {
        *line = in->buffer + in->at;
        *n = in->end - in->at;
        end = memchr(*line, '\n', *n);
        if (end || in->eof || stopped(in)) break;
        HK_CHECK(e, *n < in->cap, HK_E_FORMAT, "%s, line %lld: longer than %zu bytes", in->name,
                 (long long)in->line + 1, in->cap);
        HK_TRY(fill(in, e));
    }
    if (stopped(in) || (!end && *n == 0)) {
        *n = SIZE_MAX;
        return HK_OK;
    }
    if (end) *n = (size_t)(end - *line);
    in->at += *n + (end != NULL);
    in->line++;
    return HK_OK;
}

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* A field into out[FIELD]; what is too long for a number is cut, and then is none. *at stands behind the
 * separator. False: there is no further field. */
static bool next_field(const char **at, const char *end, bool *comma, char *out)
{
    const char *p = *at;
    size_t n = 0;
    while (p < end && blank(*p)) p++;
    if (p == end && !*comma) return false;
    for (; p < end && *p != ',' && !blank(*p); p++)
        if (n + 1 < FIELD) out[n++] = *p ? *p : '?';
    out[n] = 0;
    while (p < end && blank(*p)) p++;
    *comma = p < end && *p == ',';
    *at = p + *comma;
    return true;
}

static hk_status bad(const hk_stream_input *in, hk_error *e, const char *what, const char *found)
{
    char shown[FIELD];
    hk_printable(shown, sizeof shown, found, strlen(found));
    return hk_fail(e, HK_E_FORMAT, "%s, %s %lld: expected %s, found '%s'", in->name,
                   in->cfg.form == HK_STREAM_TEXT ? "line" : "step", (long long)in->line, what, shown);
}

static hk_status label_of(const hk_stream_input *in, double v, int32_t *label, hk_error *e)
{
    char found[HK_NUMBER], what[64];
    *label = v >= 0 && v < in->cfg.classes && floor(v) == v ? (int32_t)v : -1;
    if (*label >= 0 || (in->cfg.form != HK_STREAM_TEXT && !(v >= 0))) return HK_OK;
    hk_format(what, sizeof what, "a class from 0 to %d, or ?", (int)in->cfg.classes - 1);
    return bad(in, e, what, hk_number_print((float)v, found));
}

static hk_status parse_line(const hk_stream_input *in, const char *line, size_t n, float *x,
                            int32_t *label, hk_error *e)
{
    const char *at = line, *end = line + n;
    const size_t values = in->cfg.values;
    char field[FIELD];
    bool comma = false;
    size_t k = 0;
    *label = -1;
    for (; next_field(&at, end, &comma, field); k++) {
        double v;
        if (k == values && (!field[0] || !strcmp(field, "?"))) continue;
        if (k > values) continue;
        if (!hk_number_parse(field, &v) || fabs(v) > 3e38) return bad(in, e, "a number", field);
        if (k < values) x[k] = (float)v;
        else HK_TRY(label_of(in, v, label, e));
    }
    HK_CHECK(e, k == values || k == values + 1, HK_E_FORMAT,
             "%s, line %lld: expected %zu values and perhaps a label, found %zu fields", in->name,
             (long long)in->line, values, k);
    return HK_OK;
}

static bool is_word(const char *line, size_t n, const char *word)
{
    return n == strlen(word) && !memcmp(line, word, n);
}

static hk_status next_text(hk_stream_input *in, float *x, int32_t *label, hk_stream_event *what,
                           hk_error *e)
{
    const char *line;
    size_t n;
    for (;;) {
        HK_TRY(next_line(in, &line, &n, e));
        *what = HK_STREAM_END;
        if (n == SIZE_MAX) return HK_OK;
        while (n && blank(line[n - 1])) n--;
        while (n && blank(*line)) line++, n--;
        *what = HK_STREAM_RESET;
        if (is_word(line, n, "---") || is_word(line, n, "reset")) return HK_OK;
        *what = HK_STREAM_STEP;
        if (n && *line != '#') return parse_line(in, line, n, x, label, e);
    }
}

/* ---- binary ------------------------------------------------------------------------------------- */

static double number_at(const hk_stream_input *in, size_t k)
{
    const char *p = in->buffer + in->at + k * in->width;
    float f;
    double d;
    if (in->width == sizeof d) return memcpy(&d, p, sizeof d), d;
    return memcpy(&f, p, sizeof f), (double)f;
}

static hk_status next_binary(hk_stream_input *in, float *x, int32_t *label, hk_stream_event *what,
                             hk_error *e)
{
    const size_t n = in->cfg.values, all = n + in->cfg.labelled;
    bool have = false;
    *what = HK_STREAM_END;
    *label = -1;
    if (in->cfg.form == HK_STREAM_NPY && in->left == 0) return HK_OK;
    HK_TRY(want(in, all * in->width, &have, e));
    if (!have) {
        HK_CHECK(e, stopped(in) || (in->end == in->at && in->cfg.form != HK_STREAM_NPY), HK_E_FORMAT,
                 "%s: ends within step %lld, after %zu of %zu bytes", in->name, (long long)in->line + 1,
                 in->end - in->at, all * in->width);
        return HK_OK;
    }
    in->line++;
    in->left--;
    *what = isnan(number_at(in, 0)) ? HK_STREAM_RESET : HK_STREAM_STEP;
    hk_status st = HK_OK;
    for (size_t k = 0; k < n && *what == HK_STREAM_STEP; k++) {
        x[k] = (float)number_at(in, k);
        if (!isfinite(x[k]) && st == HK_OK) st = bad(in, e, "finite numbers", isnan(x[k]) ? "nan" : "inf");
    }
    if (st == HK_OK && *what == HK_STREAM_STEP && in->cfg.labelled)
        st = label_of(in, number_at(in, n), label, e);
    in->at += all * in->width;
    return st;
}

static hk_status read_npy_head(hk_stream_input *in, hk_error *e)
{
    const unsigned char *b = (const unsigned char *)in->buffer;
    hk_npy_head h;
    bool have = false;
    HK_TRY(want(in, NPY_PRELUDE, &have, e));
    HK_CHECK(e, have && !memcmp(b, "\x93NUMPY", 6) && b[6] >= 1 && b[6] <= 3, HK_E_FORMAT,
             "%s: does not begin as a .npy file", in->name);
    const size_t prelude = b[6] == 1 ? 10 : 12;
    size_t n = (size_t)b[8] | (size_t)b[9] << 8;
    if (b[6] > 1) n |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    HK_CHECK(e, n <= in->cap - prelude, HK_E_FORMAT, "%s: its header of %zu bytes is too long", in->name, n);
    HK_TRY(want(in, prelude + n, &have, e));
    HK_CHECK(e, have, HK_E_FORMAT, "%s: ends within its header", in->name);
    HK_TRY(hk_npy_head_parse(in->buffer + prelude, n, prelude, in->name, &h, e));
    in->at = prelude + n;
    in->width = h.dtype == HK_DT_F64 ? 8 : 4;
    HK_CHECK(e, (h.dtype == HK_DT_F32 || h.dtype == HK_DT_F64) && h.rank == 2 && !h.fortran &&
             (h.dim[1] == (int64_t)in->cfg.values || h.dim[1] == (int64_t)in->cfg.values + 1),
             HK_E_FORMAT, "%s: expected floats [steps][%zu], or one more for the label, in C order; found "
             "%s of %d dimensions, the last %lld", in->name, in->cfg.values, hk_dtype_name(h.dtype), h.rank,
             h.rank ? (long long)h.dim[h.rank - 1] : 0);
    in->cfg.labelled = h.dim[1] > (int64_t)in->cfg.values;
    in->left = h.dim[0];
    return HK_OK;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

hk_status hk_stream_input_open(hk_stream_input *in, const hk_stream_input_cfg *cfg, hk_error *e)
{
    const bool pipe = !cfg->path || !strcmp(cfg->path, "-");
    *in = (hk_stream_input){ .cfg = *cfg, .name = pipe ? "standard input" : cfg->path, .width = 4 };
    in->fd = pipe ? STDIN_FILENO : open(cfg->path, O_RDONLY | O_CLOEXEC);
    in->cap = ROOM > 32 * (cfg->values + 2) ? ROOM : 32 * (cfg->values + 2);
    hk_status st = HK_OK;
    if (in->fd < 0) st = hk_fail(e, HK_E_IO, "%s: cannot be opened: %s", in->name, strerror(errno));
    if (st == HK_OK && !(in->buffer = hk_alloc(in->cap)))
        st = hk_fail(e, HK_E_NOMEM, "%s: no memory for %zu bytes", in->name, in->cap);
    if (st == HK_OK && cfg->form == HK_STREAM_NPY) st = read_npy_head(in, e);
    if (st != HK_OK) hk_stream_input_close(in);
    return st;
}

void hk_stream_input_close(hk_stream_input *in)
{
    if (in->name && in->fd > STDIN_FILENO) close(in->fd);
    hk_free(in->buffer);
    memset(in, 0, sizeof *in);
}

hk_status hk_stream_input_next(hk_stream_input *in, float *x, int32_t *label, hk_stream_event *what,
                               hk_error *e)
{
    return in->cfg.form == HK_STREAM_TEXT ? next_text(in, x, label, what, e)
                                          : next_binary(in, x, label, what, e);
}

bool hk_stream_input_ready(const hk_stream_input *in)
{
    const size_t n = in->end - in->at;
    if (in->eof) return true;
    if (in->cfg.form == HK_STREAM_TEXT) return memchr(in->buffer + in->at, '\n', n) != NULL;
    return n >= (in->cfg.values + in->cfg.labelled) * in->width;
}
