/* hillock compare: variants of a recipe, several seeds, one table; host/compare/compare.h does it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli.h"
#include "compare/compare.h"
#include "terminal.h"

enum { KEY_VARY = 256, KEY_VARIANT, KEY_SEEDS, KEY_JOBS, KEY_TABLE };

typedef struct options {
    hk_compare_opts compare;
    hk_cli_sets     sets, vary, variant;
    char            epochs[48], out[1024];
    bool            quiet, json;
    hk_terminal     terminal;
} options;

static bool progress(void *self, const hk_compare_progress *p)
{
    options *o = self;
    char head[128];
    if (p->run.batches > 0) {
        hk_progress run = p->run;
        run.seconds_left = p->seconds_left;
        snprintf(head, sizeof head, "[%d/%d] %.80s, seed %d: ", p->row, p->rows, p->variant,
                 (int)p->seed);
        hk_terminal_progress(&o->terminal, head, &run);
    }
    return !hk_cli_interrupted();
}

static void note(void *self, const char *text)
{
    hk_terminal_note(&((options *)self)->terminal, text);
}

static void append(hk_cli_sets *s, const char *what, char *arg, struct argp_state *state)
{
    if (s->n == HK_COUNT(s->at)) argp_error(state, "more than %d times %s", HK_COUNT(s->at), what);
    if (s->n < HK_COUNT(s->at)) s->at[s->n++] = arg;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    hk_compare_opts *c = &o->compare;
    switch (key) {
    case 'o': c->out = arg; return 0;
    case 's': hk_cli_set(&o->sets, arg, state); return 0;
    case 'e':
        snprintf(o->epochs, sizeof o->epochs, "train.epochs=%ld",
                 hk_cli_whole(arg, 1, 1000000, "--epochs", state));
        return 0;
    case 't': c->threads = (int32_t)hk_cli_whole(arg, 1, 1024, "--threads", state); return 0;
    case 'q': o->quiet = true; return 0;
    case 'j': o->json = true; return 0;
    case KEY_VARY: append(&o->vary, "--vary", arg, state); return 0;
    case KEY_VARIANT: append(&o->variant, "--variant", arg, state); return 0;
    case KEY_SEEDS:
        c->seeds = (int32_t)hk_cli_whole(arg, 1, HK_COMPARE_SEEDS, "--seeds", state);
        return 0;
    case KEY_JOBS:
        c->jobs = (int32_t)hk_cli_whole(arg, 1, HK_COMPARE_JOBS, "--jobs", state);
        return 0;
    case KEY_TABLE: c->table_only = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num) argp_usage(state);
        c->recipe = arg;
        return 0;
    case ARGP_KEY_NO_ARGS: argp_usage(state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* runs/compare-NAME for recipes/NAME.yaml. */
static void default_folder(options *o)
{
    const char *slash = strrchr(o->compare.recipe, '/');
    snprintf(o->out, sizeof o->out, "runs/compare-%s", slash ? slash + 1 : o->compare.recipe);
    char *dot = strrchr(o->out, '.');
    if (dot) *dot = 0;
    o->compare.out = o->out;
}

static int finish(const options *o, const hk_compare_result *r)
{
    if (o->json) {
        json_dumpf(r->json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        putchar('\n');
    } else {
        fputs(r->markdown, stdout);
    }
    if (r->stopped || (r->done + r->failed < r->rows && !o->compare.table_only))
        fprintf(stderr, "hillock: stopped at %d of %d rows in %s; the same command goes on\n",
                r->done, r->rows, o->compare.out);
    if (r->failed)
        fprintf(stderr, "hillock: %d of %d rows failed; the table says why\n", r->failed, r->rows);
    return r->done == r->rows ? HK_EXIT_DONE : HK_EXIT_FAILED;
}

static int run(options *o)
{
    hk_compare_result result;
    hk_error e;
    const hk_status st = hk_compare(&o->compare, &result, &e);
    hk_terminal_clear(&o->terminal);
    const int code = st == HK_OK ? finish(o, &result) : hk_cli_fail(&e);
    json_decref(result.json);
    hk_free(result.markdown);
    return code;
}

int hk_cmd_compare(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        { "vary", KEY_VARY, "KEY=A,B,...", 0, "Values of a key to compare, each as --set KEY=A",
          0 },
        { "variant", KEY_VARIANT, "NAME=\"KEY=A KEY=B ...\"", 0,
          "A variant by name: what it sets", 0 },
        { "seeds", KEY_SEEDS, "N", 0, "Train each variant with seeds 1 to N (1)", 0 },
        { "out", 'o', "DIR", 0, "Folder of the comparison (runs/compare-NAME of the recipe)", 0 },
        HK_CLI_SET,
        { "epochs", 'e', "N", 0, "Same as --set train.epochs=N", 0 },
        { "jobs", KEY_JOBS, "N", 0, "Train N rows at a time (1); for small nets N processes of one "
          "thread are faster than N threads", 0 },
        { "threads", 't', "N", 0,
          "Threads of each process (with --jobs: 1); the bits do not depend on it", 0 },
        { "table", KEY_TABLE, NULL, 0, "Train nothing, make the table of what is there", 0 },
        { "quiet", 'q', NULL, 0, "No progress", 0 },
        { "json", 'j', NULL, 0, "Print compare.json instead of the table", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .args_doc = "RECIPE",
        .doc =
            "Trains variants of a recipe on the same budget, every variant once before the next "
            "seed, and prints a table: mean and standard deviation over the seeds.\v"
            "All --vary are multiplied with each other and with the variants named by --variant. "
            "Values are YAML; a family alone stands for a member with its own keys:\n\n"
            "  hillock compare R.yaml --vary rule=stop,sltt --vary train.T=2,4 --seeds 3\n"
            "  hillock compare R.yaml --vary 'rule={name: stop, L: false},{name: sltt}'\n"
            "  hillock compare R.yaml --variant STOP-W=\"rule.T=false rule.L=false\" \\\n"
            "                         --variant SLTT=rule=sltt --seeds 3 --out runs/rules\n\n"
            "The folder gets compare.md, compare.svg, compare.json and a run folder VARIANT-sSEED "
            "for each row. The same command goes on after an interruption; what is done stays, "
            "also when `hillock train` made it, and more variants or seeds may be added. A "
            "combination that is refused is a row with its reason; the exit code is 1 then.\n",
    };
    options *o = calloc(1, sizeof *o);
    if (!o) return HK_EXIT_FAILED;
    hk_compare_opts *c = &o->compare;
    *c = (hk_compare_opts){ .program = "/proc/self/exe", .seeds = 1, .jobs = 1,
                            .progress = progress, .note = note, .self = o };
    if (argp_parse(&argp, argc, argv, 0, NULL, o)) return HK_EXIT_USAGE;
    if (*o->epochs && o->sets.n < HK_COUNT(o->sets.at)) o->sets.at[o->sets.n++] = o->epochs;
    if (!c->out) default_folder(o);
    if (c->jobs > 1 && !c->threads) c->threads = 1;
    c->set = o->sets.at, c->n_set = o->sets.n;
    c->vary = o->vary.at, c->n_vary = o->vary.n;
    c->variant = o->variant.at, c->n_variant = o->variant.n;
    hk_terminal_init(&o->terminal, o->quiet);
    hk_cli_catch_signals();
    const int code = run(o);
    free(o);
    return code;
}
