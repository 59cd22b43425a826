/* Folders that are replaced as a whole.
 *
 * A new version is written into NAME.tmp and flushed; NAME is renamed to NAME.old, NAME.tmp to
 * NAME, and NAME.old is removed. Killed at any instant, NAME or NAME.old is a complete folder;
 * readers look for the first, then for the second.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_FOLDER_H
#define HK_FOLDER_H

#include "hillock_core.h"

enum { HK_PATH = 1200 };

/* folder "/" name + suffix into out[HK_PATH]. E_ARG: longer than that. */
hk_status hk_run_path(const char *folder, const char *name, const char *suffix, char *out,
                       hk_error *e);

/* Creates an empty NAME.tmp, removing what a killed process left there; its path goes to
 * out[HK_PATH]. */
hk_status hk_folder_begin(const char *path, char *out, hk_error *e);
/* Flushes NAME.tmp and everything in it, and puts it in the place of NAME. E_IO. */
hk_status hk_folder_commit(const char *path, hk_error *e);

/* The folder to read: path, or path.old when only that is there, into out[HK_PATH].
 * E_IO: neither exists. */
hk_status hk_folder_find(const char *path, char *out, hk_error *e);

/* Removes a folder with the files in it, one level; a missing one is fine. */
hk_status hk_folder_remove(const char *path, hk_error *e);

#endif
