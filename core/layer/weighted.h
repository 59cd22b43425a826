/* What dense and conv2d share: a product with weights, a bias, an optional standardisation of the
 * weights, and the presynaptic trace that a rule may ask for.
 *
 *   y[t] = W x[t] + b                              W^ in place of W when standardised
 *   w~[t] = a w~[t-1] + x[t]                       trace, a the leak of the memory that the layer feeds
 *   dW += d[t] w~[t]^T      (SLTT, BPTT: x[t])     db += bt[t] d[t],  bt[t] = a bt[t-1] + 1
 *
 * traces.h says how w~ lies in memory. With a trace per synapse both gradients are those of eligibility.c.
 *
 * A constant input x is multiplied once per sample, and its weight gradient is formed once:
 * w~[t] = bt[t] x, so dW = (sum_t bt[t] d[t]) x^T.
 *
 * Weights of one or two bits (key weights): W^ is a scale per output times a code, see codes.h.
 *
 * Scaled weight standardisation, per output o with n weights (2210.04195; backward derived):
 *   W^ = gain (W - mean) / D,   D = sqrt(n var + eps),  var unbiased, eps = 1e-4
 *   c = (W - mean) / D;   dgain = sum G c;   dW = gain/D (G - mean(G) - n/(n-1) sum(G c) c)
 *
 * Where W^ is derived, the weight's gradient is G = dE/dW^ until an update is due; then it is turned into that
 * of W, in place.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_WEIGHTED_H
#define HK_WEIGHTED_H

#include "hillock_ext.h"

typedef enum { HK_INIT_UNIFORM, HK_INIT_KAIMING, HK_INIT_SMALL } hk_weight_init;

/* The keys that both layers have, behind their own. */
typedef struct hk_weighted_cfg {
    bool    bias, standardize;
    int32_t init, weights;
} hk_weighted_cfg;

#define HK_WEIGHTED_ROWS(cfg)                                                                      \
    { "bias", HK_BOOL, offsetof(cfg, weighted.bias), 1, 0, 1, "1", "add a learned bias", NULL },   \
    { "standardize", HK_BOOL, offsetof(cfg, weighted.standardize), 0, 0, 1, "1",                   \
      "scaled weight standardisation with a learned gain (2210.04195)", NULL },                    \
    { "init", HK_ENUM, offsetof(cfg, weighted.init), 0, 0, 2, "1",                                 \
      "uniform: +-1/sqrt(fan in), bias too; kaiming: normal, sqrt(2/fan out), bias 0; "            \
      "small: normal 0.01, bias 0", "uniform|kaiming|small" },                                     \
    { "weights", HK_ENUM, offsetof(cfg, weighted.weights), 0, 0, 2, "1",                           \
      "binary, ternary: multiply with a scale per output times -1, 1 (or 0) of the latent weights", \
      "float|binary|ternary" }

/* The shared part, which stands first in the layer's configuration. */
const hk_weighted_cfg *hk_weighted_of(const hk_node *l);

hk_status hk_weighted_bind(hk_node *l, hk_mem *m, hk_error *e);
void      hk_weighted_init(hk_node *l, hk_rng r);
void      hk_weighted_prepare(hk_node *l);
void      hk_weighted_reset(hk_node *l);
void      hk_weighted_forward(hk_node *l, int t);
void      hk_weighted_forward_tile(hk_node *l, const hk_tile *a);
void      hk_weighted_carry(hk_node *l, int t);
void      hk_weighted_backward_tile(hk_node *l, const hk_tile *a);
void      hk_weighted_backward(hk_node *l, int t);
void      hk_weighted_finish(hk_node *l);
bool      hk_weighted_keeps_input(const hk_node *l);
double    hk_weighted_operations(const hk_node *l);
/* Samples of a product: the batch, or in inference layer by layer those of all steps. */
int32_t   hk_weighted_batch(const hk_node *l);

/* The weights that products take, W^ or W, into out. */
void      hk_weighted_used(const hk_node *l, float *out);
/* What the weight gradient multiplies at step t: the trace, or the input itself. */
hk_view   hk_weighted_operand(const hk_node *l, int t);
/* Whether the rule gives this layer a trace that decays (a constant input needs no array for it). */
bool      hk_weighted_traced(const hk_node *l);
/* The leak of that trace; 0 without one. */
float     hk_weighted_leak(const hk_node *l, int t);

#define HK_WEIGHTED_OPS                                                                            \
    .n_in = 1, .whole = true, .steady = true, .bind = hk_weighted_bind, .init = hk_weighted_init,  \
    .prepare = hk_weighted_prepare, .reset = hk_weighted_reset, .forward = hk_weighted_forward,    \
    .carry = hk_weighted_carry,                                                                    \
    .forward_tile = hk_weighted_forward_tile, .backward_tile = hk_weighted_backward_tile,          \
    .backward = hk_weighted_backward, .finish = hk_weighted_finish,                                \
    .keeps_input = hk_weighted_keeps_input, .operations = hk_weighted_operations

#endif
