/* The tile stages of a chain: members run one after another over a few rows that stay in the L1
 * cache, so memory is swept once and no member knows another. Rows are divided into a fixed number
 * of shards; a shard is worked on by one worker, in order, so sums do not depend on the workers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "net.h"

#include <string.h>

typedef struct pass pass;
typedef void rows_stage(const pass *p, hk_tile *a, float *scratch);
struct pass { hk_node *head; int first, last; rows_stage *rows; hk_rows *body; };   /* steps first..last */

enum { INNER = 2, EXPAND = HK_MAX_IN };     /* scratch arrays of the chain itself */

size_t hk_tile_scratch(const hk_net *net)
{
    size_t most = 0;
    for (int32_t i = 0; i < net->n_node; i++) {
        const hk_node *l = &net->node[i];
        size_t floats = (size_t)(INNER + EXPAND + l->scratch) * l->tile;
        if (floats > most) most = floats;
        const size_t row = (size_t)l->in[0].shape.c * (net->plan.trace_kind == HK_F32 ? 1 : 2);
        if (row > most) most = row;      /* of an input, and of its trace if that is not of floats */
    }
    return most;
}

/* The rows of one shard, tile by tile, each through all steps of the pass. */
static void run_shard(void *arg, int shard, int worker)
{
    const pass *p = arg;
    const hk_node *head = p->head;
    const size_t n = (size_t)head->shards, step = head->tile / (size_t)head->out.shape.c;
    const size_t lo = head->rows * (size_t)shard / n, hi = head->rows * ((size_t)shard + 1) / n;
    for (size_t row = lo; row < hi; row += step) {
        hk_tile a = { .row = row, .rows = hi - row < step ? hi - row : step, .shard = shard, .worker = worker };
        for (a.t = p->first; a.t <= p->last; a.t++)
            p->rows(p, &a, head->net->scratch + (size_t)worker * head->net->scratch_stride);
    }
}

hk_view hk_input(const hk_node *l, int k, int t)
{
    const hk_ring *r = l->from[k] ? &l->from[k]->y : &l->net->x;
    return (hk_view){ hk_slot(r, t), l->in[k].kind, l->in[k].kind == HK_F32 ? 1 : l->in[k].scale };
}

float *hk_dx(const hk_node *l, int k, int t) { return hk_dy(l->from[k], t); }

const float *hk_input_rows(const hk_node *l, int k, const hk_tile *a, float *expand)
{
    const hk_view v = hk_input(l, k, a->t);
    const size_t c = (size_t)l->in[k].shape.c, bytes = hk_row_bytes(v.kind, c);
    const unsigned char *p = (const unsigned char *)v.data + a->row * bytes;
    const hk_kernels *kern = l->net->spec.kernels;
    if (v.kind == HK_F32) return (const float *)(const void *)p;
    if (v.kind == HK_BITS)
        kern->unpack(a->rows, c, (const uint32_t *)(const void *)p, v.scale, expand);
    else
        for (size_t i = 0; i < a->rows * c; i++) expand[i] = v.scale * (float)p[i];
    return expand;
}

static float *rows_of(float *base, const hk_node *l, size_t row)
{
    return base + row * (size_t)l->out.shape.c;
}

/* Inputs of a layer at a tile. */
static void show_inputs(const hk_node *l, hk_tile *a, float *scratch)
{
    for (int i = 0; i < l->spec->n_in; i++)
        a->x[i] = hk_input_rows(l, i, a, scratch + (size_t)(INNER + i) * l->tile);
}

static void forward_rows(const pass *p, hk_tile *a, float *scratch)
{
    hk_node *head = p->head;
    const float *before = NULL;
    for (int k = 0; k < head->chain; k++) {
        hk_node *l = head + k;
        const bool done = l->constant && a->t > 1;
        a->scratch = scratch + (INNER + EXPAND) * l->tile;
        a->x[0] = before;
        if (k == 0 && !l->ops->whole) show_inputs(l, a, scratch);
        a->y = l->out.kind != HK_F32 ? NULL
             : l->inner_y ? scratch + (size_t)(k % INNER) * l->tile
                          : rows_of((float *)hk_slot(&l->y, a->t), l, a->row);
        if (l->ops->forward_tile && !done) l->ops->forward_tile(l, a);
        before = a->y;
    }
}

static bool any_tile(const hk_node *head, bool backward)
{
    for (int k = 0; k < head->chain; k++) {
        const hk_layer_ops *o = head[k].ops;
        if (backward ? o->backward_tile != NULL : o->forward_tile != NULL) return true;
    }
    return false;
}

static void run_tiles(hk_node *head, int first, int last)
{
    const hk_kernels *k = head->net->spec.kernels;
    pass p = { head, first, last, forward_rows, NULL };
    if (any_tile(head, false)) k->parallel(k->self, head->shards, run_shard, &p);
}

void hk_chain_forward(hk_node *head, int t)
{
    if (head->ops->forward) head->ops->forward(head, t);
    run_tiles(head, t, t);
}

/* A memory's whole stage needs its tile stage of the step before; learning keeps its order of sums. */
void hk_chain_forward_all(hk_node *head, int T)
{
    const bool apart = head->net->spec.learn || (head->ops->memory && head->ops->forward);
    for (int t = 1; t <= T && apart; t++) hk_chain_forward(head, t);
    for (int t = 1; t <= T && !apart && head->ops->forward; t++) head->ops->forward(head, t);
    if (!apart) run_tiles(head, 1, T);
}

/* Where the errors of a layer's inputs go. */
static void show_errors(const hk_node *l, hk_tile *a)
{
    for (int i = 0; i < l->spec->n_in; i++) {
        if (!l->dx_want[i]) continue;
        a->dx[i] = rows_of(hk_dx(l, i, a->t), l->from[i], a->row);
        a->add[i] = l->dx_add[i];
    }
}

static void backward_rows(const pass *p, hk_tile *a, float *scratch)
{
    hk_node *head = p->head;
    const float *after = NULL;
    for (int k = head->chain - 1; k >= 0; k--) {
        hk_node *l = head + k;
        if (!l->learnable) return;
        a->scratch = scratch + (INNER + EXPAND) * l->tile;
        a->dy = l->inner_dy ? after : rows_of(hk_dy(l, a->t), l, a->row);
        for (int i = 0; i < HK_MAX_IN; i++) a->dx[i] = NULL, a->add[i] = false;
        if (k > 0 && l->dx_want[0]) {
            hk_node *b = head + k - 1;
            a->dx[0] = b->inner_dy ? scratch + (size_t)(k % INNER) * l->tile
                                   : rows_of(hk_dy(b, a->t), b, a->row);
        } else if (k == 0 && !l->ops->backward) {
            show_errors(l, a);
        }
        if (l->ops->backward_tile) l->ops->backward_tile(l, a);
        after = a->dx[0];
    }
}

void hk_chain_backward(hk_node *head, int t)
{
    const hk_kernels *k = head->net->spec.kernels;
    if (!hk_chain_last(head)->learnable) return;
    if (any_tile(head, true)) {
        pass p = { head, t, t, backward_rows, NULL };
        k->parallel(k->self, head->shards, run_shard, &p);
    }
    if (head->learnable && head->ops->backward) head->ops->backward(head, t);
}

/* ---- passes of a whole stage --------------------------------------------------------------------- */

static void own_forward(const pass *p, hk_tile *a, float *scratch)
{
    a->scratch = scratch + (INNER + EXPAND) * p->head->tile;
    show_inputs(p->head, a, scratch);
    p->body(p->head, a);
}

static void own_backward(const pass *p, hk_tile *a, float *scratch)
{
    a->scratch = scratch + (INNER + EXPAND) * p->head->tile;
    a->dy = rows_of(hk_dy(p->head, a->t), p->head, a->row);
    show_errors(p->head, a);
    p->body(p->head, a);
}

static void run_own(hk_node *l, int t, rows_stage *rows, hk_rows *body)
{
    const hk_kernels *k = l->net->spec.kernels;
    pass p = { l, t, t, rows, body };
    k->parallel(k->self, l->shards, run_shard, &p);
}

void hk_rows_forward(hk_node *l, int t, hk_rows *body) { run_own(l, t, own_forward, body); }
void hk_rows_backward(hk_node *l, int t, hk_rows *body) { run_own(l, t, own_backward, body); }

/* ---- sums over rows --------------------------------------------------------------------------- */

enum { LANES = 16 };

/* Row by row, so that the sum does not depend on how many rows a tile has. */
HK_CLONES static void sum_rows(size_t rows, size_t c, const float *v, double *sum)
{
    double total = *sum;
    for (size_t r = 0; r < rows; r++, v += c) {
        float lane[LANES] = { 0 };
        size_t i = 0;
        for (; i + LANES <= c; i += LANES)
            for (size_t k = 0; k < LANES; k++) lane[k] += v[i + k];
        for (size_t k = 0; i + k < c; k++) lane[k] += v[i + k];
        for (size_t half = LANES / 2; half; half /= 2)
            for (size_t k = 0; k < half; k++) lane[k] += lane[k + half];
        total += (double)lane[0];
    }
    *sum = total;
}

HK_CLONES static void sum_into(size_t n, const float *restrict v, double *restrict sum)
{
    for (size_t i = 0; i < n; i++) sum[i] += (double)v[i];
}

void hk_sum_tile(const hk_node *l, const hk_tile *a, double *sum, size_t groups, const float *v)
{
    const size_t c = (size_t)l->out.shape.c;
    double *mine = sum + (size_t)a->shard * groups;
    if (groups == 1) {
        sum_rows(a->rows, c, v, mine);
    } else if (groups == c) {
        for (size_t r = 0; r < a->rows; r++) sum_into(c, v + r * c, mine);
    } else {
        const size_t per_map = groups / c;
        for (size_t r = 0; r < a->rows; r++)
            sum_into(c, v + r * c, mine + (a->row + r) % per_map * c);
    }
}

void hk_sum_finish(const hk_node *l, double *sum, size_t groups, double scale, float *g)
{
    for (size_t i = 0; i < groups; i++) {
        double total = 0;
        for (size_t s = 0; s < (size_t)l->shards; s++) total += sum[s * groups + i];
        g[i] += (float)(scale * total);
    }
    memset(sum, 0, (size_t)l->shards * groups * sizeof *sum);
}
