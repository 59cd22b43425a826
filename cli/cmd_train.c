/* hillock train: a run, with progress; its files are described in host/run/trainer.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "compare/apart.h"
#include "run/locate.h"
#include "run/trainer.h"
#include "terminal.h"

enum { KEY_RESUME = 256, KEY_FORCE, KEY_CHECKPOINT, KEY_TEST, KEY_TELL, KEY_TUNE, KEY_CHOICE };
#define CHECKPOINT_SECONDS 300.0

typedef struct options {
    hk_train_opts train;
    hk_cli_sets   sets;
    char          epochs[48], out[1024], choice[HK_PATH];
    bool          quiet, json;
    int           tell;                  /* a pipe of `hillock compare`, or 0                     */
    hk_terminal   terminal;
} options;

static bool progress(void *self, const hk_progress *p)
{
    options *o = self;
    hk_terminal_progress(&o->terminal, NULL, p);
    return !hk_cli_interrupted();
}

static void note(void *self, const char *text)
{
    hk_terminal_note(&((options *)self)->terminal, text);
}

/* "60" and "60s" are seconds, "50b" batches. */
static void checkpoint_every(options *o, const char *arg, struct argp_state *state)
{
    char *end;
    double v = strtod(arg, &end);
    bool batches = !strcmp(end, "b");
    if (end == arg || !(v > 0) || v > 1e9 || (*end && !batches && strcmp(end, "s") != 0))
        argp_error(state, "--checkpoint-every: '%s' is neither seconds (60) nor batches (50b)",
                   arg);
    o->train.checkpoint_seconds = batches ? 0 : v;
    o->train.checkpoint_batches = batches ? (int64_t)v : 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'o': o->train.out = arg; return 0;
    case 's': hk_cli_set(&o->sets, arg, state); return 0;
    case 'e':
        snprintf(o->epochs, sizeof o->epochs, "train.epochs=%ld",
                 hk_cli_whole(arg, 1, 1000000, "--epochs", state));
        return 0;
    case 't': o->train.session.threads = (int32_t)hk_cli_whole(arg, 1, 1024, "--threads", state); return 0;
    case 'q': o->quiet = true; return 0;
    case 'j': o->json = true; return 0;
    case KEY_RESUME: o->train.resume = true; return 0;
    case KEY_FORCE: o->train.force = true; return 0;
    case KEY_CHECKPOINT: checkpoint_every(o, arg, state); return 0;
    case KEY_TELL: o->tell = (int)hk_cli_whole(arg, 3, 1 << 20, "--tell", state); return 0;
    case KEY_TUNE: hk_cli_set(&o->sets, "train.tune=true", state); return 0;
    case KEY_CHOICE: o->train.session.choice.file = arg; return 0;
    case KEY_TEST: o->train.test_each_epoch = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num) argp_usage(state);
        o->train.session.recipe = arg;
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num == 0) argp_usage(state);
        if (o->train.resume && o->train.force)
            argp_error(state, "--resume and --force exclude each other");
        if (o->train.resume && o->train.session.choice.file)
            argp_error(state, "--resume and --choice exclude each other: a run goes on with the "
                       "choice.json of its folder");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* runs/NAME for recipes/NAME.yaml. */
static void default_folder(options *o)
{
    const char *slash = strrchr(o->train.session.recipe, '/');
    const char *name = slash ? slash + 1 : o->train.session.recipe;
    snprintf(o->out, sizeof o->out, "runs/%s", name);
    char *dot = strrchr(o->out, '.');
    if (dot && dot > o->out + 5) *dot = 0;
    o->train.out = o->out;
}

static double number(const json_t *j, const char *a, const char *b)
{
    return json_number_value(json_object_get(json_object_get(j, a), b));
}

static void print_learned(const json_t *j, const char *what)
{
    const char *layer;
    json_t *v;
    json_object_foreach(json_object_get(j, what), layer, v) {
        if (!json_is_true(json_object_get(v, "learned"))) continue;
        printf("  %-9s %-12s mean %.4f, from %.4f to %.4f\n", what, layer,
               json_number_value(json_object_get(v, "mean")),
               json_number_value(json_object_get(v, "min")),
               json_number_value(json_object_get(v, "max")));
    }
}

static void print_result(const options *o, const json_t *j)
{
    char planned[32], resident[32];
    bool best = json_object_get(j, "best") != NULL;
    hk_cli_bytes(number(j, "memory", "total"), planned);
    hk_cli_bytes(json_number_value(json_object_get(j, "resident")), resident);
    printf("test accuracy %.2f %% (%s, epoch %.0f)\n", 100 * number(j, "test", "accuracy"),
           best ? "best epoch by validation" : "last epoch", number(j, "test", "epoch"));
    if (best)
        printf("  last epoch (%.0f): %.2f %%; validation of the best: %.2f %%\n",
               number(j, "last", "epoch"), 100 * number(j, "last", "accuracy"),
               100 * number(j, "validation", "accuracy"));
    printf("  test loss %.4f, firing rate %.2f %%\n", number(j, "test", "loss"),
           100 * number(j, "test", "rate"));
    print_learned(j, "threshold");
    print_learned(j, "leak");
    printf("  %.1f s, %s planned for the net, %s resident at most\n",
           json_number_value(json_object_get(j, "seconds")), planned, resident);
    printf("  report: %s/report.svg\n", o->train.out);
}

static int run(options *o)
{
    hk_train_result result;
    hk_error e;
    hk_status st = hk_train(&o->train, &result, &e);
    hk_terminal_clear(&o->terminal);
    if (st != HK_OK) return hk_cli_fail(&e);
    if (result.stopped) {
        fprintf(stderr,
                "hillock: stopped at a checkpoint in %s; the same command with --resume goes on\n",
                o->train.out);
        return HK_EXIT_FAILED;
    }
    if (o->json) {
        json_dumpf(result.json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        putchar('\n');
    } else {
        print_result(o, result.json);
    }
    json_decref(result.json);
    return HK_EXIT_DONE;
}

int hk_cmd_train(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        { "out", 'o', "DIR", 0, "Folder of the run (runs/NAME of the recipe)", 0 },
        HK_CLI_SET,
        { "resume", KEY_RESUME, NULL, 0, "Go on from the last checkpoint in the folder", 0 },
        { "force", KEY_FORCE, NULL, 0, "Replace a run that the folder holds", 0 },
        { "epochs", 'e', "N", 0, "Same as --set train.epochs=N", 0 },
        { "threads", 't', "N", 0, "Number of threads; the bits do not depend on it", 0 },
        { "checkpoint-every", KEY_CHECKPOINT, "N", 0,
          "Checkpoint within an epoch every N seconds (300), or Nb: batches", 0 },
        { "test-each-epoch", KEY_TEST, NULL, 0,
          "Measure the test set after every epoch; it chooses nothing", 0 },
        HK_CLI_TUNE(KEY_TUNE),
        { "choice", KEY_CHOICE, "FILE", 0,
          "Follow this choice.json, or that of this run folder: its bits again. --resume has its own", 0 },
        { "tell", KEY_TELL, "FD", OPTION_HIDDEN, "Speak to `hillock compare`", 0 },
        { "quiet", 'q', NULL, 0, "No progress", 0 },
        { "json", 'j', NULL, 0, "Result as JSON", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .args_doc = "RECIPE",
        .doc = "Trains a recipe. The best epoch is chosen on the validation split "
               "(data.validation), the test set is measured at the end.\v"
               "The folder gets recipe.yaml (resolved), environment.json, choice.json (with --tune), "
               "metrics.jsonl, checkpoint/, report.svg and result.json. A run that was cut off, at any instant, "
               "goes on with --resume to the same bits:\n\n"
               "  hillock train recipes/digits-stop.yaml --out runs/a\n"
               "  hillock train recipes/digits-stop.yaml --out runs/a --resume\n",
    };
    options *o = calloc(1, sizeof *o);
    if (!o) return HK_EXIT_FAILED;
    o->train.checkpoint_seconds = CHECKPOINT_SECONDS;
    if (argp_parse(&argp, argc, argv, 0, NULL, o)) return HK_EXIT_USAGE;
    if (*o->epochs && o->sets.n < HK_COUNT(o->sets.at)) o->sets.at[o->sets.n++] = o->epochs;
    if (!o->train.out) default_folder(o);
    o->train.session.set = o->sets.at;
    o->train.session.n_set = o->sets.n;
    o->train.session.learn = true;
    o->train.session.choice.cache = hk_cli_cache();
    o->train.progress = progress;
    o->train.note = note;
    o->train.self = o;
    hk_error e;
    if (o->train.session.choice.file) {
        if (hk_choice_locate(o->train.session.choice.file, o->choice, &e)) return hk_cli_fail(&e);
        o->train.session.choice.file = o->choice;
    }
    hk_terminal_init(&o->terminal, o->quiet);
    hk_cli_catch_signals();
    int code = HK_EXIT_DONE;
    if (o->tell) hki_train_apart(&o->train, o->tell, hk_cli_interrupted);
    else code = run(o);
    free(o);
    return code;
}
