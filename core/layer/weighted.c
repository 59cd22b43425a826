/* SPDX-License-Identifier: Apache-2.0 */
#include "weighted.h"

#include <math.h>
#include <string.h>

#include "codes.h"
#include "eligibility.h"
#include "standardize.h"
#include "traces.h"

enum { USED, ERROR_SUM };                /* buf: W^, sum_t bt[t] d[t]; then of eligibility.c */

const hk_weighted_cfg *hk_weighted_of(const hk_node *l) { return l->spec->cfg; }

static hk_param *weight_of(const hk_node *l) { return l->param[0]; }
static hk_param *bias_of(const hk_node *l)
{
    return hk_weighted_of(l)->bias ? l->param[1] : NULL;
}
static hk_param *gain_of(const hk_node *l)
{
    return hk_weighted_of(l)->standardize ? l->param[l->n_param - 1] : NULL;
}
/* Whether the product takes W^ in place of W. */
static bool derived(const hk_node *l)
{
    return hk_weighted_of(l)->standardize || hk_weighted_of(l)->weights;
}
/* Whether W^ has memory of its own. Else it is there while weights are prepared, and the products have it packed. */
static bool keeps_used(const hk_node *l)
{
    return hk_weighted_of(l)->weights || hk_eligible(l) || hk_product_bytes(l).keeps_w;
}
/* Whether the product of the first step is that of all: their inputs are there, one after the other. */
static bool one_product(const hk_node *l) { return hk_by_layer(l->net) && !l->constant; }

int32_t hk_weighted_batch(const hk_node *l)
{
    return (one_product(l) ? l->net->spec.T : 1) * l->net->spec.batch;
}

static bool learns(const hk_node *l) { return l->net->spec.learn && l->net->plan.weights; }

/* ---- which trace ------------------------------------------------------------------------------- */

bool hk_weighted_traced(const hk_node *l)
{
    const hk_rule_plan *p = &l->net->plan;
    if (!learns(l) || !p->weight_trace || (l->first && !p->first_layer_trace)) return false;
    if (!l->memory || hk_eligible(l)) return false;
    const bool own_head = l->head && !isnan(p->head_trace);
    if (own_head) return p->head_trace > 0;
    return l->memory->spec->neuron || l->memory->decay > 0;
}

float hk_weighted_leak(const hk_node *l, int t)
{
    const float head = l->net->plan.head_trace;
    if (!hk_weighted_traced(l)) return 0;
    return l->head && !isnan(head) ? head : hk_decay(l->memory, t);
}

/* Whether the errors of the steps are summed first: then the gradient is one product. */
static bool sums_errors(const hk_node *l)
{
    return learns(l) && l->constant && !l->net->plan.counts;
}

bool hk_weighted_keeps_input(const hk_node *l)
{
    return learns(l) && !l->constant && !hk_weighted_traced(l);
}

hk_view hk_weighted_operand(const hk_node *l, int t)
{
    return l->presynaptic ? (hk_view){ l->presynaptic, hk_trace_kind(l), 1.0f } : hk_input(l, 0, t);
}

/* Scratch of codes.c, behind W^. */
static size_t code_bytes(const hk_node *l)
{
    return hk_weighted_of(l)->weights ? (2 * (size_t)l->conv.co + 1) * sizeof(double) : 0;
}

static double *code_sums(const hk_node *l)
{
    const size_t n = (weight_of(l)->n + 1) / 2 * 2;
    return (double *)(void *)((float *)l->buf[USED] + n);
}

/* ---- memory and first values -------------------------------------------------------------------- */

static void take_parameters(hk_node *l, hk_mem *m)
{
    const hk_conv *g = &l->conv;
    const int32_t o = g->co, i = g->ci / g->groups;
    hk_param w = { .name = "weight", .role = HK_WEIGHT, .learn = l->net->plan.weights, .rank = 4,
                   .dim = { o, i, g->kh, g->kw }, .order = { 2, 3, 1, 0 }, .file_rank = 4,
                   .file_dim = { o, i, g->kh, g->kw }, .lo = 1, .hi = 0 };
    if (l->out.shape.h == 1 && l->out.shape.w == 1 && l->in[0].shape.flat) {
        w.file_rank = 2;                 /* dense: [out, c*h*w] */
        w.file_dim[1] = i * g->kh * g->kw;
    }
    hk_take_param(m, l, &w);
    hk_param v = { .name = "bias", .role = HK_BIAS, .learn = l->net->plan.weights, .rank = 1,
                   .dim = { o }, .file_rank = 1, .file_dim = { o }, .lo = 1, .hi = 0 };
    v.learn = v.learn && l->net->plan.bias_trace != HK_BIAS_NONE;
    if (hk_weighted_of(l)->bias) hk_take_param(m, l, &v);
    v.name = "gain";
    v.role = HK_NORM;
    v.learn = l->net->plan.weights;
    if (hk_weighted_of(l)->standardize) hk_take_param(m, l, &v);
}

hk_status hk_weighted_bind(hk_node *l, hk_mem *m, hk_error *e)
{
    if (hk_eligible(l)) HK_TRY(hk_eligibility_check(l, e));
    HK_CHECK(e, !hk_weighted_of(l)->standardize || !hk_weighted_of(l)->weights, HK_E_UNSUP,
             "layer '%s' (%s): standardize and weights of one or two bits both derive the weights; "
             "expected one of them", l->name, l->ops->info.name);
    take_parameters(l, m);
    const bool learn = learns(l);
    const size_t weights = weight_of(l)->n * sizeof(float);
    const size_t co = (size_t)l->conv.co;
    l->args.g = &l->conv;
    const bool kept = derived(l) && keeps_used(l);
    l->buf[USED] = kept ? hk_take(m, HK_R_PACKED, weights + code_bytes(l)) : NULL;
    l->args.w = derived(l) ? l->buf[USED] : weight_of(l)->w;
    l->w_bytes = derived(l) && !kept ? weights : 0;
    weight_of(l)->code_bits = hk_weighted_of(l)->weights;
    weight_of(l)->used = l->args.w;
    const bool array = hk_weighted_traced(l) && !l->constant;
    const size_t bytes = hk_trace_bytes(l, l->rows_in * (size_t)l->conv.ci);
    hk_fresh_begin(m, l);
    l->presynaptic = array ? hk_take(m, HK_R_STATE, bytes) : NULL;
    hk_fresh_end(m, l);
    l->buf[ERROR_SUM] = sums_errors(l) ? hk_take(m, HK_R_STATE, l->rows * co * sizeof(float)) : NULL;
    l->sum[0] = learn && bias_of(l) ? hk_take(m, HK_R_STATE, (size_t)l->shards * co * sizeof(double))
                                    : NULL;
    if (hk_eligible(l)) hk_eligibility_bind(l, m);
    l->scratch = 1;
    l->learnable = true;
    return HK_OK;
}

void hk_weighted_init(hk_node *l, hk_rng r)
{
    const hk_conv *g = &l->conv;
    const hk_param *w = weight_of(l), *b = bias_of(l), *gain = gain_of(l);
    const float in = (float)(g->ci / g->groups * g->kh * g->kw);
    const float out = (float)(g->co / g->groups * g->kh * g->kw);
    const int32_t kind = hk_weighted_of(l)->init;
    const float bound = 1 / sqrtf(in), sigma = kind == HK_INIT_KAIMING ? sqrtf(2 / out) : 0.01f;
    for (size_t i = 0; i < w->n; i++)
        w->w[i] = kind == HK_INIT_UNIFORM ? bound * (2 * hk_rng_uniform(r, i) - 1)
                                          : sigma * hk_rng_normal(r, i);
    for (size_t i = 0; b && i < b->n; i++)
        b->w[i] = kind == HK_INIT_UNIFORM ? bound * (2 * hk_rng_uniform(r, w->n + i) - 1) : 0;
    for (size_t i = 0; gain && i < gain->n; i++) gain->w[i] = 1;
}

void hk_weighted_used(const hk_node *l, float *out)
{
    const hk_param *w = weight_of(l);
    const size_t co = (size_t)l->conv.co;
    if (gain_of(l)) hk_standardize(l->net->spec.kernels, w->n / co, co, w->w, gain_of(l)->w, out);
    else memcpy(out, w->used, w->n * sizeof *out);
}

void hk_weighted_prepare(hk_node *l)
{
    const hk_kernels *k = l->net->spec.kernels;
    const size_t co = (size_t)l->conv.co;
    float *used = l->w_bytes ? l->args.work : l->buf[USED];
    if (derived(l)) l->args.w = used;
    if (gain_of(l))
        hk_standardize(k, weight_of(l)->n / co, co, weight_of(l)->w, gain_of(l)->w, used);
    else if (derived(l))
        hk_codes((hk_code)hk_weighted_of(l)->weights, weight_of(l)->n / co, co, weight_of(l)->w,
                 code_sums(l), used);
    const hk_kind kind = l->net->plan.counts ? l->other.kind[0] : l->in[0].kind;
    k->conv_prepare(k->self, &l->args, kind, l->net->spec.learn);
    if (l->w_bytes) l->args.w = NULL;
}

void hk_weighted_reset(hk_node *l) { l->bias_trace = 0; }

/* ---- forward ------------------------------------------------------------------------------------- */

/* fresh: the first step of a sample, x is the trace. */
typedef struct trace_pass { hk_node *l; hk_view x; float leak; bool fresh; } trace_pass;

HK_PART void add_row(size_t n, float leak, const float *restrict x, float *restrict trace)
{
    for (size_t i = 0; i < n; i++) trace[i] = leak * trace[i] + x[i];
}

/* trace_floor: what is smaller in size becomes 0. */
HK_PART void cut_row(size_t n, float floor, float *restrict trace)
{
    for (size_t i = 0; i < n; i++) trace[i] = trace[i] < floor && trace[i] > -floor ? 0.0f : trace[i];
}

/* scratch: a row of the input and, unless traces are floats, one of the trace. */
HK_CLONES static void advance_rows(const trace_pass *p, size_t lo, size_t hi, float *scratch)
{
    const hk_kernels *k = p->l->net->spec.kernels;
    const size_t c = (size_t)p->l->conv.ci, bytes = hk_row_bytes(p->x.kind, c);
    const hk_kind kind = hk_trace_kind(p->l);
    const float floor = p->l->net->plan.trace_floor;
    float *expand = scratch;
    for (size_t r = lo; r < hi; r++) {
        const unsigned char *q = (const unsigned char *)p->x.data + r * bytes;
        const float *x = (const float *)(const void *)q;
        if (p->x.kind == HK_BITS) {
            k->unpack(1, c, (const uint32_t *)(const void *)q, p->x.scale, expand);
            x = expand;
        } else if (p->x.kind == HK_COUNTS) {
            for (size_t i = 0; i < c; i++) expand[i] = p->x.scale * (float)q[i];
            x = expand;
        }
        float *trace = scratch + c;
        if (!p->fresh) {
            trace = hk_trace_read(kind, p->l->presynaptic, r * c, c, trace);
            add_row(c, p->leak, x, trace);
        } else {
            if (kind == HK_F32) trace = (float *)p->l->presynaptic + r * c;
            memcpy(trace, x, c * sizeof *x);
        }
        if (floor > 0) cut_row(c, floor, trace);
        hk_trace_write(kind, p->l->presynaptic, r * c, c, trace);
    }
}

static void advance_shard(void *arg, int i, int worker)
{
    const trace_pass *p = arg;
    hk_net *net = p->l->net;
    const size_t rows = p->l->rows_in;
    advance_rows(p, rows * (size_t)i / HK_MAX_SHARD, rows * ((size_t)i + 1) / HK_MAX_SHARD,
                 net->scratch + (size_t)worker * net->scratch_stride);
}

void hk_weighted_forward(hk_node *l, int t)
{
    const hk_kernels *k = l->net->spec.kernels;
    const float leak = hk_weighted_leak(l, t);
    l->bias_trace = leak * l->bias_trace + 1;
    if (l->presynaptic) {
        trace_pass p = { l, hk_input(l, 0, t), leak, t == 1 };
        k->parallel(k->self, HK_MAX_SHARD, advance_shard, &p);
    }
    if (t > 1 && (l->constant || one_product(l))) return;
    k->conv_forward(k->self, &l->args, hk_input(l, 0, t), hk_slot(&l->y, t));
}

HK_CLONES void hk_weighted_forward_tile(hk_node *l, const hk_tile *a)
{
    const hk_param *b = bias_of(l);
    if (!b) return;
    const size_t c = (size_t)l->conv.co;
    const float *restrict w = b->w;
    const float offset = hk_offset(l, l->head);
    for (size_t r = 0; r < a->rows; r++) {
        float *restrict y = a->y + r * c;
        for (size_t i = 0; i < c; i++) y[i] += offset * w[i];
    }
}

void hk_weighted_carry(hk_node *l, int t)
{
    if (hk_eligible(l)) hk_eligibility_advance(l, t);
}

/* ---- backward ------------------------------------------------------------------------------------ */

static float bias_factor(const hk_node *l)
{
    return l->net->plan.bias_trace == HK_BIAS_EXACT ? l->bias_trace : 1.0f;
}

HK_CLONES void hk_weighted_backward_tile(hk_node *l, const hk_tile *a)
{
    const size_t c = (size_t)l->conv.co, n = a->rows * c;
    const float *restrict dy = a->dy;
    float *sums = l->buf[ERROR_SUM];
    float *restrict scaled = a->scratch;
    const bool own = hk_eligible(l);
    if (own) hk_eligibility_bias(l, a, scaled);
    if (sums) {
        float *restrict s = sums + a->row * c;
        const float f = l->bias_trace;
        for (size_t i = 0; i < n; i++) s[i] += own ? scaled[i] : f * dy[i];
    }
    if (!l->sum[0] || l->net->plan.bias_trace == HK_BIAS_NONE) return;
    const float f = bias_factor(l) * hk_offset(l, l->head);
    if (!own || l->net->plan.bias_trace != HK_BIAS_EXACT)
        for (size_t i = 0; i < n; i++) scaled[i] = f * dy[i];
    hk_sum_tile(l, a, l->sum[0], c, scaled);
}

void hk_weighted_backward(hk_node *l, int t)
{
    const hk_kernels *k = l->net->spec.kernels;
    if (hk_eligible(l) && !l->constant)
        hk_eligibility_gradient(l, weight_of(l)->g);
    else if (learns(l) && !sums_errors(l))
        k->conv_backward_weight(k->self, &l->args, hk_weighted_operand(l, t), hk_dy(l, t),
                                weight_of(l)->g);
    if (!l->dx_want[0]) return;
    float *dx = hk_dx(l, 0, t), *to = l->dx_add[0] ? l->net->spare : dx;
    k->conv_backward_input(k->self, &l->args, hk_dy(l, t), to);
    const size_t n = l->rows_in * (size_t)l->conv.ci;
    if (to != dx)
        for (size_t i = 0; i < n; i++) dx[i] += to[i];
}

void hk_weighted_finish(hk_node *l)
{
    const hk_kernels *k = l->net->spec.kernels;
    const size_t co = (size_t)l->conv.co;
    if (!learns(l)) return;
    if (l->sum[0]) hk_sum_finish(l, l->sum[0], co, 1, bias_of(l)->g);
    float *sums = l->buf[ERROR_SUM];
    if (sums) {
        k->conv_backward_weight(k->self, &l->args, hk_input(l, 0, 1), sums, weight_of(l)->g);
        memset(sums, 0, l->rows * co * sizeof *sums);
    }
    if (!derived(l) || !hk_update_due(l->net)) return;
    const hk_param *w = weight_of(l), *gain = gain_of(l);
    if (gain) hk_standardize_back(k, w->n / co, co, w->w, gain->w, w->g, gain->g);
    else hk_codes_back(w->n / co, co, w->w, l->buf[USED], code_sums(l), w->g);
}

double hk_weighted_operations(const hk_node *l)
{
    const hk_conv *g = &l->conv;
    return (double)g->ho * g->wo * g->co * g->kh * g->kw * (g->ci / g->groups);
}
