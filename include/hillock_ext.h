/* For authors of members: the operations table of each family, and what a member sees of the net.
 *
 * A member is one file that exports one const table, and one line in core/registry.def (or
 * host/registry.def). It includes this header, names no member of another family, keeps no mutable
 * global and allocates nothing. docs/extending.md walks through a neuron.
 *
 * Letters: T steps, B batch, C channels, H W space; a row is one position of one sample, rows =
 * B*H*W, and every tensor is [rows][C]. Time runs 1..T; slot 0 of a ring is the state of rest.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HILLOCK_EXT_H
#define HILLOCK_EXT_H

#include "hillock_core.h"
#include "kernel/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef HK_CLONES                   /* the build may compile elementwise bodies once per CPU level */
#  define HK_CLONES
#endif
/* A part of such a body: compiled with it, for its CPU level. A small build shares it as a function. */
#if defined(__GNUC__) && !defined(HK_SMALL)
#  define HK_PART static inline __attribute__((always_inline))
#else
#  define HK_PART static inline
#endif

/* Tiles run through several arrays in turn, each too short a run for a processor's own prefetching:
 * a tile stage names the floats that it will want at the next tile, usually those behind its own. */
HK_PART void hk_prefetch(const float *p, size_t n)
{
#if defined(__GNUC__)
    for (size_t i = 0; i < n; i += 16) __builtin_prefetch(p + i, 0, 2);
#else
    (void)p, (void)n;
#endif
}

enum {
    HK_MAX_STATE = 2,               /* float state variables of a neuron                */
    HK_MAX_LEARN = 4,               /* parameters of a neuron that can be learned       */
    HK_MAX_IN    = 2,               /* inputs of a layer                                */
    HK_MAX_PARAM = 8,               /* parameter arrays of a layer                      */
    HK_MAX_SENSE = 2,               /* learned parameters of a filter                   */
    HK_MAX_SHARD = 16               /* pieces in which sums are formed, whoever computes */
};

typedef struct hk_net  hk_net;
typedef struct hk_node hk_node;
typedef struct hk_mem  hk_mem;

/* ---- surrogate -------------------------------------------------------------------------------- */

/* phi, the stand-in for the derivative of the firing step, as a function of z = U - theta, and its
 * primitive F with F' = phi, which the tests use in place of firing. */
typedef struct hk_surrogate_ops {
    hk_info info;
    void  (*derivative)(size_t n, const float *z, float *phi, const void *cfg);
    double (*primitive)(double z, const void *cfg);
} hk_surrogate_ops;

/* ---- neuron ----------------------------------------------------------------------------------- */

/* One step of n neurons. Learned parameters come as one value per neuron, whatever their
 * granularity. state may be the same memory as prev. */
typedef struct hk_neuron_step {
    size_t       n;
    const float *x;                      /* in   input current of this step; NULL in `local` when
                                                 only states are known: then state[] holds step t */
    const float *spike;                  /* in   spikes of step t-1: 0 or 1, or graded (>= 0)     */
    const float *learn[HK_MAX_LEARN];    /* in   learned parameters, in the order of ops->learn   */
    const float *prev[HK_MAX_STATE];     /* in   states of step t-1                               */
    float       *state[HK_MAX_STATE];    /* out  states of step t (`step`); in for `local` if !x  */
} hk_neuron_step;

/* Derivatives of the states of step t, the spike of t-1 taken as an input of its own. One array of n
 * each. Every rule is made of these: BPTT runs them backwards, STOP forwards. */
typedef struct hk_neuron_local {
    float *jac[HK_MAX_STATE][HK_MAX_STATE];     /* d state_i[t] / d state_j[t-1]               */
    float *spike[HK_MAX_STATE];                 /* d state_i[t] / d s[t-1]                     */
    float *input[HK_MAX_STATE];                 /* d state_i[t] / d x[t]                       */
    float *param[HK_MAX_LEARN][HK_MAX_STATE];   /* d state_i[t] / d learn_p, direct part only  */
} hk_neuron_local;

typedef enum hk_role {
    HK_WEIGHT, HK_BIAS, HK_NORM, HK_THRESHOLD, HK_LEAK, HK_BUFFER
} hk_role;

typedef struct hk_learn {                /* a parameter of a neuron that rules may learn */
    const char *name;                    /* file name LAYER.name                          */
    hk_role     role;                    /* THRESHOLD for number 0, else LEAK             */
    float     (*init)(const void *cfg);
    float       lo, hi;                  /* kept after every update                       */
    bool        by_default;              /* learned by rules that learn no neuron by flag */
} hk_learn;

/* What a firing neuron sends on: 1, or by how much U exceeds theta. */
typedef enum hk_emission { HK_EMIT_STEP, HK_EMIT_GRADED } hk_emission;

/* Conventions that keep neurons short: state[0] is the membrane before reset, U; learned parameter 0
 * is the threshold; a neuron fires when z = U - theta >= 0 (or > 0, a setting of the spiking layer). Its
 * spike s is 1 or, graded, z itself; step and local are right for any s >= 0.
 * State is what is known before the spike of the step; what the spike does to it happens at the start
 * of the next step. So spike, surrogate, reset gradient and bits are the caller's. */
typedef struct hk_neuron_ops {
    hk_info         info;
    int             n_state, n_learn;
    hk_emission     emission;            /* where the spiking layer's key says auto               */
    const hk_learn *learn;
    float         (*rest)(const void *cfg, int i);                       /* NULL: 0               */
    void          (*step)(const hk_neuron_step *a, const void *cfg);
    void          (*local)(const hk_neuron_step *a, const hk_neuron_local *d, const void *cfg);
    /* d U[t] / d x[t] where it does not depend on the state; learned parameters as in step. */
    void          (*gain)(size_t n, const float *const learn[], float *out, const void *cfg);
    /* The one leak with which a presynaptic trace decays, from layer-wide parameters. NULL where the
     * temporal Jacobian is not one number: then rules with weight traces refuse the neuron. */
    float         (*decay)(const float learn[], const void *cfg);
    /* Bit p: `decay` reads learned parameter p, which a weight trace then wants one of per layer. */
    uint32_t        decay_reads;
    /* NULL, or why the trace of `decay` would be wrong for this configuration ("hard reset ..."). */
    const char   *(*decay_caveat)(const void *cfg);
} hk_neuron_ops;

/* ---- memory ------------------------------------------------------------------------------------ */

typedef enum hk_region {
    HK_R_PARAM,                          /* what is learned                                        */
    HK_R_GRAD,                           /* same layout                                            */
    HK_R_OPTIM,                          /* optimizer slots, each of the same layout               */
    HK_R_BUFFER,                         /* running statistics                                     */
    HK_R_STATE,                          /* membranes, traces, sums: zero at the start of a sample */
    HK_R_TAPE,                           /* what backward needs of forward, one slot per kept step */
    HK_R_PACKED,                         /* weights as products want them                          */
    HK_R_WORK,                           /* shared scratch                                         */
    HK_REGIONS
} hk_region;

#define HK_REGION_NAMES { "param", "grad", "optim", "buffer", "state", "tape", "packed", "work" }

/* Takes bytes from a region, aligned. While measuring returns NULL, so bind must not touch what it
 * takes; bind runs twice, first to measure, then to carve. */
void *hk_take(hk_mem *m, hk_region r, size_t bytes);

/* A parameter. Memory order may differ from file order: axis order[k] of the file is k-th in memory,
 * slowest first. */
typedef struct hk_param {
    const char *layer, *name;            /* file name "layer.name"                                 */
    hk_role     role;
    bool        learn;                   /* the optimizer changes it                               */
    float      *w, *g;                   /* [n]; g is NULL for buffers and in inference-only plans */
    size_t      n;
    int         rank;                    /* as factored below, 1..5                                */
    int32_t     dim[5];                  /* in file order                                          */
    uint8_t     order[5];
    int         file_rank;               /* as written, e.g. dense [out, in] though rank is 4      */
    int32_t     file_dim[5];
    float       lo, hi;                  /* bounds kept after every update; lo > hi: none          */
    int32_t     code_bits;               /* weights: 1 binary, 2 ternary codes are used; 0: floats */
    const float *used;                   /* [n] weights: what products take, w itself or derived;  */
                                         /* NULL if they are packed only, see hk_weighted_used     */
} hk_param;

/* Adds a parameter to node; w and g are set while carving. */
hk_param *hk_take_param(hk_mem *m, hk_node *node, const hk_param *like);

/* A value kept for several steps: slot(t), t = 0 the state of rest. With as many slots as steps those of
 * 1, 2, .. follow each other in memory. */
typedef struct hk_ring {
    char   *base;
    size_t  stride;
    int32_t slots;
} hk_ring;

static inline void *hk_slot(const hk_ring *r, int t)
{
    return r->base + (size_t)((t + r->slots - 1) % r->slots) * r->stride;
}

/* Takes a ring with as many slots as the rule keeps steps (one under an online rule); memory: and
 * under an adjoint one more, for the state before the first step. In inference layer by layer: one for a
 * memory, all steps for the rest. */
hk_ring hk_take_ring(hk_mem *m, hk_region r, size_t bytes, bool memory);

/* What is taken of STATE between these two, once per layer, is not cleared at the start of a sample: the layer
 * writes it at t = 1 before it reads it. */
void hk_fresh_begin(hk_mem *m, hk_node *l);
void hk_fresh_end(hk_mem *m, hk_node *l);

/* What the products of a weighted layer need, for inputs and traces of all kinds that it meets. */
hk_conv_bytes hk_product_bytes(const hk_node *l);
/* Whether weights change once these gradients are complete: they must be as the optimizer takes them. Without
 * an optimizer always. */
bool hk_update_due(const hk_net *net);

/* ---- layer ------------------------------------------------------------------------------------- */

/* A range of rows handled by one worker; it stays in the L1 cache. */
typedef struct hk_tile {
    int          t;                      /* step, 1..T                                             */
    size_t       row, rows;              /* of the layer's output map                              */
    int          shard, worker;
    const float *x[HK_MAX_IN];           /* forward: rows of each input as floats                  */
    float       *y;                      /* forward: rows of the output; NULL if not HK_F32        */
    const float *dy;                     /* backward: error at these rows of the output            */
    float       *dx[HK_MAX_IN];          /* backward: error at the inputs; NULL: not wanted        */
    bool         add[HK_MAX_IN];         /* add to dx instead of writing it                        */
    float       *scratch;                /* node->scratch arrays of node->tile floats each         */
} hk_tile;

/* A layer has a whole-tensor stage (products, pools, statistics), a tile stage (everything
 * elementwise), or both, in this order forward and in the opposite order backward. The net runs the
 * tile stages of neighbours one after another over a tile, so memory is swept once and no member
 * knows another. If some keys only need a whole stage, `infer` puts a second table into l->ops. */
typedef struct hk_layer_ops {
    hk_info    info;
    int        n_in;
    bool       alias;                    /* the output is the input seen with another shape        */
    bool       memory;                   /* carries a state over time; its output too is a ring    */
    bool       filter;                   /* a memory that neither fires nor decides; with `memory` */
    bool       whole;                    /* y is written by `forward`, else by `forward_tile`      */
    bool       steady;                   /* equal inputs give equal outputs at every step          */
    bool       in_place;                 /* backward may find its result where dy is               */
    hk_status (*infer)(hk_node *l, hk_error *e);                       /* l->in to l->out          */
    hk_status (*bind)(hk_node *l, hk_mem *m, hk_error *e);             /* twice; touches no data   */
    void      (*init)(hk_node *l, hk_rng r);                           /* first values             */
    void      (*prepare)(hk_node *l);                                  /* after weights changed    */
    void      (*reset)(hk_node *l);                                    /* new sample, STATE is 0   */
    /* Every step; a constant layer works at t = 1 only. In inference layer by layer (hk_by_layer) a layer without
     * memory hears all steps before its tile stage hears the first: what they share has a place for each step. */
    void      (*forward)(hk_node *l, int t);
    void      (*forward_tile)(hk_node *l, const hk_tile *a);
    void      (*carry)(hk_node *l, int t);       /* all layers have run forward: traces that need them */
    void      (*backward_tile)(hk_node *l, const hk_tile *a);
    void      (*backward)(hk_node *l, int t);
    void      (*finish)(hk_node *l);                                   /* sums to gradients        */
    bool      (*keeps_input)(const hk_node *l);      /* backward reads the input of its step       */
    double    (*operations)(const hk_node *l);       /* multiply-adds of one dense forward, batch 1 */
} hk_layer_ops;

/* What the user writes: one layer. Inputs are indices of earlier layers, -1 the net's input. */
typedef struct hk_node_spec {
    const char             *name;
    const hk_layer_ops     *layer;
    const void             *cfg;
    int32_t                 n_in, in[HK_MAX_IN];
    const hk_neuron_ops    *neuron;      /* spiking layers only, as the next three */
    const void             *neuron_cfg;
    const hk_surrogate_ops *surrogate;
    const void             *surrogate_cfg;
} hk_node_spec;

/* A layer's signals in the other phase of a count branch (hk_phase): inputs, then the output. Only
 * their kind and scale differ from those in use. */
typedef struct hk_face {
    hk_kind kind[HK_MAX_IN + 1];
    float   scale[HK_MAX_IN + 1];
    hk_ring y;
} hk_face;

/* What a layer is once it stands in a net. */
struct hk_node {
    const hk_node_spec *spec;
    const hk_layer_ops *ops;
    const char         *name;
    hk_net             *net;
    int32_t             index;
    hk_node            *from[HK_MAX_IN]; /* producers, aliases resolved; NULL: the net's input     */
    hk_signal           in[HK_MAX_IN], out;
    size_t              rows, rows_in;   /* batch*h*w of the output and of input 0                 */
    int32_t             shards;
    bool                constant;        /* the same output at every step of a sample              */
    bool                learnable;       /* this layer or one before it has parameters             */
    int32_t             top;             /* output in counts: the largest there can be             */
    bool                head, first;     /* weighted: feeds the readout directly; reads the input  */
    hk_node            *memory;          /* weighted, norm: the leaky state that it feeds, or NULL */

    bool                kept;            /* backward of someone reads y                            */
    bool                inner_y, inner_dy;   /* exist only as tiles                                */
    int32_t             consumers;
    bool                mark;            /* scratch of build                                       */
    int32_t             chain;           /* head of a chain: its length; else 0                    */
    hk_ring             y;               /* output; slots as the rule needs, base NULL if inner    */
    hk_ring             error;           /* error at the output, dE/dy                             */
    hk_face             other;           /* in, out and y of the other phase, with plan.counts     */
    bool                two_faced;       /* its output there is another array                      */
    bool                dx_add[HK_MAX_IN];   /* another consumer has written there before          */
    bool                dx_want[HK_MAX_IN];

    hk_conv             conv;            /* geometry of weighted layers and pools                  */
    hk_conv_args        args;
    size_t              w_bytes;         /* of derived weights that lie in WORK while they are prepared */
    hk_param           *param[HK_MAX_PARAM];
    int32_t             n_param;
    int32_t             scratch;         /* arrays of tile floats that the tile stages use         */
    size_t              tile;            /* floats in such an array                                */

    hk_ring             state[HK_MAX_STATE];              /* neurons; a norm's own, of each step   */
    hk_ring             saved[HK_MAX_STATE + 1];          /* y and states between segments         */
    void               *trace[HK_MAX_LEARN][HK_MAX_STATE];    /* [rows][C] of plan.trace_kind   */
    float              *adjoint[HK_MAX_STATE], *spike_adjoint;
    void               *presynaptic;     /* weight trace [rows_in][C in] of plan.trace_kind        */
    float              *told;            /* neurons, for traces per synapse: see eligibility.h     */
    float              *sense;           /* filters: [n_sense][rows][C], d y[t] / d parameter, and */
    double             *sense_sum;       /* [n_sense][H*W*C] the gradients, from who reads it      */
    int32_t             n_sense;
    void               *buf[8];          /* whatever else the layer took                           */
    float               decay;           /* leak of a memory, refreshed by prepare; see hk_decay   */
    float              *decays;          /* [T] the same where it differs from step to step        */
    float               bias_trace;      /* bt[t] = decay bt[t-1] + 1, the trace of a constant 1   */
    double             *sum[HK_MAX_LEARN];   /* [shards][groups] partial gradient sums             */
    size_t              fresh[2];        /* bytes of STATE from, to: not cleared at reset          */
    uint64_t           *spikes;          /* [shards] spikes since reset                            */
    float              *watch_delta;     /* probe: error at the membrane is added here [rows][C]   */
    size_t              y_at, error_at;  /* placement in WORK                                      */
};

/* Leak of a memory from step t-1 to t; past the T of the net, that of step T. */
static inline float hk_decay(const hk_node *memory, int t);

/* Where the error at a node's output lies for step t. */
static inline float *hk_dy(const hk_node *l, int t) { return (float *)hk_slot(&l->error, t); }

/* The input of a node at step t as the products see it. */
hk_view hk_input(const hk_node *l, int k, int t);
/* The rows of a tile of it as floats: where they are, or expanded. */
const float *hk_input_rows(const hk_node *l, int k, const hk_tile *a, float *expand);
/* Producer's error buffer of input k. */
float *hk_dx(const hk_node *l, int k, int t);

/* For whole stages: `body` over the layer's own rows, in tiles and shards as its tile stage has them.
 * Forward with x, but no y; backward with dy, dx and add. */
typedef void hk_rows(hk_node *l, const hk_tile *a);
void hk_rows_forward(hk_node *l, int t, hk_rows *body);
void hk_rows_backward(hk_node *l, int t, hk_rows *body);

/* Factor on what a layer adds whatever its input, a bias or the shift of a norm: 1 under most rules.
 * With rule->spread, 1/T at a step and 1 in HK_SUMS; whole: for a constant that each step has in
 * full, 1 and T. */
float hk_offset(const hk_node *l, bool whole);

/* ---- loss -------------------------------------------------------------------------------------- */

typedef struct hk_loss_ops {
    hk_info info;
    /* Value of one sample, and its gradient dz[n]. target[n]: one-hot (smoothed), or as given. */
    double (*eval)(int n, const float *z, const float *target, float *dz, const void *cfg);
} hk_loss_ops;

/* ---- rule -------------------------------------------------------------------------------------- */

typedef enum hk_bias_trace { HK_BIAS_EXACT, HK_BIAS_PLAIN, HK_BIAS_NONE } hk_bias_trace;

/* What the gradient of a weight multiplies: the input of the instant; a trace of it that all outputs
 * share, with one leak; or a trace of its own, which forgets as its neuron does (dense layers). */
typedef enum hk_weight_trace { HK_TRACE_NONE, HK_TRACE_SHARED, HK_TRACE_SYNAPSE } hk_weight_trace;

/* When weights change: after the sample; at every step, or at steps that the rule chooses. In the last
 * two the rule itself calls hk_net_update. */
typedef enum hk_update_time { HK_AT_END, HK_AT_EACH_STEP, HK_AT_POINTS } hk_update_time;

/* The four choices that make a rule, as data. */
typedef struct hk_rule_plan {
    bool    adjoint;                     /* recursion: backwards over a tape, or traces forward    */
    int32_t window;                      /* adjoint: steps kept, 1..T                              */
    bool    layer_major;                 /* adjoint: one layer through all steps, then the next    */
    bool    recompute;                   /* adjoint: window is a segment, steps are run again      */
    size_t  budget;                      /* recompute: bytes of all regions, at most               */
    bool    reset_grad;                  /* adjoint: differentiate the spike inside the reset      */
    bool    weights;                     /* gradients of weights, biases, norms                    */
    int32_t weight_trace;                /* hk_weight_trace                                        */
    int32_t trace_kind;                  /* in memory, all but those of filters: HK_F32, HK_B16    */
    float   trace_floor;                 /* of shared weight traces: what is smaller becomes 0     */
    bool    trace_late;                  /* per synapse: of the input of the step before           */
    float   filter_ratio;                /* filters: gradients of the instant times (1-q^t)/(1-q); 0: traces */
    bool    hard_reset_trace;            /* accept a trace where it is known to be wrong           */
    bool    learn_threshold, learn_leak; /* neuron traces, or the adjoint's sums                   */
    bool    leak_mean;                   /* divide the leak gradient by its sharers                */
    bool    trace_reset;                 /* traces of neurons, and per synapse: differentiate the spike inside the reset */
    bool    first_layer_trace;
    float   head_trace;                  /* leak at the head; NaN: of the readout                  */
    int32_t bias_trace;                  /* hk_bias_trace                                          */
    bool    norm_exact;                  /* trace for batch norm's affine parameters               */
    int32_t updates;                     /* hk_update_time                                         */
    int32_t state;                       /* floats that the rule keeps from batch to batch         */
    bool    counts;                      /* a count branch: phases HK_SPIKES and HK_SUMS           */
    bool    mask_counts;                 /* counts: a neuron counts only where its input sum > 0   */
    bool    frame_mean;                  /* counts: HK_SUMS sees the mean of the frames, not the sum */
    float   membrane_dropout;            /* counts: share of membranes dropped after each step     */
    float   error_factor;                /* on the error of every step that runs backward; 0: 1    */
} hk_rule_plan;

typedef struct hk_rule_ops {
    hk_info info;
    bool    spread;                      /* additive constants are shared out over the T steps     */
    /* From cfg and net->spec to the four choices. E_UNSUP, E_ARG name rule, layer, what is missing. */
    hk_status (*plan)(const hk_net *net, const void *cfg, hk_rule_plan *p, hk_error *e);
    /* Gradients of one batch. Adds to every param's g, changes no weight (hk_net_update does). */
    void (*run)(hk_net *net, const void *cfg);
    /* One step of a sample without an end: all layers forward, then, with `error`, the gradient of this
     * step's loss. NULL: the rule needs whole samples. */
    void (*step)(hk_net *net, const void *cfg, int t, bool error);
} hk_rule_ops;

/* ---- optimizer, schedule ----------------------------------------------------------------------- */

enum { HK_MAX_SLOT = 2 };

typedef struct hk_optim_ops {
    hk_info info;
    int     n_slot;                      /* float arrays per weight: momentum, variance, ...       */
    /* step counts from 1; decay: weight decay applies to these n values. */
    void  (*update)(const void *cfg, int64_t step, float lr, bool decay, size_t n,
                    float *w, const float *g, float *const slot[]);
} hk_optim_ops;

typedef struct hk_schedule_ops {
    hk_info info;
    /* Factor on the learning rate at progress = epochs done (fractional) of `epochs` in all. */
    double (*factor)(const void *cfg, double progress, double epochs);
} hk_schedule_ops;

#ifdef __cplusplus
}
#endif

#include "hillock_net.h"
#endif
