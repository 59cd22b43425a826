/* What all members share: samples in memory, files by name. Private to this folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_DATA_STORE_H
#define HK_DATA_STORE_H

#include "host/data/data.h"

/* A file in memory, and what messages call it. */
typedef struct hk_bytes {
    const uint8_t *at;
    size_t         n;
    const char    *name;
} hk_bytes;

/* d->self of every member. Sample i lies at value number hk_store_first(s, i). */
typedef struct hk_store {
    uint8_t *u8;                 /* [total], or NULL                                   */
    float   *f32;                /* [total] where u8 is NULL                           */
    int32_t *label;              /* [n]                                                */
    size_t  *first;              /* [n + 1] samples of their own lengths, or NULL      */
    size_t   per, total;         /* values of the longest sample, and of all together  */
    float    unit;               /* the byte that stands for 1.0                       */
} hk_store;

typedef struct hk_store_form {
    int64_t        n;
    hk_shape       shape;
    int32_t        steps;
    float          unit;         /* 0: floats instead of bytes                                    */
    const int32_t *length;       /* [n] steps of each sample, 1..steps, copied; NULL: all `steps` */
} hk_store_form;

static inline size_t hk_store_first(const hk_store *s, int64_t i)
{
    return s->first ? s->first[i] : (size_t)i * s->per;
}

/* Makes the zeroed store of d and sets self, n, shape, steps and length; only the steps that there
 * are take memory. name is the file for messages. E_FORMAT: no samples, an empty shape, a length
 * outside 1..steps; E_NOMEM. On failure d is as after hk_store_close. */
hk_status hk_store_new(hk_dataset *d, const hk_store_form *form, const char *name, hk_error *e);

/* The get and close of every member. */
hk_status hk_store_get(const hk_dataset *d, int64_t i, float *out, int32_t *label, hk_error *e);
void      hk_store_close(hk_dataset *d);

/* Stores a class after the check that it is below d->n_class. E_FORMAT names file and sample. */
hk_status hk_store_label(hk_dataset *d, int64_t i, int64_t label, const char *name, hk_error *e);

/* Sets d->digest from values and labels. Called once by hk_data_open. */
void hk_store_digest(hk_dataset *d);

/* Height x width x channels as text for messages, in out. */
typedef struct hk_shape_text { char text[48]; } hk_shape_text;
const char *hk_shape_name(hk_shape s, hk_shape_text *out);

/* a/b on the heap (hk_free); a alone when b is NULL. NULL when memory is exhausted. */
char *hk_path_join(const char *a, const char *b);

/* Looks in folder root for the one file called <split><end> or <anything>_<split><end> (also with
 * '-'), ends in order of preference; *path is NULL when there is none. E_ARG: two files match;
 * E_IO: the folder cannot be read; E_NOMEM. */
hk_status hk_find_split(const char *root, const char *split, const char *const *ends, int n_end,
                        char **path, hk_error *e);

/* Reads root/<name> or root/<name>.gz. E_IO names both when neither exists. Free out->at and
 * *path, to which out->name points, with hk_free. */
hk_status hk_read_either(const char *root, const char *name, hk_bytes *out, char **path,
                         hk_error *e);

#endif
