/* Small nets for tests: layers appended one after another, member configurations by key.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_SMALL_NET_H
#define HK_SMALL_NET_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hillock_ext.h"

#define HK_NEURON(nm) extern const hk_neuron_ops hk_neuron_##nm;
#define HK_SURROGATE(nm) extern const hk_surrogate_ops hk_surrogate_##nm;
#define HK_LAYER(nm) extern const hk_layer_ops hk_layer_##nm;
#define HK_RULE(nm) extern const hk_rule_ops hk_rule_##nm;
#define HK_LOSS(nm) extern const hk_loss_ops hk_loss_##nm;
#define HK_OPTIM(nm) extern const hk_optim_ops hk_optim_##nm;
#include "registry.def"

enum { SMALL_NODES = 32, SMALL_CFG = 64 };

typedef struct small {
    hk_node_spec spec[SMALL_NODES];
    int          n;
    void        *cfg[SMALL_NODES * 4];
    int          n_cfg;
    hk_net_spec  net_spec;
    hk_net       net;
    hk_node     *node;
    hk_param    *param;
    void        *region[HK_REGIONS];
    const float *x;                      /* [T][batch][h][w][c], or one frame if constant */
    size_t       frame;                  /* floats of a frame */
    hk_batch     batch;
    bool         infer;                  /* without learning: no rule is needed */
} small;

/* Keys of a member as "key=value key=value": numbers, true, false, or a word. */
static inline const void *small_cfg(small *s, const hk_info *info, const char *keys)
{
    void *cfg = calloc(1, info->cfg_size + 1);
    assert_non_null(cfg);
    s->cfg[s->n_cfg++] = cfg;
    hk_fields_default(info, cfg);
    char copy[512], *save = NULL;
    snprintf(copy, sizeof copy, "%s", keys ? keys : "");
    for (char *k = strtok_r(copy, " ", &save); k; k = strtok_r(NULL, " ", &save)) {
        char *v = strchr(k, '=');
        assert_non_null(v);
        *v++ = '\0';
        const hk_field *f = NULL;
        for (int i = 0; i < info->n_fields; i++)
            if (strcmp(info->fields[i].name, k) == 0) f = &info->fields[i];
        if (!f) fail_msg("%s has no key %s", info->name, k);
        double x = strcmp(v, "true") == 0;
        if (f->type == HK_ENUM) x = hk_field_word(f, v);
        else if (f->type != HK_BOOL) x = atof(v);
        hk_error e;
        if (hk_field_set(info, f, cfg, x, &e)) fail_msg("%s", e.text);
    }
    return cfg;
}

static inline int small_find(const small *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->spec[i].name, name) == 0) return i;
    fail_msg("no layer %s", name);
    return -1;
}

/* Appends a layer that reads the one before it. */
static inline hk_node_spec *small_layer(small *s, const hk_layer_ops *ops, const char *name,
                                        const char *keys)
{
    hk_node_spec *d = &s->spec[s->n];
    *d = (hk_node_spec){ .name = name, .layer = ops, .cfg = small_cfg(s, &ops->info, keys), .n_in = 1,
                         .in = { s->n - 1 } };
    s->n++;
    return d;
}

static inline void small_spiking(small *s, const char *name, const char *keys,
                                 const hk_neuron_ops *neuron, const char *neuron_keys,
                                 const hk_surrogate_ops *surrogate, const char *surrogate_keys)
{
    hk_node_spec *d = small_layer(s, &hk_layer_spiking, name, keys);
    d->neuron = neuron;
    d->neuron_cfg = small_cfg(s, &neuron->info, neuron_keys);
    d->surrogate = surrogate;
    d->surrogate_cfg = small_cfg(s, &surrogate->info, surrogate_keys);
}

static inline void small_lif(small *s, const char *name, const char *neuron_keys,
                             const hk_surrogate_ops *surrogate)
{
    small_spiking(s, name, NULL, &hk_neuron_lif, neuron_keys, surrogate, NULL);
}

static inline void small_rule(small *s, const hk_rule_ops *rule, const char *keys)
{
    s->net_spec.rule = rule;
    s->net_spec.rule_cfg = small_cfg(s, &rule->info, keys);
}

static inline void small_loss(small *s, const hk_loss_ops *loss, const char *keys,
                              hk_objective objective)
{
    s->net_spec.loss = loss;
    s->net_spec.loss_cfg = small_cfg(s, &loss->info, keys);
    s->net_spec.objective = objective;
}

static inline hk_status small_build(small *s, hk_shape in, int T, int batch, hk_error *e)
{
    hk_net_spec *n = &s->net_spec;
    n->node = s->spec;
    n->n_node = s->n;
    n->input = (hk_signal){ in, HK_F32, 1 };
    n->T = T;
    n->batch = batch;
    n->learn = !s->infer;
    if (!n->kernels) n->kernels = &hk_kernels_ref;
    s->node = calloc((size_t)s->n, sizeof *s->node);
    s->param = calloc((size_t)hk_net_max_param(n), sizeof *s->param);
    assert_true(s->node && s->param);
    HK_TRY(hk_net_build(&s->net, n, s->node, s->param, hk_net_max_param(n), e));
    size_t bytes[HK_REGIONS];
    HK_TRY(hk_net_plan(&s->net, bytes, e));
    for (int r = 0; r < HK_REGIONS; r++) {
        s->region[r] = aligned_alloc(64, bytes[r] + 64);
        assert_non_null(s->region[r]);
        memset(s->region[r], 0xa5, bytes[r] + 64);
    }
    HK_TRY(hk_net_bind(&s->net, s->region, e));
    hk_net_init(&s->net);
    s->frame = (size_t)batch * (size_t)in.h * (size_t)in.w * (size_t)in.c;
    return HK_OK;
}

static inline void small_open(small *s, hk_shape in, int T, int batch)
{
    hk_error e;
    if (small_build(s, in, T, batch, &e)) fail_msg("%s", e.text);
}

/* Guard bytes behind every region must be as they were. */
static inline void small_close(small *s)
{
    for (int r = 0; r < HK_REGIONS; r++) {
        for (int i = 0; i < 64 && s->region[r]; i++)
            assert_int_equal(((unsigned char *)s->region[r])[s->net.bytes[r] + (size_t)i], 0xa5);
        free(s->region[r]);
    }
    for (int i = 0; i < s->n_cfg; i++) free(s->cfg[i]);
    free(s->node);
    free(s->param);
}

static inline hk_param *small_param(small *s, const char *layer, const char *name)
{
    for (int i = 0; i < s->net.n_param; i++)
        if (strcmp(s->param[i].layer, layer) == 0 && strcmp(s->param[i].name, name) == 0)
            return &s->param[i];
    fail_msg("no parameter %s.%s", layer, name);
    return NULL;
}

/* Sets a parameter from numbers in file order. */
static inline void small_set(small *s, const char *layer, const char *name, const float *file)
{
    hk_param *p = small_param(s, layer, name);
    hk_param_put(p, file, p->w);
    hk_net_prepare(&s->net);
}

/* Gradient in file order. */
static inline void small_grad(small *s, const char *layer, const char *name, float *file)
{
    const hk_param *p = small_param(s, layer, name);
    hk_param_get(p, p->g, file);
}

static inline const void *small_frame(void *self, int t)
{
    const small *s = self;
    return s->x + (s->net_spec.constant_input ? 0 : (size_t)(t - 1) * s->frame);
}

/* One batch of gradients from zero. */
static inline hk_result small_run(small *s, const float *x, const int32_t *label,
                                  const float *target)
{
    s->x = x;
    s->batch = (hk_batch){ .n = s->net_spec.batch, .frame = small_frame, .self = s, .label = label,
                           .target = target };
    memset(s->region[HK_R_GRAD], 0, s->net.bytes[HK_R_GRAD]);
    hk_result out;
    hk_error e;
    if (hk_net_learn(&s->net, &s->batch, &out, &e)) fail_msg("%s", e.text);
    return out;
}

static inline void assert_near(const float *got, const double *want, size_t n, double tolerance)
{
    double most = 1e-30;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs(want[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= tolerance * most + 1e-7))
            fail_msg("element %zu: got %.8g, expected %.8g", i, (double)got[i], want[i]);
}

#endif
