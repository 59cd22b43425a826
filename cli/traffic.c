/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic.h"

#include <stdio.h>

#include "bench/bench_memory.h"
#include "bench/bench_traffic.h"

static double row_sum(const hk_traffic_row *r)
{
    double sum = 0;
    for (int k = 0; k < HK_TRAFFIC_STAGES; k++) sum += r->bytes[k][0] + r->bytes[k][1];
    return sum;
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static json_t *stages(const hk_traffic_row *r)
{
    static const char *const name[] = HK_TRAFFIC_STAGE_NAMES;
    json_t *out = json_object();
    for (int k = 0; k < HK_TRAFFIC_STAGES; k++)
        if (r->bytes[k][0] + r->bytes[k][1] > 0)
            json_object_set_new(out, name[k], json_pack("[I, I]", (json_int_t)r->bytes[k][0],
                                                        (json_int_t)r->bytes[k][1]));
    return out;
}

static json_t *describe(const hk_traffic *t, double seconds, double bandwidth)
{
    json_t *layers = json_object(), *others = json_object();
    for (int i = 0; i < t->n_row; i++)
        json_object_set_new(t->row[i].layer ? layers : others, t->row[i].name, stages(&t->row[i]));
    const double sum = t->read + t->written;
    return json_pack("{s:I, s:I, s:f, s:f, s:f, s:o, s:o}", "read", (json_int_t)t->read, "written",
                     (json_int_t)t->written, "bytes_per_neuron_and_step",
                     t->neuron_steps > 0 ? sum / t->neuron_steps : 0, "bytes_per_second", sum / seconds,
                     "bandwidth", bandwidth, "layers", layers, "others", others);
}

/* ---- as a table ------------------------------------------------------------------------------ */

static void print_row(const char *name, const hk_traffic_row *r, double sum)
{
    printf("  %-14s", name);
    for (int k = 0; k < HK_TRAFFIC_STAGES; k++)
        for (int w = 0; w < 2; w++)
            if (r->bytes[k][w] > 0) printf(" %7.2f", 1e-6 * r->bytes[k][w]);
            else printf(" %7s", "");
    printf("  %5.1f %%\n", 100 * row_sum(r) / sum);
}

static void print(const hk_traffic *t, double seconds, double bandwidth)
{
    hk_traffic_row all = { .name = "all" };
    const double sum = t->read + t->written, rate = sum / seconds;
    printf("\nmemory traffic, MB (1e6 bytes) read and written by each stage\n"
           "  %-14s %15s %15s %15s %15s %15s\n", "", "forward", "forward tile", "backward tile",
           "backward", "other");
    for (int i = 0; i < t->n_row; i++) {
        const hk_traffic_row *r = &t->row[i];
        for (int k = 0; k < HK_TRAFFIC_STAGES; k++)
            for (int w = 0; w < 2; w++) all.bytes[k][w] += r->bytes[k][w];
        if (row_sum(r) > 0) print_row(r->name, r, sum);
    }
    print_row(all.name, &all, sum);
    printf("  %.1f MB: %.1f read and %.1f written", 1e-6 * sum, 1e-6 * t->read, 1e-6 * t->written);
    if (t->neuron_steps > 0) printf("; %.1f bytes per neuron and step", sum / t->neuron_steps);
    printf("\n  in %.3f ms that is %.1f GB/s, %.0f %% of the %.1f GB/s that memory gives\n",
           1e3 * seconds, 1e-9 * rate, 100 * rate / bandwidth, 1e-9 * bandwidth);
}

hk_status hk_cli_traffic(hk_bench_case *b, double seconds, json_t *json, hk_error *e)
{
    hk_traffic t;
    double bandwidth = 0;
    HK_TRY(hk_bench_traffic(b, &t, e));
    hk_status st = hk_bench_bandwidth(&b->engine.kernels, 7, &bandwidth, e);
    if (st == HK_OK && json) json_object_set_new(json, "traffic", describe(&t, seconds, bandwidth));
    else if (st == HK_OK) print(&t, seconds, bandwidth);
    hk_bench_traffic_free(&t);
    return st;
}
