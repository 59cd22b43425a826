/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

static hk_status io_fail(const char *path, const char *doing, hk_error *e)
{
    return hk_fail(e, HK_E_IO, "%s: cannot be %s: %s", path, doing, strerror(errno));
}

static hk_status cut(hk_log *l, int64_t keep, hk_error *e)
{
    struct stat st;
    if (fstat(l->fd, &st)) return io_fail(l->path, "examined", e);
    l->bytes = st.st_size;
    if (st.st_size > keep) {
        if (ftruncate(l->fd, (off_t)keep)) return io_fail(l->path, "cut back", e);
        l->bytes = keep;
    }
    return HK_OK;
}

hk_status hk_log_open(hk_log *l, const char *path, int64_t keep, hk_error *e)
{
    memset(l, 0, sizeof *l);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) return io_fail(path, "opened", e);
    l->fd = fd;
    l->path = hk_strdup(path);
    hk_status st = l->path ? cut(l, keep, e) : hk_fail(e, HK_E_NOMEM, "%s: no memory", path);
    if (st != HK_OK) {
        close(fd);
        hk_free(l->path);
        memset(l, 0, sizeof *l);
    }
    return st;
}

void hk_log_close(hk_log *l)
{
    if (l->path) close(l->fd);
    hk_free(l->path);
    memset(l, 0, sizeof *l);
}

static hk_status put_all(hk_log *l, const char *text, size_t n, hk_error *e)
{
    while (n) {
        ssize_t did = write(l->fd, text, n);
        if (did < 0 && errno == EINTR) continue;
        if (did < 0) return io_fail(l->path, "written", e);
        text += did;
        n -= (size_t)did;
        l->bytes += did;
    }
    return HK_OK;
}

hk_status hk_log_put(hk_log *l, json_t *line, hk_error *e)
{
    char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(line);
    HK_CHECK(e, text, HK_E_NOMEM, "%s: no memory for a line", l->path);
    size_t n = strlen(text);
    text[n] = '\n';                      /* the terminator's place */
    hk_status st = put_all(l, text, n + 1, e);
    free(text);
    return st;
}

hk_status hk_log_flush(hk_log *l, hk_error *e)
{
    return fsync(l->fd) && errno != EINVAL ? io_fail(l->path, "flushed", e) : HK_OK;
}
