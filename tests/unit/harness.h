/* For the tests of core members: configurations by name, all combinations of a member's switches,
 * and one neuron run forwards and backwards through nothing but the operations table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_TEST_HARNESS_H
#define HK_TEST_HARNESS_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hillock_ext.h"

typedef union cfg_block {                /* room and alignment for any configuration */
    double  align;
    char    bytes[128];
} cfg_block;

/* ---- random numbers -------------------------------------------------------------------------- */

static uint32_t harness_seed = 1;

static inline double uniform(double lo, double hi)
{
    harness_seed = harness_seed * 1664525u + 1013904223u;
    return lo + (hi - lo) * (double)(harness_seed >> 8) / 16777216.0;
}

static inline void fill(float *y, size_t n, double lo, double hi)
{
    for (size_t i = 0; i < n; i++) y[i] = (float)uniform(lo, hi);
}

/* ---- checks ---------------------------------------------------------------------------------- */

/* |found - expected| <= tol (1 + |expected|). */
static inline void near(double found, double expected, double tol, const char *what, int index)
{
    if (!(fabs(found - expected) <= tol * (1 + fabs(expected))))
        fail_msg("%s[%d]: found %.9g, expected %.9g", what, index, found, expected);
}

static inline void same_bits(const float *a, const float *b, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a))
            fail_msg("%s[%zu]: %.9g and %.9g differ", what, i, (double)a[i], (double)b[i]);
}

/* What every member owes its readers. */
static inline void check_info(const hk_info *info)
{
    cfg_block cfg;
    assert_non_null(info->name);
    if (!info->brief || !*info->brief) fail_msg("%s: no brief", info->name);
    if (!info->source || !*info->source) fail_msg("%s: no source", info->name);
    if (info->cfg_size > sizeof cfg) fail_msg("%s: configuration above 128 bytes", info->name);
    for (int i = 0; i < info->n_fields; i++) {
        const hk_field *f = &info->fields[i];
        if (!f->unit || !*f->unit) fail_msg("%s.%s: no unit", info->name, f->name);
        if (!f->help || !*f->help) fail_msg("%s.%s: no help", info->name, f->name);
        if (f->offset >= info->cfg_size) fail_msg("%s.%s: outside of cfg", info->name, f->name);
        if (!(f->min <= f->def && f->def <= f->max) && !(f->type == HK_FLOAT && isnan(f->def)))
            fail_msg("%s.%s: default outside of the range", info->name, f->name);
        if (f->type != HK_ENUM) continue;
        char word[64];
        int  words = (int)f->max + 1;
        if (!hk_field_word_at(f, words - 1, word, sizeof word) ||
            hk_field_word_at(f, words, word, sizeof word))
            fail_msg("%s.%s: not %d words", info->name, f->name, words);
    }
}

/* ---- configurations -------------------------------------------------------------------------- */

static inline const hk_field *field_of(const hk_info *info, const char *name)
{
    for (int i = 0; i < info->n_fields; i++)
        if (!strcmp(info->fields[i].name, name)) return &info->fields[i];
    fail_msg("%s has no field %s", info->name, name);
    return NULL;
}

static inline void set_number(const hk_info *info, void *cfg, const char *name, double value)
{
    hk_error e;
    if (hk_field_set(info, field_of(info, name), cfg, value, &e) != HK_OK) fail_msg("%s", e.text);
}

/* Defaults, then settings such as "reset=hard leak=0.25 decay_input=1". */
static inline void configure(const hk_info *info, void *cfg, const char *settings)
{
    hk_fields_default(info, cfg);
    while (*settings) {
        char name[32], value[32];
        size_t n = strcspn(settings, "="), m = strcspn(settings + n + 1, " ");
        assert_true(n < sizeof name && m < sizeof value);
        memcpy(name, settings, n);
        memcpy(value, settings + n + 1, m);
        name[n] = value[m] = '\0';
        const hk_field *f = field_of(info, name);
        set_number(info, cfg, name, f->type == HK_ENUM ? hk_field_word(f, value) : atof(value));
        settings += n + 1 + m;
        settings += strspn(settings, " ");
    }
}

/* Number of combinations of all words and booleans, each with the defaults of the numbers and with
 * others; writes combination `index`. */
static inline int combination(const hk_info *info, void *cfg, int index)
{
    int count = 2;
    hk_fields_default(info, cfg);
    const double by = index % 2 ? 0.1 : 0;
    index /= 2;
    for (int i = 0; i < info->n_fields; i++) {
        const hk_field *f = &info->fields[i];
        if (f->type == HK_ENUM || f->type == HK_BOOL) {
            int words = (int)f->max + 1;
            set_number(info, cfg, f->name, index % words);
            index /= words;
            count *= words;
        } else if (isnan(f->def)) {          /* null: not given */
            if (by > 0) set_number(info, cfg, f->name, 0.35);
        } else {
            double v = f->type == HK_INT ? f->def + (by > 0) : f->def + by;
            set_number(info, cfg, f->name, v <= f->max ? v : f->def);
        }
    }
    return count;
}

/* ---- one neuron ------------------------------------------------------------------------------ */

enum { MOST_STEPS = 8 };

typedef struct neuron_run {
    const hk_neuron_ops    *neuron;
    const hk_surrogate_ops *surrogate;
    cfg_block cfg, surrogate_cfg;
    float     learn[HK_MAX_LEARN];
    bool      attached;                  /* differentiate the spike inside the reset   */
    int       T;
    float     x[MOST_STEPS + 1];         /* [1..T] input                                */
    double    ds[MOST_STEPS + 1];        /* [1..T] dL/ds from above                     */

    float     state[HK_MAX_STATE][MOST_STEPS + 1];   /* [0] is rest                     */
    float     s[MOST_STEPS + 1], phi[MOST_STEPS + 1];
    double    du[MOST_STEPS + 1], dx[MOST_STEPS + 1];
    double    dparam[HK_MAX_LEARN];
    double    trace[HK_MAX_LEARN][MOST_STEPS + 1];   /* of U: eps = jac eps + param     */
    double    trace_x[MOST_STEPS + 1];               /* of U: eps = jac eps + x input   */
} neuron_run;

/* Sets members, their configurations and the first values of learned parameters. */
static inline void run_make(neuron_run *r, const hk_neuron_ops *neuron, const char *settings,
                            const hk_surrogate_ops *surrogate, const char *surrogate_settings)
{
    memset(r, 0, sizeof *r);
    r->neuron = neuron;
    r->surrogate = surrogate;
    configure(&neuron->info, &r->cfg, settings);
    configure(&surrogate->info, &r->surrogate_cfg, surrogate_settings);
    for (int p = 0; p < neuron->n_learn; p++) r->learn[p] = neuron->learn[p].init(&r->cfg);
}

/* Arguments of step t; x is left out for `local` from states alone. */
static inline hk_neuron_step run_args(neuron_run *r, int t, bool x)
{
    hk_neuron_step a = { .n = 1, .x = x ? &r->x[t] : NULL, .spike = &r->s[t - 1] };
    for (int p = 0; p < r->neuron->n_learn; p++) a.learn[p] = &r->learn[p];
    for (int i = 0; i < r->neuron->n_state; i++) {
        a.prev[i] = &r->state[i][t - 1];
        a.state[i] = &r->state[i][t];
    }
    return a;
}

typedef struct local_values {            /* one neuron's local derivatives */
    float jac[HK_MAX_STATE][HK_MAX_STATE], spike[HK_MAX_STATE], input[HK_MAX_STATE];
    float param[HK_MAX_LEARN][HK_MAX_STATE];
} local_values;

static inline local_values run_local(neuron_run *r, int t, bool x)
{
    local_values v = { .spike = { 0 } };
    hk_neuron_local d;
    for (int i = 0; i < HK_MAX_STATE; i++) {
        for (int j = 0; j < HK_MAX_STATE; j++) d.jac[i][j] = &v.jac[i][j];
        for (int p = 0; p < HK_MAX_LEARN; p++) d.param[p][i] = &v.param[p][i];
        d.spike[i] = &v.spike[i];
        d.input[i] = &v.input[i];
    }
    hk_neuron_step a = run_args(r, t, x);
    r->neuron->local(&a, &d, &r->cfg);
    return v;
}

static inline void run_forward(neuron_run *r)
{
    const hk_neuron_ops *o = r->neuron;
    r->s[0] = 0;
    for (int i = 0; i < o->n_state; i++) r->state[i][0] = o->rest ? o->rest(&r->cfg, i) : 0.0f;
    for (int t = 1; t <= r->T; t++) {
        hk_neuron_step a = run_args(r, t, true);
        o->step(&a, &r->cfg);
        float z = r->state[0][t] - r->learn[0];
        r->s[t] = z >= 0 ? 1.0f : 0.0f;
        r->surrogate->derivative(1, &z, &r->phi[t], &r->surrogate_cfg);
        local_values v = run_local(r, t, true);
        r->trace_x[t] = (double)v.jac[0][0] * r->trace_x[t - 1] + (double)(v.input[0] * r->x[t]);
        for (int p = 0; p < o->n_learn; p++)
            r->trace[p][t] = (double)v.jac[0][0] * r->trace[p][t - 1] + (double)v.param[p][0];
    }
}

/* The adjoint of the forward run, made of local derivatives only. */
static inline void run_backward(neuron_run *r)
{
    const hk_neuron_ops *o = r->neuron;
    double adj[HK_MAX_STATE] = { 0 }, ds_later = 0;
    for (int t = r->T; t >= 1; t--) {
        const double ds = r->ds[t] + (r->attached ? ds_later : 0);
        double du[HK_MAX_STATE], next[HK_MAX_STATE] = { 0 };
        local_values v = run_local(r, t, t % 2);     /* both ways of knowing the input */
        memcpy(du, adj, sizeof du);
        du[0] += ds * (double)r->phi[t];
        r->du[t] = du[0];
        r->dx[t] = ds_later = 0;
        r->dparam[0] -= ds * (double)r->phi[t];
        for (int i = 0; i < o->n_state; i++) {
            r->dx[t] += du[i] * (double)v.input[i];
            ds_later += du[i] * (double)v.spike[i];
            for (int j = 0; j < o->n_state; j++) next[j] += du[i] * (double)v.jac[i][j];
            for (int p = 0; p < o->n_learn; p++) r->dparam[p] += du[i] * (double)v.param[p][i];
        }
        memcpy(adj, next, sizeof adj);
    }
}

#endif
