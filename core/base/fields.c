/* Hyper-parameter tables: defaults, ranges, words.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hillock_core.h"

#include <string.h>

static void store(const hk_field *f, void *cfg, double v)
{
    char *p = (char *)cfg + f->offset;
    switch (f->type) {
    case HK_FLOAT: { float x = (float)v; memcpy(p, &x, sizeof x); break; }
    case HK_BOOL:  { bool x = v != 0; memcpy(p, &x, sizeof x); break; }
    case HK_INT:
    case HK_ENUM:  { int32_t x = (int32_t)v; memcpy(p, &x, sizeof x); break; }
    }
}

void hk_fields_default(const hk_info *info, void *cfg)
{
    if (info->cfg_size) memset(cfg, 0, info->cfg_size);
    for (int i = 0; i < info->n_fields; i++) store(&info->fields[i], cfg, info->fields[i].def);
}

hk_status hk_field_set(const hk_info *info, const hk_field *f, void *cfg, double v, hk_error *e)
{
    HK_CHECK(e, v >= f->min && v <= f->max, HK_E_ARG, "%s: %s is %g, expected %g to %g",
             info->name, f->name, v, f->min, f->max);
    HK_CHECK(e, f->type == HK_FLOAT || v == (double)(long)v, HK_E_ARG,
             "%s: %s is %g, expected a whole number", info->name, f->name, v);
    store(f, cfg, v);
    return HK_OK;
}

const hk_field *hk_field_find(const hk_info *info, const char *name)
{
    for (int i = 0; i < info->n_fields; i++)
        if (strcmp(info->fields[i].name, name) == 0) return &info->fields[i];
    return NULL;
}

double hk_field_get(const hk_field *f, const void *cfg)
{
    const char *p = (const char *)cfg + f->offset;
    switch (f->type) {
    case HK_FLOAT: { float x; memcpy(&x, p, sizeof x); return (double)x; }
    case HK_BOOL:  { bool x; memcpy(&x, p, sizeof x); return x ? 1 : 0; }
    default:       { int32_t x; memcpy(&x, p, sizeof x); return (double)x; }
    }
}

size_t hk_field_word_at(const hk_field *f, int i, char *out, size_t cap)
{
    const char *w = f->words ? f->words : "";
    for (; i > 0 && *w; w++)
        if (*w == '|') i--;
    size_t n = 0;
    for (; *w && *w != '|' && n + 1 < cap; w++) out[n++] = *w;
    if (cap) out[n] = '\0';
    return n;
}

int hk_field_word(const hk_field *f, const char *word)
{
    char have[64];
    for (int i = 0; i <= (int)f->max; i++)
        if (hk_field_word_at(f, i, have, sizeof have) && strcmp(have, word) == 0) return i;
    return -1;
}
