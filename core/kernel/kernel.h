/* The table of products: what the core asks of whoever computes them.
 *
 * core/kernel/ref.c is the definition, plain C with one accumulator per output in a fixed order.
 * The host fills the same table with fast forms (host/kernel). Every form must agree with ref.c
 * within the rounding of a sum of that length, must leave bytes outside its outputs alone, and must
 * give the same bits for any number of workers: outputs are partitioned, never reduced over workers.
 *
 * A dense layer is a convolution whose kernel covers the whole map (kh = hi, kw = wi, no padding),
 * so that there is one set of products:
 *
 *   forward          y[b,yo,xo,co]   = sum_{p,q,ci} x[b, yo*sh+p-ph, xo*sw+q-pw, g*cig+ci] w[p,q,ci,co]
 *   backward_input   dx[b,yi,xi,..]  = the transpose of that applied to dy
 *   backward_weight  dw[p,q,ci,co]  += sum_{b,yo,xo} x[b, yo*sh+p-ph, ..] dy[b,yo,xo,co]
 *
 * with cig = ci/groups input channels and cog = co/groups outputs per group, g = co / cog. Positions
 * outside the map are zero. Layouts: x [batch][hi][wi][ci] as its hk_view says, y and dy float
 * [batch][ho][wo][co], w and dw float [kh][kw][cig][co]. x values are scale * stored, for BITS and
 * COUNTS; for F32 scale is 1. The scale is applied by the product. B16, a trace, is an x of
 * backward_weight alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_KERNEL_H
#define HK_KERNEL_H

#include "hillock_core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hk_conv {
    int32_t batch;
    int32_t hi, wi, ci;          /* input map                                    */
    int32_t ho, wo, co;          /* output map                                   */
    int32_t kh, kw, sh, sw;      /* kernel, stride                               */
    int32_t ph, pw;              /* zero padding on every side                   */
    int32_t groups;              /* divides ci and co                            */
} hk_conv;

/* What a product is called with. `packed` belongs to this layer alone and keeps what prepare wrote
 * there; `work` is scratch, its contents die when the call returns. */
typedef struct hk_conv_args {
    const hk_conv *g;
    const float   *w;            /* [kh][kw][ci/groups][co]; after conv_prepare only if keeps_w */
    void          *packed;       /* conv_sizes().packed bytes, 64-byte aligned   */
    void          *work;         /* conv_sizes().work bytes, 64-byte aligned     */
    uint32_t       id;           /* number of the layer, for choices by layer    */
} hk_conv_args;

typedef struct hk_conv_bytes {
    size_t packed, work;
    bool   keeps_w;              /* the products read w, not only what is packed */
} hk_conv_bytes;

typedef struct hk_kernels {
    const char *name;
    void       *self;            /* passed to every call                         */
    int         workers;         /* threads that parallel may use, >= 1          */

    /* Calls body(arg, i, worker) once for each i in 0..n-1, 0 <= worker < workers, no two at once
     * with one worker; returns when all are done. */
    void (*parallel)(void *self, int n, void (*body)(void *arg, int i, int worker), void *arg);

    /* Bytes that a layer with this geometry needs for inputs of this kind; learn: with the two
     * backward products. Depends on nothing else, so that plan and bind agree. Those for HK_F32 are
     * enough for HK_B16. */
    hk_conv_bytes (*conv_sizes)(void *self, const hk_conv *g, hk_kind kind, bool learn);

    /* Called after w changed and before the next product, which may have an input of that kind;
     * preparing for HK_F32 or HK_COUNTS serves bits, too. Leaves work alone, w may lie there. */
    void (*conv_prepare)(void *self, const hk_conv_args *a, hk_kind kind, bool learn);

    void (*conv_forward)(void *self, const hk_conv_args *a, hk_view x, float *y);      /* y  =  */
    void (*conv_backward_input)(void *self, const hk_conv_args *a, const float *dy, float *dx); /* dx = */
    void (*conv_backward_weight)(void *self, const hk_conv_args *a, hk_view x, const float *dy,
                                 float *dw);                                           /* dw += */

    /* Rows of c floats, 0 or not 0, to rows of bits; returns the number of bits set. */
    size_t (*pack)(size_t rows, size_t c, const float *s, uint32_t *bits);
    /* Rows of bits to rows of c floats, scale or 0. */
    void (*unpack)(size_t rows, size_t c, const uint32_t *bits, float scale, float *x);
} hk_kernels;

/* The definition: serial, no packed bytes, no scratch. */
extern const hk_kernels hk_kernels_ref;

#ifdef __cplusplus
}
#endif
#endif
