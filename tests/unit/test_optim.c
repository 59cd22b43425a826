/* Optimizers: five steps against tables computed elsewhere in double precision from the formulas of
 * PyTorch's documentation; for every registered one: the same bits however the block is split, and
 * a way downhill. Schedules: values at chosen times.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"

#define HK_OPTIM(nm)    extern const hk_optim_ops hk_optim_##nm;
#define HK_SCHEDULE(nm) extern const hk_schedule_ops hk_schedule_##nm;
#include "registry.def"

static const hk_optim_ops *const optims[] = {
#define HK_OPTIM(nm) &hk_optim_##nm,
#include "registry.def"
};

static const hk_schedule_ops *const schedules[] = {
#define HK_SCHEDULE(nm) &hk_schedule_##nm,
#include "registry.def"
};

enum { N = 67, STEPS = 5 };

/* Slots as one block each, zero before the first step. */
typedef struct state {
    float w[N], slot[HK_MAX_SLOT][N];
} state;

static void update(const hk_optim_ops *o, const void *cfg, int64_t step, float lr, bool decay,
                   state *s, const float *g, size_t first, size_t n)
{
    float *slot[HK_MAX_SLOT] = { s->slot[0] + first, s->slot[1] + first };
    o->update(cfg, step, lr, decay, n, s->w + first, g + first, slot);
}

/* ---- known steps: w = 1, gradients 0.5 -1 0.25 0.75 -0.5, rate 0.1 --------------------------- */

typedef struct known {
    const hk_optim_ops *ops;
    const char         *settings;
    double              w[STEPS];
} known;

static const known tables[] = {
    { &hk_optim_sgd, "momentum=0", { 0.95, 1.05, 1.025, 0.95, 1.0 } },
    { &hk_optim_sgd, "momentum=0.9 weight_decay=0.01",
      { 0.949000000, 1.002151000, 1.023984749, 0.967611138, 0.965907278 } },
    { &hk_optim_sgd, "momentum=0.9 weight_decay=0.01 nesterov=1",
      { 0.903100000, 1.050074110, 1.043668458, 0.916865468, 0.964440034 } },
    { &hk_optim_sgd, "momentum=0.9 nesterov=1",
      { 0.905000000, 1.054500000, 1.051550000, 0.928895000, 0.981005500 } },
    { &hk_optim_adamw, "weight_decay=0.05",
      { 0.895000002, 0.927135354, 0.936168744, 0.908999262, 0.905332739 } },
    { &hk_optim_adamw, "beta1=0.8 beta2=0.9 eps=0.01 weight_decay=0",
      { 0.901960784, 0.942963460, 0.957124199, 0.929514035, 0.931660024 } },
    { &hk_optim_adam, "weight_decay=0.05",
      { 0.900000002, 0.931064296, 0.937642156, 0.908764660, 0.902517836 } },
    { &hk_optim_adam, "beta1=0.8 beta2=0.9 eps=0.01 weight_decay=0.3",
      { 0.901234568, 0.907669831, 0.881085293, 0.823213712, 0.787841248 } },
    { &hk_optim_rmsprop, "",
      { 0.000000200, 0.895323082, 0.675849575, 0.123998447, 0.470804509 } },
    { &hk_optim_rmsprop, "alpha=0.9 eps=0.001 momentum=0.8 weight_decay=0.02",
      { 0.685683687, 0.716244908, 0.663457753, 0.432671899, 0.366615124 } },
};

static void test_known_steps(void **unused)
{
    static const float g[STEPS] = { 0.5f, -1.0f, 0.25f, 0.75f, -0.5f };
    (void)unused;
    for (int k = 0; k < HK_COUNT(tables); k++) {
        const known *e = &tables[k];
        cfg_block cfg;
        state s = { .w = { 1 } };
        configure(&e->ops->info, &cfg, e->settings);
        for (int t = 0; t < STEPS; t++) {
            update(e->ops, &cfg, t + 1, 0.1f, true, &s, &g[t], 0, 1);
            near((double)s.w[0], e->w[t], 1e-6, e->settings, t);
        }
    }
}

/* Without the caller's leave nothing decays: the same bits as with weight_decay 0. */
static void test_decay(void **unused)
{
    (void)unused;
    for (int k = 0; k < HK_COUNT(optims); k++) {
        cfg_block with, without;
        state a = { .w = { 0 } }, b;
        float g[N];
        configure(&optims[k]->info, &with, "weight_decay=0.1");
        configure(&optims[k]->info, &without, "weight_decay=0");
        fill(a.w, N, -1, 1);
        b = a;
        for (int t = 1; t <= STEPS; t++) {
            fill(g, N, -1, 1);
            update(optims[k], &with, t, 0.01f, false, &a, g, 0, N);
            update(optims[k], &without, t, 0.01f, true, &b, g, 0, N);
        }
        same_bits(a.w, b.w, N, optims[k]->info.name);
        update(optims[k], &with, STEPS + 1, 0.01f, true, &a, g, 0, N);
        update(optims[k], &without, STEPS + 1, 0.01f, true, &b, g, 0, N);
        assert_true(memcmp(a.w, b.w, sizeof a.w) != 0);
    }
}

/* ---- every optimizer ------------------------------------------------------------------------- */

static void check_split(const hk_optim_ops *o, const void *cfg)
{
    for (size_t cut = 0; cut <= N; cut += 11) {
        state whole = { .w = { 0 } }, parts;
        float g[N];
        fill(whole.w, N, -1, 1);
        parts = whole;
        for (int t = 1; t <= STEPS; t++) {
            fill(g, N, -1, 1);
            update(o, cfg, t, 0.01f, true, &whole, g, 0, N);
            update(o, cfg, t, 0.01f, true, &parts, g, cut, N - cut);
            update(o, cfg, t, 0.01f, true, &parts, g, 0, cut);
        }
        same_bits(parts.w, whole.w, N, o->info.name);
        for (int i = 0; i < o->n_slot; i++) same_bits(parts.slot[i], whole.slot[i], N, "slot");
    }
}

/* 1/2 sum (w - 1)^2 from -1: closer after 300 steps. */
static void check_downhill(const hk_optim_ops *o, const void *cfg)
{
    state s = { .w = { 0 } };
    float g[N];
    for (int i = 0; i < N; i++) s.w[i] = -1;
    for (int t = 1; t <= 300; t++) {
        for (int i = 0; i < N; i++) g[i] = s.w[i] - 1;
        update(o, cfg, t, 0.02f, false, &s, g, 0, N);
    }
    for (int i = 0; i < N; i++)
        if (!(fabsf(s.w[i] - 1) < 0.2f)) fail_msg("%s: still at %g", o->info.name, (double)s.w[i]);
}

static void test_every_optimizer(void **unused)
{
    (void)unused;
    for (int k = 0; k < HK_COUNT(optims); k++) {
        const hk_optim_ops *o = optims[k];
        cfg_block cfg;
        check_info(&o->info);
        assert_in_range(o->n_slot, 0, HK_MAX_SLOT);
        const int count = combination(&o->info, &cfg, 0);
        for (int c = 0; c < count; c++) {
            combination(&o->info, &cfg, c);
            check_split(o, &cfg);
        }
        hk_fields_default(&o->info, &cfg);
        check_downhill(o, &cfg);
    }
}

/* ---- schedules ------------------------------------------------------------------------------- */

typedef struct moment {
    const hk_schedule_ops *ops;
    const char            *settings;
    double                 progress, epochs, factor;
} moment;

static const moment moments[] = {
    { &hk_schedule_constant, "", 7.5, 10, 1 },
    { &hk_schedule_step, "", 29.99, 100, 1 },
    { &hk_schedule_step, "", 30, 100, 0.1 },
    { &hk_schedule_step, "every=10 factor=0.5", 39.9, 100, 0.125 },
    { &hk_schedule_step, "every=0.5 factor=0.5", 1, 2, 0.25 },
    { &hk_schedule_multistep, "at1=100 at2=150 at3=175", 99.9, 200, 1 },
    { &hk_schedule_multistep, "at1=100 at2=150 at3=175", 100, 200, 0.1 },
    { &hk_schedule_multistep, "at1=175 at2=100 at3=150 factor=0.5", 180, 200, 0.125 },
    { &hk_schedule_multistep, "at4=0.5 factor=0.2", 0.6, 2, 0.2 },
    { &hk_schedule_cosine, "", 0, 10, 1 },
    { &hk_schedule_cosine, "", 2.5, 10, 0.853553391 },
    { &hk_schedule_cosine, "", 5, 10, 0.5 },
    { &hk_schedule_cosine, "", 10, 10, 0 },
    { &hk_schedule_cosine, "", 12, 10, 0 },
    { &hk_schedule_cosine, "floor=0.1", 5, 10, 0.55 },
    { &hk_schedule_cosine, "floor=0.1", 10, 10, 0.1 },
    { &hk_schedule_cosine, "", 0, 0, 1 },
};

static void test_schedules(void **unused)
{
    (void)unused;
    for (int k = 0; k < HK_COUNT(moments); k++) {
        const moment *e = &moments[k];
        cfg_block cfg;
        configure(&e->ops->info, &cfg, e->settings);
        near(e->ops->factor(&cfg, e->progress, e->epochs), e->factor, 1e-8, e->ops->info.name, k);
    }
    for (int k = 0; k < HK_COUNT(schedules); k++) {
        cfg_block cfg;
        double last = 1;
        check_info(&schedules[k]->info);
        hk_fields_default(&schedules[k]->info, &cfg);
        near(schedules[k]->factor(&cfg, 0, 90), 1, 0, "at the start", k);
        for (double e = 0; e <= 90; e += 0.37) {
            const double f = schedules[k]->factor(&cfg, e, 90);
            assert_true(f >= 0 && f <= last);
            last = f;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_steps),     cmocka_unit_test(test_decay),
        cmocka_unit_test(test_every_optimizer), cmocka_unit_test(test_schedules),
    };
    return cmocka_run_group_tests_name("optim", tests, NULL, NULL);
}
