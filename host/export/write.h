/* The files of an export, one function each, into a text. Private to this folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_EXPORT_WRITE_H
#define HK_EXPORT_WRITE_H

#include "snapshot.h"
#include "text.h"

void hk_write_net_h(hk_text *t, const hk_snapshot *s);
void hk_write_net_c(hk_text *t, const hk_snapshot *s, hk_form form);
void hk_write_weights(hk_text *t, const hk_snapshot *s);
void hk_write_selftest(hk_text *t, const hk_snapshot *s);
void hk_write_samples_h(hk_text *t, const hk_snapshot *s, const hk_export_opts *o);
/* bytes: what the samples take. E_NOMEM, or an error of the data set. */
hk_status hk_write_samples_c(hk_text *t, const hk_snapshot *s, const hk_export_opts *o,
                             size_t *bytes, hk_error *e);

/* A member's configuration as a struct of its fields, "static const struct { ... } NAME = { ... };",
 * laid out as the member's own. Nothing for a member without fields. */
void hk_write_config(hk_text *t, const char *name, int32_t number, const hk_info *info,
                     const void *cfg);
/* "&NAME<number>", or "NULL" for a member without fields. */
void hk_write_config_ref(hk_text *t, const char *name, int32_t number, const hk_info *info);

/* Head of a file: what it is, and that it was written. */
void hk_write_head(hk_text *t, const hk_snapshot *s, const char *what);

#endif
