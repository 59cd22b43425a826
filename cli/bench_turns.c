/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_turns.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/alloc.h"
#include "bench/bench_time.h"
#include "run/describe.h"
#include "traffic.h"

typedef struct turns {
    const hk_turns_opts *o;
    hk_bench_case        one;
    hki_times            times;
    double               seconds;        /* of the last run                                       */
    hk_result            result;
    size_t               idle;           /* resident bytes before anything was built              */
} turns;

static const char *part(const turns *u) { return u->o->what.learn ? "step" : "infer"; }

static hk_status ready(turns *u, hk_error *e)
{
    u->idle = hk_resident_peak();
    HK_TRY(hk_bench_case_open(&u->one, &u->o->what, e));
    HK_TRY(hk_bench_case_build(&u->one, u->o->threads, e));
    for (int32_t i = 0; i < u->o->warmup; i++)
        HK_TRY(hk_bench_case_run(&u->one, NULL, &u->result, e));
    return HK_OK;
}

/* ---- as JSON --------------------------------------------------------------------------------- */

/* What does not change from run to run. */
static json_t *describe(const turns *u)
{
    const hk_net *net = &u->one.engine.net;
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:I}", "part", part(u), "net",
                     u->o->what.recipe, "rule",
                     u->o->what.learn ? net->spec.rule->info.name : "none", "T", (int)net->spec.T,
                     "batch", (int)net->spec.batch, "threads",
                     (int)u->one.engine.kernels.table.workers, "planned",
                     (json_int_t)hk_engine_bytes(&u->one.engine));
}

/* Layer to the spikes of the last run. */
static json_t *spikes(const hk_net *net)
{
    json_t *out = json_object();
    for (int32_t i = 0; i < net->n_node; i++) {
        const hk_node *l = &net->node[i];
        json_int_t n = 0;
        if (!l->spec->neuron) continue;
        for (int32_t k = 0; k < l->shards; k++) n += (json_int_t)l->spikes[k];
        json_object_set_new(out, l->name, json_integer(n));
    }
    return out;
}

/* Layer to the share of its error, as backward_input saw it last, that is not zero. */
static json_t *densities(const hk_engine *g)
{
    json_t *out = json_object();
    for (int32_t i = 0; i < g->net.n_node; i++) {
        const hk_node *l = &g->net.node[i];
        if (!l->args.g) continue;
        const hk_product_stat *s = hk_host_kernels_stat(&g->kernels, l->args.id);
        if (s->way[1] != HK_WAY_AUTO)
            json_object_set_new(out, l->name, json_real((double)s->density[1]));
    }
    return out;
}

static json_t *decision(const hk_net *net)
{
    const float *z = hk_net_output(net);
    const size_t n = (size_t)net->spec.batch * (size_t)net->readout->out.shape.c;
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(out, json_real((double)z[i]));
    return out;
}

/* What the last run gave. */
static void add_result(const turns *u, json_t *j)
{
    const hk_engine *g = &u->one.engine;
    json_object_set_new(j, "loss", json_real(u->result.loss));
    json_object_set_new(j, "rate", json_real(hk_bench_case_rate(&u->one)));
    json_object_set_new(j, "spikes", spikes(&g->net));
    if (u->o->what.learn) json_object_set_new(j, "error_density", densities(g));
    else json_object_set_new(j, "output", decision(&g->net));
}

static void print_line(json_t *j, size_t flags)
{
    json_dumpf(j, stdout, flags | JSON_REAL_PRECISION(9));
    putchar('\n');
    fflush(stdout);
    json_decref(j);
}

/* ---- in turns, or alone ---------------------------------------------------------------------- */

static bool line(void)
{
    int c = getchar();
    while (c != '\n' && c != EOF) c = getchar();
    return c != EOF;
}

static hk_status paced(turns *u, hk_error *e)
{
    print_line(json_pack("{s:s}", "state", "idle"), JSON_COMPACT);
    if (!line()) return HK_OK;
    HK_TRY(ready(u, e));
    json_t *j = describe(u);
    json_object_set_new(j, "state", json_string("ready"));
    print_line(j, JSON_COMPACT);
    while (line()) {
        HK_TRY(hk_bench_case_run(&u->one, &u->seconds, &u->result, e));
        j = json_pack("{s:f}", "seconds", u->seconds);
        add_result(u, j);
        print_line(j, JSON_COMPACT);
    }
    return HK_OK;
}

/* Memory before traffic: that is counted in a net of its own. */
static hk_status print(turns *u, hk_error *e)
{
    const double median = hki_time_median(&u->times);
    const double least = u->times.t[0], most = u->times.t[u->times.n - 1];
    const size_t peak = hk_resident_peak();
    if (u->o->json) {
        json_t *j = describe(u);
        json_object_update_new(j, json_pack("{s:i, s:f, s:f, s:f, s:I, s:I}", "runs", u->times.n,
                                            "min", least, "median", median, "max", most, "idle",
                                            (json_int_t)u->idle, "resident", (json_int_t)peak));
        add_result(u, j);
        const hk_status st = u->o->traffic ? hk_cli_traffic(&u->one, median, j, e) : HK_OK;
        if (st == HK_OK) print_line(j, JSON_INDENT(1));
        else json_decref(j);
        return st;
    }
    printf("%s, %s of %d samples, T = %d, %d threads\n"
           "  %10.3f ms, %.3f to %.3f in %d runs\n"
           "  %10.1f MiB above the idle process, %.1f of them planned\n",
           u->o->what.recipe, u->o->what.learn ? "a training step" : "inference",
           (int)u->one.engine.net.spec.batch, (int)u->one.engine.net.spec.T,
           (int)u->one.engine.kernels.table.workers, 1e3 * median, 1e3 * least, 1e3 * most,
           u->times.n, (double)(peak - u->idle) / 1048576,
           (double)hk_engine_bytes(&u->one.engine) / 1048576);
    return u->o->traffic ? hk_cli_traffic(&u->one, median, NULL, e) : HK_OK;
}

static hk_status alone(turns *u, hk_error *e)
{
    HK_TRY(ready(u, e));
    for (int32_t i = 0; i < u->o->repeats; i++) {
        HK_TRY(hk_bench_case_run(&u->one, &u->seconds, &u->result, e));
        hki_time_add(&u->times, u->seconds);
    }
    return print(u, e);
}

hk_status hk_cli_turns(const hk_turns_opts *o, hk_error *e)
{
    turns *u = hk_alloc_zero(1, sizeof *u);
    HK_CHECK(e, u, HK_E_NOMEM, "bench: no memory");
    u->o = o;
    hk_status st = o->paced ? paced(u, e) : alone(u, e);
    hk_bench_case_close(&u->one);
    hk_free(u);
    return st;
}
