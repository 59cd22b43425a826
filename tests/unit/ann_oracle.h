/* An activation net in double precision, written for tests only: the layers of a small net evaluated
 * once, with the values of spiking layers given. Where a gradient is wanted, the activation moves
 * with relu(h) around the point where the net was first evaluated.
 *
 *   o(h) = given + scale (relu(h) - relu(h0))        masked: given [h0 > 0] in place of given
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_ANN_ORACLE_H
#define HK_ANN_ORACLE_H

#include "small_net.h"

enum { ORACLE_PARAMS = 6 };

typedef struct oracle {
    small  *s;
    double *w[SMALL_NODES][ORACLE_PARAMS];   /* parameters, memory order            */
    double *y[SMALL_NODES];                  /* outputs                             */
    double *given[SMALL_NODES], *h0[SMALL_NODES];
    double *x;                               /* input [rows][c]                     */
    bool    masked, fixed, running;          /* fixed: h0 is known; running statistics */
    double  mean[SMALL_NODES][64], var[SMALL_NODES][64];     /* of batch norms      */
} oracle;

static inline size_t oracle_floats(const hk_node *l) { return l->rows * (size_t)l->out.shape.c; }

static inline void oracle_open(oracle *o, small *s, bool masked)
{
    memset(o, 0, sizeof *o);
    o->s = s;
    o->masked = masked;
    o->x = calloc(s->frame, sizeof *o->x);
    for (int i = 0; i < s->n; i++) {
        const hk_node *l = &s->node[i];
        o->y[i] = calloc(oracle_floats(l), sizeof(double));
        o->given[i] = calloc(oracle_floats(l), sizeof(double));
        o->h0[i] = calloc(oracle_floats(l), sizeof(double));
        for (int p = 0; p < l->n_param; p++) {
            o->w[i][p] = calloc(l->param[p]->n, sizeof(double));
            for (size_t k = 0; k < l->param[p]->n; k++) o->w[i][p][k] = (double)l->param[p]->w[k];
        }
    }
}

static inline void oracle_close(oracle *o)
{
    for (int i = 0; i < o->s->n; i++) {
        free(o->y[i]);
        free(o->given[i]);
        free(o->h0[i]);
        for (int p = 0; p < ORACLE_PARAMS; p++) free(o->w[i][p]);
    }
    free(o->x);
}

static inline const double *oracle_input(const oracle *o, const hk_node *l, int k)
{
    return l->from[k] ? o->y[l->from[k]->index] : o->x;
}

/* Dense and convolution; `bias` is what the bias is multiplied with. */
static inline void oracle_conv(const oracle *o, const hk_node *l, double bias)
{
    const hk_conv *g = &l->conv;
    const double *x = oracle_input(o, l, 0), *w = o->w[l->index][0], *b = o->w[l->index][1];
    double *y = o->y[l->index];
    for (int n = 0; n < g->batch; n++)
    for (int i = 0; i < g->ho; i++)
    for (int j = 0; j < g->wo; j++)
    for (int c = 0; c < g->co; c++) {
        double sum = b ? bias * b[c] : 0;
        for (int p = 0; p < g->kh; p++)
        for (int q = 0; q < g->kw; q++) {
            const int yi = i * g->sh + p - g->ph, xi = j * g->sw + q - g->pw;
            if (yi < 0 || yi >= g->hi || xi < 0 || xi >= g->wi) continue;
            for (int k = 0; k < g->ci; k++)
                sum += x[((n * g->hi + yi) * g->wi + xi) * g->ci + k] *
                       w[((p * g->kw + q) * g->ci + k) * g->co + c];
        }
        *y++ = sum;
    }
}

static inline void oracle_pool(const oracle *o, const hk_node *l, bool largest)
{
    const hk_conv *g = &l->conv;
    const double *x = oracle_input(o, l, 0);
    double *y = o->y[l->index];
    for (int n = 0; n < g->batch; n++)
    for (int i = 0; i < g->ho; i++)
    for (int j = 0; j < g->wo; j++)
    for (int c = 0; c < g->ci; c++) {
        double sum = 0, most = -1e300;
        for (int p = 0; p < g->kh; p++)
        for (int q = 0; q < g->kw; q++) {
            const double v = x[((n * g->hi + i * g->sh + p) * g->wi + j * g->sw + q) * g->ci + c];
            sum += v;
            most = fmax(most, v);
        }
        *y++ = largest ? most : sum / (g->kh * g->kw);
    }
}

static inline void oracle_norm(oracle *o, const hk_node *l, bool instant)
{
    const size_t c = (size_t)l->out.shape.c;
    const double *x = oracle_input(o, l, 0);
    assert_true(c <= 64);
    for (size_t k = 0; k < c; k++) {
        double m = o->w[l->index][2][k], v = o->w[l->index][3][k];
        if (instant) {
            m = v = 0;
            for (size_t r = 0; r < l->rows; r++) m += x[r * c + k] / (double)l->rows;
            for (size_t r = 0; r < l->rows; r++)
                v += (x[r * c + k] - m) * (x[r * c + k] - m) / (double)l->rows;
        }
        o->mean[l->index][k] = m;
        o->var[l->index][k] = v;
        for (size_t r = 0; r < l->rows; r++)
            o->y[l->index][r * c + k] = o->w[l->index][0][k] * (x[r * c + k] - m) / sqrt(v + 1e-5) +
                                        o->w[l->index][1][k];
    }
}

static inline double relu(double h) { return h > 0 ? h : 0; }

static inline void oracle_unit(oracle *o, const hk_node *l)
{
    const int i = l->index;
    const double *h = oracle_input(o, l, 0), scale = (double)l->out.scale;
    for (size_t k = 0; k < oracle_floats(l); k++) {
        if (!o->fixed) o->h0[i][k] = h[k];
        const double h0 = o->h0[i][k], given = o->masked && h0 <= 0 ? 0 : o->given[i][k];
        o->y[i][k] = given + scale * (relu(h[k]) - relu(h0));
    }
}

/* Mean cross-entropy of the decision. */
static inline double oracle_loss(oracle *o, const int32_t *label)
{
    small *s = o->s;
    const double T = s->net_spec.T;
    for (int i = 0; i < s->n; i++) {
        const hk_node *l = &s->node[i];
        const double *a = oracle_input(o, l, 0), *b = l->spec->n_in > 1 ? oracle_input(o, l, 1) : NULL;
        if (l->ops == &hk_layer_conv2d || l->ops == &hk_layer_dense) oracle_conv(o, l, l->head ? T : 1);
        else if (l->ops == &hk_layer_avgpool2d) oracle_pool(o, l, false);
        else if (l->ops == &hk_layer_maxpool2d) oracle_pool(o, l, true);
        else if (l->ops == &hk_layer_batchnorm)
            oracle_norm(o, l, !o->running);
        else if (l->spec->neuron) oracle_unit(o, l);
        else if (l->ops == &hk_layer_add)
            for (size_t k = 0; k < oracle_floats(l); k++) o->y[i][k] = a[k] + b[k];
        else if (l->ops == &hk_layer_readout)
            for (size_t k = 0; k < oracle_floats(l); k++) o->y[i][k] = a[k] / T;
        else assert_true(l->ops->alias);
    }
    o->fixed = true;
    const int c = s->net.readout->out.shape.c;
    const double *z = o->y[s->n - 1];
    double loss = 0;
    for (int n = 0; n < s->net_spec.batch; n++, z += c) {
        double sum = 0;
        for (int k = 0; k < c; k++) sum += exp(z[k]);
        loss += (log(sum) - z[label[n]]) / s->net_spec.batch;
    }
    return loss;
}

/* Central difference for parameter value w of the oracle. */
static inline double oracle_slope(oracle *o, double *w, const int32_t *label)
{
    const double keep = *w, h = 1e-5;
    *w = keep + h;
    const double more = oracle_loss(o, label);
    *w = keep - h;
    const double less = oracle_loss(o, label);
    *w = keep;
    return (more - less) / (2 * h);
}

#endif
