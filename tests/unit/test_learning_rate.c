/* The learning rate of a batch: warm-up first, then the schedule over the epochs that remain.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"
#include "run/trainer.h"

#define HK_SCHEDULE(nm) extern const hk_schedule_ops hk_schedule_##nm;
#include "registry.def"

static cfg_block cfg;

static hk_recipe with(const hk_schedule_ops *o, const char *keys, int epochs, float warmup, float start)
{
    hk_recipe r = { .optim = { .update = { .lr = 0.2f }, .schedule = o, .schedule_cfg = &cfg,
                               .warmup = warmup, .warmup_start = start },
                    .train = { .epochs = epochs } };
    if (o) configure(&o->info, &cfg, keys);
    return r;
}

/* Rates in units of lr, batch by batch. */
static void rates(const hk_recipe *r, int batches, const double *factor, int n, const char *what)
{
    for (int k = 0; k < n; k++)
        near(hk_learning_rate(r, k / batches, k % batches, batches) / (double)r->optim.update.lr,
             factor[k], 1e-7, what, k);
}

static void rise(void **state)
{
    (void)state;
    static const double from_0[] = { .25, .5, .75, 1, 1, 1, 1, 1 };
    static const double from_half[] = { .625, .75, .875, 1, 1, 1, 1, 1 };
    static const double fraction[] = { 2. / 3, 1, 1, 1 };
    hk_recipe r = with(&hk_schedule_constant, "", 4, 2, 0);
    rates(&r, 2, from_0, 8, "from 0");
    r = with(NULL, "", 4, 2, 0.5f);
    rates(&r, 2, from_half, 8, "from a half, no schedule");
    r = with(&hk_schedule_constant, "", 2, 0.75f, 0);
    rates(&r, 2, fraction, 4, "ends within a batch");
}

/* The schedule is shifted, not multiplied: it begins at 1 where the warm-up ends, and ends where the
 * training does. */
static void then_schedule(void **state)
{
    (void)state;
    enum { WARM = 3, EPOCHS = 11, BATCHES = 7 };
    hk_recipe warm = with(&hk_schedule_cosine, "floor=0.1", EPOCHS, WARM, 0);
    hk_recipe cold = with(&hk_schedule_cosine, "floor=0.1", EPOCHS - WARM, 0, 0);
    for (int k = 0; k < (EPOCHS - WARM) * BATCHES; k++)
        near(hk_learning_rate(&warm, WARM + k / BATCHES, k % BATCHES, BATCHES),
             hk_learning_rate(&cold, k / BATCHES, k % BATCHES, BATCHES), 1e-9, "cosine", k);
    near(hk_learning_rate(&warm, WARM, 0, BATCHES), 0.2, 1e-7, "where the warm-up ends", 0);
    near(hk_learning_rate(&warm, EPOCHS, 0, BATCHES), 0.02, 1e-6, "at the end", 0);

    static const double drops[] = { .5, 1, 1, 1, .1, .1, .01 };
    hk_recipe step = with(&hk_schedule_step, "every=2 factor=0.1", 7, 2, 0);
    rates(&step, 1, drops, 7, "step");
}

static void longer_than_the_training(void **state)
{
    (void)state;
    static const double factor[] = { .1, .2, .3 };
    hk_recipe r = with(&hk_schedule_cosine, "", 3, 10, 0);
    rates(&r, 1, factor, 3, "never ends");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rise), cmocka_unit_test(then_schedule),
        cmocka_unit_test(longer_than_the_training),
    };
    return cmocka_run_group_tests_name("learning_rate", tests, NULL, NULL);
}
