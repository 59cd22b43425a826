/* A configuration as C source. Members keep their struct private; its fields and their offsets are in
 * the member's table, so a struct with the same fields in the same order has the same layout.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "write.h"

#include <string.h>

static size_t field_size(const hk_field *f) { return f->type == HK_BOOL ? 1 : 4; }

/* The field at the lowest offset from `from` on; of two names of one place, the first. */
static const hk_field *field_after(const hk_info *info, size_t from)
{
    const hk_field *best = NULL;
    for (int i = 0; i < info->n_fields; i++) {
        const hk_field *f = &info->fields[i];
        if (f->offset >= from && (!best || f->offset < best->offset)) best = f;
    }
    return best;
}

static const char *type_of(const hk_field *f)
{
    return f->type == HK_FLOAT ? "float" : f->type == HK_BOOL ? "bool" : "int32_t";
}

static size_t aligned(size_t at, size_t to) { return (at + to - 1) / to * to; }

static void put_members(hk_text *t, const hk_info *info)
{
    size_t at = 0;
    int gaps = 0;
    for (const hk_field *f; (f = field_after(info, at)); at = f->offset + field_size(f)) {
        const size_t natural = aligned(at, field_size(f));
        if (f->offset > natural)
            hk_text_put(t, " uint8_t gap%d[%zu];", gaps++, f->offset - at);
        hk_text_put(t, " %s %s;", type_of(f), f->name);
    }
    if (info->cfg_size > aligned(at, 4))
        hk_text_put(t, " uint8_t gap%d[%zu];", gaps, info->cfg_size - at);
}

static void put_value(hk_text *t, const hk_field *f, const void *cfg)
{
    char word[64];
    const double v = hk_field_get(f, cfg);
    if (f->type == HK_FLOAT) hk_text_float(t, (float)v);
    else if (f->type == HK_BOOL) hk_text_put(t, v != 0 ? "true" : "false");
    else hk_text_put(t, "%d", (int)v);
    if (f->type != HK_ENUM) return;
    hk_field_word_at(f, (int)v, word, sizeof word);
    hk_text_put(t, " /* %s */", word);
}

void hk_write_config(hk_text *t, const char *name, int32_t number, const hk_info *info,
                     const void *cfg)
{
    if (!info->n_fields) return;
    hk_text_put(t, "static const struct {");
    put_members(t, info);
    hk_text_put(t, " } %s%d = { /* %s */\n   ", name, (int)number, info->name);
    size_t at = 0;
    for (const hk_field *f; (f = field_after(info, at)); at = f->offset + field_size(f)) {
        hk_text_put(t, " .%s = ", f->name);
        put_value(t, f, cfg);
        hk_text_put(t, ",");
    }
    hk_text_put(t, "\n};\n_Static_assert(sizeof %s%d == %zu, \"%s\");\n", name, (int)number,
                info->cfg_size, info->name);
}

void hk_write_config_ref(hk_text *t, const char *name, int32_t number, const hk_info *info)
{
    if (info->n_fields) hk_text_put(t, "&%s%d", name, (int)number);
    else hk_text_put(t, "NULL");
}
