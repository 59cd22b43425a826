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
#include "cli.h"

enum { RECIPES = 16 };

typedef struct options {
    bool        products, neurons, train, json;
    const char *recipe[RECIPES];
    int         n_recipe;
    int32_t     threads, repeats;
    json_t     *out;
} options;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'r':
        if (o->n_recipe == RECIPES) argp_error(state, "more than %d times --recipe", RECIPES);
        else o->recipe[o->n_recipe++] = arg;
        return 0;
    case 't':
    case 'n': {
        int v = atoi(arg);
        if (v < 1 || v > (key == 't' ? 1024 : 101)) argp_error(state, "'%s' is out of range", arg);
        *(key == 't' ? &o->threads : &o->repeats) = v;
        return 0;
    }
    case 'j': o->json = true; return 0;
    case ARGP_KEY_ARG: {
        bool all = !strcmp(arg, "all");
        if (!all && strcmp(arg, "products") && strcmp(arg, "neurons") && strcmp(arg, "train"))
            argp_error(state, "unknown part '%s'; there are products, neurons, train and all", arg);
        o->products |= all || !strcmp(arg, "products");
        o->neurons |= all || !strcmp(arg, "neurons");
        o->train |= all || !strcmp(arg, "train");
        return 0;
    }
    case ARGP_KEY_END:
        if (!o->products && !o->neurons && !o->train) o->products = o->neurons = o->train = true;
        return 0;
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

static hk_status run(const options *o, hk_error *e)
{
    if (o->products) HK_TRY(products(o, e));
    if (o->neurons) HK_TRY(neurons(o, e));
    return o->train ? train(o, e) : HK_OK;
}

int hk_cmd_bench(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        { "recipe", 'r', "RECIPE", 0,
          "Net for the part `train` (vgg_small and vgg11); may be repeated", 0 },
        { "threads", 't', "N", 0, "Number of threads (all)", 0 },
        { "repeats", 'n', "N", 0, "Timed runs of each; medians are shown", 0 },
        { "json", 'j', NULL, 0, "Rows as JSON", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .args_doc = "[products|neurons|train|all]...",
        .doc = "Verifies the parts against their definitions, then times them on this machine.\v"
               "products: event-driven and dense products over the share of active inputs; "
               "neurons: the elementwise pass in bytes per second; train: a training step against "
               "its products, and against one thread. Compare ratios, not times of different "
               "machines.",
    };
    options o = { 0 };
    hk_error e;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o)) return HK_EXIT_USAGE;
    o.out = json_array();
    hk_status st = run(&o, &e);
    if (st == HK_OK && o.json) {
        json_dumpf(o.out, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
        putchar('\n');
    }
    json_decref(o.out);
    return st == HK_OK ? HK_EXIT_DONE : hk_cli_fail(&e);
}
