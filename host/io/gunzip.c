/* Unpacking of gzip files (RFC 1952) in memory, through zlib.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "file.h"

#include "../base/alloc.h"

#include <string.h>
#include <zlib.h>

/* What is being unpacked. zlib counts in unsigned int, so both sides are fed in pieces. */
typedef struct gunzip {
    const unsigned char *in;
    size_t  in_n, at;            /* packed bytes, and how many of them are used up   */
    char   *out;
    size_t  room, have, limit;   /* bytes of out without the terminator, and in use  */
} gunzip;

enum { PIECE = 1 << 30 };

static unsigned piece(size_t n) { return n < PIECE ? (unsigned)n : (unsigned)PIECE; }

static voidpf zlib_alloc(voidpf self, uInt count, uInt size)
{
    (void)self;
    return hk_alloc_zero(count, size);
}

static void zlib_free(voidpf self, voidpf p)
{
    (void)self;
    hk_free(p);
}

static hk_status gunzip_grow(gunzip *g, const char *name, hk_error *err)
{
    HK_CHECK(err, g->room < g->limit, HK_E_FORMAT,
             "%s: unpacks to more than the limit of %zu bytes", name, g->limit);
    size_t room = g->room < g->limit / 2 ? 2 * g->room : g->limit;
    char *out = hk_regrow(g->out, g->have, room + 1);
    HK_CHECK(err, out, HK_E_NOMEM, "%s: no memory for %zu bytes", name, room);
    g->out = out;
    g->room = room;
    return HK_OK;
}

/* Unpacks one member, from g->at to the end of its trailer. zlib may fill the place of the
 * terminator too: that is how output beyond room shows, and it makes the buffer grow. */
static hk_status gunzip_member(gunzip *g, z_stream *z, const char *name, hk_error *err)
{
    for (;;) {
        unsigned in = piece(g->in_n - g->at), out = piece(g->room + 1 - g->have);
        z->next_in = (z_const Bytef *)(g->in + g->at);
        z->avail_in = in;
        z->next_out = (Bytef *)(g->out + g->have);
        z->avail_out = out;
        int code = inflate(z, Z_NO_FLUSH);
        g->at += in - z->avail_in;
        g->have += out - z->avail_out;
        HK_CHECK(err, code != Z_MEM_ERROR, HK_E_NOMEM, "%s: no memory to unpack", name);
        HK_CHECK(err, code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR, HK_E_FORMAT,
                 "%s: gzip data are corrupt at byte %zu of %zu: %s", name, g->at, g->in_n,
                 z->msg ? z->msg : "not a gzip member");
        HK_CHECK(err, code == Z_STREAM_END || g->at < g->in_n || z->avail_out == 0, HK_E_FORMAT,
                 "%s: truncated: gzip data end at byte %zu, inside a member", name, g->in_n);
        if (g->have > g->room) HK_TRY(gunzip_grow(g, name, err));
        if (code == Z_STREAM_END) return HK_OK;
    }
}

/* All members, then nothing but zeros. */
static hk_status gunzip_all(gunzip *g, z_stream *z, const char *name, hk_error *err)
{
    for (;;) {
        HK_TRY(gunzip_member(g, z, name, err));
        size_t rest = g->at;
        while (rest < g->in_n && g->in[rest] == 0) rest++;
        if (rest == g->in_n) return HK_OK;
        HK_CHECK(err, g->in[g->at] == 0x1f, HK_E_FORMAT,
                 "%s: %zu bytes at byte %zu are neither a gzip member nor padding", name,
                 g->in_n - g->at, g->at);
        inflateReset(z);
    }
}

hk_status hk_gunzip(const void *data, size_t n, const char *name, size_t limit, void **out,
                    size_t *out_n, hk_error *err)
{
    z_stream z = { .zalloc = zlib_alloc, .zfree = zlib_free };
    gunzip g = { .in = data, .in_n = n };
    HK_CHECK(err, n >= 18, HK_E_FORMAT, "%s: truncated: %zu bytes, a gzip file has 18 or more",
             name, n);
    g.limit = limit == 0 || limit > HK_FILE_MAX ? HK_FILE_MAX : limit;
    g.room = n < g.limit / 4 ? 4 * n + 64 : g.limit;
    if (g.room > g.limit) g.room = g.limit;
    g.out = hk_alloc(g.room + 1);
    HK_CHECK(err, g.out, HK_E_NOMEM, "%s: no memory for %zu bytes", name, g.room);
    hk_status status;
    if (inflateInit2(&z, 15 + 16) != Z_OK)                   /* 16: gzip wrapper only */
        status = hk_fail(err, HK_E_NOMEM, "%s: no memory to unpack", name);
    else
        status = gunzip_all(&g, &z, name, err);
    inflateEnd(&z);
    if (status != HK_OK) {
        hk_free(g.out);
        return status;
    }
    g.out[g.have] = 0;
    *out = g.out;
    *out_n = g.have;
    return HK_OK;
}
