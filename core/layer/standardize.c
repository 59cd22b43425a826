/* The columns are worked on eight at a time, row by row as they lie in memory; the sums of a column are
 * formed in the order of its rows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "standardize.h"
#include "hillock_ext.h"

#include <math.h>

enum { COLUMNS = 8 };

typedef struct standardizing {
    size_t n, outputs;
    const float *w, *gain;
    float *g, *out, *dgain;
} standardizing;

typedef struct moments { double mean[COLUMNS], inverse[COLUMNS]; } moments;

HK_CLONES static __attribute__((noinline)) void of_columns(moments *m, const standardizing *s, size_t first,
                                                            size_t count)
{
    const double eps = 1e-4, n = (double)s->n;
    double sum[COLUMNS] = { 0 }, square[COLUMNS] = { 0 };
    const float *w = s->w + first;
    for (size_t i = 0; i < s->n; i++, w += s->outputs)
        for (size_t o = 0; o < count; o++) sum[o] += (double)w[o];
    for (size_t o = 0; o < count; o++) m->mean[o] = sum[o] / n;
    w = s->w + first;
    for (size_t i = 0; i < s->n; i++, w += s->outputs)
        for (size_t o = 0; o < count; o++) {
            const double d = (double)w[o] - m->mean[o];
            square[o] += d * d;
        }
    for (size_t o = 0; o < count; o++)
        m->inverse[o] = 1 / sqrt(n * (s->n > 1 ? square[o] / (n - 1) : 0) + eps);
}

static size_t columns_of(const standardizing *s, size_t first)
{
    return s->outputs - first < COLUMNS ? s->outputs - first : COLUMNS;
}

HK_CLONES static void forward(void *arg, int i, int worker)
{
    (void)worker;
    const standardizing *s = arg;
    const size_t first = (size_t)i * COLUMNS, count = columns_of(s, first);
    moments m;
    double scale[COLUMNS] = { 0 };
    of_columns(&m, s, first, count);
    for (size_t o = 0; o < count; o++) scale[o] = (double)s->gain[first + o] * m.inverse[o];
    for (size_t k = first; k < s->n * s->outputs; k += s->outputs)
        for (size_t o = 0; o < count; o++)
            s->out[k + o] = (float)(scale[o] * ((double)s->w[k + o] - m.mean[o]));
}

/* Sums over a column of the gradient, and of the gradient times the standardised weights. */
HK_CLONES static __attribute__((noinline)) void of_gradient(double *sum, double *dot, const standardizing *s,
                                                            const moments *m, size_t first, size_t count)
{
    for (size_t k = first; k < s->n * s->outputs; k += s->outputs)
        for (size_t o = 0; o < count; o++) {
            const double g = (double)s->g[k + o];
            sum[o] += g;
            dot[o] += g * ((double)s->w[k + o] - m->mean[o]) * m->inverse[o];
        }
}

HK_CLONES static void backward(void *arg, int i, int worker)
{
    (void)worker;
    const standardizing *s = arg;
    const size_t first = (size_t)i * COLUMNS, count = columns_of(s, first);
    const double n = (double)s->n;
    moments m;
    double mean[COLUMNS] = { 0 }, pull[COLUMNS] = { 0 };
    of_columns(&m, s, first, count);
    of_gradient(mean, pull, s, &m, first, count);
    for (size_t o = 0; o < count; o++) {
        s->dgain[first + o] += (float)pull[o];
        mean[o] /= n;
        pull[o] = s->n > 1 ? n / (n - 1) * pull[o] : 0;
    }
    for (size_t k = first; k < s->n * s->outputs; k += s->outputs)
        for (size_t o = 0; o < count; o++) {
            const double scale = (double)s->gain[first + o] * m.inverse[o];
            const double c = ((double)s->w[k + o] - m.mean[o]) * m.inverse[o];
            s->g[k + o] = (float)(scale * ((double)s->g[k + o] - mean[o] - pull[o] * c));
        }
}

static int blocks(size_t outputs) { return (int)((outputs + COLUMNS - 1) / COLUMNS); }

void hk_standardize(const hk_kernels *k, size_t n, size_t outputs, const float *w, const float *gain, float *out)
{
    standardizing s = { .n = n, .outputs = outputs, .w = w, .gain = gain, .out = out };
    k->parallel(k->self, blocks(outputs), forward, &s);
}

void hk_standardize_back(const hk_kernels *k, size_t n, size_t outputs, const float *w, const float *gain,
                         float *g, float *dgain)
{
    standardizing s = { .n = n, .outputs = outputs, .w = w, .gain = gain, .g = g, .dgain = dgain };
    k->parallel(k->self, blocks(outputs), backward, &s);
}
