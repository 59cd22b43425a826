/* For authors of members and rules: the net as they see it, and how it is built, run and learned from.
 * hillock_ext.h, which has the families, includes this.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HILLOCK_NET_H
#define HILLOCK_NET_H

#include "hillock_ext.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum hk_when { HK_EACH_STEP, HK_FINAL } hk_when;

/* What a pass computes. A rule with a count branch runs the T steps in HK_SPIKES: forward only, with
 * running statistics, while spiking layers count. One step in HK_SUMS follows: every signal stands for
 * the sum over the T steps of what it was, spiking layers put out their counts, backward works. */
typedef enum hk_phase { HK_STEPS, HK_SPIKES, HK_SUMS } hk_phase;

typedef struct hk_objective {            /* how the loss meets time and batch */
    int32_t when;                        /* hk_when                                                */
    bool    batch_sum;                   /* sum over the batch instead of mean                     */
    bool    divide_by_T;
    float   smoothing;                   /* label smoothing, 0..1                                  */
} hk_objective;

typedef struct hk_net_spec {
    const hk_node_spec *node;
    int32_t             n_node;
    hk_signal           input;
    bool                constant_input;  /* every step shows the same frame                        */
    int32_t             T, batch;
    bool                learn;           /* false: forward only, running statistics                */
    bool                layer_major;     /* forward only: a layer runs all T steps before the next, so that a
                                            product reads its weights once; outputs of T steps are kept */
    const hk_rule_ops  *rule;            /* with learn; without, for what it says of inference     */
    const void         *rule_cfg;
    const hk_loss_ops  *loss;
    const void         *loss_cfg;
    hk_objective        objective;
    const hk_optim_ops *optim;           /* NULL: gradients only                                   */
    const void         *optim_cfg;
    const hk_kernels   *kernels;
    int32_t             tile;            /* floats in a tile, 0: 512                               */
    int32_t             align;           /* of every piece of memory, a power of two, 0: 64        */
    int32_t             shards;          /* 1..HK_MAX_SHARD, 0: HK_MAX_SHARD                        */
    uint64_t            seed;
} hk_net_spec;

typedef struct hk_update {               /* how gradients become weights; may change between batches */
    float   lr;
    float   lr_threshold, lr_leak;       /* factors on lr                                          */
    float   clip_norm;                   /* 0: none                                                */
    int32_t accumulate;                  /* batches per update, >= 1                               */
    int32_t epoch;                       /* passes over the data so far, for rules that mind       */
} hk_update;

/* One batch. frame(self, t) gives the input of step t = 1..T (t = 1 only, if constant): [batch] maps
 * of the spec's input kind, borrowed until the next call. Samples from n on are padding. */
typedef struct hk_batch {
    int32_t        n;
    const void  *(*frame)(void *self, int t);
    void          *self;
    const int32_t *label;                /* [n], or NULL                                           */
    const float   *target;               /* [T][batch][C], or NULL                                 */
    const int32_t *length;               /* [n] steps that each sample has, 1..T; NULL: all T. After
                                            its end a sample is silent: no spike, loss or error    */
    bool           open;                 /* a sample without an end: hillock_stream.h              */
} hk_batch;

typedef struct hk_result {
    double  loss;                        /* E, as the objective reduces it                         */
    int64_t correct, seen;
    int64_t spiking;                     /* count branch: correct by the steps; correct: by the sums */
} hk_result;

/* Called during a batch, for probes: after forward(t) and after backward(t). */
typedef enum hk_event { HK_AFTER_FORWARD, HK_AFTER_BACKWARD } hk_event;
typedef void hk_watch(void *self, hk_net *net, int t, hk_event what);

struct hk_net {
    hk_net_spec  spec;
    hk_rule_plan plan;
    hk_node     *node;                   /* [n_node]                                               */
    int32_t      n_node;
    hk_node     *readout;
    hk_param    *param;
    int32_t      n_param, max_param;

    hk_ring      x;                      /* the net's input                                        */
    hk_ring      other_x;                /* in the other phase                                     */
    hk_phase     phase;
    float       *slot[HK_MAX_SLOT];
    float       *scratch;                /* [workers][...]                                         */
    float       *spare;                  /* a product's result before it is added to an error      */
    size_t       scratch_stride;         /* floats per worker                                      */
    float       *rule_state;             /* [plan.state], 0 at first, in BUFFER; checkpoints keep it */
    float       *target;                 /* [C] scratch of the loss                                */
    size_t       bytes[HK_REGIONS];
    char        *base[HK_REGIONS];

    hk_update    update;
    int64_t      updates;                /* optimizer steps so far                                 */
    int32_t      pending;                /* batches accumulated since                              */
    int64_t      samples;                /* batches begun, for dropout's random stream             */
    int64_t      live;                   /* steps so far of all samples of this batch              */
    bool         training;               /* batch statistics and dropout                           */
    bool         replay;                 /* this step runs again: what it counts is counted        */
    const hk_batch *batch;
    int32_t      steps;                  /* run forward since hk_net_begin; fewer than T if the rule stops early */
    int32_t      t0;                     /* first step of the window being swept backwards         */
    hk_result    result;
    hk_watch    *watch;
    void        *watch_self;
};

/* Whether layers see all steps of a sample at once, in inference. A small build has no memory for that. */
static inline bool hk_by_layer(const hk_net *net)
{
#if defined(HK_SMALL)
    (void)net;
    return false;
#else
    return net->spec.layer_major && !net->spec.learn;
#endif
}

/* Steps that sample b of the batch has: 0 for padding. */
static inline int32_t hk_steps_of(const hk_net *net, int32_t b)
{
    const hk_batch *in = net->batch;
    return b >= in->n ? 0 : in->open ? INT32_MAX : in->length ? in->length[b] : net->spec.T;
}

/* Whether samples of this batch end before T, or are padding from the start: else all rows count. */
static inline bool hk_ragged(const hk_net *net)
{
    return net->batch->length || net->batch->n < net->spec.batch;
}

/* Samples that have a step t, and the largest number of steps. */
int32_t hk_net_live(const hk_net *net, int t);
int32_t hk_net_steps(const hk_net *net);
/* Whether t is the last step of some sample: then a final loss enters there. */
bool    hk_net_ends(const hk_net *net, int t);

static inline float hk_decay(const hk_node *memory, int t)
{
    const int last = memory->net->spec.T;
    return memory->decays ? memory->decays[(t < last ? t : last) - 1] : memory->decay;
}

/* Upper bound on the parameters of a spec: the length of the array that hk_net_build wants. */
int32_t hk_net_max_param(const hk_net_spec *spec);

/* Prepares net in the caller's memory: node[spec->n_node] and param[max_param]. The spec is copied,
 * what it points to must outlive the net. Checks every shape and whether the rule fits every layer.
 * E_SHAPE, E_UNSUP, E_ARG: the message names rule, layer, expected and found. */
hk_status hk_net_build(hk_net *net, const hk_net_spec *spec, hk_node *node, hk_param *param,
                       int32_t max_param, hk_error *e);

/* Bytes of each region. Allocates nothing, may be called again. */
hk_status hk_net_plan(hk_net *net, size_t bytes[HK_REGIONS], hk_error *e);

/* Gives each region its memory, aligned to spec.align; exactly the planned bytes are used. */
hk_status hk_net_bind(hk_net *net, void *const base[HK_REGIONS], hk_error *e);

/* First weights, running statistics and thresholds, from spec.seed; clears the optimizer. */
void hk_net_init(hk_net *net);

/* Must be called after somebody wrote weights (hk_net_init and hk_net_learn do it themselves). */
void hk_net_prepare(hk_net *net);

/* One batch: gradients by the rule, weights by the optimizer (if the spec names one). E_NUM when the
 * loss is not finite: the message names the first layer with a non-finite membrane. */
hk_status hk_net_learn(hk_net *net, const hk_batch *batch, hk_result *out, hk_error *e);

/* One batch forward only; out->loss is 0 without labels. Predictions: hk_net_output. */
hk_status hk_net_infer(hk_net *net, const hk_batch *batch, hk_result *out, hk_error *e);

/* [batch][C]: what decides, after a batch: the sum of the logits, or the last or leaky ones. */
const float *hk_net_output(const hk_net *net);

/* Mean spikes per neuron and step of the last batch, over the steps that its samples have; 0 for
 * layers that do not spike. */
double hk_node_rate(const hk_node *l);

/* For rules: the pieces of a batch. */
void hk_net_begin(hk_net *net);                    /* rest, traces 0                               */
/* Turns the net to a phase: signals, whether statistics are of the batch. */
void hk_net_phase(hk_net *net, hk_phase phase);
/* All layers, traces advanced; HK_SUMS: t = T. Not with spec.layer_major in inference. */
void hk_net_forward(hk_net *net, int t);
/* Step t backwards; t0: first step of the window; error: the loss of step t enters here. */
void hk_net_backward(hk_net *net, int t, int t0, bool error);
void hk_net_clear_adjoint(hk_net *net);            /* nothing comes from the future                */
void hk_net_forward_layers(hk_net *net);           /* each layer through all steps before the next */
void hk_net_backward_layers(hk_net *net);
void hk_net_segments(hk_net *net);                 /* all steps there and back, by segments        */
void hk_net_drop(hk_net *net);                     /* gradients to 0, unused                       */
void hk_net_finish(hk_net *net);                   /* sums of the steps into the gradients         */
void hk_net_update(hk_net *net);                   /* optimizer, bounds, prepare                   */

/* Copies between file order and memory order. */
void hk_param_get(const hk_param *p, const float *memory, float *file);
void hk_param_put(const hk_param *p, const float *file, float *memory);
/* A map of one sample [h][w][c] to [c][h][w] and back. */
void hk_map_to_file(hk_shape s, const float *memory, float *file);
void hk_map_from_file(hk_shape s, const float *file, float *memory);

/* Adds n values of a tile to partial sums: `groups` 1 (layer), C (channel) or H*W*C (neuron). */
void hk_sum_tile(const hk_node *l, const hk_tile *a, double *sum, size_t groups, const float *v);
/* Adds the shards of sum into g[groups] times scale, and clears them. */
void hk_sum_finish(const hk_node *l, double *sum, size_t groups, double scale, float *g);

#ifdef __cplusplus
}
#endif
#endif
