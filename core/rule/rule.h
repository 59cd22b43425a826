/* What the online rules share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_RULE_H
#define HK_RULE_H

#include "hillock_ext.h"

/* Keys of every rule that keeps presynaptic traces. */
typedef struct hk_trace_cfg {
    int32_t bias_trace;                  /* hk_bias_trace                       */
    bool    first_layer_trace;
    float   head_trace;                  /* NaN: of the readout                 */
    int32_t bn_trace;                    /* 0 plain, 1 exact                    */
    int32_t hard_reset_trace;            /* 0 refuse, 1 ignore                  */
    int32_t weight_trace;                /* 0 shared, 1 synapse, 2 none         */
    int32_t traces;                      /* 0 fp32, 1 bf16                      */
    float   trace_floor;
} hk_trace_cfg;

/* How traces lie in memory; `member` of cfg holds the word. */
#define HK_TRACE_KIND_ROW(cfg, member)                                                             \
    { "traces", HK_ENUM, offsetof(cfg, member), 0, 0, 1, "1",                                      \
      "traces in memory; bf16: half the bytes, advanced in fp32 and rounded once per step",        \
      "fp32|bf16" }

static inline int32_t hk_trace_kind_of(int32_t word) { return word ? HK_B16 : HK_F32; }

#define HK_TRACE_ROWS(cfg)                                                                         \
    { "bias_trace", HK_ENUM, offsetof(cfg, trace.bias_trace), HK_BIAS_EXACT, 0, 2, "1",            \
      "bias gradient: bt[t] = leak bt[t-1] + 1 (exact), 1 (plain), or no gradient",                \
      "exact|plain|none" },                                                                        \
    { "first_layer_trace", HK_BOOL, offsetof(cfg, trace.first_layer_trace), 1, 0, 1, "1",          \
      "trace in the first weighted layer; false is the released OTTT code", NULL },                \
    { "head_trace", HK_FLOAT, offsetof(cfg, trace.head_trace), NAN, 0, 1, "1",                     \
      "leak of the trace at the head; null: that of the readout", NULL },                          \
    { "bn_trace", HK_ENUM, offsetof(cfg, trace.bn_trace), 0, 0, 1, "1",                            \
      "batch norm's affine parameters: gradient of the instant, or filtered", "plain|exact" },     \
    { "hard_reset_trace", HK_ENUM, offsetof(cfg, trace.hard_reset_trace), 0, 0, 1, "1",            \
      "a weight trace that is wrong for the neuron (hard reset; clif): refuse, or ignore the error",  \
      "refuse|ignore" },                                                                            \
    { "weight_trace", HK_ENUM, offsetof(cfg, trace.weight_trace), 0, 0, 2, "1",                    \
      "one trace of an input for all outputs; one per synapse (dense layers, any neuron, reset); "  \
      "none: weights from the input of the step, as sltt has them", "shared|synapse|none" },        \
    HK_TRACE_KIND_ROW(cfg, trace.traces),                                                           \
    { "trace_floor", HK_FLOAT, offsetof(cfg, trace.trace_floor), 0, 0, 1e6, "1",                    \
      "what is smaller in a weight trace becomes 0, so that events pay; 0: nothing does", NULL }

static inline void hk_trace_plan(const hk_trace_cfg *c, hk_rule_plan *p)
{
    static const hk_weight_trace form[] = { HK_TRACE_SHARED, HK_TRACE_SYNAPSE, HK_TRACE_NONE };
    p->weight_trace = form[c->weight_trace];
    p->trace_kind = hk_trace_kind_of(c->traces);
    p->trace_floor = c->trace_floor;
    p->bias_trace = c->bias_trace;
    p->first_layer_trace = c->first_layer_trace;
    p->head_trace = c->head_trace;
    p->norm_exact = c->bn_trace != 0;
    p->hard_reset_trace = c->hard_reset_trace != 0;
}

/* A final loss that reaches all steps cannot be used online. E_UNSUP names rule and readout. */
hk_status hk_rule_check_online(const hk_net *net, hk_error *e);

/* One step after another: forward with traces, loss, spatial backward. With a final loss there is one
 * backward pass, at t = T (one at each step where a sample ends, if they have lengths). */
void hk_rule_run_online(hk_net *net);

/* hk_rule_ops.step of the rules that need nothing but traces. */
void hk_rule_step(hk_net *net, const void *cfg, int t, bool error);

#endif
