/* Weights of one and of two bits: what a layer multiplies with in place of its latent float weights,
 * per output channel o with n weights w, k of them not 0:
 *
 *   binary     W^ = scale sign(w)                     scale = mean |w|                     sign(0) = 1
 *   ternary    W^ = scale sign(w) [|w| > D]           scale = mean |w| over |w| > D,       D = 0.7 mean |w|
 *
 * Backward, c = W^ / scale the code: the scale has its own derivative, the sign and D are passed straight
 * through where |w| <= 1,
 *
 *   dw += scale G [|w| <= 1] + c (sum G c) / k        G = dE/dW^
 *
 * Latent weights scale * c give scale and c again, exactly, so codes and scales are all that an inference
 * needs to keep.
 *
 * Sources: XNOR-Net 1603.05279 (scale; its released gradient leaves out the products of different
 * weights in sum G c), ternary weight networks 1605.04711 (D), BinaryConnect 1511.00363 (clip).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_CODES_H
#define HK_CODES_H

#include <stddef.h>

typedef enum hk_code { HK_CODE_NONE, HK_CODE_BINARY, HK_CODE_TERNARY } hk_code;

/* From latent weights w [n][outputs] to used [n][outputs]; sum: scratch of 2 * outputs. */
void hk_codes(hk_code code, size_t n, size_t outputs, const float *w, double *sum, float *used);
/* g: from dE/dused to dE/dw, in place; the same scratch. */
void hk_codes_back(size_t n, size_t outputs, const float *w, const float *used, double *sum, float *g);

#endif
