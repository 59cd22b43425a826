/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_case.h"

#include <string.h>

#include "base/alloc.h"
#include "run/session.h"
#include "run/weights.h"

const char *const hk_bench_nets[] = { "vgg_small", "vgg11", NULL };

static const char small_text[] =
    "data: {name: none, shape: [3, 32, 32], classes: 10}\n"
    "net: {name: vgg_small}\n"
    "rule: {name: stop}\n"
    "optim: {name: sgd, lr: 0.01, momentum: 0.9}\n"
    "train: {T: 4, batch: 32}\n";

static const char vgg11_text[] =
    "data: {name: none, shape: [3, 32, 32], classes: 10}\n"
    "net: {name: vgg11_stop}\n"
    "rule: {name: stop}\n"
    "optim: {name: sgd, lr: 0.01, momentum: 0.9}\n"
    "train: {T: 4, batch: 16}\n";

static hk_status read_recipe(hk_recipe *r, const hk_bench_case_cfg *c, hk_error *e)
{
    static const char *const text[] = { small_text, vgg11_text };
    for (int i = 0; hk_bench_nets[i]; i++)
        if (!strcmp(c->recipe, hk_bench_nets[i]))
            return hk_recipe_parse(r, text[i], strlen(text[i]), c->recipe, c->set, c->n_set, e);
    return hk_recipe_load(r, c->recipe, c->set, c->n_set, e);
}

/* ---- the batch ------------------------------------------------------------------------------- */

static const void *frame(void *self, int t)
{
    (void)t;
    return self;
}

static void fill(const hk_bench_case *b, size_t n)
{
    const hk_rng noise = { 5, 1 };
    const int32_t c = b->recipe.data.shape.c;
    float *value = b->x;
    uint32_t *word = b->x;
    if (b->recipe.encoder->kind == HK_F32)
        for (size_t i = 0; i < n; i++) value[i] = hk_rng_normal(noise, i);
    else                                 /* bits: one in four */
        for (size_t i = 0; i < n; i++) {
            word[i] = hk_rng_u32(noise, 2 * i) & hk_rng_u32(noise, 2 * i + 1);
            if (c < 32) word[i] &= (1u << c) - 1;
        }
}

static hk_status make_batch(hk_bench_case *b, hk_error *e)
{
    const hk_shape s = b->recipe.data.shape;
    const int32_t batch = b->recipe.train.batch;
    const size_t map = (size_t)s.h * (size_t)s.w * (size_t)s.c, n = (size_t)batch * map;
    b->x = hk_alloc_zero(n, sizeof(float));
    b->label = hk_alloc((size_t)batch * sizeof *b->label);
    HK_CHECK(e, b->x && b->label, HK_E_NOMEM, "bench: no memory for %zu floats", n);
    fill(b, n);
    for (int32_t i = 0; i < batch; i++) b->label[i] = i % b->recipe.data.classes;
    b->batch = (hk_batch){ .n = batch, .frame = frame, .self = b->x, .label = b->label };
    return HK_OK;
}

/* Shape and classes where the recipe leaves them to its data set. */
static hk_status ask_data(hk_recipe *r, hk_shape *shape, int32_t *classes, hk_error *e)
{
    *shape = r->data.shape;
    *classes = r->data.classes;
    if ((shape->c && *classes) || !r->data.ops) return HK_OK;
    hk_dataset d;
    hk_dataset_cfg cfg = { r->data.path, "test", r->data.cfg };
    HK_TRY(hk_data_open(&d, r->data.ops, &cfg, e));
    *shape = d.shape;
    *classes = d.n_class;
    if (!r->data.steps) r->data.steps = d.steps;
    hk_data_close(&d);
    return HK_OK;
}

hk_status hk_bench_case_open(hk_bench_case *b, const hk_bench_case_cfg *cfg, hk_error *e)
{
    hk_shape shape;
    int32_t classes;
    memset(b, 0, sizeof *b);
    b->cfg = cfg;
    HK_TRY(read_recipe(&b->recipe, cfg, e));
    HK_TRY(ask_data(&b->recipe, &shape, &classes, e));
    if (!cfg->input) {
        HK_TRY(hk_recipe_shape(&b->recipe, shape, classes, e));
        return make_batch(b, e);
    }
    HK_TRY(hki_input_read(&b->in, cfg->input, b->recipe.train.T, e));
    HK_TRY(hk_recipe_shape(&b->recipe, b->in.shape, classes ? classes : b->in.classes, e));
    b->recipe.train.T = b->in.T;
    b->recipe.train.batch = b->in.B;
    b->batch = b->in.batch;
    return HK_OK;
}

/* ---- the net --------------------------------------------------------------------------------- */

void hk_bench_case_spec(hk_bench_case *b, int32_t threads, hk_net_spec *spec, hk_host_kernels_cfg *cfg)
{
    *cfg = hk_recipe_kernels(&b->recipe, threads);
    cfg->choice = b->choices.row;
    cfg->n_choice = b->choices.n;
    hk_recipe_spec(&b->recipe, b->cfg->learn, b->cfg->learn, spec);
    if (!b->in.x) return;
    spec->input.kind = HK_F32;
    spec->input.scale = 1;
    spec->constant_input = b->in.constant;
}

hk_status hk_bench_case_build(hk_bench_case *b, int32_t threads, hk_error *e)
{
    hk_net_spec spec;
    hk_host_kernels_cfg cfg;
    hk_engine_close(&b->engine);
    hk_choices_close(&b->choices);
    hk_bench_case_spec(b, threads, &spec, &cfg);
    HK_TRY(hk_choices_open(&b->choices, &spec, &cfg, b->recipe.train.tune, &b->cfg->choice, e));
    hk_bench_case_spec(b, threads, &spec, &cfg);
    HK_TRY(hk_engine_open(&b->engine, &spec, &cfg, e));
    if (b->cfg->weights) HK_TRY(hk_weights_load(&b->engine.net, b->cfg->weights, e));
    b->engine.net.update.lr = 0.01f;
    return HK_OK;
}

hk_status hk_bench_case_run(hk_bench_case *b, double *seconds, hk_result *r, hk_error *e)
{
    hk_net *net = &b->engine.net;
    const double begun = hk_seconds();
    hk_status st =
        b->cfg->learn ? hk_net_learn(net, &b->batch, r, e) : hk_net_infer(net, &b->batch, r, e);
    if (seconds) *seconds = hk_seconds() - begun;
    return st;
}

double hk_bench_case_rate(const hk_bench_case *b)
{
    const hk_net *net = &b->engine.net;
    double sum = 0, neurons = 0;
    for (int32_t i = 0; i < net->n_node; i++) {
        const hk_node *l = &net->node[i];
        if (!l->spec->neuron) continue;
        double n = (double)l->out.shape.h * l->out.shape.w * l->out.shape.c;
        sum += n * hk_node_rate(l);
        neurons += n;
    }
    return neurons > 0 ? sum / neurons : 0;
}

void hk_bench_case_close(hk_bench_case *b)
{
    hk_free(b->x);
    hk_free(b->label);
    hki_input_free(&b->in);
    hk_engine_close(&b->engine);
    hk_choices_close(&b->choices);
    if (b->recipe.self) hk_recipe_free(&b->recipe);
    memset(b, 0, sizeof *b);
}
