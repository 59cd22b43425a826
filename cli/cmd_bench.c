/* hillock bench: speed of the parts, verified first.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "bench/bench_memory.h"
#include "bench/bench_products.h"
#include "bench/bench_train.h"
#include "bench_turns.h"
#include "cli.h"

enum { RECIPES = 16, KEY_PACED = 256, KEY_WARMUP, KEY_TUNE, KEY_TRAFFIC };

typedef struct options {
    bool          products, neurons, train, step, infer, json;
    const char   *recipe[RECIPES];
    int           n_recipe;
    int32_t       threads, repeats;
    hk_turns_opts turns;                 /* what `step` and `infer` alone know                    */
    hk_cli_sets   sets;
    json_t       *out;
} options;

static int32_t number(const char *arg, int least, int most, struct argp_state *state)
{
    int v = atoi(arg);
    if (v < least || v > most) argp_error(state, "'%s' is out of range", arg);
    return v;
}

static void add_part(options *o, const char *arg, struct argp_state *state)
{
    bool all = !strcmp(arg, "all");
    bool *part = !strcmp(arg, "products")  ? &o->products
                 : !strcmp(arg, "neurons") ? &o->neurons
                 : !strcmp(arg, "train")   ? &o->train
                 : !strcmp(arg, "step")    ? &o->step
                 : !strcmp(arg, "infer")   ? &o->infer
                                           : NULL;
    if (all) o->products = o->neurons = o->train = true;
    else if (part) *part = true;
    else
        argp_error(state, "unknown part '%s'; there are products, neurons, train, step, infer and "
                   "all", arg);
}

static void check_parts(options *o, struct argp_state *state)
{
    bool turns = o->step || o->infer, others = o->products || o->neurons || o->train;
    if (!turns && !others) o->products = o->neurons = o->train = true;
    if (turns && (o->step == o->infer || others || o->n_recipe != 1))
        argp_error(state, "'%s' stands alone and takes one --recipe", o->step ? "step" : "infer");
    const hk_turns_opts *u = &o->turns;
    if (!turns && (u->what.input || u->what.weights || o->sets.n || u->paced || u->traffic))
        argp_error(state, "--input, --weights, --set, --tune, --traffic and --paced go with 'step' and "
                   "'infer'");
    if (u->paced && u->traffic) argp_error(state, "--traffic does not go with --paced");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'r':
        if (o->n_recipe == RECIPES) argp_error(state, "more than %d times --recipe", RECIPES);
        else o->recipe[o->n_recipe++] = arg;
        return 0;
    case 't': o->threads = number(arg, 1, 1024, state); return 0;
    case 'n': o->repeats = number(arg, 1, 101, state); return 0;
    case KEY_WARMUP: o->turns.warmup = number(arg, 0, 1000, state); return 0;
    case 'i': o->turns.what.input = arg; return 0;
    case 'w': o->turns.what.weights = arg; return 0;
    case 's': hk_cli_set(&o->sets, arg, state); return 0;
    case KEY_TUNE: hk_cli_set(&o->sets, "train.tune=true", state); return 0;
    case KEY_TRAFFIC: o->turns.traffic = true; return 0;
    case KEY_PACED: o->turns.paced = true; return 0;
    case 'j': o->json = true; return 0;
    case ARGP_KEY_ARG: add_part(o, arg, state); return 0;
    case ARGP_KEY_END: check_parts(o, state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void show_products(const options *o, const hk_bench_row *row, int n)
{
    if (!o->json)
        printf("products, against a dense product of the same direction\n"
               "%-16s %-18s %8s %10s %9s %10s %8s  %s\n", "layer", "product", "active", "ms", "+-",
               "GFLOP/s", "ratio", "against");
    for (int i = 0; i < n; i++) {
        const hk_bench_row *r = &row[i];
        if (!o->json) {
            printf("%-16s %-18s %6.0f %% %10.3f %9.3f %10.0f %8.2f  %s\n", r->layer, r->product,
                   100 * r->activity, 1e3 * r->seconds, 1e3 * r->spread, r->gflops, r->ratio,
                   r->mark);
            continue;
        }
        json_array_append_new(
            o->out, json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:s, s:f, s:f, s:f}", "part",
                              "products", "layer", r->layer, "product", r->product, "activity",
                              r->activity, "seconds", r->seconds, "spread", r->spread, "gflops",
                              r->gflops, "mark", r->mark, "mark_seconds", r->mark_seconds,
                              "mark_spread", r->mark_spread, "ratio", r->ratio));
    }
}

static hk_status products(const options *o, hk_error *e)
{
    hk_bench_products_cfg cfg = { .kernels = { .threads = o->threads }, .repeats = o->repeats };
    hk_bench_row *row = calloc(HK_BENCH_ROWS, sizeof *row);
    int n = 0;
    HK_CHECK(e, row, HK_E_NOMEM, "bench: no memory for the rows");
    hk_status st = hk_bench_products(&cfg, row, HK_BENCH_ROWS, &n, e);
    if (st == HK_OK) show_products(o, row, n);
    free(row);
    return st;
}

static hk_status neurons(const options *o, hk_error *e)
{
    hk_bench_neuron r;
    HK_TRY(hk_bench_neurons(o->threads, o->repeats ? o->repeats : 21, &r, e));
    double f = r.forward_bytes / r.forward_seconds, b = r.backward_bytes / r.backward_seconds;
    if (o->json) {
        json_array_append_new(
            o->out, json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:f, s:f, s:f}", "part", "neurons",
                              "neuron", r.neuron, "rule", r.rule, "neurons", (json_int_t)r.neurons,
                              "forward_seconds", r.forward_seconds, "backward_seconds",
                              r.backward_seconds, "forward_bytes_per_second", f,
                              "backward_bytes_per_second", b, "bandwidth", r.bandwidth));
        return HK_OK;
    }
    printf("\nneuron pass, %s under %s, %lld neurons; memory bandwidth %.1f GB/s\n"
           "  forward   %8.3f ms  %6.1f GB/s, %3.0f %% of the bandwidth\n"
           "  backward  %8.3f ms  %6.1f GB/s, %3.0f %%\n", r.neuron, r.rule, (long long)r.neurons,
           1e-9 * r.bandwidth, 1e3 * r.forward_seconds, 1e-9 * f, 100 * f / r.bandwidth,
           1e3 * r.backward_seconds, 1e-9 * b, 100 * b / r.bandwidth);
    return HK_OK;
}

static hk_status train_one(const options *o, const char *recipe, hk_error *e)
{
    hk_bench_step r;
    HK_TRY(hk_bench_train(recipe, o->threads, o->repeats ? o->repeats : 7, &r, e));
    if (o->json)
        json_array_append_new(
            o->out, json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
                              "part", "train", "net", r.net, "rule", r.rule, "T", r.T, "batch",
                              r.batch, "threads", r.threads, "seconds", r.seconds, "spread",
                              r.spread, "products", r.products, "ratio", r.ratio, "one_thread",
                              r.one_thread, "speedup", r.speedup, "rate", r.rate));
    else
        printf("%-24s %-8s %4d %6d %10.1f %8.1f %12.1f %8.2f %12.1f %8.2f %7.1f %%\n", r.net,
               r.rule, (int)r.T, (int)r.batch, 1e3 * r.seconds, 1e3 * r.spread, 1e3 * r.products,
               r.ratio, 1e3 * r.one_thread, r.speedup, 100 * r.rate);
    fflush(stdout);
    return HK_OK;
}

static hk_status train(const options *o, hk_error *e)
{
    if (!o->json)
        printf("\ntraining step, against the sum of its products alone, each in its fastest form\n"
               "%-24s %-8s %4s %6s %10s %8s %12s %8s %12s %8s %9s\n",
               "net", "rule", "T", "batch", "ms", "+-", "products ms", "ratio", "1 thread ms",
               "speed-up", "firing");
    for (int i = 0; i < o->n_recipe; i++) HK_TRY(train_one(o, o->recipe[i], e));
    for (int i = 0; !o->n_recipe && hk_bench_nets[i]; i++)
        HK_TRY(train_one(o, hk_bench_nets[i], e));
    return HK_OK;
}

static hk_status turns(options *o, hk_error *e)
{
    hk_turns_opts *u = &o->turns;
    u->what.recipe = o->recipe[0];
    u->what.set = o->sets.at;
    u->what.n_set = o->sets.n;
    u->what.learn = o->step;
    u->what.choice = (hk_choice_opts){ .cache = hk_cli_cache(), .note = hk_cli_note };
    u->threads = o->threads;
    u->repeats = o->repeats ? o->repeats : 21;
    u->json = o->json;
    return hk_cli_turns(u, e);
}

static hk_status run(options *o, hk_error *e)
{
    if (o->step || o->infer) return turns(o, e);
    if (o->products) HK_TRY(products(o, e));
    if (o->neurons) HK_TRY(neurons(o, e));
    return o->train ? train(o, e) : HK_OK;
}

int hk_cmd_bench(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        { "recipe", 'r', "RECIPE", 0,
          "Net for the part `train` (vgg_small and vgg11; may be repeated), or the one of `step` "
          "and `infer`", 0 },
        { "threads", 't', "N", 0, "Number of threads (all)", 0 },
        { "repeats", 'n', "N", 0, "Timed runs of each; medians are shown", 0 },
        { "json", 'j', NULL, 0, "Rows as JSON", 0 },
        { 0, 0, 0, 0, "With `step` and `infer`:", 1 },
        HK_CLI_SET,
        HK_CLI_TUNE(KEY_TUNE),
        { "input", 'i', "X.npz", 0, "A batch as `hillock probe` reads it (random samples)", 0 },
        { "weights", 'w', "W", 0, "safetensors; otherwise the first weights of train.seed", 0 },
        { "warmup", KEY_WARMUP, "N", 0, "Runs before the timed ones (3)", 0 },
        { "traffic", KEY_TRAFFIC, NULL, 0,
          "Count the bytes that each layer and stage moves between memory and processor", 0 },
        { "paced", KEY_PACED, NULL, 0,
          "Wait for a line of stdin before building and before each run, answer it with JSON", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .args_doc = "[products|neurons|train|all]...\nstep -r RECIPE\ninfer -r RECIPE",
        .doc = "Verifies the parts against their definitions, then times them on this machine.\v"
               "products: event-driven and dense products over the share of active inputs; "
               "neurons: the elementwise pass in bytes per second; train: a training step against "
               "its products, and against one thread; step, infer: one recipe's training step or "
               "inference alone, with its memory and its traffic. Compare ratios, not times of different "
               "machines.",
    };
    options o = { .turns = { .warmup = 3 } };
    hk_error e;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o)) return HK_EXIT_USAGE;
    o.out = json_array();
    hk_status st = run(&o, &e);
    if (st == HK_OK && o.json && json_array_size(o.out)) {
        json_dumpf(o.out, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
        putchar('\n');
    }
    json_decref(o.out);
    return st == HK_OK ? HK_EXIT_DONE : hk_cli_fail(&e);
}
