/* One plan: a recipe with a rule and a number of steps, measured but not run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_CLI_PLAN_H
#define HK_CLI_PLAN_H

#include "export/target.h"

typedef struct hk_plan_layer {
    char     name[64], type[32];
    hk_shape shape;                      /* of the output                                       */
    double   operations;                 /* multiply-adds of one dense forward step, one sample */
    size_t   bytes[HK_REGIONS];          /* what only this layer uses                           */
    size_t   flash;                      /* on a device: constants and table rows              */
} hk_plan_layer;

typedef struct hk_plan {
    char           rule[32], net[48];
    hk_shape       input;
    int32_t        T, batch, workers, n_layer;
    hk_plan_layer *layer;                /* [n_layer]                                           */
    size_t         bytes[HK_REGIONS], total;
    size_t         learned;              /* parameters, without running statistics              */
    double         operations;
    size_t         tables;               /* on a device: RAM of the core's tables               */
    int32_t        followed;             /* products whose form is that of the table given      */
    hk_error       refused;              /* code HK_OK, or why this rule does not fit           */
} hk_plan;

/* A microcontroller; of RAM and flash what it has, 0: no limit; stack: what is set aside for it. */
typedef struct hk_device {
    const hk_target *target;
    hk_form          form;               /* of the constants that are weights                   */
    size_t           ram, flash, stack;
} hk_device;

/* What to plan. */
typedef struct hk_plan_opts {
    const char        *recipe;           /* path                                                */
    const char *const *set;              /* assignments a.b=c                                   */
    int                n_set;
    const char        *rule;             /* NULL: the recipe's own                              */
    int32_t            T;                /* 0: the recipe's                                     */
    const char        *choice;           /* table of forms to follow; NULL: the fixed one       */
    const hk_device   *device;           /* the exported net there; NULL: a run on this machine */
} hk_plan_opts;

/* Reads the recipe, opens the data only if the recipe does not say their shape, and measures. A rule that
 * does not fit the net is told in `refused`; any other failure is returned. On a device: batch 1, one
 * worker, the reference kernels, whatever `choice` says. */
hk_status hk_plan_make(hk_plan *p, const hk_plan_opts *o, hk_error *e);
void      hk_plan_free(hk_plan *p);

/* plan_mcu.c: prints RAM and flash by region and layer. E_NOMEM: over a limit, with the largest
 * consumers. */
hk_status hk_plan_mcu_show(const hk_plan *p, const hk_device *device, hk_error *e);

#endif
