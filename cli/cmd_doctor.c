/* hillock doctor: what this build and this machine are, and whether they agree with the
 * definitions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bench/bench_memory.h"
#include "cli.h"
#include "run/describe.h"

typedef struct options { bool json; int32_t threads; } options;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'j': o->json = true; return 0;
    case 't':
        o->threads = atoi(arg);
        if (o->threads < 1) argp_error(state, "--threads: '%s' is not a whole number from 1", arg);
        return 0;
    case ARGP_KEY_ARG: argp_usage(state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- self-check ------------------------------------------------------------------------------ */

static const hk_conv shape = { 2, 9, 7, 40, 9, 7, 24, 3, 3, 1, 1, 1, 1, 1 };
enum { ROWS = 2 * 9 * 7, CI = 40, CO = 24, WEIGHTS = 9 * CI * CO };

typedef struct products { float y[ROWS * CO], dx[ROWS * CI], dw[WEIGHTS]; } products;
typedef struct operands {
    float x[ROWS * CI], dy[ROWS * CO], w[WEIGHTS];
    uint32_t bits[ROWS * 2];
} operands;

static void fill(operands *o)
{
    hk_rng r = { 11, 0 };
    for (size_t i = 0; i < ROWS * CI; i++) o->x[i] = hk_rng_uniform(r, i) < 0.2f ? 1.0f : 0.0f;
    for (size_t i = 0; i < ROWS * CO; i++) o->dy[i] = hk_rng_normal((hk_rng){ 12, 0 }, i);
    for (size_t i = 0; i < WEIGHTS; i++) o->w[i] = hk_rng_normal((hk_rng){ 13, 0 }, i);
    hk_kernels_ref.pack(ROWS, CI, o->x, o->bits);
}

static hk_status compute(const hk_kernels *k, const operands *o, products *p, hk_error *e)
{
    hk_conv_bytes n = k->conv_sizes(k->self, &shape, HK_BITS, true);
    hk_conv_args a = { &shape, o->w, hk_alloc(n.packed), hk_alloc(n.work), 0 };
    hk_view x = { o->bits, HK_BITS, 1 };
    hk_status st = a.packed && a.work ? HK_OK : hk_fail(e, HK_E_NOMEM, "doctor: no memory");
    if (st == HK_OK) {
        memset(p, 0, sizeof *p);
        k->conv_prepare(k->self, &a, HK_BITS, true);
        k->conv_forward(k->self, &a, x, p->y);
        k->conv_backward_input(k->self, &a, o->dy, p->dx);
        k->conv_backward_weight(k->self, &a, x, o->dy, p->dw);
    }
    hk_free(a.packed);
    hk_free(a.work);
    return st;
}

/* Largest difference in units of the rounding of a sum of that length. */
static double difference(const float *a, const float *b, size_t n)
{
    double most = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
        size = fmax(size, fabs((double)b[i]));
    }
    return most / (size * 9 * CI * 6e-8);
}

static hk_status check(int32_t threads, hk_product_way way, double *worst, hk_error *e)
{
    hk_host_kernels_cfg cfg = { .threads = threads, .products = (int32_t)way };
    hk_host_kernels k;
    HK_TRY(hk_host_kernels_open(&k, &cfg, e));
    operands *o = calloc(1, sizeof *o);
    products *p = calloc(2, sizeof *p);
    hk_status st = o && p ? HK_OK : hk_fail(e, HK_E_NOMEM, "doctor: no memory");
    if (st == HK_OK) {
        fill(o);
        st = compute(&hk_kernels_ref, o, p, e);
        if (st == HK_OK) st = compute(&k.table, o, p + 1, e);
        *worst =
            fmax(difference(p[1].y, p[0].y, ROWS * CO), difference(p[1].dx, p[0].dx, ROWS * CI));
        *worst = fmax(*worst, difference(p[1].dw, p[0].dw, WEIGHTS));
    }
    free(p);
    free(o);
    hk_host_kernels_close(&k);
    return st;
}

/* ---- what is shown --------------------------------------------------------------------------- */

static void show(const json_t *j, int indent)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)j, key, v) {
        printf("%*s%-*s ", indent, "", 16 - indent, key);
        if (json_is_object(v)) {
            putchar('\n');
            show(v, indent + 2);
        } else if (json_is_string(v)) {
            puts(json_string_value(v));
        } else if (json_is_real(v)) {
            printf("%.3g\n", json_real_value(v));
        } else if (json_is_integer(v)) {
            printf("%lld\n", (long long)json_integer_value(v));
        } else {
            puts(json_is_null(v) ? "not in this build" : json_is_true(v) ? "yes" : "no");
        }
    }
}

static hk_status examine(const options *o, json_t **out, bool *sound, hk_error *e)
{
    double events = 0, dense = 0, bandwidth = 0;
    hk_host_kernels_cfg cfg = { .threads = o->threads };
    hk_host_kernels k;
    HK_TRY(hk_host_kernels_open(&k, &cfg, e));
    *out = hk_describe_environment(&k, NULL);
    hk_status st = hk_bench_bandwidth(&k, 5, &bandwidth, e);
    hk_host_kernels_close(&k);
    HK_TRY(st);
    HK_TRY(check(o->threads, HK_WAY_EVENTS, &events, e));
    HK_TRY(check(o->threads, HK_WAY_DENSE, &dense, e));
    *sound = events <= 1 && dense <= 1;
    json_object_set_new(*out, "bandwidth GB/s", json_real(1e-9 * bandwidth));
    json_object_set_new(
        *out, "self-check",
        json_pack("{s:s, s:s}", "events",
                  events <= 1 ? "agrees with the reference" : "DIFFERS from the reference", "dense",
                  dense <= 1 ? "agrees with the reference" : "DIFFERS from the reference"));
    return HK_OK;
}

int hk_cmd_doctor(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        { "threads", 't', "N", 0, "Number of threads (all)", 0 },
        { "json", 'j', NULL, 0, "As JSON", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .doc = "Shows version, compiler, processor, threads, kernels and libraries in use, "
               "measures the memory bandwidth and checks the fast products against the reference.",
    };
    options o = { 0 };
    json_t *j = NULL;
    bool sound = false;
    hk_error e;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o)) return HK_EXIT_USAGE;
    hk_status st = examine(&o, &j, &sound, &e);
    if (st == HK_OK && o.json) {
        json_dumpf(j, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        putchar('\n');
    } else if (st == HK_OK) {
        show(j, 0);
    }
    json_decref(j);
    if (st != HK_OK) return hk_cli_fail(&e);
    return sound ? HK_EXIT_DONE : HK_EXIT_FAILED;
}
