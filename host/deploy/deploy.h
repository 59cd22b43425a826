/* The deployed form of a trained net whose weights have one or two bits: batch norm folded away, integer
 * sums of codes and spikes, and everything else in units in which those sums need no factor.
 *
 * Let a product's output be N = sum code * k, an integer for codes of -1, 0, 1 and spikes that are bits or
 * counts k of Delta. With the scale alpha of an output channel, its bias b and the batch norm behind,
 *
 *   I = A N + C        A = Delta alpha w / sigma,  C = (b - mu) w / sigma + beta
 *
 * and where A < 0 all codes of the channel change sign. Neurons that are linear in U, theta, x and s, such
 * as empf or lif with soft reset and bits, are run in units of A:
 *
 *   U/A from U'/A, s (bits) or s/A (graded), x = N + C/A,  theta/A        the neuron's own step
 *   bits:   s = [U/A >= theta/A]
 *   graded: k = min(floor((A/Delta') s/A + 1/2), K)                       one product per spike sent
 *
 * A norm of the membrane, U = f m + b with running statistics, makes A f of A, f C + b of C, and f a of the
 * leak a.
 *
 * so that between two layers there are integer additions alone, made of ANDs and population counts over 64
 * channels at once. A first layer that sees real numbers adds and subtracts those. Layers of float weights
 * (`ends: float`) and readouts keep A as a factor.
 *
 * Chains of dense, conv2d, batchnorm, dropout, spiking, avgpool2d, maxpool2d, gap, flatten and readout are
 * taken; anything else is refused by name. Source: EM-PF 2410.07547; its folding derived again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_DEPLOY_H
#define HK_DEPLOY_H

#include "hillock_ext.h"

typedef struct hk_deploy hk_deploy;

typedef struct hk_deploy_size {
    size_t codes, numbers;               /* bytes: of codes; of folded channels and neuron parameters  */
    size_t floats;                       /* bytes of the net's parameters and running statistics       */
} hk_deploy_size;

/* Folds a net that is built for inference and has its weights. The net is borrowed: its kernels run the
 * samples of a batch side by side, and hk_deploy_infer writes its spike counts. E_UNSUP names the layer
 * and what it cannot do; E_NOMEM. */
hk_status hk_deploy_open(hk_deploy **out, hk_net *net, hk_error *e);
void      hk_deploy_close(hk_deploy *d);          /* NULL is allowed */

/* One batch; out->loss is 0. decision [batch][C] may be NULL. The same bits for any number of threads. */
hk_status hk_deploy_infer(hk_deploy *d, const hk_batch *b, float *decision, hk_result *out, hk_error *e);

hk_deploy_size hk_deploy_bytes(const hk_deploy *d);

#endif
