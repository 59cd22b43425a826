/* A net as constants, and the model that runs from them in one block of memory: what
 * `hillock export` writes and a program without an operating system links (docs/embedded.md).
 *
 *   static uint64_t memory[NET_BYTES / 8];          the size is known when the program is compiled
 *   hk_model_open(&m, &net_image, node, param, memory, &e);
 *   hk_model_learn(&m, frame, label, &result, &e);  one sample: gradients by the rule, one update
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HILLOCK_IMAGE_H
#define HILLOCK_IMAGE_H

#include "hillock_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- constants --------------------------------------------------------------------------------- */

typedef enum hk_form { HK_FORM_F32, HK_FORM_F16, HK_FORM_I8 } hk_form;

/* First values of a parameter, in memory order. F16: IEEE half precision. I8: value * scale[k], k
 * the innermost axis, which is the output channel of weights. */
typedef struct hk_constant {
    const void  *value;
    const float *scale;                  /* HK_FORM_I8, else NULL                                  */
    hk_form      form;
} hk_constant;

enum { HK_SELF_RAW = 8, HK_SELF_SAMPLES = 3 };

/* What learning one sample leaves behind: digests, and the first values behind them. */
typedef struct hk_self_sample {
    uint32_t membranes, spikes;          /* of every step and spiking layer                        */
    uint32_t gradients, weights;         /* of the sample; after the update                        */
    uint32_t loss;                       /* bits of (float)loss                                    */
    float    membrane[HK_SELF_RAW];      /* of the first spiking layer at step T                   */
    float    gradient[HK_SELF_RAW], weight[HK_SELF_RAW];       /* of the first parameter           */
} hk_self_sample;

typedef struct hk_image {
    const hk_net_spec    *spec;          /* batch 1                                                */
    hk_update             update;
    size_t                bytes[HK_REGIONS];     /* as hk_net_plan gives them                      */
    int32_t               n_param;
    const hk_constant    *param;         /* [n_param]                                              */
    const void *const    *self_frame;    /* [HK_SELF_SAMPLES] shown at every step, or NULL         */
    const hk_self_sample *self;          /* [HK_SELF_SAMPLES] what the exporter got                */
} hk_image;

/* Bytes of the block that hk_model_open wants: the sum of the regions. */
size_t hk_image_bytes(const hk_image *image);

/* ---- the model --------------------------------------------------------------------------------- */

typedef struct hk_model {
    const hk_image *image;
    hk_net          net;
    hk_batch        batch;               /* of whole samples                                       */
    const void     *frame;               /* of step 1                                              */
    size_t          stride;              /* bytes from one step's frame to the next                */
    int32_t         label;
    hk_stream       stream;              /* of single steps                                        */
} hk_model;

/* Builds the image's net in node[spec->n_node], param[n_param] and memory (hk_image_bytes, aligned as
 * spec->align says) and loads the constants. E_ARG: the core plans other bytes than the image says,
 * so the two do not belong together; the errors of hk_net_build. */
hk_status hk_model_open(hk_model *m, const hk_image *image, hk_node *node, hk_param *param,
                        void *memory, hk_error *e);
/* The image's constants again: what was learned since is forgotten, the optimizer cleared. */
void      hk_model_load(hk_model *m);

/* One sample. frames: the frame of every step, one behind another; a single one if the input is
 * constant. best: the class that wins; may be NULL. */
hk_status hk_model_infer(hk_model *m, const void *frames, int32_t *best, hk_error *e);
/* One labelled sample: gradients by the rule, one update (or one per step, if the rule says so). */
hk_status hk_model_learn(hk_model *m, const void *frames, int32_t label, hk_result *out,
                         hk_error *e);

/* The same step by step, as input arrives (hk_stream); a sample may have any number of steps. begin
 * clears membranes and traces. A step returns the logits of that step, [classes]. update turns the
 * gradients of the steps since into weights. For rules that learn step by step, with a loss at every
 * step; E_UNSUP otherwise. A constant input is read at the first step only. */
void         hk_model_begin(hk_model *m, bool learn);
const float *hk_model_infer_step(hk_model *m, const void *frame);
hk_status    hk_model_learn_step(hk_model *m, const void *frame, int32_t label, hk_error *e);
void         hk_model_update(hk_model *m);

/* Number of the largest of n values, the first of equals. */
int32_t hk_largest(int32_t n, const float *v);

/* ---- bits -------------------------------------------------------------------------------------- */

/* FNV-1a over 32-bit words; begin with HK_DIGEST. */
#define HK_DIGEST 2166136261u
uint32_t hk_digest(uint32_t digest, const void *words, size_t bytes);
/* Membranes and other states, or spikes, of all spiking layers at step t. */
uint32_t hk_model_digest_states(const hk_model *m, int t, uint32_t digest);
uint32_t hk_model_digest_spikes(const hk_model *m, int t, uint32_t digest);

/* Learns sample k of the self-test, in order from freshly loaded constants, and records it. */
hk_status hk_model_self_sample(hk_model *m, int32_t k, hk_self_sample *out, hk_error *e);
/* Loads the constants, learns all samples of the self-test and compares; then loads them again.
 * E_NUM names sample, quantity, expected and found. */
hk_status hk_model_self_test(hk_model *m, hk_error *e);

#ifdef __cplusplus
}
#endif
#endif
