/* Reading and writing of .npz, the zip part done by libarchive; format and refusals are listed in
 * npz.h.
 *
 * Only libarchive's seeking zip reader is switched on: it starts from the directory at the end of
 * the file, so a truncated file is never taken for a shorter one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef _XOPEN_SOURCE
#  define _XOPEN_SOURCE 700      /* open, fstat, uselocale */
#endif
#include "npz.h"

#include "../base/alloc.h"
#include "file.h"
#include "npy.h"
#include "words.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_MAX_BYTES = 255,
    BLOCK          = 1 << 16,    /* bytes per read and write of the file */
    DEFLATE_MOST   = 1032        /* unpacked bytes per packed byte at most, see zlib's notes */
};

/* libarchive turns member names from UTF-8 into the thread's locale, so names are exact only where
 * that is UTF-8 too. Where the system lacks this locale, names beyond ASCII are refused. */
typedef struct utf8_scope { locale_t own, old; } utf8_scope;

static utf8_scope utf8_enter(void)
{
    utf8_scope s = { .own = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0) };
    if (s.own) s.old = uselocale(s.own);
    return s;
}

static void utf8_leave(utf8_scope s)
{
    if (!s.own) return;
    uselocale(s.old);
    freelocale(s.own);
}

/* ---- reading -------------------------------------------------------------------------------- */

typedef struct unzip {
    struct archive *a;
    char   file[160];            /* for messages                     */
    char   where[288];           /* file and member                  */
    size_t file_bytes, limit;    /* limit: data bytes still allowed  */
} unzip;

static const char *archive_cause(struct archive *a, char *out, size_t cap)
{
    const char *s = archive_error_string(a);
    if (!s) s = "corrupt zip file";
    return hk_printable(out, cap, s, strlen(s));
}

/* What libarchive's last error was about. */
static hk_status archive_kind(struct archive *a)
{
    int code = archive_errno(a);
    return code == ENOMEM ? HK_E_NOMEM : code == EIO ? HK_E_IO : HK_E_FORMAT;
}

/* hk_npy_source.read on the current member. */
static hk_status member_read(void *self, void *out, size_t n, size_t *got, hk_error *err)
{
    unzip *u = self;
    char cause[96];
    for (*got = 0; *got < n;) {
        la_ssize_t k = archive_read_data(u->a, (char *)out + *got, n - *got);
        HK_CHECK(err, k >= 0, archive_kind(u->a), "%s: %s", u->where,
                 archive_cause(u->a, cause, sizeof cause));
        if (k == 0) break;
        *got += (size_t)k;
    }
    return HK_OK;
}

/* Checks what the directory says about a member; name becomes the array's name. */
static hk_status member_check(unzip *u, struct archive_entry *e, char name[NAME_MAX_BYTES + 1],
                              hk_error *err)
{
    char shown[96];
    const char *path = archive_entry_pathname_utf8(e), *form = archive_format_name(u->a);
    if (!path) path = archive_entry_pathname(e);
    size_t n = path ? strlen(path) : 0;
    HK_CHECK(err, n > 0, HK_E_FORMAT, "%s: a member has no name", u->file);
    hk_printable(shown, sizeof shown, path, n);
    hk_format(u->where, sizeof u->where, "%s: member '%s'", u->file, shown);
    HK_CHECK(err, n > 4 && strcmp(path + n - 4, ".npy") == 0, HK_E_FORMAT,
             "%s: expected only members that end in .npy", u->where);
    HK_CHECK(err, n - 4 <= NAME_MAX_BYTES, HK_E_FORMAT, "%s: the name has %zu bytes, expected at "
             "most %d", u->where, n, NAME_MAX_BYTES + 4);
    HK_CHECK(err, archive_entry_filetype(e) == AE_IFREG, HK_E_FORMAT, "%s: is not a plain file",
             u->where);
    HK_CHECK(err, !archive_entry_is_encrypted(e), HK_E_UNSUP, "%s: is encrypted", u->where);
    /* libarchive names the method of the current member in brackets. */
    HK_CHECK(err, form && (strstr(form, "(uncompressed)") || strstr(form, "(deflation)")),
             HK_E_UNSUP, "%s: packed as %s, expected stored or deflated", u->where,
             form ? form : "?");
    HK_CHECK(err, archive_entry_size_is_set(e) && archive_entry_size(e) >= 0, HK_E_FORMAT,
             "%s: has no size", u->where);
    HK_CHECK(err, (uint64_t)archive_entry_size(e) / DEFLATE_MOST <= u->file_bytes, HK_E_FORMAT,
             "%s: claims %lld bytes, more than a file of %zu bytes can hold", u->where,
             (long long)archive_entry_size(e), u->file_bytes);
    memcpy(name, path, n - 4);
    name[n - 4] = 0;
    return HK_OK;
}

static hk_status members_read(unzip *u, hk_arrays *list, hk_error *err)
{
    struct archive_entry *e;
    char name[NAME_MAX_BYTES + 1], cause[96];
    for (;;) {
        int code = archive_read_next_header(u->a, &e);
        if (code == ARCHIVE_EOF) return HK_OK;
        HK_CHECK(err, code == ARCHIVE_OK, archive_kind(u->a), "%s: member %d: %s", u->file, list->n,
                 archive_cause(u->a, cause, sizeof cause));
        HK_TRY(member_check(u, e, name, err));
        HK_CHECK(err, !hk_arrays_find(list, name), HK_E_FORMAT, "%s: appears twice", u->where);
        HK_CHECK(err, list->n < HK_ARRAYS_MAX, HK_E_FORMAT, "%s: more than %d members", u->file,
                 HK_ARRAYS_MAX);
        hk_npy_source src = { member_read, u, u->where, (size_t)archive_entry_size(e) };
        HK_TRY(hk_npy_load(&src, name, u->limit, list, err));
        u->limit -= list->at[list->n - 1].bytes;
    }
}

/* A zip file without members is this record alone, which libarchive does not recognise. */
static bool zip_is_empty(const void *data, int fd, size_t n)
{
    static const char record[22] = "PK\5\6";
    char head[22];
    if (n != sizeof record) return false;
    if (!data && pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head) return false;
    return memcmp(data ? data : head, record, sizeof record) == 0;
}

/* Reads from memory, or where data is NULL from fd; n is the length of either. */
static hk_status unzip_all(const void *data, int fd, size_t n, const char *name, size_t limit,
                           hk_arrays *out, hk_error *err)
{
    if (zip_is_empty(data, fd, n)) {
        *out = (hk_arrays){ 0 };
        return HK_OK;
    }
    unzip u = { .file_bytes = n };
    hk_arrays list = { 0 };
    char cause[96];
    hk_status status = HK_OK;
    hk_printable(u.file, sizeof u.file, name, strlen(name));
    u.limit = limit == 0 || limit > HK_FILE_MAX ? HK_FILE_MAX : limit;
    u.a = archive_read_new();
    HK_CHECK(err, u.a, HK_E_NOMEM, "%s: no memory for a zip reader", u.file);
    utf8_scope scope = utf8_enter();
    archive_read_support_format_zip_seekable(u.a);
    int code = data ? archive_read_open_memory(u.a, data, n) : archive_read_open_fd(u.a, fd, BLOCK);
    if (code != ARCHIVE_OK)
        status = hk_fail(err, archive_kind(u.a), "%s: truncated or not a zip file: %s", u.file,
                         archive_cause(u.a, cause, sizeof cause));
    else
        status = members_read(&u, &list, err);
    archive_read_free(u.a);
    utf8_leave(scope);
    if (status == HK_OK) *out = list;
    else hk_arrays_clear(&list);
    return status;
}

hk_status hk_npz_parse(const void *data, size_t n, const char *name, size_t limit, hk_arrays *out,
                       hk_error *err)
{
    return unzip_all(data ? data : "", -1, data ? n : 0, name, limit, out, err);
}

/* Members go from the file straight into their arrays. */
hk_status hk_npz_read(const char *path, size_t limit, hk_arrays *out, hk_error *err)
{
    struct stat st;
    hk_status status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    HK_CHECK(err, fd >= 0, HK_E_IO, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        status = hk_fail(err, HK_E_IO, "%s: is not a regular file", path);
    else
        status = unzip_all(NULL, fd, (size_t)st.st_size, path, limit, out, err);
    close(fd);
    return status;
}

/* ---- writing -------------------------------------------------------------------------------- */

typedef struct zip {
    hk_writer w;
    hk_status status;            /* of the first write that failed; sticky */
    hk_error *err;
} zip;

static la_ssize_t zip_put(struct archive *a, void *self, const void *data, size_t n)
{
    zip *z = self;
    if (z->status == HK_OK) z->status = hk_writer_put(&z->w, data, n, z->err);
    if (z->status == HK_OK) return (la_ssize_t)n;
    archive_set_error(a, EIO, "write failed");
    return -1;
}

static bool put_all(struct archive *a, const char *p, size_t n)
{
    while (n) {
        la_ssize_t k = archive_write_data(a, p, n);
        if (k <= 0) return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* libarchive failed: the writer's own message stands, if there is one. */
static hk_status zip_fail(zip *z, struct archive *a, const char *name)
{
    char cause[96], shown[96];
    if (z->status != HK_OK) return z->status;
    return hk_fail(z->err, archive_errno(a) == ENOMEM ? HK_E_NOMEM : HK_E_IO,
                   "%s: cannot write member '%s': %s", z->w.path,
                   hk_printable(shown, sizeof shown, name, strlen(name)),
                   archive_cause(a, cause, sizeof cause));
}

static hk_status zip_array(zip *z, struct archive *a, const hk_array *x)
{
    char head[HK_NPY_HEAD];
    size_t n, k = strlen(x->name);
    HK_CHECK(z->err, k > 0 && k <= NAME_MAX_BYTES, HK_E_ARG,
             "%s: an array name has %zu bytes, expected 1 to %d", z->w.path, k, NAME_MAX_BYTES);
    HK_TRY(hk_npy_head_print(x, head, &n, z->err));
    char *member = hk_alloc(k + 5);
    struct archive_entry *e = archive_entry_new2(a);
    hk_status status = HK_OK;
    if (!member || !e) {
        status = hk_fail(z->err, HK_E_NOMEM, "%s: no memory for a member", z->w.path);
    } else {
        memcpy(member, x->name, k);
        memcpy(member + k, ".npy", 5);
        archive_entry_set_pathname_utf8(e, member);
        archive_entry_set_filetype(e, AE_IFREG);
        archive_entry_set_perm(e, 0644);
        archive_entry_set_size(e, (la_int64_t)(n + x->bytes));
        /* A warning here is a name that the locale cannot express, so it is a failure too. */
        if (archive_write_header(a, e) != ARCHIVE_OK || !put_all(a, head, n) ||
            !put_all(a, x->data, x->bytes) || archive_write_finish_entry(a) != ARCHIVE_OK)
            status = zip_fail(z, a, x->name);
    }
    archive_entry_free(e);
    hk_free(member);
    return status;
}

static hk_status zip_all(zip *z, struct archive *a, const hk_arrays *list)
{
    if (archive_write_set_format_zip(a) != ARCHIVE_OK ||
        archive_write_zip_set_compression_store(a) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(a, BLOCK) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK ||
        archive_write_open2(a, z, NULL, zip_put, NULL, NULL) != ARCHIVE_OK)
        return zip_fail(z, a, "");
    for (int i = 0; i < list->n; i++) HK_TRY(zip_array(z, a, &list->at[i]));
    return archive_write_close(a) == ARCHIVE_OK ? HK_OK : zip_fail(z, a, "");
}

hk_status hk_npz_write(const char *path, const hk_arrays *list, hk_error *err)
{
    zip z = { .err = err };
    utf8_scope scope = utf8_enter();
    hk_status status = hk_writer_open(&z.w, path, err);
    struct archive *a = status == HK_OK ? archive_write_new() : NULL;
    if (status == HK_OK && !a)
        status = hk_fail(err, HK_E_NOMEM, "%s: no memory for a zip writer", path);
    if (status == HK_OK) status = zip_all(&z, a, list);
    if (status != HK_OK) z.status = status;          /* closing in free must not write any more */
    if (a) archive_write_free(a);
    utf8_leave(scope);
    if (status == HK_OK) return hk_writer_commit(&z.w, err);
    hk_writer_abort(&z.w);
    return status;
}
