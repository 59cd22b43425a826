/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_traffic.h"

#include <string.h>

#include "base/alloc.h"
#include "page_watch.h"
#include "run/weights.h"

typedef enum { START, BETWEEN, UPDATE, NO_LAYER } no_layer;      /* rows behind the layers */

typedef struct place { int row; hk_traffic_stage stage; } place;

typedef struct counter {
    hk_engine           engine;
    hki_watch           watch;
    size_t              watched;         /* bytes of the regions without scratch                  */
    hk_kernels          kernels;         /* in place of `inner`                                   */
    const hk_kernels   *inner;
    hk_rule_ops         rule;
    const hk_rule_ops  *inner_rule;
    hk_layer_ops       *ops;             /* [n_node] in place of inner_ops                        */
    const hk_layer_ops **inner_ops;
    hk_batch            batch;
    const hk_batch     *inner_batch;
    hk_traffic         *out;
    bool                counts;
    no_layer            now;             /* whose a byte is that belongs to no layer              */
    place               at;
    bool                tiles;           /* in a sweep that no whole stage asked for: of tiles    */
    double              pending[2];      /* seen there before a layer's turn                      */
} counter;

static counter *counter_of(const hk_node *l) { return l->net->spec.kernels->self; }

static place nobody(const counter *c)
{
    return (place){ c->out->n_row - NO_LAYER + (int)c->now, HK_TRAFFIC_OTHER };
}

static bool is_layer(const counter *c, place p) { return c->out->row[p.row].layer; }

/* ---- sweeps ---------------------------------------------------------------------------------- */

static void seen(void *self, bool write)
{
    counter *c = self;
    double *bytes = c->tiles && !is_layer(c, c->at) ? c->pending
                                                    : c->out->row[c->at.row].bytes[c->at.stage];
    bytes[write] += HKI_PAGE;
}

static void sweep(counter *c)
{
    if (c->counts) hki_watch_arm(&c->watch, c->watched);
}

/* What the chain has fetched is for the layer whose turn is next. */
static void settle(counter *c)
{
    for (int k = 0; k < 2; k++) {
        c->out->row[c->at.row].bytes[c->at.stage][k] += c->pending[k];
        c->pending[k] = 0;
    }
}

static void turn(counter *c, no_layer now)
{
    c->now = now;
    c->at = nobody(c);
    sweep(c);
}

/* ---- kernels --------------------------------------------------------------------------------- */

static void parallel(void *self, int n, void (*body)(void *arg, int i, int worker), void *arg)
{
    counter *c = self;
    sweep(c);
    c->tiles = !is_layer(c, c->at);
    c->inner->parallel(c->inner->self, n, body, arg);
    settle(c);
    c->tiles = false;
    sweep(c);
}

static hk_conv_bytes conv_sizes(void *self, const hk_conv *g, hk_kind kind, bool learn)
{
    const counter *c = self;
    return c->inner->conv_sizes(c->inner->self, g, kind, learn);
}

static void conv_prepare(void *self, const hk_conv_args *a, hk_kind kind, bool learn)
{
    counter *c = self;
    sweep(c);
    c->inner->conv_prepare(c->inner->self, a, kind, learn);
    sweep(c);
}

static void conv_forward(void *self, const hk_conv_args *a, hk_view x, float *y)
{
    counter *c = self;
    sweep(c);
    c->inner->conv_forward(c->inner->self, a, x, y);
    sweep(c);
}

static void conv_backward_input(void *self, const hk_conv_args *a, const float *dy, float *dx)
{
    counter *c = self;
    sweep(c);
    c->inner->conv_backward_input(c->inner->self, a, dy, dx);
    sweep(c);
}

static void conv_backward_weight(void *self, const hk_conv_args *a, hk_view x, const float *dy,
                                 float *dw)
{
    counter *c = self;
    sweep(c);
    c->inner->conv_backward_weight(c->inner->self, a, x, dy, dw);
    sweep(c);
}

/* ---- layers ---------------------------------------------------------------------------------- */

/* A stage of a layer: who is at it, and the layer's own table. */
static const hk_layer_ops *begin(hk_node *l, hk_traffic_stage stage, place *was)
{
    counter *c = counter_of(l);
    *was = c->at;
    c->at = (place){ l->index, stage };
    if (c->tiles) settle(c);
    else sweep(c);
    return c->inner_ops[l->index];
}

static void end(hk_node *l, place was)
{
    counter *c = counter_of(l);
    c->at = was;
    if (!c->tiles) sweep(c);
}

static void forward(hk_node *l, int t)
{
    place was;
    begin(l, HK_TRAFFIC_FORWARD, &was)->forward(l, t);
    end(l, was);
}

static void forward_tile(hk_node *l, const hk_tile *a)
{
    place was;
    begin(l, HK_TRAFFIC_FORWARD_TILE, &was)->forward_tile(l, a);
    end(l, was);
}

static void carry(hk_node *l, int t)
{
    place was;
    begin(l, HK_TRAFFIC_FORWARD, &was)->carry(l, t);
    end(l, was);
}

static void backward_tile(hk_node *l, const hk_tile *a)
{
    place was;
    begin(l, HK_TRAFFIC_BACKWARD_TILE, &was)->backward_tile(l, a);
    end(l, was);
}

static void backward(hk_node *l, int t)
{
    place was;
    begin(l, HK_TRAFFIC_BACKWARD, &was)->backward(l, t);
    end(l, was);
}

static void finish(hk_node *l)
{
    place was;
    begin(l, HK_TRAFFIC_OTHER, &was)->finish(l);
    end(l, was);
}

static void prepare(hk_node *l)
{
    place was;
    begin(l, HK_TRAFFIC_OTHER, &was)->prepare(l);
    end(l, was);
}

/* ---- rule and batch -------------------------------------------------------------------------- */

static void run_rule(hk_net *net, const void *cfg)
{
    counter *c = net->spec.kernels->self;
    turn(c, BETWEEN);
    c->inner_rule->run(net, cfg);
    turn(c, UPDATE);
}

static const void *frame(void *self, int t)
{
    counter *c = self;
    if (c->now == START) turn(c, BETWEEN);           /* inference has no rule */
    return c->inner_batch->frame(c->inner_batch->self, t);
}

/* ---- the net --------------------------------------------------------------------------------- */

static void replace_tables(counter *c)
{
    hk_net *net = &c->engine.net;
    c->inner = net->spec.kernels;
    c->kernels = *c->inner;
    c->kernels.self = c;
    c->kernels.parallel = parallel;
    c->kernels.conv_sizes = conv_sizes;
    c->kernels.conv_prepare = conv_prepare;
    c->kernels.conv_forward = conv_forward;
    c->kernels.conv_backward_input = conv_backward_input;
    c->kernels.conv_backward_weight = conv_backward_weight;
    net->spec.kernels = &c->kernels;
    if (net->spec.rule) {
        c->inner_rule = net->spec.rule;
        c->rule = *c->inner_rule;
        c->rule.run = run_rule;
        net->spec.rule = &c->rule;
    }
    for (int32_t i = 0; i < net->n_node; i++) {
        const hk_layer_ops *from = c->inner_ops[i] = net->node[i].ops;
        hk_layer_ops *to = &c->ops[i];
        *to = *from;
        if (from->forward) to->forward = forward;
        if (from->forward_tile) to->forward_tile = forward_tile;
        if (from->carry) to->carry = carry;
        if (from->backward_tile) to->backward_tile = backward_tile;
        if (from->backward) to->backward = backward;
        if (from->finish) to->finish = finish;
        if (from->prepare) to->prepare = prepare;
        net->node[i].ops = to;
    }
}

/* Every piece of memory on pages of its own; the scratch, which is not watched, is last. */
static hk_status take_memory(counter *c, hk_error *e)
{
    hk_engine *g = &c->engine;
    void *base[HK_REGIONS];
    size_t sum = 0;
    for (int r = 0; r < HK_REGIONS; r++) sum += g->bytes[r];
    HK_TRY(hki_watch_open(&c->watch, sum, e));
    c->watch.seen = seen;
    c->watch.self = c;
    char *at = c->watch.base;
    for (int r = 0; r < HK_REGIONS; at += g->bytes[r++]) base[r] = at;
    HK_TRY(hk_net_bind(&g->net, base, e));
    c->watched = (size_t)((char *)g->net.readout->args.work - c->watch.base);
    hk_net_init(&g->net);
    return HK_OK;
}

static hk_status open(counter *c, hk_bench_case *b, hk_error *e)
{
    hk_net_spec spec;
    hk_host_kernels_cfg cfg;
    hk_bench_case_spec(b, 1, &spec, &cfg);
    spec.align = HKI_PAGE;
    HK_TRY(hk_engine_plan(&c->engine, &spec, &cfg, e));
    HK_CHECK(e, c->engine.net.plan.window == b->engine.net.plan.window, HK_E_UNSUP,
             "bench: with whole pages rule.budget gives segments of %d steps, not %d; no traffic is "
             "counted", (int)c->engine.net.plan.window, (int)b->engine.net.plan.window);
    HK_TRY(take_memory(c, e));
    if (b->cfg->weights) HK_TRY(hk_weights_load(&c->engine.net, b->cfg->weights, e));
    c->engine.net.update = b->engine.net.update;
    const size_t n = (size_t)spec.n_node;
    c->ops = hk_alloc_zero(n, sizeof *c->ops);
    c->inner_ops = hk_alloc_zero(n, sizeof *c->inner_ops);
    c->out->row = hk_alloc_zero(n + NO_LAYER, sizeof *c->out->row);
    HK_CHECK(e, c->ops && c->inner_ops && c->out->row, HK_E_NOMEM, "bench: no memory for the rows");
    return HK_OK;
}

static void name_rows(counter *c)
{
    static const char *const other[NO_LAYER] = { "start", "between", "update" };
    const hk_net *net = &c->engine.net;
    hk_traffic *out = c->out;
    out->n_row = (int)net->n_node + NO_LAYER;
    for (int i = 0; i < out->n_row; i++) {
        out->row[i].layer = i < (int)net->n_node;
        out->row[i].name = out->row[i].layer ? net->node[i].name : other[i - (int)net->n_node];
        if (!out->row[i].layer || !net->node[i].spec->neuron) continue;
        const hk_signal y = net->node[i].out;
        out->neuron_steps += (double)net->node[i].rows * (double)y.shape.c * (double)net->spec.T;
    }
}

static hk_status run_batch(counter *c, const hk_batch *batch, hk_error *e)
{
    hk_net *net = &c->engine.net;
    hk_result r;
    return net->spec.learn ? hk_net_learn(net, batch, &r, e) : hk_net_infer(net, batch, &r, e);
}

static hk_status count(counter *c, const hk_batch *batch, hk_error *e)
{
    HK_TRY(run_batch(c, batch, e));
    name_rows(c);
    replace_tables(c);
    c->inner_batch = batch;
    c->batch = *batch;
    c->batch.frame = frame;
    c->batch.self = c;
    c->counts = true;
    turn(c, START);
    hk_status st = run_batch(c, &c->batch, e);
    c->counts = false;
    hki_watch_disarm(&c->watch);
    HK_TRY(st);
    HK_CHECK(e, !c->watch.failed, HK_E_NOMEM,
             "bench: the system keeps no more pages apart (vm.max_map_count); no traffic is counted");
    for (int i = 0; i < c->out->n_row; i++)
        for (int k = 0; k < HK_TRAFFIC_STAGES; k++) {
            c->out->read += c->out->row[i].bytes[k][0];
            c->out->written += c->out->row[i].bytes[k][1];
        }
    return HK_OK;
}

hk_status hk_bench_traffic(hk_bench_case *b, hk_traffic *out, hk_error *e)
{
    memset(out, 0, sizeof *out);
    counter *c = hk_alloc_zero(1, sizeof *c);
    HK_CHECK(e, c, HK_E_NOMEM, "bench: no memory");
    c->out = out;
    hk_status st = open(c, b, e);
    if (st == HK_OK) st = count(c, &b->batch, e);
    hk_engine_close(&c->engine);
    hki_watch_close(&c->watch);
    hk_free(c->ops);
    hk_free(c->inner_ops);
    hk_free(c);
    if (st != HK_OK) hk_bench_traffic_free(out);
    return st;
}

void hk_bench_traffic_free(hk_traffic *t)
{
    hk_free(t->row);
    memset(t, 0, sizeof *t);
}
