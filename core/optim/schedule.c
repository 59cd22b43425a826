/* Schedules: a factor on the learning rate at e = epochs done, a fraction included, of E in all.
 *
 *   constant   1
 *   step       factor^floor(e / every)
 *   multistep  factor^n,  n of the times at1..at4 have passed
 *   cosine     floor + (1 - floor) (1 + cos(pi min(e / E, 1))) / 2
 *
 * A caller that wants the rate to change between epochs only gives whole e. Warm-up is the
 * caller's: e and E are then counted from its end.
 *
 * Source: cosine is Loshchilov and Hutter, "SGDR", ICLR 2017, arXiv:1608.03983, Eq. 5, without
 * restarts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/math.h"
#include "hillock_ext.h"

#include <math.h>

/* ---- constant -------------------------------------------------------------------------------- */

static double constant_factor(const void *cfg, double progress, double epochs)
{
    (void)cfg;
    (void)progress;
    (void)epochs;
    return 1;
}

const hk_schedule_ops hk_schedule_constant = {
    .info = { "constant", "the rate as given",
              "none needed", 0, NULL, 0 }, .factor = constant_factor,
};

/* ---- step ------------------------------------------------------------------------------------ */

typedef struct step_cfg {
    float every, factor;
} step_cfg;

static const hk_field step_fields[] = {
    HK_ROW_FLOAT(step_cfg, every, 30, 1e-3, 1e9, "epochs", "time between two drops"),
    HK_ROW_FLOAT(step_cfg, factor, 0.1, 0, 10, "1", "what a drop multiplies the rate by"),
};

static double step_factor(const void *cfg, double progress, double epochs)
{
    const step_cfg *c = cfg;
    const double drops = floor(progress / (double)c->every);
    double y = 1;
    (void)epochs;
    for (int i = 0; i < drops && y > 0 && y < 1e30; i++) y *= (double)c->factor;
    return y;
}

const hk_schedule_ops hk_schedule_step = {
    .info = { "step", "a drop every few epochs", "PyTorch's StepLR",
              sizeof(step_cfg), step_fields, HK_COUNT(step_fields) },
    .factor = step_factor,
};

/* ---- multistep ------------------------------------------------------------------------------- */

enum { TIMES = 4 };

typedef struct multistep_cfg {
    float at1, at2, at3, at4, factor;
} multistep_cfg;

static const hk_field multistep_fields[] = {
    HK_ROW_FLOAT(multistep_cfg, at1, 0, 0, 1e9, "epochs", "time of a drop, 0: none"),
    HK_ROW_FLOAT(multistep_cfg, at2, 0, 0, 1e9, "epochs", "of another, in any order"),
    HK_ROW_FLOAT(multistep_cfg, at3, 0, 0, 1e9, "epochs", "of another"),
    HK_ROW_FLOAT(multistep_cfg, at4, 0, 0, 1e9, "epochs", "of another"),
    HK_ROW_FLOAT(multistep_cfg, factor, 0.1, 0, 10, "1", "what a drop multiplies the rate by"),
};

static double multistep_factor(const void *cfg, double progress, double epochs)
{
    const multistep_cfg *c = cfg;
    const float at[TIMES] = { c->at1, c->at2, c->at3, c->at4 };
    double y = 1;
    (void)epochs;
    for (int i = 0; i < TIMES; i++)
        if (at[i] > 0 && progress >= (double)at[i]) y *= (double)c->factor;
    return y;
}

const hk_schedule_ops hk_schedule_multistep = {
    .info = { "multistep", "a drop at each of up to four times", "PyTorch's MultiStepLR",
              sizeof(multistep_cfg), multistep_fields, HK_COUNT(multistep_fields) },
    .factor = multistep_factor,
};

/* ---- cosine ---------------------------------------------------------------------------------- */

typedef struct cosine_cfg {
    float floor;
} cosine_cfg;

static const hk_field cosine_fields[] = {
    HK_ROW_FLOAT(cosine_cfg, floor, 0, 0, 1, "1", "factor at the end"),
};

static double cosine_factor(const void *cfg, double progress, double epochs)
{
    const double low = ((const cosine_cfg *)cfg)->floor;
    const double done = epochs > 0 ? fmin(fmax(progress / epochs, 0), 1) : 0;
    return low + (1 - low) * (1 + hk_cos_turns(0.5 * done)) / 2;
}

const hk_schedule_ops hk_schedule_cosine = {
    .info = { "cosine", "half a cosine from 1 to the floor",
              "Loshchilov and Hutter 2017, arXiv:1608.03983",
              sizeof(cosine_cfg), cosine_fields, HK_COUNT(cosine_fields) },
    .factor = cosine_factor,
};
