/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"

hk_status hk_run_path(const char *folder, const char *name, const char *suffix, char *out,
                       hk_error *e)
{
    size_t need = strlen(folder) + strlen(name) + strlen(suffix) + 2;
    HK_CHECK(e, need <= HK_PATH, HK_E_ARG, "%s/%s%s: path is longer than %d bytes", folder, name,
             suffix, HK_PATH);
    hk_format(out, HK_PATH, "%s%s%s%s", folder, *name ? "/" : "", name, suffix);
    return HK_OK;
}

static hk_status io_fail(const char *doing, const char *path, hk_error *e)
{
    return hk_fail(e, HK_E_IO, "%s: cannot be %s: %s", path, doing, strerror(errno));
}

static hk_status flush(const char *path, hk_error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return io_fail("opened", path, e);
    int bad = fsync(fd) && errno != EINVAL;
    int why = errno;
    close(fd);
    errno = why;
    return bad ? io_fail("flushed", path, e) : HK_OK;
}

/* Calls one(path/entry) for every entry of a folder. */
static hk_status each(const char *path, hk_status (*one)(const char *, hk_error *), hk_error *e)
{
    DIR *d = opendir(path);
    if (!d) return io_fail("listed", path, e);
    hk_status st = HK_OK;
    for (struct dirent *i; st == HK_OK && (i = readdir(d));) {
        char file[HK_PATH];
        if (!strcmp(i->d_name, ".") || !strcmp(i->d_name, "..")) continue;
        st = hk_run_path(path, i->d_name, "", file, e);
        if (st == HK_OK) st = one(file, e);
    }
    closedir(d);
    return st;
}

static hk_status remove_file(const char *path, hk_error *e)
{
    return unlink(path) ? io_fail("removed", path, e) : HK_OK;
}

hk_status hk_folder_remove(const char *path, hk_error *e)
{
    struct stat st;
    if (lstat(path, &st)) return errno == ENOENT ? HK_OK : io_fail("examined", path, e);
    if (!S_ISDIR(st.st_mode)) return remove_file(path, e);
    HK_TRY(each(path, remove_file, e));
    return rmdir(path) ? io_fail("removed", path, e) : HK_OK;
}

hk_status hk_folder_begin(const char *path, char *out, hk_error *e)
{
    HK_TRY(hk_run_path(path, "", ".tmp", out, e));
    HK_TRY(hk_folder_remove(out, e));
    return hk_mkdirs(out, e);
}

static hk_status flush_parent(const char *path, hk_error *e)
{
    char parent[HK_PATH];
    HK_TRY(hk_run_path(path, "", "", parent, e));
    char *slash = strrchr(parent, '/');
    if (!slash) return flush(".", e);
    slash[slash == parent] = 0;
    return flush(parent, e);
}

hk_status hk_folder_commit(const char *path, hk_error *e)
{
    char temp[HK_PATH], old[HK_PATH];
    HK_TRY(hk_run_path(path, "", ".tmp", temp, e));
    HK_TRY(hk_run_path(path, "", ".old", old, e));
    HK_TRY(each(temp, flush, e));
    HK_TRY(flush(temp, e));
    /* Only while `path` stands may the older one go. */
    if (hk_file_exists(path)) {
        HK_TRY(hk_folder_remove(old, e));
        if (rename(path, old)) return io_fail("renamed", path, e);
    }
    if (rename(temp, path)) return io_fail("renamed", temp, e);
    HK_TRY(flush_parent(path, e));
    return hk_folder_remove(old, e);
}

hk_status hk_folder_find(const char *path, char *out, hk_error *e)
{
    HK_TRY(hk_run_path(path, "", "", out, e));
    if (hk_file_exists(out)) return HK_OK;
    HK_TRY(hk_run_path(path, "", ".old", out, e));
    HK_CHECK(e, hk_file_exists(out), HK_E_IO, "%s: there is no checkpoint", path);
    return HK_OK;
}
