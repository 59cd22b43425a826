/* Per neuron j of the spiking layer behind, a vector over its states, with J, e, i the local derivatives
 * of step t (to the states, the spike, the input) and phi that of step t-1; e phi acts on the membrane's
 * column and is left out with trace_reset: cut:
 *
 *   R_j[t]    = J + e phi                            d state[t] / d state[t-1], own spike included
 *   e_ji[t]   = R_j e_ji[t-1] + i_j x_i[t]           dU_j/dW_ji       (trace_late: x_i[t-1])
 *   b_j[t]    = R_j b_j[t-1] + i_j                   dU_j/d bias;  a constant frame has e_ji = b_j x_i
 *   p_ji[t]   = R_j p_ji[t-1] + i_j W_ji A_i[t]      a parameter of the filter in front, A_i = dF_i/dp
 *   dW_ji    += d_j e_ji,   db_j += d_j b_j,   dp_i += sum_j d_j p_ji
 *
 * with d the error of the instant at the membrane. Exact for one layer and for the top layer: BPTT with
 * the reset gradient kept (trace_reset: kept) or detached (cut), any reset, any leaks.
 *
 * Memory: batch x inputs x outputs x states values per trace, in the order of the weights. Lines are
 * divided among workers; each has its own outputs, sums are formed in order.
 * Source: SOLSA 2307.11314; the form with any neuron, bias and filters is derived.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "eligibility.h"
#include "traces.h"

#include <string.h>

enum { BIAS = 2, WEIGHT, FILTER, LATE = FILTER + HK_MAX_SENSE };     /* buf of a layer: b, e, p, x[t-1] */

bool hk_eligible(const hk_node *l)
{
    const hk_rule_plan *p = &l->net->plan;
    return l->net->spec.learn && p->weights && p->weight_trace == HK_TRACE_SYNAPSE && l->memory &&
           l->memory->spec->neuron && !(l->first && !p->first_layer_trace);
}

static size_t lines(const hk_node *l) { return (size_t)l->conv.hi * (size_t)l->conv.wi * (size_t)l->conv.ci; }
static size_t outputs(const hk_node *l) { return (size_t)l->conv.co; }
static int states(const hk_node *l) { return l->memory->spec->neuron->n_state; }
static size_t batch(const hk_node *l) { return (size_t)l->net->spec.batch; }

static bool whole_map(const hk_conv *g)
{
    return g->kh == g->hi && g->kw == g->wi && g->ph == 0 && g->pw == 0 && g->groups == 1;
}

hk_status hk_eligibility_check(const hk_node *l, hk_error *e)
{
    const char *rule = l->net->spec.rule->info.name;
    HK_CHECK(e, whole_map(&l->conv), HK_E_UNSUP,
             "rule '%s' cannot train layer '%s': a trace per synapse of a convolution is one per weight "
             "and position; use a dense layer, or ottt_a or stop, whose traces all outputs share", rule,
             l->name);
    const hk_node *next = l->memory->from[0];
    HK_CHECK(e, next == l && l->consumers == 1, HK_E_UNSUP,
             "rule '%s' cannot train layer '%s': a trace per synapse needs spiking layer '%s' to read it "
             "alone and directly, found '%s' in between; use ottt_a or stop", rule, l->name,
             l->memory->name, next && next != l ? next->name : "another reader");
    return HK_OK;
}

void hk_eligibility_bind(hk_node *l, hk_mem *m)
{
    const size_t k = (size_t)states(l), one = hk_trace_bytes(l, k * batch(l) * outputs(l));
    const hk_node *from = l->from[0];
    l->buf[BIAS] = hk_take(m, HK_R_STATE, one);
    l->buf[WEIGHT] = l->constant ? NULL : hk_take(m, HK_R_STATE, lines(l) * one);
    for (int p = 0; p < HK_MAX_SENSE; p++)
        l->buf[FILTER + p] = from && p < from->n_sense ? hk_take(m, HK_R_STATE, lines(l) * one) : NULL;
    const bool late = l->net->plan.trace_late && !l->constant;
    l->buf[LATE] = late ? hk_take(m, HK_R_STATE, batch(l) * lines(l) * sizeof(float)) : NULL;
}

/* ---- forward ----------------------------------------------------------------------------------- */

/* trace[s][at + o] = sum_j R_sj trace[j][at + o] + i_s x w[o] for the outputs of one sample, which are
 * the neurons row .. row + n - 1; w NULL: 1. stride: floats from state to state. */
HK_PART void advance_one(const hk_node *n, size_t row, size_t o, float x, const float *restrict w,
                         float *restrict trace)
{
    const float *restrict r = hk_told(n, 0) + row, *restrict g = hk_told(n, 1) + row;
    if (w)
        for (size_t k = 0; k < o; k++) trace[k] = r[k] * trace[k] + g[k] * (x * w[k]);
    else
        for (size_t k = 0; k < o; k++) trace[k] = r[k] * trace[k] + g[k] * x;
}

HK_PART void advance_more(const hk_node *n, size_t row, size_t o, float x, const float *w, float *trace,
                          size_t stride)
{
    const int k = n->spec->neuron->n_state;
    for (size_t q = 0; q < o; q++) {
        float v[HK_MAX_STATE];
        for (int j = 0; j < k; j++) v[j] = trace[(size_t)j * stride + q];
        for (int i = 0; i < k; i++) {
            float sum = hk_told(n, k * k + i)[row + q] * (w ? x * w[q] : x);
            for (int j = 0; j < k; j++) sum += hk_told(n, i * k + j)[row + q] * v[j];
            trace[(size_t)i * stride + q] = sum;
        }
    }
}

/* The same for values at, at + 1, .. of a stored trace; expand: [states][o]. */
HK_PART void advance(const hk_node *n, size_t row, size_t o, float x, const float *w, void *trace,
                     size_t at, size_t stride, float *expand)
{
    const hk_kind kind = hk_trace_kind(n);
    const size_t k = (size_t)n->spec->neuron->n_state, apart = kind == HK_F32 ? stride : o;
    float *v = hk_trace_read(kind, trace, at, o, expand);
    for (size_t s = 1; s < k; s++) hk_trace_read(kind, trace, at + s * stride, o, expand + s * o);
    if (k == 1) advance_one(n, row, o, x, w, v);
    else advance_more(n, row, o, x, w, v, apart);
    for (size_t s = 0; s < k; s++) hk_trace_write(kind, trace, at + s * stride, o, v + s * apart);
}

/* Line i of sample b. */
HK_PART float value(const hk_node *l, hk_view x, size_t b, size_t i)
{
    const size_t c = (size_t)l->conv.ci, row = b * (lines(l) / c) + i / c, k = i % c;
    const unsigned char *p = (const unsigned char *)x.data + row * hk_row_bytes(x.kind, c);
    if (x.kind == HK_F32) return ((const float *)(const void *)p)[k];
    if (x.kind == HK_COUNTS) return x.scale * (float)p[k];
    return x.scale * (float)(((const uint32_t *)(const void *)p)[k / 32] >> (k % 32) & 1u);
}

typedef struct pass { hk_node *l; hk_view x; float *dw; } pass;

static void range(const hk_node *l, int shard, size_t *lo, size_t *hi)
{
    *lo = lines(l) * (size_t)shard / HK_MAX_SHARD;
    *hi = lines(l) * ((size_t)shard + 1) / HK_MAX_SHARD;
}

HK_CLONES static void advance_lines(const pass *p, size_t lo, size_t hi, float *expand)
{
    hk_node *l = p->l;
    const size_t n = lines(l), o = outputs(l), stride = batch(l) * n * o;
    float *late = l->buf[LATE];
    for (size_t b = 0; b < batch(l); b++)
        for (size_t i = lo; i < hi; i++) {
            const size_t at = b * n + i;
            const float now = value(l, p->x, b, i), x = late ? late[at] : now;
            if (late) late[at] = now;
            advance(l->memory, b * o, o, x, NULL, l->buf[WEIGHT], at * o, stride, expand);
            for (int q = 0; q < HK_MAX_SENSE && l->buf[FILTER + q]; q++)
                advance(l->memory, b * o, o, l->from[0]->sense[(size_t)q * stride / o + at], l->args.w + i * o,
                        l->buf[FILTER + q], at * o, stride, expand);
        }
}

/* At least 5 o floats, see hk_tile_scratch. */
static float *scratch_of(const hk_net *net, int worker)
{
    return net->scratch + (size_t)worker * net->scratch_stride;
}

static void advance_shard(void *arg, int shard, int worker)
{
    const pass *p = arg;
    size_t lo, hi;
    range(p->l, shard, &lo, &hi);
    advance_lines(p, lo, hi, scratch_of(p->l->net, worker));
}

void hk_eligibility_advance(hk_node *l, int t)
{
    const hk_kernels *k = l->net->spec.kernels;
    const size_t o = outputs(l);
    for (size_t b = 0; b < batch(l); b++)
        advance(l->memory, b * o, o, 1, NULL, l->buf[BIAS], b * o, batch(l) * o, scratch_of(l->net, 0));
    if (!l->buf[WEIGHT]) return;
    pass p = { l, hk_input(l, 0, t), NULL };
    k->parallel(k->self, HK_MAX_SHARD, advance_shard, &p);
}

/* ---- backward ---------------------------------------------------------------------------------- */

enum { LANES = 8 };

HK_PART float dot(size_t n, const float *restrict a, const float *restrict b)
{
    float lane[LANES] = { 0 }, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) lane[k] += a[i + k] * b[i + k];
    for (size_t k = 0; k < LANES; k++) sum += lane[k];
    for (; i < n; i++) sum += a[i] * b[i];
    return sum;
}

HK_CLONES static void gradient_lines(const pass *p, size_t lo, size_t hi, float *expand)
{
    hk_node *l = p->l;
    const hk_kind kind = hk_trace_kind(l);
    const size_t n = lines(l), o = outputs(l);
    for (size_t b = 0; b < batch(l); b++)
        for (size_t i = lo; i < hi; i++) {
            const size_t at = b * n + i;
            const float *restrict d = hk_told_delta(l->memory) + b * o;
            const float *restrict e = hk_trace_read(kind, l->buf[WEIGHT], at * o, o, expand);
            float *restrict dw = p->dw + i * o;
            for (size_t k = 0; k < o; k++) dw[k] += d[k] * e[k];
            for (int q = 0; q < HK_MAX_SENSE && l->buf[FILTER + q]; q++)
                l->from[0]->sense_sum[(size_t)q * n + i] +=
                    (double)dot(o, d, hk_trace_read(kind, l->buf[FILTER + q], at * o, o, expand));
        }
}

static void gradient_shard(void *arg, int shard, int worker)
{
    const pass *p = arg;
    size_t lo, hi;
    range(p->l, shard, &lo, &hi);
    gradient_lines(p, lo, hi, scratch_of(p->l->net, worker));
}

void hk_eligibility_gradient(hk_node *l, float *dw)
{
    const hk_kernels *k = l->net->spec.kernels;
    pass p = { .l = l, .dw = dw };
    k->parallel(k->self, HK_MAX_SHARD, gradient_shard, &p);
}

void hk_eligibility_bias(const hk_node *l, const hk_tile *a, float *out)
{
    const size_t first = a->row * outputs(l), n = a->rows * outputs(l);
    const float *d = hk_told_delta(l->memory) + first;
    const float *b = hk_trace_read(hk_trace_kind(l), l->buf[BIAS], first, n, out);
    for (size_t i = 0; i < n; i++) out[i] = d[i] * b[i];
}
