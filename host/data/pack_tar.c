/* The walk over a tar archive in memory, through libarchive, which knows all its dialects.
 *
 * libarchive takes a missing end for the end, so an archive that was cut between two members would
 * pass for a shorter one. tar_whole asks for the two blocks of zeros that close an archive.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host/base/alloc.h"
#include "host/data/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

enum { TAR_BLOCK = 512 };

static hk_status tar_whole(const hk_pack *p, hk_error *e)
{
    const uint8_t *b = p->tar;
    size_t zeros = 0;
    while (zeros < p->n_tar && zeros < 2 * TAR_BLOCK && b[p->n_tar - 1 - zeros] == 0) zeros++;
    HK_CHECK(e, p->n_tar % TAR_BLOCK == 0 && zeros == 2 * TAR_BLOCK, HK_E_FORMAT,
             "%s: %zu bytes that end in %zu zeros, expected a tar archive: a multiple of 512 bytes "
             "that ends in 1024 zeros", p->place, p->n_tar, zeros);
    return HK_OK;
}

/* The last two parts of a path whose third part from the end is the split; false: another file. */
static bool tar_path(const hk_pack *p, const char *path, const char **cls, size_t *n_cls,
                     const char **name)
{
    size_t ns = strlen(p->split);
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!slash || slash == path) return false;
    const char *start = slash;
    while (start > path && start[-1] != '/') start--;
    if ((size_t)(start - path) < ns + 1 || strncmp(start - 1 - ns, p->split, ns) != 0) return false;
    if (start - 1 - ns > path && start[-2 - (ptrdiff_t)ns] != '/') return false;
    *cls = start;
    *n_cls = (size_t)(slash - start);
    *name = slash + 1;
    return hk_pack_wants(*name);
}

typedef struct tar_walk {
    struct archive       *a;
    struct archive_entry *entry;
    const char           *cls, *name;
    size_t                n_cls;
} tar_walk;

static hk_status walk_open(tar_walk *w, const hk_pack *p, hk_error *e)
{
    w->a = archive_read_new();
    HK_CHECK(e, w->a, HK_E_NOMEM, "%s: no memory to read the archive", p->place);
    int r = archive_read_support_format_tar(w->a);
    if (r == ARCHIVE_OK) r = archive_read_open_memory(w->a, p->tar, p->n_tar);
    HK_CHECK(e, r == ARCHIVE_OK, HK_E_FORMAT, "%s: not a tar archive: %s", p->place,
             archive_error_string(w->a) ? archive_error_string(w->a) : "unknown format");
    return HK_OK;
}

/* Moves to the next image; *more is false at the end. */
static hk_status walk_next(tar_walk *w, const hk_pack *p, bool *more, hk_error *e)
{
    for (;;) {
        int r = archive_read_next_header(w->a, &w->entry);
        *more = false;
        if (r == ARCHIVE_EOF) return HK_OK;
        HK_CHECK(e, r == ARCHIVE_OK || r == ARCHIVE_WARN, HK_E_FORMAT, "%s: damaged archive: %s",
                 p->place, archive_error_string(w->a) ? archive_error_string(w->a) : "no reason");
        *more = archive_entry_filetype(w->entry) == AE_IFREG &&
                tar_path(p, archive_entry_pathname(w->entry), &w->cls, &w->n_cls, &w->name);
        if (*more) return HK_OK;
    }
}

hk_status hk_pack_list_tar(hk_pack *p, hk_error *e)
{
    tar_walk w = { .a = NULL };
    bool more = true;
    hk_status st = tar_whole(p, e);
    if (st == HK_OK) st = walk_open(&w, p, e);
    while (st == HK_OK && more) {
        st = walk_next(&w, p, &more, e);
        if (st == HK_OK && more) st = hk_pack_add(p, w.cls, w.n_cls, w.name, e);
    }
    if (w.a) archive_read_free(w.a);
    return st;
}

/* Reads the member under the walk into *buf, which grows when it must. */
static hk_status walk_read(tar_walk *w, const hk_pack *p, uint8_t **buf, size_t *cap, size_t *n,
                           hk_error *e)
{
    int64_t size = archive_entry_size(w->entry);
    HK_CHECK(e, size >= 0 && (uint64_t)size <= p->n_tar, HK_E_FORMAT,
             "%s: %s has %lld bytes, expected at most the %zu of the archive", p->place, w->name,
             (long long)size, p->n_tar);
    if ((size_t)size > *cap) {
        size_t want = 2 * (size_t)size;
        uint8_t *q = hk_alloc(want);
        HK_CHECK(e, q, HK_E_NOMEM, "%s: no memory for %s, %zu bytes", p->place, w->name, want);
        hk_free(*buf);
        *buf = q;
        *cap = want;
    }
    *n = (size_t)size;
    la_ssize_t got = size ? archive_read_data(w->a, *buf, *n) : 0;
    HK_CHECK(e, got == size, HK_E_FORMAT, "%s: %s ends after %lld bytes, expected %lld", p->place,
             w->name, (long long)got, (long long)size);
    return HK_OK;
}

hk_status hk_pack_each_tar(const hk_pack *p, hk_pack_visit *visit, void *ctx, hk_error *e)
{
    tar_walk w = { .a = NULL };
    uint8_t *buf = NULL;
    size_t cap = 0, n = 0;
    bool more = true;
    hk_status st = walk_open(&w, p, e);
    for (int64_t k = 0; st == HK_OK && k < p->n; k++) {
        st = walk_next(&w, p, &more, e);
        if (st == HK_OK) st = walk_read(&w, p, &buf, &cap, &n, e);
        if (st == HK_OK) st = visit(ctx, k, &(hk_bytes){ buf, n, hk_pack_path(p, k) }, e);
    }
    if (w.a) archive_read_free(w.a);
    hk_free(buf);
    return st;
}
