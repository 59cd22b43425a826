/* hillock plan: what a recipe will take, for several rules and numbers of steps side by side.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"
#include "plan.h"

#include "base/alloc.h"
#include "io/number.h"
#include "run/locate.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 16, KEY_TARGET = 256, KEY_RAM, KEY_FLASH, KEY_STACK, KEY_WEIGHTS, KEY_CHOICE };

typedef struct options {
    const char *path, *choice;
    hk_located  found;
    hk_cli_sets sets;
    char       *rule[MOST];
    int32_t     T[MOST];
    int         n_rule, n_T;
    bool        json, layers;
    hk_device   device;                  /* target NULL: this computer                              */
} options;

static const char *const region[] = HK_REGION_NAMES;

/* ---- text ------------------------------------------------------------------------------------ */

static void show_totals(const hk_plan *p, int n)
{
    char b[32];
    printf("%-8s %8s", "rule", "T");
    for (int r = 0; r < HK_REGIONS; r++) printf(" %10s", region[r]);
    printf(" %10s\n", "total");
    for (int i = 0; i < n; i++) {
        printf("%-8s %8d", p[i].rule, (int)p[i].T);
        if (p[i].refused.code) {
            printf("  refused: %s\n", p[i].refused.text);
            continue;
        }
        for (int r = 0; r < HK_REGIONS; r++)
            printf(" %10s", hk_cli_bytes((double)p[i].bytes[r], b));
        printf(" %10s\n", hk_cli_bytes((double)p[i].total, b));
    }
}

static void show_layers(const hk_plan *p)
{
    static const int shown[] = { HK_R_PARAM,  HK_R_GRAD,  HK_R_OPTIM,
                                 HK_R_BUFFER, HK_R_STATE, HK_R_TAPE };
    size_t rest[HK_REGIONS];
    char b[32], shape[48];
    memcpy(rest, p->bytes, sizeof rest);
    printf("\nby layer, rule %s, T %d\n%-16s %-12s %-14s %10s", p->rule, (int)p->T, "layer", "type",
           "output", "operations");
    for (int k = 0; k < HK_COUNT(shown); k++) printf(" %10s", region[shown[k]]);
    printf("\n");
    for (int32_t i = 0; i < p->n_layer; i++) {
        const hk_plan_layer *l = &p->layer[i];
        snprintf(shape, sizeof shape,
                 l->shape.flat || l->shape.h * l->shape.w == 1 ? "%d" : "%dx%dx%d",
                 l->shape.flat ? l->shape.c * l->shape.h * l->shape.w : l->shape.c, l->shape.h,
                 l->shape.w);
        printf("%-16s %-12s %-14s %10s", l->name, l->type, shape, hk_cli_count(l->operations, b));
        for (int k = 0; k < HK_COUNT(shown); k++) {
            printf(" %10s", hk_cli_bytes((double)l->bytes[shown[k]], b));
            rest[shown[k]] -= l->bytes[shown[k]];
        }
        printf("\n");
    }
    printf("%-16s %-12s %-14s %10s", "(input, shared)", "", "", "");
    for (int k = 0; k < HK_COUNT(shown); k++)
        printf(" %10s", hk_cli_bytes((double)rest[shown[k]], b));
    printf("\n");
}

static void show(const options *o, const hk_plan *p, int n)
{
    char count[32], all[32];
    const hk_plan *first = NULL;
    for (int i = n - 1; i >= 0; i--)
        if (!p[i].refused.code) first = &p[i];
    if (first) {
        printf("%s: input %dx%dx%d, batch %d, %d workers, %zu learned parameters, %s multiply-adds "
               "per sample and step\n\n", o->path, (int)first->input.c, (int)first->input.h,
               (int)first->input.w, (int)first->batch, (int)first->workers, first->learned,
               hk_cli_count(first->operations, count));
    }
    show_totals(p, n);
    if (!first) return;
    if (*o->found.choice)
        printf("\nforms of %d products as in %s\n", (int)first->followed, o->found.choice);
    if (o->layers) show_layers(first);
    printf("\nA forward pass of a batch is %s multiply-adds at T %d if nothing is skipped;\n"
           "learning adds about twice as many.\n",
           hk_cli_count(first->operations * first->T * first->batch, all), (int)first->T);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_bytes(const size_t *bytes)
{
    printf("{");
    for (int r = 0; r < HK_REGIONS; r++)
        printf("%s\"%s\": %zu", r ? ", " : "", region[r], bytes[r]);
    printf("}");
}

static void json_plan(const hk_plan *p)
{
    printf("{\"rule\": ");
    hk_cli_json(stdout, p->rule);
    printf(", \"T\": %d, \"batch\": %d, ", (int)p->T, (int)p->batch);
    if (p->refused.code) {
        printf("\"refused\": ");
        hk_cli_json(stdout, p->refused.text);
        printf("}");
        return;
    }
    printf("\"workers\": %d, \"followed\": %d, \"learned\": %zu, \"operations\": %.17g, "
           "\"total\": %zu, \"bytes\": ", (int)p->workers, (int)p->followed, p->learned, p->operations, p->total);
    json_bytes(p->bytes);
    printf(", \"layers\": [");
    for (int32_t i = 0; i < p->n_layer; i++) {
        const hk_plan_layer *l = &p->layer[i];
        printf("%s\n    {\"name\": \"%s\", \"type\": \"%s\", \"shape\": [%d, %d, %d], "
               "\"operations\": %.17g, \"bytes\": ",
               i ? "," : "", l->name, l->type, (int)l->shape.c, (int)l->shape.h, (int)l->shape.w,
               l->operations);
        json_bytes(l->bytes);
        printf("}");
    }
    printf("]}");
}

static void json(const options *o, const hk_plan *p, int n)
{
    printf("{\"recipe\": ");
    hk_cli_json(stdout, o->path);
    printf(", \"plans\": [");
    for (int i = 0; i < n; i++) {
        printf("%s\n  ", i ? "," : "");
        json_plan(&p[i]);
    }
    printf("]}\n");
}

/* ---- the command ----------------------------------------------------------------------------- */

/* Of rule number i and the k-th number of steps. */
static hk_plan_opts want(const options *o, int i, int k)
{
    return (hk_plan_opts){ .recipe = o->found.recipe, .set = o->sets.at, .n_set = o->sets.n,
                           .rule = o->n_rule ? o->rule[i] : NULL, .T = o->n_T ? o->T[k] : 0,
                           .choice = *o->found.choice ? o->found.choice : NULL };
}

static int run(const options *o)
{
    hk_plan plan[MOST * MOST];
    hk_error e;
    int n = 0, refused = 0;
    hk_status st = HK_OK;
    for (int i = 0; !st && i < (o->n_rule ? o->n_rule : 1); i++)
        for (int k = 0; !st && k < (o->n_T ? o->n_T : 1); k++) {
            const hk_plan_opts one = want(o, i, k);
            st = hk_plan_make(&plan[n], &one, &e);
            if (st) break;
            refused += plan[n++].refused.code != HK_OK;
        }
    if (!st && o->json) json(o, plan, n);
    else if (!st) show(o, plan, n);
    for (int i = 0; i < n; i++) hk_plan_free(&plan[i]);
    if (st) return hk_cli_fail(&e);
    return refused == n ? HK_EXIT_FAILED : HK_EXIT_DONE;
}

static int run_mcu(const options *o)
{
    hk_plan plan;
    hk_error e;
    hk_plan_opts one = want(o, 0, 0);
    one.device = &o->device;
    if (hk_plan_make(&plan, &one, &e)) return hk_cli_fail(&e);
    hk_status st = plan.refused.code;
    if (st) e = plan.refused;
    else if (o->json) json(o, &plan, 1);
    else st = hk_plan_mcu_show(&plan, &o->device, &e);
    hk_plan_free(&plan);
    return st ? hk_cli_fail(&e) : HK_EXIT_DONE;
}

/* A number of bytes, also as 64K or 1M. */
static size_t read_bytes(const char *arg, const char *what, struct argp_state *state)
{
    char *end;
    const double v = strtod(arg, &end);
    const double unit = *end == 'K' || *end == 'k' ? 1024 : *end == 'M' ? 1024 * 1024 : 1;
    if (unit > 1) end++;
    if (*end || end == arg || !(v >= 0 && v * unit < 4294967296.0))
        argp_error(state, "%s: '%s' is not a number of bytes, such as 65536 or 64K", what, arg);
    return v >= 0 && v * unit < 4294967296.0 ? (size_t)(v * unit) : 0;
}

static void read_form(options *o, const char *arg, struct argp_state *state)
{
    int form = 0;
    while (hk_form_name(form) && strcmp(hk_form_name(form), arg) != 0) form++;
    if (!hk_form_name(form)) argp_error(state, "--weights: '%s', expected f32, f16 or i8", arg);
    o->device.form = (hk_form)form;
}

static void read_steps(options *o, char *arg, struct argp_state *state)
{
    char *part[MOST];
    o->n_T = hk_cli_split(arg, part, MOST);
    if (o->n_T < 0) argp_error(state, "--T: more than %d values", MOST);
    for (int i = 0; i < o->n_T; i++) {
        double v;
        if (!hk_number_parse(part[i], &v) || v < 1 || v > 1e6 || v != (double)(int32_t)v)
            argp_error(state, "--T: expected whole numbers from 1 to 1000000, found '%s'", part[i]);
        else o->T[i] = (int32_t)v;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 's': hk_cli_set(&o->sets, arg, state); return 0;
    case 'T': read_steps(o, arg, state); return 0;
    case 'r':
        o->n_rule = hk_cli_split(arg, o->rule, MOST);
        if (o->n_rule < 0) argp_error(state, "--rule: more than %d names", MOST);
        return 0;
    case 'l': o->layers = true; return 0;
    case 'j': o->json = true; return 0;
    case KEY_TARGET:
        if (!(o->device.target = hk_target_find(arg)))
            argp_error(state, "--target: '%s', expected mcu, cortex-m4f, cortex-m7, cortex-m55 or rv32", arg);
        return 0;
    case KEY_CHOICE: o->choice = arg; return 0;
    case KEY_RAM: o->device.ram = read_bytes(arg, "--ram", state); return 0;
    case KEY_FLASH: o->device.flash = read_bytes(arg, "--flash", state); return 0;
    case KEY_STACK: o->device.stack = read_bytes(arg, "--stack", state); return 0;
    case KEY_WEIGHTS: read_form(o, arg, state); return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num) argp_usage(state);
        o->path = arg;
        return 0;
    case ARGP_KEY_NO_ARGS: argp_usage(state); return 0;
    case ARGP_KEY_END:
        if (o->choice && o->device.target)
            argp_error(state, "--choice and --target exclude each other: a device has the plain products");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int hk_cmd_plan(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        { "T", 'T', "N,N,...", 0, "Numbers of time steps to compare", 0 },
        { "rule", 'r', "NAME,...", 0, "Rules to compare, each with its defaults", 0 },
        { "layers", 'l', NULL, 0, "Also bytes and operations of every layer (of the first column)",
          0 },
        HK_CLI_SET,
        { "choice", KEY_CHOICE, "FILE", 0,
          "With the forms of products in this choice.json, or that of this run folder", 0 },
        { "json", 'j', NULL, 0, "As JSON, exact numbers, with all layers", 0 },
        { "target", KEY_TARGET, "NAME", 0, "Plan the exported net, batch 1 in one block of memory, for "
          "cortex-m4f, cortex-m7, cortex-m55, rv32, or mcu: the largest figures of these", 1 },
        { "ram", KEY_RAM, "BYTES", 0, "mcu: refuse a net that needs more, e.g. 64K", 1 },
        { "flash", KEY_FLASH, "BYTES", 0, "mcu: refuse a net that needs more", 1 },
        { "stack", KEY_STACK, "BYTES", 0, "mcu: set aside for the stack (4096)", 1 },
        { "weights", KEY_WEIGHTS, "FORM", 0, "mcu: constants as f32 (default), f16 or i8", 1 },
        { 0 },
    };
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .args_doc = "RECIPE|RUN",
        .doc = "Prints what training a recipe takes, to the byte, before anything runs.\v"
               "Regions: param what is learned; grad its gradients; optim what the optimizer "
               "keeps; buffer running statistics; state membranes, traces and sums; tape what a "
               "pass backwards in time has to remember; packed weights as the products want them; "
               "work shared scratch. Under an online rule none of them grows with T.\n\n"
               "Forms of products that are measured (--tune of train) may keep packed weights of their own. "
               "A run folder is planned with the forms that it followed, a recipe with --choice; without, "
               "with those of the fixed table.",
    };
    options o = { .device.stack = HK_TARGET_STACK };
    if (argp_parse(&argp, argc, argv, 0, NULL, &o)) return HK_EXIT_USAGE;
    hk_error e;
    if (hk_run_locate(o.path, false, &o.found, &e) ||
        (o.choice && hk_choice_locate(o.choice, o.found.choice, &e)))
        return hk_cli_fail(&e);
    return o.device.target ? run_mcu(&o) : run(&o);
}
