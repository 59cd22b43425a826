/* From --variant and --vary to variants: the product of all axes, the first one outermost.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "parts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { PARTS = 64, LABEL = 160 };

typedef struct choice { /* a place on an axis: a label and what it assigns */
    const char *label;
    const char **set;
    int n_set;
} choice;

typedef struct axis {
    choice *at;
    int n;
} axis;

int hki_split(char *text, char separator, char **out, int cap)
{
    int n = 0, depth = 0;
    char quote = 0;
    char *begin = text;
    for (char *p = text;; p++) {
        if (quote) {
            if (!*p) return -2;
            if (*p == quote) quote = 0;
            continue;
        }
        if (*p == '"' || *p == '\'') quote = *p;
        if (*p == '{' || *p == '[') depth++;
        if (*p == '}' || *p == ']') depth--;
        const bool cut = *p == separator || (separator == ' ' && isspace((unsigned char)*p));
        if (*p && !(cut && depth == 0)) continue;
        if (depth) return -2;
        const bool last = !*p;
        *p = '\0';
        if (separator != ' ' || *begin) {
            if (n == cap) return -1;
            out[n++] = begin;
        }
        if (last) return n;
        begin = p + 1;
    }
}

static hk_status no_memory(hk_error *e)
{
    return hk_fail(e, HK_E_NOMEM, "no memory for variants");
}

/* "rule", "stop" to "stop"; "neuron.leak", "0.5" to "leak=0.5"; "rule", "{name: stop, L: false}" to
 * "stop L=false". */
static void label_of(const char *key, const char *value, char out[LABEL])
{
    const char *dot = strrchr(key, '.'), *leaf = dot ? dot + 1 : key;
    const bool named = !dot || strcmp(leaf, "name") == 0;
    const size_t n = strlen(value);
    size_t at = 0;
    if (!named || (!dot && *value == '[')) at = hk_format(out, LABEL, "%s=", leaf);
    for (size_t i = 0; i < n && at + 1 < LABEL; i++) {
        if (strchr("{}\"'", value[i]) || (value[i] == ' ' && (!at || out[at - 1] == ' '))) continue;
        if (at == 0 && strncmp(value + i, "name:", 5) == 0)
            i += 4;
        else if (value[i] == ':' && value[i + 1] == ' ')
            out[at++] = '=', i++;
        else if (value[i] != ',' || value[i + 1] != ' ')
            out[at++] = value[i];
    }
    while (at && out[at - 1] == ' ') at--;
    out[at] = '\0';
}

static hk_status make_choice(hk_arena *a, const char *label, char **set, int n_set, choice *out,
                             hk_error *e)
{
    out->set = hk_arena_take(a, ((size_t)n_set + 1) * sizeof *out->set);
    out->label = hk_arena_text(a, label, strlen(label));
    if (!out->set || !out->label) return no_memory(e);
    for (int i = 0; i < n_set; i++) {
        HK_CHECK(e, strchr(set[i], '=') > set[i], HK_E_ARG,
                 "variant '%s': expected section.key=value, found '%s'", label, set[i]);
        out->set[i] = set[i];
    }
    out->n_set = n_set;
    return HK_OK;
}

/* "NAME=KEY=VALUE KEY=VALUE" */
static hk_status read_variant(hk_arena *a, const char *given, choice *out, hk_error *e)
{
    char *part[PARTS], *text = hk_arena_text(a, given, strlen(given));
    if (!text) return no_memory(e);
    char *equal = strchr(text, '=');
    HK_CHECK(e, equal && equal > text, HK_E_ARG,
             "--variant '%s': expected NAME=\"KEY=VALUE KEY=VALUE ...\"", given);
    *equal = '\0';
    const int n = hki_split(equal + 1, ' ', part, PARTS);
    HK_CHECK(e, n != -2, HK_E_ARG, "--variant '%s': a bracket or quote is not closed", given);
    HK_CHECK(e, n >= 0, HK_E_ARG, "--variant '%s': more than %d assignments", given, PARTS);
    return make_choice(a, text, part, n, out, e);
}

/* "KEY=VALUE,VALUE" */
static hk_status read_axis(hk_arena *a, const char *given, axis *out, hk_error *e)
{
    char *part[PARTS], *text = hk_arena_text(a, given, strlen(given));
    if (!text) return no_memory(e);
    char *equal = strchr(text, '=');
    HK_CHECK(e, equal && equal > text, HK_E_ARG, "--vary '%s': expected KEY=VALUE,VALUE,...",
             given);
    *equal = '\0';
    out->n = hki_split(equal + 1, ',', part, PARTS);
    HK_CHECK(e, out->n != -2, HK_E_ARG, "--vary '%s': a bracket or quote is not closed", given);
    HK_CHECK(e, out->n >= 0, HK_E_ARG, "--vary '%s': more than %d values", given, PARTS);
    out->at = hk_arena_take(a, (size_t)out->n * sizeof *out->at);
    if (!out->at) return no_memory(e);
    for (int i = 0; i < out->n; i++) {
        char label[LABEL];
        const size_t n = strlen(text) + strlen(part[i]) + 2;
        char *set = hk_arena_take(a, n);
        HK_CHECK(e, *part[i], HK_E_ARG, "--vary '%s': value %d is empty", given, i + 1);
        if (!set) return no_memory(e);
        hk_format(set, n, "%s=%s", text, part[i]);
        label_of(text, part[i], label);
        HK_TRY(make_choice(a, label, &set, 1, &out->at[i], e));
    }
    return HK_OK;
}

/* Axis of the named variants; without any and without --vary the recipe is the only one. */
static hk_status named_axis(hki_comparison *c, axis *out, hk_error *e)
{
    const hk_compare_opts *o = c->o;
    char name[LABEL], *none = NULL;
    out->n = o->n_variant ? o->n_variant : 1;
    out->at = hk_arena_take(&c->arena, (size_t)out->n * sizeof *out->at);
    if (!out->at) return no_memory(e);
    for (int i = 0; i < o->n_variant; i++)
        HK_TRY(read_variant(&c->arena, o->variant[i], &out->at[i], e));
    if (o->n_variant) return HK_OK;
    const char *slash = strrchr(o->recipe, '/');
    hk_format(name, sizeof name, "%s", slash ? slash + 1 : o->recipe);
    char *dot = strrchr(name, '.');
    if (dot && dot != name) *dot = '\0';
    return make_choice(&c->arena, o->n_vary ? "" : name, &none, 0, &out->at[0], e);
}

/* Name of a folder: small letters, digits and . _ = - */
static const char *slug(hk_arena *a, const char *name)
{
    char *out = hk_arena_text(a, name, strlen(name)), *to = out;
    for (const char *p = out; p && *p; p++) {
        const int ch = tolower((unsigned char)*p);
        const bool keep = isalnum(ch) || (ch && strchr("._=", ch) && to > out);
        if (keep)
            *to++ = (char)ch;
        else if (to > out && to[-1] != '-')
            *to++ = '-';
    }
    while (to > out && to[-1] == '-') to--;
    if (to) *to = '\0';
    return out;
}

/* The variant at these places of the axes. */
static hk_status combine(hki_comparison *c, const choice *const *at, int n, hki_variant *v,
                         hk_error *e)
{
    char name[LABEL];
    size_t length = 0;
    int n_set = c->o->n_set;
    name[0] = '\0';
    for (int i = 0; i < n; i++) n_set += at[i]->n_set;
    v->set = hk_arena_take(&c->arena, ((size_t)n_set + 1) * sizeof *v->set);
    if (!v->set) return no_memory(e);
    for (int i = 0; i < c->o->n_set; i++) v->set[v->n_set++] = c->o->set[i];
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < at[i]->n_set; k++) v->set[v->n_set++] = at[i]->set[k];
        if (*at[i]->label)
            length += hk_format(name + length, sizeof name - length, "%s%s", length ? ", " : "",
                                at[i]->label);
    }
    v->name = hk_arena_text(&c->arena, name, length);
    v->folder = v->name ? slug(&c->arena, v->name) : NULL;
    if (!v->folder) return no_memory(e);
    HK_CHECK(e, *v->folder, HK_E_ARG, "variant '%s': no letter or digit to name a folder by", name);
    return HK_OK;
}

hk_status hki_variants_make(hki_comparison *c, hk_error *e)
{
    axis axes[HK_COMPARE_AXES + 1];
    const int n = c->o->n_vary + 1;
    long all = 1;
    HK_CHECK(e, c->o->n_vary <= HK_COMPARE_AXES, HK_E_ARG, "more than %d times --vary",
             HK_COMPARE_AXES);
    HK_TRY(named_axis(c, &axes[0], e));
    for (int i = 1; i < n; i++) HK_TRY(read_axis(&c->arena, c->o->vary[i - 1], &axes[i], e));
    for (int i = 0; i < n; i++) {
        all *= axes[i].n;
        HK_CHECK(e, all <= HK_COMPARE_VARIANTS, HK_E_ARG, "more than %d variants",
                 HK_COMPARE_VARIANTS);
    }
    c->variant = hk_arena_take(&c->arena, (size_t)all * sizeof *c->variant);
    if (!c->variant) return no_memory(e);
    for (int k = 0; k < all; k++) {
        const choice *at[HK_COMPARE_AXES + 1];
        for (int i = n - 1, rest = k; i >= 0; rest /= axes[i--].n)
            at[i] = &axes[i].at[rest % axes[i].n];
        HK_TRY(combine(c, at, n, &c->variant[k], e));
        for (int i = 0; i < k; i++)
            HK_CHECK(e, strcmp(c->variant[i].folder, c->variant[k].folder) != 0, HK_E_ARG,
                     "variants '%s' and '%s' would share the folder '%s'; name them with --variant",
                     c->variant[i].name, c->variant[k].name, c->variant[k].folder);
        c->n_variant++;
    }
    return HK_OK;
}
