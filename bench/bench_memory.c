/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_memory.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "bench_time.h"
#include "net/net.h"
#include "recipe/recipe.h"
#include "run/engine.h"

/* ---- bandwidth ------------------------------------------------------------------------------- */

enum { BLOCKS = 64, BLOCK = 1 << 18 };   /* floats: 64 MiB an array */

typedef struct triad { float *a; const float *b, *c; } triad;

static void triad_block(void *arg, int i, int worker)
{
    const triad *s = arg;
    (void)worker;
    float *restrict a = s->a + (size_t)i * BLOCK;
    const float *restrict b = s->b + (size_t)i * BLOCK, *restrict c = s->c + (size_t)i * BLOCK;
    for (size_t k = 0; k < BLOCK; k++) a[k] = b[k] + 0.5f * c[k];
}

hk_status hk_bench_bandwidth(const hk_host_kernels *k, int32_t repeats, double *bytes_per_second,
                             hk_error *e)
{
    size_t n = (size_t)BLOCKS * BLOCK;
    float *memory = hk_alloc_zero(3 * n, sizeof *memory);
    HK_CHECK(e, memory, HK_E_NOMEM, "bench: no memory for %zu bytes", 3 * n * sizeof *memory);
    triad s = { memory, memory + n, memory + 2 * n };
    double best = INFINITY;
    for (int i = 0; i < repeats; i++) {
        double begun = hk_seconds();
        k->table.parallel(k->table.self, BLOCKS, triad_block, &s);
        best = fmin(best, hk_seconds() - begun);
    }
    hk_free(memory);
    *bytes_per_second = 12.0 * (double)n / best;
    return HK_OK;
}

/* ---- neurons --------------------------------------------------------------------------------- */

/* The first spiking layer takes a float map as a product gives it; the second, whose error goes on
 * to the first, takes its spikes. The forward pass of the first and the backward pass of the
 * second are timed. */
static const char text[] =
    "data: {name: none, shape: [64, 32, 32], classes: 10}\n"
    "encode: {name: direct}\n"
    "net:\n"
    "  layers:\n"
    "    - {type: spiking, name: lif1}\n"
    "    - {type: spiking, name: lif2}\n"
    "    - {type: gap, name: gap}\n"
    "    - {type: dense, name: head, out: 10}\n"
    "    - {type: readout, name: readout}\n"
    "rule: {name: stop}\n"
    "train: {T: 2, batch: 32}\n";

/* Bytes per neuron and step. Forward: current 4; membrane, threshold trace and leak trace read and
 * written 8 each; spikes of the last step and of this one a bit each. Backward: error 4, membrane
 * 4, traces 8, error sent down 4. */
#define FORWARD_BYTES  28.25
#define BACKWARD_BYTES 20.0

static const void *noise(void *self, int t)
{
    (void)t;
    return self;
}

static void fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = hk_rng_normal((hk_rng){ 3, 1 }, i);
}

static hk_status learn(hk_engine *g, float *x, int32_t *label, hk_error *e)
{
    hk_batch b = { .n = g->net.spec.batch, .frame = noise, .self = x, .label = label };
    hk_result r;
    return hk_net_learn(&g->net, &b, &r, e);
}

static hk_status verify(const hk_engine *g, const hk_engine *ref, hk_error *e)
{
    for (int i = 0; i < 2; i++) {
        const hk_node *a = &g->net.node[i], *b = &ref->net.node[i];
        size_t bytes = a->rows * (size_t)a->out.shape.c * sizeof(float);
        HK_CHECK(e, !memcmp(hk_slot(&a->state[0], 2), hk_slot(&b->state[0], 2), bytes)
                    && !memcmp(a->trace[0][0], b->trace[0][0], bytes)
                    && !memcmp(a->trace[1][0], b->trace[1][0], bytes), HK_E_NUM,
                 "bench: layer '%s' differs from the reference", a->name);
    }
    return HK_OK;
}

static void measure(hk_engine *g, int32_t repeats, hk_bench_neuron *out)
{
    hki_times forward = { .n = 0 }, backward = { .n = 0 };
    for (int i = 0; i < repeats; i++) {
        double a = hk_seconds();
        hk_chain_forward(&g->net.node[0], 2);
        double b = hk_seconds();
        hk_chain_backward(&g->net.node[1], 2);
        hki_time_add(&forward, b - a);
        hki_time_add(&backward, hk_seconds() - b);
    }
    out->forward_seconds = hki_time_median(&forward);
    out->backward_seconds = hki_time_median(&backward);
}

typedef struct pair { hk_recipe r; hk_engine g, ref; float *x; int32_t *label; } pair;

static hk_status run(pair *p, int32_t threads, int32_t repeats, hk_bench_neuron *out, hk_error *e)
{
    hk_net_spec spec;
    hk_host_kernels_cfg own = { .threads = threads },
                        ref = { .threads = 1, .products = HK_WAY_REF };
    HK_TRY(hk_recipe_parse(&p->r, text, sizeof text - 1, "bench", NULL, 0, e));
    HK_TRY(hk_recipe_shape(&p->r, p->r.data.shape, 10, e));
    hk_recipe_spec(&p->r, true, false, &spec);
    spec.constant_input = true;
    HK_TRY(hk_engine_open(&p->g, &spec, &own, e));
    HK_TRY(hk_engine_open(&p->ref, &spec, &ref, e));
    const hk_node *l = &p->g.net.node[0];
    size_t n = l->rows * (size_t)l->out.shape.c;
    p->x = hk_alloc(n * sizeof *p->x);
    p->label = hk_alloc_zero((size_t)spec.batch, sizeof *p->label);
    HK_CHECK(e, p->x && p->label, HK_E_NOMEM, "bench: no memory for %zu floats", n);
    fill(p->x, n);
    HK_TRY(learn(&p->g, p->x, p->label, e));
    HK_TRY(learn(&p->ref, p->x, p->label, e));
    HK_TRY(verify(&p->g, &p->ref, e));
    HK_TRY(hk_bench_bandwidth(&p->g.kernels, 7, &out->bandwidth, e));
    measure(&p->g, repeats, out);
    out->neurons = (int64_t)n;
    out->forward_bytes = FORWARD_BYTES * (double)n;
    out->backward_bytes = BACKWARD_BYTES * (double)n;
    hk_format(out->neuron, sizeof out->neuron, "%s", l->spec->neuron->info.name);
    hk_format(out->rule, sizeof out->rule, "%s", spec.rule->info.name);
    return HK_OK;
}

hk_status hk_bench_neurons(int32_t threads, int32_t repeats, hk_bench_neuron *out, hk_error *e)
{
    pair *p = hk_alloc_zero(1, sizeof *p);
    HK_CHECK(e, p, HK_E_NOMEM, "bench: no memory");
    memset(out, 0, sizeof *out);
    hk_status st = run(p, threads, repeats, out, e);
    hk_free(p->x);
    hk_free(p->label);
    hk_engine_close(&p->ref);
    hk_engine_close(&p->g);
    if (p->r.self) hk_recipe_free(&p->r);
    hk_free(p);
    return st;
}
