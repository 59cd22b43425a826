/* Data sets: how labelled samples get into memory, one member per file format.
 *
 * A member decodes everything when it is opened and keeps it as bytes (floats only where the file
 * holds floats); get() then converts one sample, so that a loader needs no file access and any
 * number of threads may read at once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_DATA_H
#define HK_DATA_H

#include "hillock_core.h"

typedef struct hk_dataset hk_dataset;

/* What to open. Strings are only read during open. */
typedef struct hk_dataset_cfg {
    const char *root;            /* folder (for some members a file); NULL for embedded data */
    const char *split;           /* "train" or "test"                                        */
    const void *member;          /* ops->info.cfg_size bytes, or NULL for the defaults       */
} hk_dataset_cfg;

typedef struct hk_dataset_ops {
    hk_info info;
    bool    needs_root;          /* false: the data are embedded and root is not looked at */
    /* Sets every field of d below ops and self; on failure nothing is left to close. */
    hk_status (*open)(hk_dataset *d, const hk_dataset_cfg *cfg, hk_error *e);
    /* See hk_data_get. */
    hk_status (*get)(const hk_dataset *d, int64_t i, float *out, int32_t *label, hk_error *e);
    void (*close)(hk_dataset *d);
} hk_dataset_ops;

enum { HK_CLASS_NAME = 48 };     /* bytes of a class name with its end; longer names are refused */

struct hk_dataset {
    const hk_dataset_ops *ops;
    void    *self;               /* the member's own                                          */
    int64_t  n;                  /* samples, 1 .. 2^31 - 1                                    */
    int      n_class;            /* labels are 0 .. n_class - 1                               */
    hk_shape shape;              /* of one sample, or of one step of it                       */
    int32_t  steps;              /* 0: static; otherwise a sample is steps frames of `shape`  */
    int32_t *length;             /* [n] frames that each sample has, 1..steps; NULL: all      */
    char     variant[64];        /* what a report must name: "JPEG quality 75, 4:2:0", or ""  */
    uint64_t digest;             /* of decoded values and labels in sample order; for manifests,
                                    not against an adversary                                  */
    char   (*class_name)[HK_CLASS_NAME];   /* [n_class], or NULL when the files name none     */
};

/* Floats of one sample: max(steps, 1) * h * w * c. */
size_t hk_data_floats(const hk_dataset *d);

/* Opens one split into caller's memory d, whose former content is overwritten. Close it with
 * hk_data_close. After a failure d is zeroed and may be closed.
 * E_ARG     root or split missing or not one of the two words
 * E_IO      a file is missing or unreadable; the message names it
 * E_FORMAT  a file violates its format: file, expected, found
 * E_NOMEM   the data do not fit in memory */
hk_status hk_data_open(hk_dataset *d, const hk_dataset_ops *ops, const hk_dataset_cfg *cfg,
                       hk_error *e);

/* Copies sample i (0 .. n-1) to out, [h][w][c] or [steps][h][w][c], and its class to label. Either
 * may be NULL. Bytes come out as 0..1 before normalisation; floats of a file as they are; steps that
 * a shorter sample does not have are 0. Pure and thread-safe. E_ARG when i is out of range. */
hk_status hk_data_get(const hk_dataset *d, int64_t i, float *out, int32_t *label, hk_error *e);

/* A zeroed d is allowed, and d is zeroed afterwards. */
void hk_data_close(hk_dataset *d);

#endif
