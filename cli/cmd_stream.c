/* hillock stream: an endless input, one step at a time, learning as it goes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "run/describe.h"
#include "run/locate.h"
#include "run/session.h"
#include "run/stream.h"
#include "run/stream_input.h"

enum { KEY_LABELLED = 256, KEY_EVERY, KEY_PRINT, KEY_LOGITS, KEY_SAVE_EVERY };
#define NEWS_SECONDS 10.0

typedef struct options {
    hk_streamer_opts    stream;
    hk_stream_input_cfg input;
    hk_cli_sets         sets;
    hk_located          found;
    const char         *target, *save;
    int64_t             print, save_steps;
    double              save_seconds;
    bool                json, logits, quiet;
    hk_streamer         s;
    hk_stream_input     in;
    float              *x;
    double              begun, saved, news;
    int64_t             saved_at;        /* step of the last checkpoint                           */
} options;

/* Set by the signal handler: finish the step, write a checkpoint, stop. */
static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    interrupted = 1;
    signal(number, SIG_DFL);             /* the second one ends the process at once */
}

/* Without SA_RESTART: a read that waits for input comes back. */
static void catch_signals(void)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = interrupt;
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    signal(SIGPIPE, SIG_IGN);            /* whoever reads may go: an error of writing, see step() */
}

static long whole(const char *arg, long lo, long hi, const char *what, struct argp_state *state)
{
    char *end;
    long v = strtol(arg, &end, 10);
    if (*end || end == arg || v < lo || v > hi)
        argp_error(state, "%s: '%s' is not a whole number from %ld to %ld", what, arg, lo, hi);
    return v;
}

/* "5000" are steps, "60s" seconds. */
static void save_every(options *o, const char *arg, struct argp_state *state)
{
    char *end;
    const double v = strtod(arg, &end);
    const bool seconds = !strcmp(end, "s");
    if (end == arg || !(v > 0) || v > 1e15 || (*end && !seconds))
        argp_error(state, "--save-every: '%s' is neither steps (5000) nor seconds (60s)", arg);
    o->save_seconds = seconds ? v : 0;
    o->save_steps = seconds ? 0 : (int64_t)v;
}

static void form(options *o, const char *arg, struct argp_state *state)
{
    static const char *const name[] = { "text", "f32", "npy" };
    for (int i = 0; i < HK_COUNT(name); i++)
        if (!strcmp(arg, name[i])) {
            o->input.form = (hk_stream_form)i;
            return;
        }
    argp_error(state, "--format: '%s' is none of text, f32, npy", arg);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'w': o->stream.weights = arg; return 0;
    case 'l': o->stream.learn = true; return 0;
    case 'i': o->input.path = arg; return 0;
    case 'f': form(o, arg, state); return 0;
    case 's': hk_cli_set(&o->sets, arg, state); return 0;
    case 'o': o->save = arg; return 0;
    case 'j': o->json = true; return 0;
    case 'q': o->quiet = true; return 0;
    case 't': o->stream.threads = (int32_t)whole(arg, 1, 4096, "--threads", state); return 0;
    case KEY_LABELLED: o->input.labelled = true; return 0;
    case KEY_LOGITS: o->logits = true; return 0;
    case KEY_EVERY: o->stream.every = (int32_t)whole(arg, 1, INT32_MAX, "--update-every", state); return 0;
    case KEY_PRINT: o->print = whole(arg, 0, LONG_MAX, "--print", state); return 0;
    case KEY_SAVE_EVERY: save_every(o, arg, state); return 0;
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

/* ---- output ------------------------------------------------------------------------------------- */

static void print_logits(const options *o, const char *separator)
{
    const float *z = hk_stream_output(&o->s.stream);
    for (int32_t k = 0; k < o->s.recipe.data.classes; k++)
        printf("%s%.9g", k ? separator : "", (double)z[k]);
}

static void print_json(const options *o, int32_t label)
{
    printf("{\"step\": %lld, \"prediction\": %d", (long long)o->s.stream.steps, (int)o->s.best);
    if (label >= 0) printf(", \"label\": %d, \"loss\": %.9g", (int)label, o->s.stream.loss);
    if (o->logits) {
        printf(", \"logits\": [");
        print_logits(o, ", ");
        putchar(']');
    }
    puts("}");
}

/* step, prediction, label or ?, logits; separated by tabs. */
static void print_text(const options *o, int32_t label)
{
    printf("%lld\t%d", (long long)o->s.stream.steps, (int)o->s.best);
    if (label >= 0) printf("\t%d", (int)label);
    else printf("\t?");
    if (o->logits) putchar('\t');
    if (o->logits) print_logits(o, "\t");
    putchar('\n');
}

static void summary(const options *o, const char *word)
{
    const hk_streamer *s = &o->s;
    const double seconds = hk_seconds() - o->begun;
    char bytes[32];
    if (o->quiet) return;
    fprintf(stderr, "%s %lld steps", word, (long long)s->stream.steps);
    if (s->sequences) fprintf(stderr, " in %lld sequences", (long long)s->sequences);
    if (s->labelled)
        fprintf(stderr, ", %lld labelled: accuracy %.2f %%, loss %.4f", (long long)s->labelled,
                100 * (double)s->correct / (double)s->labelled, s->loss / (double)s->labelled);
    fprintf(stderr, "; %lld updates, firing rate %.2f %%, %.0f steps/s, %s planned\n",
            (long long)s->engine.net.updates, 100 * hk_streamer_rate(s),
            seconds > 0 ? (double)s->stream.steps / seconds : 0,
            hk_cli_bytes((double)hk_engine_bytes(&s->engine), bytes));
}

/* ---- the loop ----------------------------------------------------------------------------------- */

static hk_status save(options *o, hk_error *e)
{
    if (!o->save) return HK_OK;
    HK_TRY(hk_streamer_save(&o->s, o->save, e));
    o->saved = hk_seconds();
    o->saved_at = o->s.stream.steps;
    return HK_OK;
}

static bool save_due(const options *o)
{
    return (o->save_steps && o->s.stream.steps - o->saved_at >= o->save_steps) ||
           (o->save_seconds > 0 && hk_seconds() - o->saved >= o->save_seconds);
}

static hk_status step(options *o, int32_t label, hk_error *e)
{
    HK_TRY(hk_streamer_push(&o->s, o->x, label, e));
    if (o->print && o->s.stream.steps % o->print == 0) (o->json ? print_json : print_text)(o, label);
    HK_CHECK(e, !ferror(stdout), HK_E_IO, "standard output cannot be written any more, at step %lld",
             (long long)o->s.stream.steps);
    if (save_due(o)) HK_TRY(save(o, e));
    if (o->s.stream.steps % 64 == 0 && hk_seconds() - o->news > NEWS_SECONDS) {
        o->news = hk_seconds();
        summary(o, "at");
    }
    return HK_OK;
}

static hk_status loop(options *o, hk_error *e)
{
    for (;;) {
        int32_t label;
        hk_stream_event what;
        if (!hk_stream_input_ready(&o->in)) fflush(stdout);
        HK_TRY(hk_stream_input_next(&o->in, o->x, &label, &what, e));
        if (what == HK_STREAM_END) return HK_OK;
        if (what == HK_STREAM_RESET) hk_streamer_reset(&o->s);
        else HK_TRY(step(o, label, e));
    }
}

static hk_status prepare(options *o, hk_error *e)
{
    HK_TRY(hk_run_locate(o->target, !o->stream.weights, &o->found, e));
    o->stream.recipe = o->found.recipe;
    if (!o->stream.weights && o->found.weights[0]) o->stream.weights = o->found.weights;
    HK_CHECK(e, o->stream.weights || o->stream.learn, HK_E_ARG,
             "%s is a recipe: --weights W is needed, or --learn to begin with those of the seed", o->target);
    HK_CHECK(e, !o->save || o->stream.learn, HK_E_ARG, "--save: without --learn nothing changes");
    HK_TRY(hk_streamer_open(&o->s, &o->stream, e));
    o->input.values = o->s.values;
    o->input.classes = o->s.recipe.data.classes;
    o->input.stop = &interrupted;
    o->x = calloc(o->s.values, sizeof *o->x);
    HK_CHECK(e, o->x, HK_E_NOMEM, "no memory for a step of %zu values", o->s.values);
    return hk_stream_input_open(&o->in, &o->input, e);
}

/* Whatever ended the stream, what was learned is kept; weights that are not numbers never replace a file. */
static int run(options *o)
{
    hk_error e, last;
    hk_status st = prepare(o, &e);
    if (st != HK_OK) return hk_cli_fail(&e);
    o->begun = o->saved = o->news = hk_seconds();
    st = loop(o, &e);
    if (o->s.stream.here && st != HK_E_NUM) hk_streamer_reset(&o->s);
    fflush(stdout);
    hk_status kept = st == HK_E_NUM ? HK_OK : save(o, &last);
    summary(o, interrupted ? "stopped after" : "done:");
    if (kept != HK_OK) hk_cli_fail(&last);
    if (st != HK_OK) return hk_cli_fail(&e);
    return kept == HK_OK ? HK_EXIT_DONE : HK_EXIT_FAILED;
}

int hk_cmd_stream(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        { "weights", 'w', "FILE", 0, "safetensors with the weights (of a run: its best checkpoint)", 0 },
        { "learn", 'l', NULL, 0, "Learn from the labelled steps, by the recipe's rule", 0 },
        { "update-every", KEY_EVERY, "N", 0, "Labelled steps per update (default 1)", 0 },
        { "input", 'i', "FILE", 0, "Read FILE instead of standard input", 0 },
        { "format", 'f', "FORMAT", 0, "text (default), f32 (raw 32-bit floats) or npy", 0 },
        { "labelled", KEY_LABELLED, NULL, 0, "f32: each step has one float more, its class", 0 },
        { "save", 'o', "FILE", 0, "Write the weights there in the end, replaced as a whole", 0 },
        { "save-every", KEY_SAVE_EVERY, "N", 0, "and every N steps (5000) or seconds (60s)", 0 },
        HK_CLI_SET,
        { "print", KEY_PRINT, "N", 0, "A line every N steps (default 1; 0: none)", 0 },
        { "logits", KEY_LOGITS, NULL, 0, "with what the readout says of every class", 0 },
        { "json", 'j', NULL, 0, "Lines as JSON", 0 },
        { "threads", 't', "N", 0, "Number of threads", 0 },
        { "quiet", 'q', NULL, 0, "No progress and no summary", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = rows, .parser = parse, .args_doc = "RUN\nRECIPE",
        .doc = "Shows a net an endless input, one step at a time, and writes what it says: step, prediction, "
               "label. With --learn it learns as it goes, in memory that does not grow.\v"
               "A line of text is a step: its values, separated by commas or blanks, and one field more if it "
               "has a label, a class number or ?. A step without a label is seen and not learned. A line --- "
               "ends the sequence: membranes and traces are cleared, weights are kept. Binary steps are "
               "32-bit floats; a first value of NaN ends the sequence.\n\n"
               "The rule must learn step by step: sltt, ottt_a, ottt_o, stop, solsa with points: 0. With "
               "loss.divide_by_T a step weighs 1/train.T, so train.T labelled steps count as one sample. A "
               "line that cannot be read ends the stream with its number; what was learned is saved. "
               "SIGINT and SIGTERM end it cleanly.\n\n"
               "Examples:\n\n"
               "  sensor | hillock stream runs/gesture\n"
               "  sensor | hillock stream runs/gesture --learn --save w.safetensors --save-every 60s\n"
               "  hillock stream recipe.yaml --learn --input log.csv --print 1000 --json\n"
               "  hillock stream recipe.yaml --set data.shape=[6] --set data.classes=4 --learn -i log.csv\n",
    };
    options *o = calloc(1, sizeof *o);
    if (!o) return HK_EXIT_FAILED;
    o->print = 1;
    o->stream.every = 1;
    if (argp_parse(&argp, argc, argv, 0, NULL, o)) return HK_EXIT_USAGE;
    o->stream.set = o->sets.at;
    o->stream.n_set = o->sets.n;
    catch_signals();
    const int code = run(o);
    hk_stream_input_close(&o->in);
    hk_streamer_close(&o->s);
    free(o->x);
    free(o);
    return code;
}
