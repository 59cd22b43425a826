/* Private to host/deploy: what a net is made of when it is deployed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_STAGE_H
#define HK_STAGE_H

#include "deploy.h"

typedef enum hk_stage_kind { HK_STAGE_WEIGHTS, HK_STAGE_AVERAGE, HK_STAGE_MAXIMUM, HK_STAGE_MEAN } hk_stage_kind;

/* A map of one sample, [h][w][c]: bytes k of value scale * k, or floats. */
typedef struct hk_map {
    hk_shape shape;
    bool     counts;
    float    scale;
    int32_t  top;                        /* counts: the largest                                    */
} hk_map;

typedef struct hk_stage {
    hk_stage_kind  kind;
    const char    *name;
    hk_conv        conv;                 /* geometry of one sample                                 */
    hk_map         in, out;
    hk_node       *spiking;              /* weights: the neurons behind, or NULL: the readout      */
    bool           constant;             /* the same input at every step                           */

    /* Products: codes with integer input as bits, [hk_window_words][co], see hk_code_at; with real
     * input, and float weights, as floats [kh][kw][ci][co]. */
    int32_t        code_bits;
    size_t         words;                /* of 32 channels, at one position                        */
    bool           vectors;              /* of bits: hk_vector_popcount                            */
    uint64_t      *plus, *minus;
    float         *w;
    float         *unit, *mul, *add;     /* [co]; mul NULL: 1                                      */

    float         *learn[HK_MAX_LEARN];  /* [own steps][n], number 0 over the unit                 */
    int32_t        own_steps;
    float         *state[HK_MAX_STATE];  /* [batch][n]                                             */
    float         *spike, *held;         /* [batch][n]: of the step before; constant input's sum   */
    size_t         n, at;                /* values of the output; its place in a worker's memory   */
} hk_stage;

struct hk_deploy {
    hk_net        *net;
    hk_stage      *stage;
    int32_t        n_stage;
    char          *memory;               /* [workers][each]                                        */
    size_t         each, scratch;        /* scratch: where a worker's own begins                   */
    float         *decision;             /* [batch][C]                                             */
    uint64_t      *fired;                /* [batch][n_stage]                                       */
    hk_deploy_size size;
    const hk_batch *batch;
    const void    *frame;
    int32_t        t;
};

/* A norm of the membrane, U = f m + b, folds into the input and this parameter, the leak. */
enum { HK_FOLDED_LEAK = 1 };

/* fold.c: all that the weighted layer l and the batch norm behind it (or NULL) become. */
hk_status hk_fold(hk_stage *s, const hk_node *l, const hk_node *norm, hk_deploy_size *size, hk_error *e);

/* The window under a kernel as one run of bits, 32 bits a word of a position: how many words of 64 it has. */
static inline size_t hk_window_words(const hk_stage *s)
{
    return ((size_t)(s->conv.kh * s->conv.kw) * s->words + 1) / 2;
}

/* Where the code of input channel c, position p of the kernel and output o has its bit. */
static inline size_t hk_code_at(const hk_stage *s, size_t p, size_t c, size_t o, uint64_t *bit)
{
    const size_t at = p * s->words * 32 + c;
    *bit = (uint64_t)1 << at % 64;
    return at / 64 * (size_t)s->conv.co + o;
}

/* product.c: N of every output of one sample, as floats (exact below 2^24). scratch: hk_product_scratch. */
size_t hk_product_scratch(const hk_stage *s);
void   hk_product(const hk_stage *s, const void *x, void *scratch, float *n);

/* integers.c: the same for codes and counts alone; whether this CPU counts the bits of whole vectors. */
bool   hk_vector_popcount(void);
size_t hk_integers_scratch(const hk_stage *s);
void   hk_integers(const hk_stage *s, const uint8_t *x, void *scratch, float *n);

/* run.c: step t of sample b; x and y are maps of s->in and s->out. Returns the neurons that fired. */
size_t hk_stage_run(hk_stage *s, const void *x, void *y, void *scratch, int b, int t);

#endif
