/* Vendors' libraries, each behind one file: onednn.c and cblas.c. Without a library its functions
 * are there and say no. All calls compute on one thread unless said otherwise, so that a vendor's
 * own partition never touches the bits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_VENDOR_H
#define HK_VENDOR_H

#include "product.h"

/* ---- oneDNN: one convolution in one direction, prepared -------------------------------------- */

typedef enum hki_direction { HKI_FORWARD, HKI_INPUT, HKI_WEIGHT } hki_direction;
typedef struct hki_onednn hki_onednn;

const char *hki_onednn_version(void);                    /* NULL: not in this build */

/* threads: how many one call uses. copies: how many calls may run at once. narrow: it may multiply in bf16, which it
 * does where the processor has AMX. blocked: signals in the layout that the library likes best, which is not ours;
 * for measurements. NULL: no memory, or the library has no such convolution. */
hki_onednn *hki_onednn_create(const hk_conv *g, hki_direction way, int threads, int copies, bool narrow,
                              bool blocked);
void        hki_onednn_destroy(hki_onednn *o);           /* NULL is allowed */

/* What the three operands take in the library's layouts: a is x or dy, w the weights (in HKI_WEIGHT
 * their gradient), y what remains. */
typedef enum hki_operand { HKI_A, HKI_W, HKI_Y } hki_operand;
size_t hki_onednn_bytes(const hki_onednn *o, hki_operand which);
bool   hki_onednn_same_weights(const hki_onednn *o, const hki_onednn *p);
/* Between our layout (channels last; weights [kh][kw][ci][co]) and the library's. */
void hki_onednn_import(const hki_onednn *o, hki_operand which, const float *ours, void *theirs);
void hki_onednn_export(const hki_onednn *o, hki_operand which, const void *theirs, float *ours);
/* HKI_FORWARD: y from a = x, w. HKI_INPUT: y = dx from a = dy, w. HKI_WEIGHT: w = dw from a = x,
 * y = dy (not added). */
void hki_onednn_run(const hki_onednn *o, int copy, const void *a, void *w, void *y);

/* ---- CBLAS ----------------------------------------------------------------------------------- */

const char *hki_cblas_version(void);                     /* NULL: not in this build */
/* c[m][n] = beta c + a b; a is [m][k] or, transposed, [k][m]; b likewise; row-major, one thread. */
void hki_cblas_sgemm(bool ta, bool tb, int m, int n, int k, const float *a, int lda, const float *b,
                     int ldb, float beta, float *c, int ldc);

/* ---- products by them (vendor_products.c); false: not done ----------------------------------- */

/* packed: hki_vendor_packed bytes for one direction; work: hki_vendor_work bytes of a worker. */
size_t hki_vendor_packed(const hki_state *s, const hk_conv *g, hki_direction way);
size_t hki_vendor_work(const hki_state *s, const hk_conv *g);
void hki_vendor_prepare(hki_state *s, const hk_conv *g, hki_direction way, const float *w,
                        void *packed);
void   hki_vendor_close(hki_state *s);
bool hki_vendor_forward(const hki_state *s, const hk_conv *g, const float *w, void *packed,
                        char *work, hk_view x, float *y);
bool hki_vendor_input(const hki_state *s, const hk_conv *g, const float *w, void *packed,
                      char *work, const float *dy, float *dx);
bool hki_vendor_weight(const hki_state *s, const hk_conv *g, char *work, hk_view x, const float *dy,
                       float *dw);

#endif
