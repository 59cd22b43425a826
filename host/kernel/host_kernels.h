/* The host's table of products: threads, instruction sets, event-driven and dense forms.
 *
 * Every product exists in two forms, and a call takes the one that its input favours:
 *   events  visits the stored values that are not zero and adds one row of weights (forward,
 *           backward to the input) or of errors (backward to the weights) for each; the weight
 *           gradient of floats may also visit the errors and add rows of the input (turned.c)
 *   dense   a direct convolution or, of 3 x 3 taps, minimal filtering by the code here; or a vendor's library
 * The choice is a function of the operands' densities and of a table (hk_choice) alone, outputs are
 * partitioned over workers and never reduced over them, so the same call gives the same bits for any
 * number of threads.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_HOST_KERNELS_H
#define HK_HOST_KERNELS_H

#include "../../core/kernel/kernel.h"

typedef enum hk_isa_level {
    HK_LEVEL_AUTO, HK_LEVEL_SSE2, HK_LEVEL_AVX2, HK_LEVEL_AVX512, HK_LEVEL_BF16
} hk_isa_level;
typedef enum hk_dense_by {
    HK_DENSE_AUTO, HK_DENSE_OWN, HK_DENSE_ONEDNN, HK_DENSE_CBLAS, HK_DENSE_REF
} hk_dense_by;
typedef enum hk_product_way { HK_WAY_AUTO, HK_WAY_EVENTS, HK_WAY_DENSE, HK_WAY_REF } hk_product_way;

/* Of dense products: floats; or both operands rounded to bf16 and summed in fp32, which needs AVX-512 BF16.
 * Events of spikes and counts then multiply weights in bf16, too, where the dense form has them; those of floats,
 * forward minimal filtering and everything else are fp32 in either case. */
typedef enum hk_precision { HK_FP32, HK_BF16, HK_PRECISION_AUTO } hk_precision;

/* ---- choices ----------------------------------------------------------------------------------- */

typedef enum hk_product { HK_FORWARD, HK_BACKWARD_INPUT, HK_BACKWARD_WEIGHT, HK_PRODUCTS } hk_product;
/* Dense forms: the code here from floats or from pairs of bf16; by minimal filtering (winograd.h) of floats,
 * or with its products from pairs of bf16; a vendor's; the definition. */
typedef enum hk_dense_form {
    HK_BY_FP32, HK_BY_BF16, HK_BY_WINOGRAD, HK_BY_WINOGRAD_BF16, HK_BY_ONEDNN, HK_BY_CBLAS, HK_BY_REF, HK_DENSE_FORMS
} hk_dense_form;

/* How one product of all layers with this geometry is computed: by events where the density of the
 * operand is below `below`, else in the dense form. A product that no row names has the row of the
 * fixed table: the dense form of the options, the density of this instruction set (table_isa.c).
 * What a form cannot do (a vendor's: bits, counts; oneDNN: weights; minimal filtering: all but 3 x 3 taps of
 * stride 1 with channels in sixteens) is done by the other code here. */
typedef struct hk_choice {
    hk_conv g;
    int32_t product;             /* hk_product                                            */
    int32_t kind;                /* hk_kind of x as stored, HK_F32 for backward_input;
                                    HK_B16 of traces only                                 */
    int32_t form;                /* hk_dense_form                                               */
    float   below;               /* 0: never by events, above 1: always                   */
} hk_choice;

const char *hk_product_name(int32_t product);    /* "forward", "input", "weights" */
const char *hk_dense_form_name(int32_t form);          /* "fp32", "bf16", ..            */

/* Whether two rows are about the same product. */
bool hk_choice_same(const hk_choice *a, const hk_choice *b);

/* ---- options ------------------------------------------------------------------------------------ */

/* All zero is the default. The instruction set is a limit: the best one that the machine has and
 * that does not exceed it is taken. sse2 stands for the baseline of whatever machine this is. */
typedef struct hk_host_kernels_cfg {
    int32_t threads;             /* 0: all processors that OpenMP offers        */
    int32_t isa;                 /* hk_isa_level                                */
    int32_t dense;               /* hk_dense_by                                 */
    int32_t products;            /* hk_product_way; ref: as the definition does */
    int32_t precision;           /* hk_precision; auto: bf16 where there is some */
    const hk_choice *choice;     /* [n_choice], copied; none: the fixed table    */
    int32_t n_choice;
} hk_host_kernels_cfg;

/* The rows for these options; name "cpu". */
extern const hk_info hk_host_kernels_info;

typedef struct hk_host_kernels {
    hk_kernels   table;          /* what the core takes; table.self is owned by this object */
    hk_isa_level isa;            /* what was chosen                                         */
    hk_dense_by  dense;
} hk_host_kernels;

/* Fills *k, which needs no preparation. cfg may be NULL. On failure *k is all zero.
 * E_ARG    an option is out of range
 * E_UNSUP  the vendor asked for by name is not in this build; no bf16 on this processor; a form that
 *          a row of `choice` asks for is not there, or not allowed by the precision
 * E_NOMEM  no memory for the object */
hk_status hk_host_kernels_open(hk_host_kernels *k, const hk_host_kernels_cfg *cfg, hk_error *e);
void      hk_host_kernels_close(hk_host_kernels *k);            /* an all-zero *k is allowed */

const char *hk_isa_name(hk_isa_level isa);                      /* "avx512" and so on        */
const char *hk_dense_name(hk_dense_by dense);
/* Name and version of a vendor in this build, or NULL. */
const char *hk_vendor_version(hk_dense_by dense);

/* What the last call of each product did for the layer with this id (< HK_STAT_LAYERS). */
enum { HK_STAT_LAYERS = 256 };
typedef struct hk_product_stat {
    float density[3];            /* share of values that are not zero: forward input, error in
                                    backward_input, input in backward_weight; estimated from a
                                    sample of rows where the operand is large                */
    unsigned char way[3];        /* hk_product_way taken; AUTO: never called                 */
    unsigned char form[3];       /* hk_dense_form that the table names for it                      */
    bool by_error;               /* backward_weight skipped the zeros of the error           */
} hk_product_stat;
const hk_product_stat *hk_host_kernels_stat(const hk_host_kernels *k, uint32_t id);

#endif
