/* A net as the device will have it, standing on this machine: spec, memory, constants, self-test.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_SNAPSHOT_H
#define HK_SNAPSHOT_H

#include "export.h"

typedef struct hk_snapshot {
    hk_recipe     recipe;
    hk_dataset    data[2];               /* opened when shape or samples are wanted from them      */
    hk_net_spec   spec;
    hk_model      model;
    hk_node      *node;
    hk_param     *param;
    void         *memory;
    hk_constant  *constant;              /* [n_param], as the image has them                       */
    void         *values;                /* their memory                                           */
    void         *frames;                /* self-test inputs, HK_SELF_SAMPLES times frame_bytes    */
    size_t        frame_bytes;
    const void   *frame[HK_SELF_SAMPLES];
    hk_self_sample self[HK_SELF_SAMPLES];
    hk_image      image;
} hk_snapshot;

/* Reads recipe and weights, builds the net with the target's spec, rounds the weights to o->form and
 * records the self-test. On failure *s is all zero. A snapshot must not be moved. */
hk_status hk_snapshot_open(hk_snapshot *s, const hk_export_opts *o, hk_error *e);
void      hk_snapshot_close(hk_snapshot *s);

#endif
