/* Counts of spikes, and the unit that puts them in place of an activation. Per neuron, with h the
 * input of the step on sums, M = sum_t s[t] and m = [h > 0]:
 *
 *   steps     v = d[t] v / (1 - p),  d[t] = 1 with probability 1 - p     membrane dropout
 *   sums      y = M        or, masked,   y = M m                         (STSU, ReSU)
 *   backward  dh = scale m dy                                            in both
 *   noisy     e = mean over samples and neurons of [h <= 0][M > 0]
 *
 * y stands for the activation ReLU(h) of a net that is evaluated once: its derivative is that of
 * ReLU, its value the spikes'. The mask d is drawn anew at every step, after the spike: what a hard
 * reset would clear is cleared anyway, so dropping before or after the reset is the same.
 *
 * Source: SNN2ANN, arXiv:2206.09449, and its released code.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "counts.h"

enum { NOISY };                          /* buf: [shards] neurons that fired with h <= 0 */
enum { LANES = 8, BITS = 16 };           /* draws of 16 bits from a block of four words  */

static size_t channels(const hk_node *l) { return (size_t)l->out.shape.c; }
static size_t positions(const hk_node *l)
{
    return (size_t)l->out.shape.h * (size_t)l->out.shape.w;
}

hk_kind hk_counts_kind(const hk_net *net) { return net->spec.T <= 255 ? HK_COUNTS : HK_F32; }

void hk_counts_bind(hk_node *l, hk_mem *m)
{
    l->buf[NOISY] = l->net->plan.counts ? hk_take(m, HK_R_STATE, (size_t)l->shards * sizeof(uint64_t))
                                        : NULL;
}

/* ---- steps ------------------------------------------------------------------------------------- */

static void add_counts(const hk_node *l, const hk_tile *a, const float *s)
{
    const size_t n = a->rows * channels(l), first = a->row * channels(l);
    if (l->other.kind[HK_MAX_IN] == HK_COUNTS) {
        unsigned char *restrict m = (unsigned char *)hk_slot(&l->other.y, 0) + first;
        for (size_t i = 0; i < n; i++) m[i] = (unsigned char)(m[i] + (int)s[i]);
        return;
    }
    float *restrict m = (float *)hk_slot(&l->other.y, 0) + first;
    for (size_t i = 0; i < n; i++) m[i] += l->out.scale * s[i];
}

/* A row of membranes; `first` counts the blocks drawn before it. */
static void drop_row(hk_rng r, uint64_t first, uint32_t below, float scale, size_t c, float *u)
{
    for (size_t k = 0; k < c; k += LANES, first++) {
        uint32_t word[4];
        hk_rng_block(r, first, word);
        for (size_t i = 0; i < LANES && k + i < c; i++) {
            const uint32_t draw = word[i / 2] >> (i % 2 * BITS) & 0xffffu;
            u[k + i] = draw < below ? 0.0f : scale * u[k + i];
        }
    }
}

static void drop_membranes(const hk_node *l, const hk_tile *a, float *u)
{
    const hk_net *net = l->net;
    const float p = net->plan.membrane_dropout;
    const size_t c = channels(l), per_row = (c + LANES - 1) / LANES, hw = positions(l);
    const hk_rng r = { net->spec.seed, ((uint64_t)l->index << 32) + 0xd41u };
    const uint32_t below = (uint32_t)(p * 65536.0f + 0.5f);
    for (size_t i = 0; i < a->rows; i++) {
        const size_t row = a->row + i;
        const uint64_t step = ((uint64_t)net->samples + row / hw) * (uint64_t)net->spec.T +
                              (uint64_t)(a->t - 1);
        drop_row(r, (step * hw + row % hw) * per_row, below, 1 / (1 - p), c, u + i * c);
    }
}

void hk_counts_step(const hk_node *l, const hk_tile *a, const float *s, float *u)
{
    add_counts(l, a, s);
    if (l->net->plan.membrane_dropout > 0) drop_membranes(l, a, u);
}

/* ---- sums -------------------------------------------------------------------------------------- */

/* How many of n neurons fired though h <= 0; with `mask` their counts are cleared. */
static uint64_t look_bytes(size_t n, const float *h, unsigned char *m, bool mask)
{
    uint64_t noisy = 0;
    for (size_t i = 0; i < n; i++) noisy += !(h[i] > 0) && m[i];
    for (size_t i = 0; i < n && mask; i++)
        if (!(h[i] > 0)) m[i] = 0;
    return noisy;
}

static uint64_t look_floats(size_t n, const float *h, float *m, bool mask)
{
    uint64_t noisy = 0;
    for (size_t i = 0; i < n; i++) noisy += !(h[i] > 0) && m[i] > 0;
    for (size_t i = 0; i < n && mask; i++)
        if (!(h[i] > 0)) m[i] = 0;
    return noisy;
}

void hk_counts_forward(hk_node *l, const hk_tile *a)
{
    const size_t c = channels(l), n = a->rows * c, first = a->row * c;
    const size_t real = (size_t)l->net->batch->n * positions(l);     /* rows that are no padding */
    const size_t rows = a->row >= real ? 0 : a->row + a->rows <= real ? a->rows : real - a->row;
    const bool mask = l->net->plan.mask_counts;
    float *keep = (float *)hk_slot(&l->state[0], a->t) + first;
    for (size_t i = 0; i < n; i++) keep[i] = a->x[0][i];
    uint64_t *noisy = (uint64_t *)l->buf[NOISY] + a->shard;
    if (l->out.kind == HK_COUNTS) {
        unsigned char *m = (unsigned char *)hk_slot(&l->y, 0) + first;
        *noisy += look_bytes(rows * c, keep, m, mask);
        look_bytes(n - rows * c, keep + rows * c, m + rows * c, mask);
        return;
    }
    float *m = (float *)hk_slot(&l->y, 0) + first;
    *noisy += look_floats(rows * c, keep, m, mask);
    look_floats(n - rows * c, keep + rows * c, m + rows * c, mask);
}

void hk_counts_backward(const hk_node *l, const hk_tile *a)
{
    const size_t n = a->rows * channels(l), first = a->row * channels(l);
    const float *restrict h = (const float *)hk_slot(&l->state[0], a->t) + first;
    const float *restrict dy = a->dy;
    float *restrict dx = a->dx[0], *watch = l->watch_delta ? l->watch_delta + first : NULL;
    const float scale = l->out.scale;
    for (size_t i = 0; watch && i < n; i++) watch[i] += h[i] > 0 ? scale * dy[i] : 0.0f;
    if (!dx) return;
    if (a->add[0])
        for (size_t i = 0; i < n; i++) dx[i] += h[i] > 0 ? scale * dy[i] : 0.0f;
    else
        for (size_t i = 0; i < n; i++) dx[i] = h[i] > 0 ? scale * dy[i] : 0.0f;
}

double hk_counts_noisy(const hk_node *l)
{
    const double n = (double)l->net->batch->n * (double)positions(l) * (double)channels(l);
    uint64_t sum = 0;
    for (int32_t s = 0; s < l->shards; s++) sum += ((const uint64_t *)l->buf[NOISY])[s];
    return (double)sum / n;
}
