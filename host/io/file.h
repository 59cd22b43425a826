/* Whole files: bounded reading, transparent gunzip, and writing that either replaces the file
 * completely or leaves it as it was.
 *
 * Atomic writing: the bytes go to "<path>.tmp-<pid>-<k>" in the same folder, are flushed to the
 * device (fsync), and the name is then moved over path (rename); at last the folder is flushed. A
 * symbolic link is followed, so that the file it names is replaced. A path that exists and is not
 * a regular file (a device, a pipe) is written in place.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_IO_FILE_H
#define HK_IO_FILE_H

#include "hillock_core.h"

/* The largest limit the readers of this folder accept; a limit of 0 stands for it. */
#define HK_FILE_MAX (SIZE_MAX / 4)

/* Reads all of path: *data gets n bytes and one more byte 0 behind them; free with hk_free. Works
 * for pipes too. E_IO: cannot be opened or read, is a folder; E_FORMAT: longer than limit bytes;
 * E_NOMEM. Outputs are written on success only. */
hk_status hk_file_read(const char *path, size_t limit, void **data, size_t *n, hk_error *err);

/* The same, but a file that begins with the gzip magic 1f 8b is unpacked; limit counts unpacked
 * bytes. E_FORMAT also for a truncated or corrupt gzip file; the message names path and offset. */
hk_status hk_file_read_maybe_gz(const char *path, size_t limit, void **data, size_t *n,
                                hk_error *err);

/* Unpacks a gzip file of n bytes in memory (several members in a row are joined, zero padding is
 * allowed at the end). name is for messages. Errors and outputs as above. */
hk_status hk_gunzip(const void *data, size_t n, const char *name, size_t limit, void **out,
                    size_t *out_n, hk_error *err);

/* Replaces path by n bytes, atomically. E_IO names path and the cause. */
hk_status hk_file_write(const char *path, const void *data, size_t n, hk_error *err);

/* The same in pieces: open, put any number of times, then commit or abort. After a failed open or
 * put only abort is left to call; commit releases the writer in any case. abort is legal on a
 * zeroed writer and after commit, and leaves no trace of the temporary file. */
typedef struct hk_writer {
    char  *path;                 /* final name, owned                                    */
    char  *temp;                 /* temporary name, owned; NULL when written in place    */
    int    fd;                   /* valid while path is not NULL                         */
    size_t bytes;                /* written so far                                       */
} hk_writer;

hk_status hk_writer_open(hk_writer *w, const char *path, hk_error *err);
hk_status hk_writer_put(hk_writer *w, const void *data, size_t n, hk_error *err);
hk_status hk_writer_commit(hk_writer *w, hk_error *err);
void      hk_writer_abort(hk_writer *w);

/* Creates path and its missing parents as folders; existing ones are fine. E_IO names the part. */
hk_status hk_mkdirs(const char *path, hk_error *err);

/* Whether path names anything that this process can see. */
bool hk_file_exists(const char *path);

#endif
