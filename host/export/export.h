/* From a recipe and its weights to a folder of C that links with the core alone:
 *
 *   net.h, net.c     tables of the net, one static block of memory, entries to infer and to learn
 *   weights.c        first values as constants
 *   selftest.c       what this machine got when it learned the samples of the self-test
 *   samples.h, .c    samples of the data set, when asked for
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_EXPORT_H
#define HK_EXPORT_H

#include "target.h"

typedef struct hk_export_opts {
    const char *recipe;                  /* path                                                  */
    const char *const *set;
    int         n_set;
    const char *weights;                 /* safetensors, or NULL: the seed's first weights        */
    const char *out;                     /* folder, made when missing                             */
    hk_form     form;
    int32_t     tile;                    /* floats that tile stages handle at once, 0: default    */
    int32_t     train, test;             /* samples of each split to write, at most               */
} hk_export_opts;

typedef struct hk_export_result {
    size_t  memory, tables;              /* RAM: the block, and the core's tables (at most)       */
    size_t  constants;                   /* flash: weights                                        */
    size_t  samples;                     /* flash: bytes of the samples                           */
    int32_t n_node, n_param;
} hk_export_result;

/* E_UNSUP, E_SHAPE and E_ARG as hk_net_build, the errors of recipe, weights and files. */
hk_status hk_export(const hk_export_opts *o, hk_export_result *out, hk_error *e);

/* The net's weights as a safetensors file o->out for `eval`, those of one or two bits as codes
 * (run/codes.h). out->constants: bytes of its tensors; out->memory: of the same as floats. */
hk_status hk_export_compact(const hk_export_opts *o, hk_export_result *out, hk_error *e);

#endif
