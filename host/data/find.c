/* Files of a data set by name. SPDX-License-Identifier: Apache-2.0 */
#include "host/base/alloc.h"
#include "host/data/store.h"
#include "host/io/file.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

char *hk_path_join(const char *a, const char *b)
{
    if (!b) return hk_strdup(a);
    size_t na = strlen(a), nb = strlen(b);
    bool slash = na > 0 && a[na - 1] != '/';
    char *p = hk_alloc(na + slash + nb + 1);
    if (!p) return NULL;
    memcpy(p, a, na);
    if (slash) p[na] = '/';
    memcpy(p + na + slash, b, nb + 1);
    return p;
}

/* Which of the ends completes name to [<anything>_]<split><end>; n_end when none does. */
static int name_match(const char *name, const char *split, const char *const *ends, int n_end)
{
    size_t n = strlen(name), ns = strlen(split);
    for (int k = 0; k < n_end; k++) {
        size_t ne = strlen(ends[k]);
        if (n < ns + ne || strcmp(name + n - ne, ends[k]) != 0) continue;
        const char *at = name + n - ne - ns;
        if (strncmp(at, split, ns) == 0 && (at == name || at[-1] == '_' || at[-1] == '-')) return k;
    }
    return n_end;
}

hk_status hk_find_split(const char *root, const char *split, const char *const *ends, int n_end,
                        char **path, hk_error *e)
{
    DIR *dir = opendir(root);
    HK_CHECK(e, dir, HK_E_IO, "%s: cannot read the folder: %s", root, strerror(errno));
    hk_status st = HK_OK;
    int best = n_end;
    char *found = NULL;
    *path = NULL;
    for (struct dirent *f; st == HK_OK && (f = readdir(dir)) != NULL;) {
        int k = name_match(f->d_name, split, ends, n_end);
        if (k > best || k == n_end) continue;
        if (k == best)
            st = hk_fail(e, HK_E_ARG, "%s: %s and %s both match, expected one *%s%s", root, found,
                         f->d_name, split, ends[k]);
        hk_free(found);
        found = hk_strdup(f->d_name);
        best = k;
        if (!found && st == HK_OK) st = hk_fail(e, HK_E_NOMEM, "%s: no memory for a name", root);
    }
    closedir(dir);
    if (st == HK_OK && found) {
        *path = hk_path_join(root, found);
        if (!*path) st = hk_fail(e, HK_E_NOMEM, "%s: no memory for a path", root);
    }
    hk_free(found);
    return st;
}

hk_status hk_read_either(const char *root, const char *name, hk_bytes *out, char **path,
                         hk_error *e)
{
    char *plain = hk_path_join(root, name);
    HK_CHECK(e, plain, HK_E_NOMEM, "%s: no memory for a path", root);
    size_t n = strlen(plain);
    char *use = hk_alloc(n + 4);
    hk_status st = HK_OK;
    void *data = NULL;
    size_t size = 0;
    if (!use) {
        st = hk_fail(e, HK_E_NOMEM, "%s: no memory for a path", root);
    } else {
        memcpy(use, plain, n + 1);
        if (!hk_file_exists(use)) memcpy(use + n, ".gz", 4);
        if (!hk_file_exists(use))
            st = hk_fail(e, HK_E_IO, "%s: not found, neither as it is nor with .gz", plain);
        else
            st = hk_file_read_maybe_gz(use, 0, &data, &size, e);
    }
    hk_free(plain);
    if (st != HK_OK) {
        hk_free(use);
        return st;
    }
    *out = (hk_bytes){ data, size, use };
    *path = use;
    return HK_OK;
}
