/* The header of .npy files: a Python dictionary literal, read with a parser for exactly that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "npy.h"

#include <string.h>

typedef struct cursor {
    const char *text;
    size_t      n, at, base;
    const char *where;
} cursor;

static const char *const descr_of[] = {
#define X(id, width, descr) descr,
    HK_DT_LIST(X)
#undef X
};

static void skip_space(cursor *c)
{
    while (c->at < c->n && (c->text[c->at] == ' ' || c->text[c->at] == '\n')) c->at++;
}

/* The next visible byte, not consumed; 0 at the end. */
static char peek(cursor *c)
{
    skip_space(c);
    return c->at < c->n ? c->text[c->at] : 0;
}

static hk_status unexpected(cursor *c, const char *expected, hk_error *err)
{
    char found = peek(c);
    if (c->at >= c->n)
        return hk_fail(err, HK_E_FORMAT, "%s: header ends at byte %zu, expected %s", c->where,
                       c->base + c->n, expected);
    return hk_fail(err, HK_E_FORMAT, "%s: header at byte %zu: expected %s, found '%c'", c->where,
                   c->base + c->at, expected, found < 32 || found == 127 ? '?' : found);
}

static bool take(cursor *c, char wanted)
{
    if (peek(c) != wanted || c->at >= c->n) return false;
    c->at++;
    return true;
}

/* A quoted string without escapes into out[cap]. */
static hk_status take_string(cursor *c, const char *what, char *out, size_t cap, hk_error *err)
{
    char quote = peek(c);
    size_t k = 0;
    if (quote != '\'' && quote != '"') return unexpected(c, what, err);
    for (c->at++; c->at < c->n && c->text[c->at] != quote; c->at++) {
        char ch = c->text[c->at];
        if (k + 1 >= cap || ch < 32 || ch == '\\' || ch == 127) return unexpected(c, what, err);
        out[k++] = ch;
    }
    out[k] = 0;
    return take(c, quote) ? HK_OK : unexpected(c, "a closing quote", err);
}

static hk_status take_descr(cursor *c, hk_dtype *out, hk_error *err)
{
    char d[16];
    HK_CHECK(err, peek(c) != '[', HK_E_UNSUP,
             "%s: has a structured type; save each field as an array of its own", c->where);
    HK_TRY(take_string(c, "a quoted element type", d, sizeof d, err));
    HK_CHECK(err, d[0] != '>', HK_E_UNSUP,
             "%s: is big-endian ('%s'); convert it to '<%s' before saving", c->where, d, d + 1);
    HK_CHECK(err, strcmp(d, "|O") != 0 && strcmp(d, "O") != 0, HK_E_UNSUP,
             "%s: holds Python objects, which are refused; save it with a numeric type", c->where);
    for (int t = 0; t < HK_DT_COUNT && (d[0] == '<' || d[0] == '|'); t++)
        if (*descr_of[t] && strcmp(descr_of[t] + 1, d + 1) == 0) {
            *out = (hk_dtype)t;
            return HK_OK;
        }
    return hk_fail(err, HK_E_UNSUP, "%s: has element type '%s'; known are b1, u1 to u8, i1 to i8, "
                   "f2, f4 and f8 with '<' or '|'", c->where, d);
}

static hk_status take_bool(cursor *c, bool *out, hk_error *err)
{
    static const char *const word[2] = { "False", "True" };
    skip_space(c);
    for (int i = 0; i < 2; i++) {
        size_t k = strlen(word[i]);
        if (c->n - c->at < k || memcmp(c->text + c->at, word[i], k) != 0) continue;
        c->at += k;
        *out = i;
        return HK_OK;
    }
    return unexpected(c, "True or False", err);
}

/* One dimension: digits, and the L that Python 2 added. */
static hk_status take_dim(cursor *c, int64_t *out, hk_error *err)
{
    int64_t v = 0;
    char ch = peek(c);
    if (ch < '0' || ch > '9') return unexpected(c, "a dimension (a whole number)", err);
    for (; c->at < c->n && (ch = c->text[c->at]) >= '0' && ch <= '9'; c->at++) {
        HK_CHECK(err, v <= (INT64_MAX - 9) / 10, HK_E_FORMAT,
                 "%s: header at byte %zu: a dimension does not fit 63 bits", c->where,
                 c->base + c->at);
        v = 10 * v + (ch - '0');
    }
    if (c->at < c->n && c->text[c->at] == 'L') c->at++;
    *out = v;
    return HK_OK;
}

/* (), (3,), (3, 4) or (3, 4,) */
static hk_status take_shape(cursor *c, hk_npy_head *h, hk_error *err)
{
    bool comma = true;
    h->rank = 0;
    if (!take(c, '(')) return unexpected(c, "a shape in parentheses", err);
    while (!take(c, ')')) {
        if (!comma) return unexpected(c, "',' or ')'", err);
        HK_CHECK(err, h->rank < HK_ARRAY_RANK, HK_E_UNSUP,
                 "%s: has more than %d dimensions", c->where, HK_ARRAY_RANK);
        HK_TRY(take_dim(c, &h->dim[h->rank++], err));
        comma = take(c, ',');
        if (h->rank == 1 && !comma) return unexpected(c, "',' after the only dimension", err);
    }
    return HK_OK;
}

hk_status hk_npy_head_parse(const char *text, size_t n, size_t base, const char *where,
                            hk_npy_head *out, hk_error *err)
{
    static const char *const keys[3] = { "descr", "fortran_order", "shape" };
    cursor c = { text, n, 0, base, where };
    hk_npy_head h = { 0 };
    bool seen[3] = { false }, comma = true;
    if (!take(&c, '{')) return unexpected(&c, "'{'", err);
    while (!take(&c, '}')) {
        char key[16];
        int k = 0;
        if (!comma) return unexpected(&c, "',' or '}'", err);
        HK_TRY(take_string(&c, "a quoted key", key, sizeof key, err));
        while (k < 3 && strcmp(key, keys[k]) != 0) k++;
        HK_CHECK(err, k < 3, HK_E_FORMAT, "%s: header has the unknown key '%s'; known are descr, "
                 "fortran_order and shape", where, key);
        HK_CHECK(err, !seen[k], HK_E_FORMAT, "%s: header has the key '%s' twice", where, key);
        seen[k] = true;
        if (!take(&c, ':')) return unexpected(&c, "':'", err);
        HK_TRY(k == 0 ? take_descr(&c, &h.dtype, err) :
               k == 1 ? take_bool(&c, &h.fortran, err) : take_shape(&c, &h, err));
        comma = take(&c, ',');
    }
    for (int k = 0; k < 3; k++)
        HK_CHECK(err, seen[k], HK_E_FORMAT, "%s: header lacks the key '%s'", where, keys[k]);
    skip_space(&c);
    if (c.at < c.n) return unexpected(&c, "nothing but spaces after '}'", err);
    HK_TRY(hk_array_measure(where, h.dtype, h.rank, h.dim, &h.bytes, err));
    *out = h;
    return HK_OK;
}

hk_status hk_npy_head_print(const hk_array *a, char out[HK_NPY_HEAD], size_t *n, hk_error *err)
{
    enum { START = 10 };                                    /* magic, version, 16-bit length */
    const char *descr = descr_of[a->dtype];
    HK_CHECK(err, *descr, HK_E_UNSUP, "array '%s': %s has no NumPy type; convert it to F32",
             a->name, hk_dtype_name(a->dtype));
    size_t k = START;
    k += hk_format(out + k, HK_NPY_HEAD - k, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                   descr);
    for (int i = 0; i < a->rank; i++)
        k += hk_format(out + k, HK_NPY_HEAD - k, i ? ", %lld" : "%lld", (long long)a->dim[i]);
    k += hk_format(out + k, HK_NPY_HEAD - k, a->rank == 1 ? ",), }" : "), }");
    size_t whole = (k + 1 + 63) / 64 * 64;
    memset(out + k, ' ', whole - k);
    out[whole - 1] = '\n';
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (char)((whole - START) & 255);
    out[9] = (char)((whole - START) >> 8);
    *n = whole;
    return HK_OK;
}
