/* hillock list: families, members and keys, from the tables that also read recipes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include "io/words.h"
#include "recipe/keys.h"
#include "recipe/tables.h"
#include "registry.h"

#include <math.h>
#include <string.h>

typedef enum form { TEXT, MARKDOWN, JSON } form;

typedef struct options {
    const char *family, *member;
    form        form;
} options;

/* Keys of the recipe that belong to a section and to no member. */
static const hk_info *const tables[] = { &hk_table_data, &hk_table_net, &hk_table_objective,
                                         &hk_table_optim, &hk_table_schedule, &hk_table_train,
                                         &hk_augment_info };
static const char *const table_names[] = { "data", "net", "loss", "optim", "optim.schedule",
                                           "train", "data.augment" };
static const char section[] = "section";

/* A family of the registry, or, behind the last one, the sections. */
static int n_families(void) { return HK_FAMILIES + 1; }
static const char *family_name(int f)
{
    return f < HK_FAMILIES ? hk_family_name((hk_family)f) : section;
}
static int family_count(int f)
{
    return f < HK_FAMILIES ? hk_family_count((hk_family)f) : HK_COUNT(tables);
}
static const hk_info *member_at(int f, int i)
{
    return f < HK_FAMILIES ? hk_family_at((hk_family)f, i) : tables[i];
}
static const char *member_name(int f, int i)
{
    return f < HK_FAMILIES ? hk_family_at((hk_family)f, i)->name : table_names[i];
}

/* The default as a recipe would write it. */
static const char *default_of(const hk_field *f, char *out, size_t cap)
{
    double cfg[1] = { 0 };               /* room for any field, at offset 0 */
    hk_field alone = *f;
    hk_info info = { .name = f->name, .cfg_size = sizeof cfg, .fields = &alone, .n_fields = 1 };
    if (f->def < f->min || f->def > f->max) return "required";
    alone.offset = 0;
    hk_fields_default(&info, cfg);
    return hk_key_print(&alone, cfg, out, cap);
}

static const char *range_of(const hk_field *f, char *out, size_t cap)
{
    if (f->type == HK_BOOL) return "true, false";
    if (f->type != HK_ENUM) {
        snprintf(out, cap, f->type == HK_INT ? "%.0f to %.0f%s" : "%g to %g%s", f->min, f->max,
                 isnan(f->def) ? ", null" : "");
        return out;
    }
    size_t n = 0;
    for (int i = 0; i <= (int)f->max; i++) {
        char word[32];
        hk_field_word_at(f, i, word, sizeof word);
        n += hk_format(out + n, cap - n, "%s%s", i ? ", " : "", word);
    }
    return out;
}

static const char *unit_of(const hk_field *f)
{
    return f->unit && strcmp(f->unit, "1") != 0 ? f->unit : "";
}

/* ---- three forms of a member ----------------------------------------------------------------- */

static void text_member(int f, int i, bool keys)
{
    const hk_info *m = member_at(f, i);
    char def[96], range[160];
    printf("  %-21s %s\n", member_name(f, i), m->brief);
    for (int k = 0; keys && k < m->n_fields; k++) {
        const hk_field *field = &m->fields[k];
        const char *unit = unit_of(field);
        printf("      %-20s %-10s %s%s%s; %s\n", field->name, default_of(field, def, sizeof def),
               range_of(field, range, sizeof range), *unit ? " " : "", unit, field->help);
    }
    if (keys && m->source) printf("      source: %s\n", m->source);
}

static void markdown_member(int f, int i)
{
    const hk_info *m = member_at(f, i);
    char def[96], range[160];
    printf("\n### %s\n\n%s. Source: %s.\n", member_name(f, i), m->brief, m->source);
    if (!m->n_fields) return;
    printf("\n| key | default | range | unit | |\n|---|---|---|---|---|\n");
    for (int k = 0; k < m->n_fields; k++) {
        const hk_field *field = &m->fields[k];
        printf("| `%s` | `%s` | %s | %s | %s |\n", field->name, default_of(field, def, sizeof def),
               range_of(field, range, sizeof range), unit_of(field), field->help);
    }
}

static void json_field(const hk_field *f)
{
    static const char *const types[] = { "float", "int", "bool", "enum" };
    char def[96], word[32];
    const char *d = default_of(f, def, sizeof def);
    printf("{\"name\": ");
    hk_cli_json(stdout, f->name);
    printf(", \"type\": \"%s\", \"default\": ", types[f->type]);
    if (!strcmp(d, "required")) printf("null, \"required\": true");
    else if (f->type == HK_ENUM && *d != '"') hk_cli_json(stdout, d);
    else printf("%s", d);
    if (f->type == HK_ENUM) {
        printf(", \"words\": [");
        for (int i = 0; i <= (int)f->max; i++) {
            hk_field_word_at(f, i, word, sizeof word);
            printf("%s", i ? ", " : "");
            hk_cli_json(stdout, word);
        }
        printf("]");
    } else if (f->type != HK_BOOL) {
        printf(f->type == HK_INT ? ", \"min\": %.0f, \"max\": %.0f"
                                 : ", \"min\": %.9g, \"max\": %.9g",
               f->min, f->max);
    }
    printf(", \"unit\": ");
    hk_cli_json(stdout, f->unit ? f->unit : "1");
    printf(", \"help\": ");
    hk_cli_json(stdout, f->help);
    printf("}");
}

static void json_member(int f, int i)
{
    const hk_info *m = member_at(f, i);
    printf("{\"family\": ");
    hk_cli_json(stdout, family_name(f));
    printf(", \"name\": ");
    hk_cli_json(stdout, member_name(f, i));
    printf(", \"brief\": ");
    hk_cli_json(stdout, m->brief);
    printf(", \"source\": ");
    hk_cli_json(stdout, m->source ? m->source : "");
    printf(", \"keys\": [");
    for (int k = 0, n = 0; k < m->n_fields; k++) {
        printf("%s", n++ ? ", " : "");
        json_field(&m->fields[k]);
    }
    printf("]}");
}

/* ---- the command ----------------------------------------------------------------------------- */

static void show(const options *o)
{
    const char *before = "";
    if (o->form == JSON) printf("[");
    for (int f = 0; f < n_families(); f++) {
        if (o->family && strcmp(o->family, family_name(f)) != 0) continue;
        if (o->form == TEXT) printf("%s%s\n", before, family_name(f));
        if (o->form == MARKDOWN) printf("%s## %s\n", before, family_name(f));
        if (o->form != JSON) before = "\n";
        for (int i = 0; i < family_count(f); i++) {
            if (o->member && strcmp(o->member, member_name(f, i)) != 0) continue;
            if (o->form == TEXT) text_member(f, i, o->family != NULL);
            if (o->form == MARKDOWN) markdown_member(f, i);
            if (o->form != JSON) continue;
            printf("%s\n", before);
            json_member(f, i);
            before = ",";
        }
    }
    if (o->form == JSON) printf("\n]\n");
    if (o->form == TEXT && !o->family)
        printf("\n`hillock list FAMILY` shows the keys of its members: `hillock list neuron`.\n");
}

/* Unknown words are refused with the nearest known one. */
static void check(const options *o, struct argp_state *state)
{
    enum { MOST = 64 };
    const char *names[MOST];
    int n = 0, family = -1;
    for (int f = 0; f < n_families(); f++) {
        names[n++] = family_name(f);
        if (o->family && strcmp(o->family, family_name(f)) == 0) family = f;
    }
    const char *word = o->family, *what = "family";
    if (family >= 0 && o->member) {
        word = o->member, what = o->family;
        for (n = 0; n < family_count(family) && n < MOST; n++) {
            names[n] = member_name(family, n);
            if (strcmp(names[n], o->member) == 0) return;
        }
    } else if (family >= 0 || !o->family) {
        return;
    }
    const char *near = hk_nearest(word, names, n);
    argp_error(state, "unknown %s '%s'%s%s%s", what, word, near ? "; nearest is '" : "",
               near ? near : "", near ? "'" : "");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'm': o->form = MARKDOWN; return 0;
    case 'j': o->form = JSON; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1) argp_usage(state);
        else if (state->arg_num == 1) o->member = arg;
        else o->family = arg;
        return 0;
    case ARGP_KEY_END: check(o, state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int hk_cmd_list(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        { "markdown", 'm', NULL, 0, "As Markdown, with all keys", 0 },
        { "json", 'j', NULL, 0, "As JSON, with all keys", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .args_doc = "[FAMILY [MEMBER]]",
        .doc = "Shows what may stand in a recipe: families, their members, and the keys of each "
               "with default, range, unit and meaning.\v"
               "The family `section` holds the keys that belong to no member.",
    };
    options o = { 0 };
    if (argp_parse(&argp, argc, argv, 0, NULL, &o)) return HK_EXIT_USAGE;
    show(&o);
    return HK_EXIT_DONE;
}
