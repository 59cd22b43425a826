/* hillock export: a net as C source for a machine without an operating system.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli.h"

#include "export/export.h"
#include "run/locate.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_TILE = 256, KEY_SAMPLES };

typedef struct options {
    hk_export_opts export;
    hk_cli_sets    sets;
    const char    *path, *from;
    bool           compact;
    hk_located     found;
} options;

static int32_t whole(const char *arg, long least, const char *what, struct argp_state *state)
{
    char *end;
    const long v = strtol(arg, &end, 10);
    if (*end || end == arg || v < least || v > 100000000)
        argp_error(state, "%s: '%s' is not a whole number from %ld to 100000000", what, arg, least);
    return (int32_t)v;
}

static void read_samples(options *o, char *arg, struct argp_state *state)
{
    char *part[2];
    const int n = hk_cli_split(arg, part, 2);
    if (n != 2) argp_error(state, "--samples: expected TRAIN,TEST, two numbers");
    if (n != 2) return;
    o->export.train = whole(part[0], 0, "--samples", state);
    o->export.test = whole(part[1], 0, "--samples", state);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    int form = 0;
    switch (key) {
    case 's': hk_cli_set(&o->sets, arg, state); return 0;
    case 'o': o->export.out = arg; return 0;
    case 'f': o->from = arg; return 0;
    case 't':
        o->compact = strcmp(arg, "compact") == 0;
        if (!o->compact && strcmp(arg, "c") != 0)
            argp_error(state, "--target: '%s', expected c or compact", arg);
        return 0;
    case 'w':
        while (hk_form_name(form) && strcmp(hk_form_name(form), arg) != 0) form++;
        if (!hk_form_name(form)) argp_error(state, "--weights: '%s', expected f32, f16 or i8", arg);
        o->export.form = (hk_form)form;
        return 0;
    case KEY_TILE: o->export.tile = whole(arg, 1, "--tile", state); return 0;
    case KEY_SAMPLES: read_samples(o, arg, state); return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num) argp_usage(state);
        o->path = arg;
        return 0;
    case ARGP_KEY_END:
        if (!state->arg_num || !o->export.out) argp_usage(state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static hk_status run(options *o, hk_export_result *r, hk_error *e)
{
    hk_export_opts *x = &o->export;
    HK_TRY(hk_run_locate(o->path, !o->from, &o->found, e));
    x->recipe = o->found.recipe;
    x->set = o->sets.at;
    x->n_set = o->sets.n;
    x->weights = o->from ? o->from : o->found.weights[0] ? o->found.weights : NULL;
    return o->compact ? hk_export_compact(x, r, e) : hk_export(x, r, e);
}

static void print_compact(const options *o, const hk_export_result *r)
{
    char b[2][32];
    printf("%s: %d parameter arrays, %s; as floats %s, %.1f times as much\n", o->export.out,
           (int)r->n_param, hk_cli_bytes((double)r->constants, b[0]),
           hk_cli_bytes((double)r->memory, b[1]), (double)r->memory / (double)r->constants);
}

int hk_cmd_export(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        { "out", 'o', "DIR", 0, "Folder of the C files, or the compact file", 0 },
        { "target", 't', "TARGET", 0, "c (default): C for a microcontroller; compact: a safetensors "
          "file for eval, weights of one or two bits as codes, norms folded", 0 },
        { "weights", 'w', "FORM", 0, "Constants in flash: f32 (default), f16 or i8 (per channel)", 0 },
        { "from", 'f', "FILE", 0, "safetensors with the weights (of a run: its best checkpoint)", 0 },
        { "samples", KEY_SAMPLES, "TRAIN,TEST", 0, "Also write so many samples of each split", 0 },
        { "tile", KEY_TILE, "N", 0, "Floats that elementwise stages handle at once (64)", 0 },
        HK_CLI_SET,
        { 0 },
    };
    static const struct argp argp = {
        .options = rows, .parser = parse, .args_doc = "RUN\nRECIPE",
        .doc = "Writes a net as C that links with the core alone: tables, weights as constants, one "
               "static block of memory, entries to infer and to learn, and a self-test with this "
               "machine's numbers.\v"
               "The device learns with batch 1 and the recipe's rule, loss and optimizer; rates "
               "for it can be given here, e.g. --set optim.lr=0.01.\n\n"
               "  hillock export runs/digits --target c --out build/net\n\n"
               "docs/embedded.md goes on from there.\n\n"
               "  hillock export runs/cifar --target compact --out w.safetensors\n"
               "  hillock eval runs/cifar --weights w.safetensors",
    };
    options o = { 0 };
    hk_export_result r;
    hk_error e;
    char b[4][32];
    if (argp_parse(&argp, argc, argv, 0, NULL, &o)) return HK_EXIT_USAGE;
    if (run(&o, &r, &e)) return hk_cli_fail(&e);
    if (o.compact) {
        print_compact(&o, &r);
        return HK_EXIT_DONE;
    }
    printf("%s: %d layers, %d parameter arrays\n"
           "  RAM    %s of net in one block, %s of tables (at most)\n"
           "  flash  %s of weights (%s)",
           o.export.out, (int)r.n_node, (int)r.n_param, hk_cli_bytes((double)r.memory, b[0]),
           hk_cli_bytes((double)r.tables, b[1]), hk_cli_bytes((double)r.constants, b[2]),
           hk_form_name((int)o.export.form));
    if (r.samples) printf(", %s of samples", hk_cli_bytes((double)r.samples, b[3]));
    printf("\n");
    return HK_EXIT_DONE;
}
