/* Lists of images, and the walk over a folder tree. SPDX-License-Identifier: Apache-2.0 */
#include "host/data/pack.h"

#include "host/base/alloc.h"
#include "host/io/file.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

bool hk_pack_wants(const char *name)
{
    static const char *const ends[] = { ".jpg", ".jpeg", ".png" };
    size_t n = strlen(name);
    for (int k = 0; name[0] != '.' && k < HK_COUNT(ends); k++) {
        size_t ne = strlen(ends[k]);
        if (n > ne && strcasecmp(name + n - ne, ends[k]) == 0) return true;
    }
    return false;
}

const char *hk_pack_path(const hk_pack *p, int64_t k)
{
    return p->text + p->item[k].path;
}

/* Makes room for `more` bytes of text and one item; sizes double. */
static hk_status pack_grow(hk_pack *p, size_t more, hk_error *e)
{
    if (p->n == p->cap) {
        int64_t cap = p->cap ? 2 * p->cap : 256;
        void *q = hk_regrow(p->item, (size_t)p->cap * sizeof *p->item,
                            (size_t)cap * sizeof *p->item);
        HK_CHECK(e, q, HK_E_NOMEM, "%s: no memory for a list of %lld images", p->place,
                 (long long)cap);
        p->item = q;
        p->cap = cap;
    }
    if (more > p->cap_text - p->n_text) {
        size_t cap = 2 * p->cap_text + more + 4096;
        char *q = hk_regrow(p->text, p->cap_text, cap);
        HK_CHECK(e, q, HK_E_NOMEM, "%s: no memory for %zu bytes of names", p->place, cap);
        p->text = q;
        p->cap_text = cap;
    }
    return HK_OK;
}

hk_status hk_pack_add(hk_pack *p, const char *cls, size_t n_cls, const char *name, hk_error *e)
{
    size_t n_name = strlen(name);
    if (!hk_pack_wants(name)) return HK_OK;
    HK_CHECK(e, n_cls > 0 && n_cls < HK_CLASS_NAME, HK_E_FORMAT,
             "%s: the folder of %s has a name of %zu bytes, expected 1 to %d", p->place, name,
             n_cls, HK_CLASS_NAME - 1);
    HK_TRY(pack_grow(p, n_cls + n_name + 2, e));
    p->item[p->n++].path = p->n_text;
    memcpy(p->text + p->n_text, cls, n_cls);
    p->text[p->n_text + n_cls] = '/';
    memcpy(p->text + p->n_text + n_cls + 1, name, n_name + 1);
    p->n_text += n_cls + n_name + 2;
    return HK_OK;
}

static bool is_folder(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

static hk_status list_class(hk_pack *p, const char *cls, hk_error *e)
{
    char *path = hk_path_join(p->place, cls);
    HK_CHECK(e, path, HK_E_NOMEM, "%s: no memory for a path", p->place);
    DIR *dir = is_folder(path) ? opendir(path) : NULL;
    hk_status st = HK_OK;
    if (!dir && is_folder(path))
        st = hk_fail(e, HK_E_IO, "%s: cannot read the folder: %s", path, strerror(errno));
    hk_free(path);
    if (!dir) return st;
    for (struct dirent *f; st == HK_OK && (f = readdir(dir)) != NULL;)
        st = hk_pack_add(p, cls, strlen(cls), f->d_name, e);
    closedir(dir);
    return st;
}

static hk_status list_folder(hk_pack *p, hk_error *e)
{
    DIR *dir = opendir(p->place);
    HK_CHECK(e, dir, HK_E_IO, "%s: cannot read the folder: %s", p->place, strerror(errno));
    hk_status st = HK_OK;
    for (struct dirent *f; st == HK_OK && (f = readdir(dir)) != NULL;)
        if (f->d_name[0] != '.') st = list_class(p, f->d_name, e);
    closedir(dir);
    return st;
}

/* Sets place, and tar for an archive; place is NULL when nothing was found. */
static hk_status pack_find(hk_pack *p, const char *root, hk_error *e)
{
    static const char *const ends[] = { ".tar.gz", ".tgz", ".tar" };
    bool folder = is_folder(root);
    p->place = hk_path_join(root, folder ? p->split : NULL);
    HK_CHECK(e, p->place, HK_E_NOMEM, "%s: no memory for a path", root);
    if (folder && is_folder(p->place)) return HK_OK;
    if (folder) {
        char *found = NULL;
        HK_TRY(hk_find_split(root, p->split, ends, HK_COUNT(ends), &found, e));
        hk_free(p->place);
        p->place = found;
        if (!found) return HK_OK;
    }
    return hk_file_read_maybe_gz(p->place, 0, &p->tar, &p->n_tar, e);
}

hk_status hk_pack_open(hk_pack *p, const char *root, const char *split, bool must, hk_error *e)
{
    *p = (hk_pack){ .split = split };
    hk_status st = pack_find(p, root, e);
    if (st == HK_OK && must && !p->place)
        st = hk_fail(e, HK_E_IO, "%s: holds neither a folder %s nor an archive *%s.tar.gz", root,
                     split, split);
    if (st == HK_OK && p->place) st = p->tar ? hk_pack_list_tar(p, e) : list_folder(p, e);
    if (st == HK_OK && must && p->n == 0)
        st = hk_fail(e, HK_E_FORMAT, "%s: holds no image %s/<class>/<name>.jpg or .png", p->place,
                     split);
    if (st != HK_OK) hk_pack_close(p);
    return st;
}

void hk_pack_close(hk_pack *p)
{
    hk_free(p->place);
    hk_free(p->tar);
    hk_free(p->item);
    hk_free(p->text);
    *p = (hk_pack){ .place = NULL };
}

static hk_status visit_file(const hk_pack *p, int64_t k, hk_pack_visit *visit, void *ctx,
                            hk_error *e)
{
    char *path = hk_path_join(p->place, hk_pack_path(p, k));
    HK_CHECK(e, path, HK_E_NOMEM, "%s: no memory for a path", p->place);
    void *data = NULL;
    size_t n = 0;
    hk_status st = hk_file_read(path, 0, &data, &n, e);
    if (st == HK_OK) st = visit(ctx, k, &(hk_bytes){ data, n, path }, e);
    hk_free(data);
    hk_free(path);
    return st;
}

hk_status hk_pack_each(const hk_pack *p, hk_pack_visit *visit, void *ctx, hk_error *e)
{
    if (p->tar) return hk_pack_each_tar(p, visit, ctx, e);
    for (int64_t k = 0; k < p->n; k++) HK_TRY(visit_file(p, k, visit, ctx, e));
    return HK_OK;
}
