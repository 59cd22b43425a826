/* hillock eval: a trained net on a split of its data.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "run/describe.h"
#include "run/locate.h"
#include "run/weights.h"
#include "terminal.h"

enum { KEY_TUNE = 256 };

typedef struct options {
    hk_session_opts session;
    hk_cli_sets     sets;
    const char     *weights, *target;
    hk_split        split;
    bool            json, quiet, deploy;
    hk_located      found;
    hk_session      open;
    hk_stats        sums;
    hk_terminal     terminal;
} options;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'w': o->weights = arg; return 0;
    case 's': hk_cli_set(&o->sets, arg, state); return 0;
    case 'p':
        if (!strcmp(arg, "test")) o->split = HK_SPLIT_TEST;
        else if (!strcmp(arg, "val")) o->split = HK_SPLIT_VAL;
        else argp_error(state, "--split: '%s' is neither test nor val", arg);
        return 0;
    case 't':
        o->session.threads = atoi(arg);
        if (o->session.threads < 1)
            argp_error(state, "--threads: '%s' is not a whole number from 1", arg);
        return 0;
    case KEY_TUNE: hk_cli_set(&o->sets, "train.tune=true", state); return 0;
    case 'd': o->deploy = true; return 0;
    case 'q': o->quiet = true; return 0;
    case 'j': o->json = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num) argp_usage(state);
        o->target = arg;
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num == 0) argp_usage(state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static hk_status find_files(options *o, hk_error *e)
{
    HK_TRY(hk_run_locate(o->target, !o->weights, &o->found, e));
    o->session.recipe = o->found.recipe;
    if (o->found.choice[0]) o->session.choice.file = o->found.choice;
    if (!o->weights) o->weights = o->found.weights;
    HK_CHECK(e, o->weights[0], HK_E_ARG, "%s is a recipe: --weights W is needed", o->target);
    return HK_OK;
}

static void note(void *self, const char *text)
{
    hk_terminal_note(&((options *)self)->terminal, text);
}

static bool tick(void *self, const hk_stats *sums, int64_t done, int64_t all)
{
    options *o = self;
    const hk_net *net = &o->open.engine.net;
    hk_progress p = { .split = o->split,
                      .epoch = 1,
                      .epochs = 1,
                      .batch = done,
                      .batches = all,
                      .loss = o->deploy ? NAN : hk_stats_loss(sums),
                      .accuracy = hk_stats_accuracy(sums),
                      .rate = hk_stats_mean_rate(sums, net),
                      .resident_bytes = hk_resident_peak(),
                      .samples_per_second =
                          sums->seconds > 0 ? (double)sums->seen / sums->seconds : 0 };
    if (o->terminal.live) hk_terminal_progress(&o->terminal, NULL, &p);
    return true;
}

static hk_status measure(options *o, hk_error *e)
{
    HK_TRY(find_files(o, e));
    HK_TRY(hk_session_open(&o->open, &o->session, e));
    HK_TRY(hk_weights_load(&o->open.engine.net, o->weights, e));
    if (o->deploy) HK_TRY(hk_deploy_open(&o->open.deploy, &o->open.engine.net, e));
    HK_TRY(hk_stats_init(&o->sums, &o->open.engine.net, e));
    return hk_session_measure(&o->open, o->split, &o->sums, tick, o, NULL, e);
}

/* Sizes of the deployed form: codes, numbers beside them, and the parameters as floats. */
static void put_sizes(const options *o, json_t *j)
{
    const hk_deploy_size s = hk_deploy_bytes(o->open.deploy);
    const double all = (double)(s.codes + s.numbers);
    char b[3][32];
    if (j) {
        json_object_set_new(j, "deployed", json_pack("{s:I, s:I, s:I}", "code_bytes", (json_int_t)s.codes,
                            "number_bytes", (json_int_t)s.numbers, "float_bytes", (json_int_t)s.floats));
        return;
    }
    printf("  deployed  %s of codes, %s of numbers; as floats %s, %.1f times as much\n",
           hk_cli_bytes((double)s.codes, b[0]), hk_cli_bytes((double)s.numbers, b[1]),
           hk_cli_bytes((double)s.floats, b[2]), (double)s.floats / all);
}

static void print(const options *o)
{
    const hk_net *net = &o->open.engine.net;
    if (o->json) {
        json_t *j = hk_describe_pass(&o->sums, net);
        json_object_set_new(j, "split", json_string(hk_split_name[o->split]));
        json_object_set_new(j, "weights", json_string(o->weights));
        json_object_set_new(j, "rates", hk_describe_rates(&o->sums, net));
        if (o->deploy) {
            json_object_del(j, "loss");
            put_sizes(o, j);
        }
        json_dumpf(j, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        putchar('\n');
        json_decref(j);
        return;
    }
    printf("%s accuracy %.2f %% (%lld of %lld), ", hk_split_name[o->split],
           100 * hk_stats_accuracy(&o->sums), (long long)o->sums.correct, (long long)o->sums.seen);
    if (!o->deploy) printf("loss %.4f, ", hk_stats_loss(&o->sums));
    printf("firing rate %.2f %%\n", 100 * hk_stats_mean_rate(&o->sums, net));
    printf("  weights %s\n", o->weights);
    if (o->deploy) put_sizes(o, NULL);
}

int hk_cmd_eval(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        { "weights", 'w', "FILE", 0, "safetensors with the weights (of a run: its best checkpoint)",
          0 },
        { "split", 'p', "SPLIT", 0, "test (default) or val", 0 },
        HK_CLI_SET,
        { "threads", 't', "N", 0, "Number of threads", 0 },
        HK_CLI_TUNE(KEY_TUNE),
        { "deploy", 'd', NULL, 0, "The deployed form: batch norm folded, integer sums of one- and two-bit "
          "weights and spikes; no loss is computed", 0 },
        { "quiet", 'q', NULL, 0, "No progress", 0 },
        { "json", 'j', NULL, 0, "Result as JSON", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = rows, .parser = parse, .args_doc = "RUN\nRECIPE",
        .doc = "Measures a trained net: the folder of a run, or a recipe with --weights.\v"
               "Examples:\n\n  hillock eval runs/digits-stop\n"
               "  hillock eval recipes/digits-stop.yaml --weights w.safetensors --json\n",
    };
    options *o = calloc(1, sizeof *o);
    hk_error e;
    if (!o) return HK_EXIT_FAILED;
    o->split = HK_SPLIT_TEST;
    if (argp_parse(&argp, argc, argv, 0, NULL, o)) return HK_EXIT_USAGE;
    o->session.set = o->sets.at;
    o->session.n_set = o->sets.n;
    hk_terminal_init(&o->terminal, o->quiet);
    o->session.choice = (hk_choice_opts){ .cache = hk_cli_cache(), .note = note, .self = o };
    hk_status st = measure(o, &e);
    hk_terminal_clear(&o->terminal);
    int code = st == HK_OK ? HK_EXIT_DONE : hk_cli_fail(&e);
    if (st == HK_OK) print(o);
    hk_stats_deinit(&o->sums);
    hk_session_close(&o->open);
    free(o);
    return code;
}
