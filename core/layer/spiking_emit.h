/* What a spike is, at z = U - theta, and its slope. Private to the spiking layer.
 *
 *   step        s = [z >= 0] (or >)      sent: the bit                    slope: the surrogate
 *   graded      s = max(z, 0)            sent: s                          slope: chi = [z >= 0] (or >)
 *   quantised   s = max(z, 0)            sent: k Delta,                   slope of s: chi; of what is
 *                                        k = min(floor(s / Delta + 1/2), K)    sent: chi [z <= K Delta]
 *
 * with Delta = spike_step, K = 2^spike_bits - 1. The quantiser's slope is passed straight through inside
 * its range. The reset knows the exact s, so that soft reset by s leaves the membrane at theta; a graded
 * spike is not stored for it, but had again from the membrane.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_SPIKING_EMIT_H
#define HK_SPIKING_EMIT_H

#include "spiking.h"

#include <string.h>

static inline float hk_spike_levels(const hk_node *l)
{
    return (float)((1 << hk_spiking_of(l)->spike_bits) - 1);
}

/* Spikes of step t at these rows, as the reset of t+1 sees them; u, theta those of step t. */
HK_PART void hk_recall_spikes(const hk_node *l, const hk_tile *a, int t, const float *u,
                              const float *theta, float *out)
{
    const size_t c = (size_t)l->out.shape.c, n = a->rows * c;
    const char *y = (const char *)hk_slot(&l->y, t) + a->row * hk_row_bytes(l->out.kind, c);
    if (hk_graded(l)) {
        if (t < 1)
            for (size_t i = 0; i < n; i++) out[i] = 0;
        else
            for (size_t i = 0; i < n; i++) out[i] = u[i] > theta[i] ? u[i] - theta[i] : 0.0f;
    } else if (l->out.kind == HK_BITS) {
        l->net->spec.kernels->unpack(a->rows, c, (const uint32_t *)(const void *)y, 1.0f, out);
    } else {
        for (size_t i = 0; i < n; i++) out[i] = ((const float *)(const void *)y)[i] / l->out.scale;
    }
}

/* No spike after a sample's end. */
HK_PART void hk_silence(const hk_node *l, const hk_tile *a, float *s)
{
    const size_t c = (size_t)l->out.shape.c, map = (size_t)l->out.shape.h * (size_t)l->out.shape.w;
    for (size_t r = 0; r < a->rows; r++)
        if (a->t > hk_steps_of(l->net, (int32_t)((a->row + r) / map))) memset(s + r * c, 0, c * sizeof *s);
}

HK_PART void hk_emit_graded(hk_node *l, const hk_tile *a, const float *u, const float *theta, float *s)
{
    const hk_spiking_cfg *c = hk_spiking_of(l);
    const size_t n = a->rows * (size_t)l->out.shape.c;
    uint64_t fired = 0;
    for (size_t i = 0; i < n; i++) s[i] = u[i] > theta[i] ? u[i] - theta[i] : 0.0f;
    if (hk_ragged(l->net)) hk_silence(l, a, s);
    if (l->out.kind == HK_COUNTS) {
        const float most = hk_spike_levels(l), step = c->spike_step;
        unsigned char *y = (unsigned char *)hk_slot(&l->y, a->t) + a->row * (size_t)l->out.shape.c;
        for (size_t i = 0; i < n; i++) {
            const float k = s[i] / step + 0.5f;
            y[i] = (unsigned char)(int32_t)(k < most ? k : most);
        }
        for (size_t i = 0; i < n; i++) fired += y[i] != 0;
    } else {
        for (size_t i = 0; i < n; i++) a->y[i] = c->scale * s[i];
        for (size_t i = 0; i < n; i++) fired += s[i] > 0;
    }
    if (!l->net->replay) l->spikes[a->shard] += fired;
}

HK_PART void hk_emit(hk_node *l, const hk_tile *a, const float *u, const float *theta, float *s)
{
    const size_t n = a->rows * (size_t)l->out.shape.c;
    if (hk_graded(l)) {
        hk_emit_graded(l, a, u, theta, s);
        return;
    }
#ifdef HK_SMOOTH
    for (size_t i = 0; i < n; i++)
        s[i] = (float)l->spec->surrogate->primitive((double)(u[i] - theta[i]), l->spec->surrogate_cfg);
    if (hk_ragged(l->net)) hk_silence(l, a, s);
    for (size_t i = 0; i < n; i++) a->y[i] = s[i] * l->out.scale;
#else
    const size_t c = (size_t)l->out.shape.c;
    if (hk_spiking_of(l)->compare == 0)
        for (size_t i = 0; i < n; i++) s[i] = u[i] >= theta[i] ? 1.0f : 0.0f;
    else
        for (size_t i = 0; i < n; i++) s[i] = u[i] > theta[i] ? 1.0f : 0.0f;
    if (hk_ragged(l->net)) hk_silence(l, a, s);
    char *y = (char *)hk_slot(&l->y, a->t) + a->row * hk_row_bytes(HK_BITS, c);
    const size_t fired = l->net->spec.kernels->pack(a->rows, c, s, (uint32_t *)(void *)y);
    if (!l->net->replay) l->spikes[a->shard] += fired;
#endif
}

/* phi = ds/dz at z. */
HK_PART void hk_slope(const hk_node *l, size_t n, const float *z, float *phi)
{
    if (!hk_graded(l))
        l->spec->surrogate->derivative(n, z, phi, l->spec->surrogate_cfg);
    else if (hk_spiking_of(l)->compare == 0)
        for (size_t i = 0; i < n; i++) phi[i] = z[i] >= 0 ? 1.0f : 0.0f;
    else
        for (size_t i = 0; i < n; i++) phi[i] = z[i] > 0 ? 1.0f : 0.0f;
}

/* From ds/dz to the slope of what is sent: 0 above the quantiser's range. */
HK_PART void hk_slope_sent(const hk_node *l, size_t n, const float *z, float *phi)
{
    if (l->out.kind != HK_COUNTS) return;
    const float top = hk_spike_levels(l) * hk_spiking_of(l)->spike_step;
    for (size_t i = 0; i < n; i++) phi[i] = z[i] <= top ? phi[i] : 0.0f;
}

#endif
