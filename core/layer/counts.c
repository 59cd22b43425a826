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
enum { LANES = 8, MOST = 16 };           /* draws in a block of the generator; blocks at once */

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

HK_CLONES static void add_counts(const hk_node *l, const hk_tile *a, const float *restrict s)
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

/* Membrane i of n is number first + i of the draws, two of 16 bits in a word. */
HK_CLONES static void drop(hk_rng r, uint64_t first, uint32_t below, float scale, size_t n,
                           float *restrict u)
{
    for (size_t done = 0; done < n;) {
        const size_t skip = (size_t)((first + done) % LANES), room = MOST * LANES - skip;
        const size_t part = n - done < room ? n - done : room;
        uint32_t word[4 * MOST];
        float keep[LANES * MOST];
        hk_rng_words(r, (first + done) / LANES, MOST, word);
        for (size_t i = 0; i < 4 * MOST; i++) {
            keep[2 * i] = (word[i] & 0xffffu) < below ? 0.0f : scale;
            keep[2 * i + 1] = word[i] >> 16 < below ? 0.0f : scale;
        }
        for (size_t i = 0; i < part; i++) u[done + i] *= keep[skip + i];
        done += part;
    }
}

static void drop_membranes(const hk_node *l, const hk_tile *a, float *u)
{
    const hk_net *net = l->net;
    const float p = net->plan.membrane_dropout;
    const size_t c = channels(l);
    const hk_rng r = { net->spec.seed, ((uint64_t)l->index << 40) + ((uint64_t)a->t << 12) + 0xd41u };
    const uint64_t first = (uint64_t)net->samples * positions(l) * c + a->row * c;
    drop(r, first, (uint32_t)(p * 65536.0f + 0.5f), 1 / (1 - p), a->rows * c, u);
}

void hk_counts_step(const hk_node *l, const hk_tile *a, const float *s, float *u)
{
    add_counts(l, a, s);
    if (l->net->plan.membrane_dropout > 0) drop_membranes(l, a, u);
}

/* ---- sums -------------------------------------------------------------------------------------- */

/* How many of n neurons fired though h <= 0; with `mask` their counts are cleared. No branches: the
 * signs of h are as good as random. */
HK_CLONES static uint32_t look_bytes(size_t n, const float *restrict h, unsigned char *restrict m,
                                     bool mask)
{
    const unsigned char always = mask ? 0 : 1;
    uint32_t noisy = 0;
    for (size_t i = 0; i < n; i++) noisy += (uint32_t)(!(h[i] > 0) & (m[i] > 0));
    for (size_t i = 0; i < n; i++) m[i] = (unsigned char)(m[i] * (always | (h[i] > 0)));
    return noisy;
}

HK_CLONES static uint32_t look_floats(size_t n, const float *restrict h, float *restrict m, bool mask)
{
    const float rest = mask ? 0.0f : 1.0f;
    uint32_t noisy = 0;
    for (size_t i = 0; i < n; i++) noisy += (uint32_t)(!(h[i] > 0) & (m[i] > 0));
    for (size_t i = 0; i < n; i++) m[i] *= h[i] > 0 ? 1.0f : rest;
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

HK_CLONES void hk_counts_backward(const hk_node *l, const hk_tile *a)
{
    const size_t n = a->rows * channels(l), first = a->row * channels(l);
    const float *restrict h = (const float *)hk_slot(&l->state[0], a->t) + first;
    const float *dy = a->dy;
    float *dx = a->dx[0], *watch = l->watch_delta ? l->watch_delta + first : NULL;
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
