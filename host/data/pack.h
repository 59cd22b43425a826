/* A folder tree or a tar archive that holds <split>/<class>/<name>.(jpg|jpeg|png). Private to this
 * folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_DATA_PACK_H
#define HK_DATA_PACK_H

#include "host/data/store.h"

typedef struct hk_pack_item {
    size_t path;                 /* of "<class>/<name>" in hk_pack.text */
} hk_pack_item;

typedef struct hk_pack {
    char         *place;         /* owned: the folder root/<split>, or the archive  */
    const char   *split;         /* borrowed from the caller of open                */
    void         *tar;           /* owned: the unpacked archive; NULL for a folder  */
    size_t        n_tar;
    hk_pack_item *item;          /* owned, in the order found                       */
    int64_t       n, cap;
    char         *text;          /* owned                                           */
    size_t        n_text, cap_text;
} hk_pack;

/* "<class>/<name>" of item k, borrowed. */
const char *hk_pack_path(const hk_pack *p, int64_t k);

/* Lists the images of a split: the folder root/<split> when it exists, otherwise the archive
 * root/[<any>_]<split>(.tar.gz|.tgz|.tar); root may also be an archive itself. With `must`, finding
 * no image is an error. An archive without its end mark is one always. On failure *p is zeroed.
 * E_IO, E_FORMAT, E_ARG (two archives match), E_NOMEM. */
hk_status hk_pack_open(hk_pack *p, const char *root, const char *split, bool must, hk_error *e);
void      hk_pack_close(hk_pack *p);

/* Calls visit for each item, in the order of the list, with the content of its file, which is only
 * valid during the call. Stops at the first failure. */
typedef hk_status hk_pack_visit(void *ctx, int64_t k, const hk_bytes *file, hk_error *e);
hk_status hk_pack_each(const hk_pack *p, hk_pack_visit *visit, void *ctx, hk_error *e);

/* The same list for archives: the walk of pack_tar.c. */
hk_status hk_pack_list_tar(hk_pack *p, hk_error *e);
hk_status hk_pack_each_tar(const hk_pack *p, hk_pack_visit *visit, void *ctx, hk_error *e);

/* Appends "<class>/<name>", lengths given, unless name is hidden or no image. */
hk_status hk_pack_add(hk_pack *p, const char *cls, size_t n_cls, const char *name, hk_error *e);

/* Whether hk_pack_add would take this file name. */
bool hk_pack_wants(const char *name);

#endif
