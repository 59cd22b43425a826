/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _XOPEN_SOURCE
#  define _XOPEN_SOURCE 700      /* realpath, lstat, fsync */
#endif
#include "file.h"

#include "../base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading -------------------------------------------------------------------------------- */

/* Reads fd to its end into *data (NUL-terminated). room is the first guess of the length. */
static hk_status read_all(int fd, const char *path, size_t limit, size_t room, void **data,
                          size_t *n, hk_error *err)
{
    size_t have = 0;
    char *p = hk_alloc(room + 1);
    HK_CHECK(err, p, HK_E_NOMEM, "%s: no memory for %zu bytes", path, room);
    for (;;) {
        if (have > room) {                                  /* no place for the terminator */
            char *q = hk_regrow(p, have, 2 * room + 4097);
            if (!q) hk_free(p);
            HK_CHECK(err, q, HK_E_NOMEM, "%s: no memory for %zu bytes", path, 2 * room + 4096);
            p = q;
            room = 2 * room + 4096;
        }
        size_t ask = room + 1 - have;
        ssize_t got = read(fd, p + have, ask < (1u << 30) ? ask : (1u << 30));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            if (got == 0) break;
            hk_free(p);
            return hk_fail(err, HK_E_IO, "%s: cannot read at byte %zu: %s", path, have,
                           strerror(errno));
        }
        have += (size_t)got;
        if (have > limit) {
            hk_free(p);
            return hk_fail(err, HK_E_FORMAT, "%s: longer than the limit of %zu bytes", path, limit);
        }
    }
    p[have] = 0;                          /* have <= room here, or the loop would have gone on */
    *data = p;
    *n = have;
    return HK_OK;
}

hk_status hk_file_read(const char *path, size_t limit, void **data, size_t *n, hk_error *err)
{
    struct stat st;
    hk_status status;
    if (limit == 0 || limit > HK_FILE_MAX) limit = HK_FILE_MAX;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    HK_CHECK(err, fd >= 0, HK_E_IO, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0)
        status = hk_fail(err, HK_E_IO, "%s: cannot look up: %s", path, strerror(errno));
    else if (S_ISREG(st.st_mode) && (uintmax_t)st.st_size > limit)
        status = hk_fail(err, HK_E_FORMAT, "%s: has %llu bytes, the limit is %zu", path,
                         (unsigned long long)st.st_size, limit);
    else
        status = read_all(fd, path, limit, S_ISREG(st.st_mode) ? (size_t)st.st_size : 4096, data,
                          n, err);
    close(fd);
    return status;
}

hk_status hk_file_read_maybe_gz(const char *path, size_t limit, void **data, size_t *n,
                                hk_error *err)
{
    void *raw;
    size_t raw_n;
    if (limit == 0 || limit > HK_FILE_MAX / 2) limit = HK_FILE_MAX / 2;
    /* Data that do not compress grow by 5 bytes in 16 KiB, plus header and trailer. */
    HK_TRY(hk_file_read(path, limit + limit / 1024 + 65536, &raw, &raw_n, err));
    const unsigned char *magic = raw;
    if (raw_n >= 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
        hk_status status = hk_gunzip(raw, raw_n, path, limit, data, n, err);
        hk_free(raw);
        return status;
    }
    if (raw_n > limit) {
        hk_free(raw);
        return hk_fail(err, HK_E_FORMAT, "%s: has %zu bytes, the limit is %zu", path, raw_n, limit);
    }
    *data = raw;
    *n = raw_n;
    return HK_OK;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* path with symbolic links followed, so that rename replaces the file and not the link. */
static char *resolved(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISLNK(st.st_mode)) return hk_strdup(path);
    char *p = hk_alloc(PATH_MAX);
    if (p && !realpath(path, p)) {              /* leads nowhere, or to a pipe: use the link */
        hk_free(p);
        p = hk_strdup(path);
    }
    return p;
}

/* Opens a new file beside w->path. */
static hk_status temp_open(hk_writer *w, mode_t mode, hk_error *err)
{
    size_t cap = strlen(w->path) + 48;
    w->temp = hk_alloc(cap);
    HK_CHECK(err, w->temp, HK_E_NOMEM, "%s: no memory for a file name", w->path);
    for (int k = 0; k < 1000; k++) {
        hk_format(w->temp, cap, "%s.tmp-%ld-%d", w->path, (long)getpid(), k);
        w->fd = open(w->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (w->fd >= 0 || errno != EEXIST) break;
    }
    if (w->fd >= 0) return HK_OK;
    hk_status status = hk_fail(err, HK_E_IO, "%s: cannot create %s: %s", w->path, w->temp,
                               strerror(errno));
    hk_free(w->temp);                                       /* not ours to remove */
    w->temp = NULL;
    return status;
}

hk_status hk_writer_open(hk_writer *w, const char *path, hk_error *err)
{
    struct stat st;
    *w = (hk_writer){ .fd = -1 };
    HK_CHECK(err, path && *path, HK_E_IO, "cannot write: the file name is empty");
    w->path = resolved(path);
    HK_CHECK(err, w->path, HK_E_NOMEM, "%s: no memory for a file name", path);
    bool exists = stat(w->path, &st) == 0;
    HK_CHECK(err, !exists || !S_ISDIR(st.st_mode), HK_E_IO, "%s: cannot write: is a folder", path);
    if (exists && !S_ISREG(st.st_mode)) {
        w->fd = open(w->path, O_WRONLY | O_CLOEXEC);
        HK_CHECK(err, w->fd >= 0, HK_E_IO, "%s: cannot open for writing: %s", path,
                 strerror(errno));
        return HK_OK;
    }
    HK_TRY(temp_open(w, exists ? st.st_mode & 0777 : 0666, err));
    /* The successor has the permissions of its predecessor, where the file system allows it. */
    if (exists) (void)fchmod(w->fd, st.st_mode & 0777);
    return HK_OK;
}

hk_status hk_writer_put(hk_writer *w, const void *data, size_t n, hk_error *err)
{
    const char *p = data;
    while (n) {
        ssize_t put = write(w->fd, p, n < (1u << 30) ? n : (1u << 30));
        if (put < 0 && errno == EINTR) continue;
        HK_CHECK(err, put > 0, HK_E_IO, "%s: cannot write at byte %zu: %s", w->path, w->bytes,
                 put < 0 ? strerror(errno) : "nothing was accepted");
        p += put;
        n -= (size_t)put;
        w->bytes += (size_t)put;
    }
    return HK_OK;
}

/* Flushes the folder that holds w->path, so that the new name survives a power cut. The temporary
 * name lies in the same folder, is no longer needed, and is cut short here. */
static hk_status folder_flush(hk_writer *w, hk_error *err)
{
    char *slash = strrchr(w->temp, '/');
    if (slash) slash[slash == w->temp] = 0;                 /* "/x" lies in "/" */
    int fd = open(slash ? w->temp : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Folders that may be written but not read, and file systems that cannot flush a folder
     * (EINVAL), are no fault of this file. */
    bool bad = fd >= 0 && fsync(fd) != 0 && errno != EINVAL && errno != EROFS;
    int cause = errno;
    if (fd >= 0) close(fd);
    hk_free(w->temp);
    w->temp = NULL;
    HK_CHECK(err, !bad, HK_E_IO, "%s: cannot flush its folder: %s", w->path, strerror(cause));
    return HK_OK;
}

hk_status hk_writer_commit(hk_writer *w, hk_error *err)
{
    hk_status status = HK_OK;
    /* Pipes and devices know no flush and say EINVAL; a real file must be safe before rename. */
    bool flushed = fsync(w->fd) == 0 || (!w->temp && (errno == EINVAL || errno == EROFS));
    int cause = errno;
    bool closed = close(w->fd) == 0;
    w->fd = -1;
    if (!flushed || !closed)
        status = hk_fail(err, HK_E_IO, "%s: cannot finish after %zu bytes: %s", w->path, w->bytes,
                         strerror(flushed ? errno : cause));
    else if (w->temp && rename(w->temp, w->path) != 0)
        status = hk_fail(err, HK_E_IO, "%s: cannot rename %s to it: %s", w->path, w->temp,
                         strerror(errno));
    else if (w->temp)
        status = folder_flush(w, err);
    hk_writer_abort(w);
    return status;
}

void hk_writer_abort(hk_writer *w)
{
    if (w->path && w->fd >= 0) close(w->fd);
    if (w->temp) unlink(w->temp);
    hk_free(w->temp);
    hk_free(w->path);
    *w = (hk_writer){ .fd = -1 };
}

hk_status hk_file_write(const char *path, const void *data, size_t n, hk_error *err)
{
    hk_writer w;
    hk_status status = hk_writer_open(&w, path, err);
    if (status == HK_OK) status = hk_writer_put(&w, data, n, err);
    if (status == HK_OK) return hk_writer_commit(&w, err);
    hk_writer_abort(&w);
    return status;
}

/* ---- folders -------------------------------------------------------------------------------- */

static hk_status folder_make(const char *path, hk_error *err)
{
    struct stat st;
    if (mkdir(path, 0777) == 0) return HK_OK;
    int cause = errno;
    if (stat(path, &st) == 0) {
        HK_CHECK(err, S_ISDIR(st.st_mode), HK_E_IO, "%s: exists and is not a folder", path);
        return HK_OK;
    }
    return hk_fail(err, HK_E_IO, "%s: cannot create the folder: %s", path, strerror(cause));
}

hk_status hk_mkdirs(const char *path, hk_error *err)
{
    hk_status status = HK_OK;
    HK_CHECK(err, path && *path, HK_E_IO, "cannot create a folder: the name is empty");
    char *part = hk_strdup(path);
    HK_CHECK(err, part, HK_E_NOMEM, "%s: no memory for a file name", path);
    for (char *s = part + 1; status == HK_OK && *s; s++) {
        if (*s != '/' || s[-1] == '/') continue;
        *s = 0;
        status = folder_make(part, err);
        *s = '/';
    }
    if (status == HK_OK) status = folder_make(part, err);
    hk_free(part);
    return status;
}

bool hk_file_exists(const char *path)
{
    struct stat st;
    return path && stat(path, &st) == 0;
}
