/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <string.h>

#include "base/alloc.h"
#include "base/bf16.h"
#include "io/npz.h"
#include "probe_input.h"
#include "weights.h"

enum { U, S, DELTA, TRACE_THRESHOLD, TRACE_LEAK, TRACE_W, KINDS };

typedef struct probe {
    hk_recipe  recipe;
    hki_input  in;
    hk_engine  engine;
    hk_arrays  out;
    int       *at;                       /* [n_node][KINDS] index in out, -1: none                */
    bool      *vector;                   /* [n_node] files see a vector at the output             */
    float     *error;                    /* watched errors of all spiking layers                  */
    float     *map;                      /* one map, as floats                                    */
    int        logits;
} probe;

/* ---- which arrays ---------------------------------------------------------------------------- */

static const hk_param *weight_of(const hk_node *l)
{
    for (int32_t i = 0; i < l->n_param; i++)
        if (l->param[i]->role == HK_WEIGHT) return l->param[i];
    return NULL;
}

static bool input_is_vector(const probe *p, const hk_node *l)
{
    int32_t from = l->spec->in[0];
    return from >= 0 ? p->vector[from] : p->in.vector;
}

/* A 1 x 1 map is a vector for files if it comes from a vector, a dense layer or global pooling. */
static bool output_is_vector(const probe *p, const hk_node *l)
{
    hk_shape in = l->in[0].shape, out = l->out.shape;
    bool to_point = out.h == 1 && out.w == 1;
    if (out.flat || (to_point && in.flat)) return true;
    if (to_point && !strcmp(l->ops->info.name, "gap")) return true;
    return input_is_vector(p, l);
}

/* Adds NAME.what of zeros, [T,B,shape]. */
static hk_status add(probe *p, const char *name, const char *what, hk_shape s, bool vector, int *at,
                     hk_error *e)
{
    char full[HK_PARAM_NAME];
    int64_t dims[5] = { p->in.T, p->in.B, s.c, s.h, s.w };
    hk_format(full, sizeof full, *what ? "%s.%s" : "%s", name, what);
    if (vector) dims[2] = (int64_t)s.c * s.h * s.w;
    HK_TRY(hk_arrays_add(&p->out, full, HK_DT_F32, vector ? 3 : 5, dims, NULL, e));
    *at = p->out.n - 1;
    return HK_OK;
}

static const void *trace_of(const hk_node *l, hk_role role)
{
    const hk_neuron_ops *neuron = l->spec->neuron;
    for (int i = 0; neuron && i < neuron->n_learn; i++)
        if (neuron->learn[i].role == role && l->trace[i][0]) return l->trace[i][0];
    return NULL;
}

static hk_status add_node(probe *p, const hk_node *l, hk_error *e)
{
    int *at = p->at + (size_t)l->index * KINDS;
    bool vector = p->vector[l->index];
    const hk_rule_plan *plan = &p->engine.net.plan;
    if (l->spec->neuron) {
        HK_TRY(add(p, l->name, "u", l->out.shape, vector, at + U, e));
        HK_TRY(add(p, l->name, "s", l->out.shape, vector, at + S, e));
        HK_TRY(add(p, l->name, "delta", l->out.shape, vector, at + DELTA, e));
        if (trace_of(l, HK_THRESHOLD))
            HK_TRY(
                add(p, l->name, "trace_threshold", l->out.shape, vector, at + TRACE_THRESHOLD, e));
        if (trace_of(l, HK_LEAK))
            HK_TRY(add(p, l->name, "trace_leak", l->out.shape, vector, at + TRACE_LEAK, e));
    }
    if (weight_of(l) && plan->weights && !plan->adjoint && plan->weight_trace != HK_TRACE_SYNAPSE)
        HK_TRY(add(p, l->name, "trace_w", l->in[0].shape,
                   l->in[0].shape.flat || input_is_vector(p, l), at + TRACE_W, e));
    return HK_OK;
}

static size_t map_floats(hk_shape s) { return (size_t)s.h * (size_t)s.w * (size_t)s.c; }

/* The arrays of Y, and where the layers shall put their errors. */
static hk_status prepare(probe *p, hk_error *e)
{
    hk_net *net = &p->engine.net;
    size_t n = (size_t)net->n_node, errors = 0, map = 1;
    p->at = hk_alloc(n * KINDS * sizeof *p->at);
    p->vector = hk_alloc_zero(n, sizeof *p->vector);
    HK_CHECK(e, p->at && p->vector, HK_E_NOMEM, "no memory for the tables of a probe");
    for (size_t i = 0; i < n * KINDS; i++) p->at[i] = -1;
    for (size_t i = 0; i < n; i++) {
        const hk_node *l = &net->node[i];
        p->vector[i] = output_is_vector(p, l);
        HK_TRY(add_node(p, l, e));
        if (l->spec->neuron) errors += l->rows * (size_t)l->out.shape.c;
        if (map_floats(l->in[0].shape) > map) map = map_floats(l->in[0].shape);
        if (map_floats(l->out.shape) > map) map = map_floats(l->out.shape);
    }
    p->error = hk_alloc_zero(errors, sizeof *p->error);
    p->map = hk_alloc(map * sizeof *p->map);
    HK_CHECK(e, p->error && p->map, HK_E_NOMEM, "no memory for the errors of a probe");
    float *at = p->error;
    for (size_t i = 0; i < n; i++) {
        hk_node *l = &net->node[i];
        if (!l->spec->neuron) continue;
        l->watch_delta = at;
        at += l->rows * (size_t)l->out.shape.c;
    }
    return add(p, "logits", "", net->readout->out.shape, true, &p->logits, e);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* One sample of a view as floats, into p->map. */
static const float *expand(const probe *p, hk_view v, hk_shape s, size_t sample)
{
    size_t rows = (size_t)s.h * (size_t)s.w, c = (size_t)s.c, bytes = hk_row_bytes(v.kind, c);
    const unsigned char *from = (const unsigned char *)v.data + sample * rows * bytes;
    for (size_t r = 0; r < rows; r++, from += bytes)
        for (size_t k = 0; k < c; k++) {
            float *out = p->map + r * c + k;
            if (v.kind == HK_F32) *out = ((const float *)(const void *)from)[k];
            else if (v.kind == HK_B16) *out = hk_from_bf16(((const uint16_t *)(const void *)from)[k]);
            else if (v.kind == HK_COUNTS) *out = v.scale * (float)from[k];
            else
                *out = v.scale *
                       (float)(((const uint32_t *)(const void *)from)[k / 32] >> (k % 32) & 1u);
        }
    return p->map;
}

static float *slot(const probe *p, int array, int t, size_t sample, size_t floats)
{
    float *data = p->out.at[array].data;
    return data + ((size_t)(t - 1) * (size_t)p->in.B + sample) * floats;
}

static void put(const probe *p, int array, int t, hk_shape s, hk_view v)
{
    if (array < 0) return;
    for (size_t b = 0; b < (size_t)p->in.B; b++)
        hk_map_to_file(s, expand(p, v, s, b), slot(p, array, t, b, map_floats(s)));
}

static hk_view floats(const void *data) { return (hk_view){ data, HK_F32, 1 }; }
static hk_view trace(const hk_node *l, const void *data)
{
    return (hk_view){ data, (hk_kind)l->net->plan.trace_kind, 1 };
}

/* What the error of a weighted layer is multiplied with: its trace; without one its input, times
 * the trace of a constant 1 where the input never changes. */
static void put_trace_w(const probe *p, const hk_node *l, int array, int t)
{
    hk_shape s = l->in[0].shape;
    if (array < 0) return;
    if (l->presynaptic) {
        put(p, array, t, s, trace(l, l->presynaptic));
        return;
    }
    put(p, array, t, s, hk_input(l, 0, t));
    float *data = slot(p, array, t, 0, map_floats(s));
    for (size_t i = 0; l->constant && i < map_floats(s) * (size_t)p->in.B; i++)
        data[i] *= l->bias_trace;
}

static void after_forward(const probe *p, const hk_node *l, int t)
{
    const int *at = p->at + (size_t)l->index * KINDS;
    hk_shape s = l->out.shape;
    put_trace_w(p, l, at[TRACE_W], t);
    if (!l->spec->neuron) return;
    put(p, at[U], t, s, floats(hk_slot(&l->state[0], t)));
    float unit = l->out.kind == HK_BITS ? 1 : l->out.scale;     /* bits, or graded spikes as sent */
    put(p, at[S], t, s, (hk_view){ hk_slot(&l->y, t), l->out.kind, unit });
    put(p, at[TRACE_THRESHOLD], t, s, trace(l, trace_of(l, HK_THRESHOLD)));
    put(p, at[TRACE_LEAK], t, s, trace(l, trace_of(l, HK_LEAK)));
}

/* Errors add up: in a sliding window a step is visited more than once. */
static void after_backward(const probe *p, const hk_node *l, int t)
{
    hk_shape s = l->out.shape;
    size_t n = map_floats(s);
    if (!l->watch_delta) return;
    for (size_t b = 0; b < (size_t)p->in.B; b++) {
        float *out = slot(p, p->at[(size_t)l->index * KINDS + DELTA], t, b, n);
        hk_map_to_file(s, l->watch_delta + b * n, p->map);
        for (size_t i = 0; i < n; i++) out[i] += p->map[i];
    }
    memset(l->watch_delta, 0, l->rows * (size_t)s.c * sizeof(float));
}

static void watch(void *self, hk_net *net, int t, hk_event what)
{
    const probe *p = self;
    for (int32_t i = 0; i < net->n_node; i++)
        if (what == HK_AFTER_FORWARD) after_forward(p, &net->node[i], t);
        else after_backward(p, &net->node[i], t);
    if (what == HK_AFTER_FORWARD)
        put(p, p->logits, t, net->readout->out.shape, floats(hk_slot(&net->readout->y, t)));
}

static hk_status add_results(probe *p, const hk_result *r, hk_error *e)
{
    const hk_net *net = &p->engine.net;
    for (int32_t i = 0; i < net->n_param; i++) {
        const hk_param *q = &net->param[i];
        bool neuron = q->role == HK_THRESHOLD || q->role == HK_LEAK;
        if (q->g && (q->learn || (neuron && net->plan.adjoint)))
            HK_TRY(hk_param_collect(q, "grad.", q->g, &p->out, e));
    }
    float loss = (float)r->loss;
    return hk_arrays_add(&p->out, "loss", HK_DT_F32, 0, NULL, &loss, e);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Classes of a recipe whose data set knows them, when neither target nor recipe say. */
static hk_status count_classes(probe *p, const hk_probe_opts *o, int32_t *classes, hk_error *e)
{
    const hk_recipe_data *d = &p->recipe.data;
    *classes = o->classes ? o->classes : p->in.classes ? p->in.classes : d->classes;
    if (*classes) return HK_OK;
    *classes = p->in.top_label + 1;
    if (!d->ops) return HK_OK;
    hk_dataset set;
    hk_dataset_cfg cfg = { d->path, "test", d->cfg };
    hk_status st = hk_data_open(&set, d->ops, &cfg, e);
    if (st == HK_OK) *classes = set.n_class;
    hk_data_close(&set);
    return st;
}

static hk_status open_engine(probe *p, const hk_probe_opts *o, hk_error *e)
{
    hk_net_spec spec;
    int32_t classes;
    HK_TRY(hk_recipe_load(&p->recipe, o->session.recipe, o->session.set, o->session.n_set, e));
    HK_TRY(hki_input_read(&p->in, o->input, p->recipe.train.T, e));
    HK_TRY(count_classes(p, o, &classes, e));
    HK_TRY(hk_recipe_shape(&p->recipe, p->in.shape, classes, e));
    hk_recipe_spec(&p->recipe, true, false, &spec);
    spec.input.kind = HK_F32;
    spec.input.scale = 1;
    spec.constant_input = p->in.constant;
    spec.T = p->in.T;
    spec.batch = p->in.B;
    const hk_host_kernels_cfg kernels = hk_recipe_kernels(&p->recipe, o->session.threads);
    HK_TRY(hk_engine_open(&p->engine, &spec, &kernels, e));
    HK_CHECK(e, !p->engine.net.plan.layer_major, HK_E_UNSUP,
             "probe: rule '%s' runs layer by layer, so there is no state of a step to show; set "
             "rule.order=step", spec.rule->info.name);
    if (o->weights) HK_TRY(hk_weights_load(&p->engine.net, o->weights, e));
    return o->save_weights ? hk_weights_save(&p->engine.net, o->save_weights, NULL, e) : HK_OK;
}

static hk_status run(probe *p, const hk_probe_opts *o, hk_probe_result *out, hk_error *e)
{
    hk_result r;
    HK_TRY(open_engine(p, o, e));
    HK_TRY(prepare(p, e));
    p->engine.net.watch = watch;
    p->engine.net.watch_self = p;
    HK_TRY(hk_net_learn(&p->engine.net, &p->in.batch, &r, e));
    HK_TRY(add_results(p, &r, e));
    HK_TRY(hk_npz_write(o->out, &p->out, e));
    *out = (hk_probe_result){ r.loss, p->out.n };
    return HK_OK;
}

hk_status hk_probe(const hk_probe_opts *o, hk_probe_result *out, hk_error *e)
{
    probe *p = hk_alloc_zero(1, sizeof *p);
    HK_CHECK(e, p, HK_E_NOMEM, "no memory for a probe, %zu bytes", sizeof *p);
    hk_status st = run(p, o, out, e);
    hk_free(p->map);
    hk_free(p->error);
    hk_free(p->vector);
    hk_free(p->at);
    hk_arrays_clear(&p->out);
    hk_engine_close(&p->engine);
    hki_input_free(&p->in);
    hk_recipe_free(&p->recipe);
    hk_free(p);
    return st;
}
