/* Inside host/kernel only: how the five entries of the table are cut into parts.
 *
 * A product is one or several `hki_map`s: direct convolutions with any stride and origin,
 *
 *   out[b,u,v,n] = scale * sum_{p,q,c} in[b, u*sy+oy+p, v*sx+ox+q, c] w[p,q,c,n]
 *
 * forward is one map. backward_input is one map per phase of the stride, (yi + ph) mod sh: the
 * inputs of one phase see the errors through the taps of that phase, mirrored, as a convolution
 * of stride 1. backward_weight is one sum per phase in the same way (sum_events_isa.c).
 *
 * Packed weights of a map: [tile of n][p][q][c][width of the tile]. Tiles are HKI `tile` channels
 * wide but the last, which takes the smallest of tile, tile/2, .. vl that holds what is left.
 * Where dense products multiply pairs of bf16 there is a second copy, [tile][p][q][c/2][width][2], of which
 * spikes and counts add rows, too.
 *
 * A map's outputs are cut into blocks of rows of about `HKI_BLOCK` positions; a task is a block
 * and a range of tiles. Each worker has its own scratch inside `work`.
 *
 * A layer whose kernel covers the whole map is turned into 1 x 1 with c = hi*wi*ci first.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_PRODUCT_H
#define HK_PRODUCT_H

#include "host_kernels.h"

enum {
    HKI_BLOCK = 256,             /* output positions in a block, about         */
    HKI_BLOCK_LEAST = 32,        /* the same where workers would stand idle    */
    HKI_BLOCK_VALUES = 1 << 18,  /* input values that a block sees, at most    */
    HKI_SLACK = 64,              /* entries that a vector store may run over   */
    HKI_LINES_FEW = 1 << 10,     /* backward_weight: lines of the slab, few ..  */
    HKI_LINES_MANY = 400,        /* .. or many active inputs                    */
    HKI_WINO_TILES = 24,         /* minimal filtering: tiles of 4 x 4 in a block, */
    HKI_WINO_BYTES = 10 << 20,   /* .. transformed weights at a time, about      */
};

typedef struct hki_map {
    int32_t     batch, h, w, c;          /* input map                                        */
    hk_view     in;
    size_t      pitch;                   /* bytes of one input position                      */
    int32_t     nu, nv, n;               /* output grid and channels                         */
    int32_t     kh, kw, sy, sx, oy, ox;  /* taps, stride and origin in the input             */
    const float *weights;                /* packed                                           */
    const void  *pairs;                  /* packed in pairs of bf16, or NULL                 */
    float       *out;
    size_t      out_b, out_u, out_v;     /* floats from sample to sample, row to row, ..     */
    int32_t     nb, ru;                  /* a block: samples and rows; nb > 1 means ru = nu  */
    int32_t     rows;                    /* input rows that a block sees, per sample         */
    int32_t     chunk;                   /* events: channels taken at a time                 */
} hki_map;

/* One product of one call as the tasks see it. */
typedef struct hki_task {
    const hki_map *map;
    int32_t blocks, groups, tiles;       /* task i: block i / groups, group i % groups       */
    char   *scratch;                     /* worker's part begins at worker * scratch_bytes   */
    size_t  scratch_bytes;
    void   *points;                      /* minimal filtering: the transformed weights of    */
    int32_t first;                       /* .. tiles first .. first + tiles - 1              */
} hki_task;

/* The sum over positions of backward_weight; see sum_events_isa.c and sum_direct_isa.c. */
typedef struct hki_sum {
    hk_conv      g;
    hk_view      x;
    const float *dy;
    const uint16_t *dy_b16;              /* events: in place of dy, in bf16                  */
    float       *dw;
    int32_t      cb, nc;                 /* input and output channels of a task              */
    int32_t      lines;                  /* events: positions of dy held at a time           */
    char        *scratch;
    size_t       scratch_bytes;
} hki_sum;

/* The part that is compiled once per instruction set. */
typedef struct hki_isa {
    int32_t vl, tile;                    /* floats in a vector, channels in a tile           */
    double  density_map[3], density_sum[3]; /* below: events; by hk_kind                     */
    double  winograd_map[3], winograd_sum[3];  /* the same beside minimal filtering             */
    /* Share of values that are not zero, from a sample of positions. */
    double (*density)(hk_view x, size_t positions, size_t pitch, size_t channels);
    /* to[c/2][width][2] as bf16 from from[c][width]; NULL: products are of floats. */
    void   (*pairs)(void *to, const float *from, size_t c, size_t width);
    size_t (*events_bytes)(const hki_map *m);
    void   (*events)(void *task, int i, int worker);
    size_t (*direct_bytes)(const hki_map *m);
    void   (*direct)(void *task, int i, int worker);
    size_t (*sum_events_bytes)(const hki_sum *s);
    void   (*sum_events)(void *sum, int i, int worker);
    size_t (*sum_direct_bytes)(const hki_sum *s);
    void   (*sum_direct)(void *sum, int i, int worker);
    /* Minimal filtering. The weights of so many tiles of a map, of all workers; scratch of one; its tasks. */
    size_t (*winograd_weights_bytes)(const hki_map *m, int32_t tiles);
    void   (*winograd_weights)(void *task, int i, int worker);
    size_t (*winograd_bytes)(const hki_map *m);
    void   (*winograd)(void *task, int i, int worker);
    size_t (*sum_winograd_bytes)(const hki_sum *s);
    void   (*sum_winograd)(void *sum, int i, int worker);
} hki_isa;

extern const hki_isa hki_isa_sse2, hki_isa_avx2, hki_isa_avx512, hki_isa_bf16;

/* What a row of choices says. */
typedef struct hki_chosen { hk_dense_form form; double below; } hki_chosen;

typedef struct hki_prepared hki_prepared;        /* vendor_products.c */
enum { HKI_PREPARED = 256 };

/* What table.self points to. */
typedef struct hki_state {
    int             workers;
    hk_isa_level    level;
    const hki_isa  *isa;
    const hki_isa  *plain;               /* dense products of floats: isa, but avx512 for bf16 */
    hk_dense_by     dense;
    hk_choice      *choice;              /* [n_choice], geometries reshaped                  */
    int             n_choice;
    hk_product_way  way;
    hk_kernels      table;               /* copy, for `parallel`                             */
    hki_prepared   *prepared;            /* [HKI_PREPARED], made at the first need           */
    int             n_prepared;
    hk_product_stat stat[HK_STAT_LAYERS];
} hki_state;

/* The products; name, self, workers and parallel are filled by open. */
extern const hk_kernels hki_table;

/* ---- choose.c -------------------------------------------------------------------------------- */

/* How a product of this geometry, reshaped, and this operand is computed. */
hki_chosen hki_choose(const hki_state *s, const hk_conv *r, hk_product product, hk_kind kind);
/* Copies and checks the rows of cfg; level, isa and dense of s are set. */
hk_status  hki_choose_open(hki_state *s, const hk_host_kernels_cfg *cfg, hk_error *e);
/* Whether a form is minimal filtering; whether it wants weights in pairs of bf16, which events of spikes and counts
 * then take, too. */
bool       hki_filtered(hk_dense_form form);
bool       hki_takes_pairs(hk_dense_form form);
/* The instruction set whose dense functions compute a form of our own. */
const hki_isa *hki_dense_isa(const hki_state *s, hk_dense_form form);

/* ---- plan.c ---------------------------------------------------------------------------------- */

static inline int32_t hki_min(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t hki_max(int32_t a, int32_t b) { return a > b ? a : b; }
static inline size_t hki_up64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/* First input row and column that task i's block sees, its first sample and output row. */
typedef struct hki_block { int32_t b, nb, u, ru, y, rows; } hki_block;
hki_block hki_block_at(const hki_map *m, int32_t block);

int32_t hki_tiles(int32_t n, int32_t tile);
/* Width of tile t of n channels: tile, or for the last one tile/2, tile/4, .. >= vl. */
int32_t hki_tile_width(int32_t n, int32_t t, int32_t tile, int32_t vl);
/* Sum of the widths. */
size_t hki_padded(int32_t n, int32_t tile, int32_t vl);

/* A layer that covers the whole map as 1 x 1; everything else unchanged. */
hk_conv hki_reshaped(const hk_conv *g);
/* Bytes of the input of such a layer with its bits made contiguous; 0 where they are already. */
size_t  hki_repack_bytes(const hk_conv *g, hk_kind kind);
/* The input as hki_reshaped(g) sees it, its bits put into `to` where that is needed. */
hk_view hki_repack(const hk_conv *g, hk_view x, void *to);
/* The map of forward, and the one of phase a, b of backward_input, cut for this many workers;
 * in.data, weights, out are not set. */
hki_map hki_map_forward(const hk_conv *g, hk_kind kind, int workers);
hki_map hki_map_input(const hk_conv *g, int32_t a, int32_t b, int workers);
int32_t hki_blocks(const hki_map *m);
/* Channels per task of backward_weight, for this many workers; data and scratch are not set. */
hki_sum hki_sum_of(const hk_conv *g, hk_kind kind, int workers);
/* Taps p = phase, phase + stride, .. below k. */
static inline int32_t hki_taps(int32_t k, int32_t stride, int32_t phase)
{
    return k > phase ? (k - phase + stride - 1) / stride : 0;
}

/* Whether minimal filtering can compute the products of this geometry, reshaped; whether its tiles fit the
 * map well enough to be worth it. */
bool    hki_can_winograd(const hk_conv *r);
bool    hki_winograd_fits(const hk_conv *r, hk_product product);
/* Tiles of 4 x 4 outputs. */
int32_t hki_wino_tiles(const hki_map *m);
/* As hki_sum_of, for minimal filtering. */
hki_sum hki_wino_sum_of(const hk_conv *g, hk_kind kind, int workers);

/* ---- pack.c ---------------------------------------------------------------------------------- */

/* Floats of packed weights for forward and for backward_input; bytes of their pairs (0 without). */
size_t hki_packed_forward(const hk_conv *g, const hki_isa *isa);
size_t hki_packed_input(const hk_conv *g, const hki_isa *isa);
size_t hki_pairs_forward(const hk_conv *g, const hki_isa *isa);
size_t hki_pairs_input(const hk_conv *g, const hki_isa *isa);
/* Floats of the packed weights of backward_input that belong to phases before (a, b). */
size_t hki_phase_offset(const hk_conv *g, const hki_isa *isa, int a, int b);
/* Bytes into the pairs where floats from `floats` on are, of packed weights with c channels. */
size_t hki_pairs_offset(size_t floats, int32_t c);
void hki_pack_forward(const hk_kernels *k, const hki_isa *isa, const hk_conv *g, const float *w,
                      float *out, void *pairs);
/* forward: the weights as hki_pack_forward has laid them. */
void hki_pack_input(const hk_kernels *k, const hki_isa *isa, const hk_conv *g, const float *forward,
                    float *out, void *pairs);

/* ---- sizes.c: memory, its layout at the head of that file ---------------------------------------- */

/* The parts of `packed`; pairs are NULL where no form takes them. */
typedef struct hki_packed { char *forward, *forward_pairs, *forward_vendor, *input, *input_vendor; } hki_packed;
hki_packed hki_packed_at(const hki_state *s, const hk_conv *g, void *packed);
/* Packed weights of backward_input, wherever they are; and what follows. */
typedef struct hki_input_pack { float *weights; char *pairs, *end; } hki_input_pack;
hki_input_pack hki_input_pack_at(const hki_state *s, const hk_conv *g, char *at);
/* Whether those are packed at each call, so that no memory keeps them: a weight is moved once and multiplied
 * once for each position. */
bool   hki_packs_at_call(const hk_conv *g);
/* Bytes of the weights in pairs of bf16, where a dense form takes them whatever the operand is. */
size_t hki_pairs_bytes(const hki_state *s, const hk_conv *g, hk_product product);

/* Whether the code here computes products of this geometry at all. */
bool   hki_plain(const hki_state *s, const hk_conv *g);
/* Scratch of one worker for a map in either form, and for a sum. */
size_t hki_map_bytes(const hki_state *s, const hki_map *m, hk_dense_form form);
size_t hki_sum_bytes(const hki_state *s, const hk_conv *g, hk_kind kind);
/* Tiles of output channels whose weights minimal filtering transforms at a time. */
int32_t hki_wino_round(const hki_isa *isa, const hki_map *m);
hk_conv_bytes hki_conv_sizes(void *self, const hk_conv *g, hk_kind kind, bool learn);

/* ---- turned.c: weight gradients by the events of the error ------------------------------------- */

bool   hki_can_turn(const hk_conv *g);
/* Bytes of work that it needs for all workers; 0 where it cannot. */
size_t hki_turned_bytes(const hki_state *s, const hk_conv *g);
/* x is of floats or a trace in bf16. */
void   hki_turned_weight(const hki_state *s, const hk_conv *g, hk_view x, const float *dy, float *dw,
                         void *work);

/* ---- generic.c ------------------------------------------------------------------------------- */

void hki_generic_forward(const hk_kernels *k, const hk_conv_args *a, hk_view x, float *y);
void hki_generic_input(const hk_kernels *k, const hk_conv_args *a, const float *dy, float *dx);
void hki_generic_weight(const hk_kernels *k, const hk_conv_args *a, hk_view x, const float *dy,
                        float *dw);

#endif
