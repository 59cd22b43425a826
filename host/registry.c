/* The only file that knows the members by name. Each .def is expanded twice: to declare the tables,
 * and to list them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "registry.h"

#include "io/words.h"

#include <string.h>

#define HK_NEURON(nm)    extern const hk_neuron_ops hk_neuron_##nm;
#define HK_SURROGATE(nm) extern const hk_surrogate_ops hk_surrogate_##nm;
#define HK_LAYER(nm)     extern const hk_layer_ops hk_layer_##nm;
#define HK_RULE(nm)      extern const hk_rule_ops hk_rule_##nm;
#define HK_LOSS(nm)      extern const hk_loss_ops hk_loss_##nm;
#define HK_OPTIM(nm)     extern const hk_optim_ops hk_optim_##nm;
#define HK_SCHEDULE(nm)  extern const hk_schedule_ops hk_schedule_##nm;
#include "core/registry.def"
#define HK_DATASET(nm)   extern const hk_dataset_ops hk_dataset_##nm;
#define HK_ENCODER(nm)   extern const hk_encoder_ops hk_encoder_##nm;
#define HK_BUILDER(nm)   extern const hk_builder_ops hk_builder_##nm;
#include "host/registry.def"

static const hk_info *const neurons[] = {
#define HK_NEURON(nm) &hk_neuron_##nm.info,
#include "core/registry.def"
};
static const hk_info *const surrogates[] = {
#define HK_SURROGATE(nm) &hk_surrogate_##nm.info,
#include "core/registry.def"
};
static const hk_info *const layers[] = {
#define HK_LAYER(nm) &hk_layer_##nm.info,
#include "core/registry.def"
};
static const hk_info *const rules[] = {
#define HK_RULE(nm) &hk_rule_##nm.info,
#include "core/registry.def"
};
static const hk_info *const losses[] = {
#define HK_LOSS(nm) &hk_loss_##nm.info,
#include "core/registry.def"
};
static const hk_info *const optims[] = {
#define HK_OPTIM(nm) &hk_optim_##nm.info,
#include "core/registry.def"
};
static const hk_info *const schedules[] = {
#define HK_SCHEDULE(nm) &hk_schedule_##nm.info,
#include "core/registry.def"
};
static const hk_info *const datasets[] = {
#define HK_DATASET(nm) &hk_dataset_##nm.info,
#include "host/registry.def"
};
static const hk_info *const encoders[] = {
#define HK_ENCODER(nm) &hk_encoder_##nm.info,
#include "host/registry.def"
};
static const hk_info *const builders[] = {
#define HK_BUILDER(nm) &hk_builder_##nm.info,
#include "host/registry.def"
};

static const struct family {
    const char *name;
    const hk_info *const *at;
    int n;
} families[HK_FAMILIES] = {
    [HK_FAM_NEURON]    = { "neuron", neurons, HK_COUNT(neurons) },
    [HK_FAM_SURROGATE] = { "surrogate", surrogates, HK_COUNT(surrogates) },
    [HK_FAM_LAYER]     = { "layer", layers, HK_COUNT(layers) },
    [HK_FAM_RULE]      = { "rule", rules, HK_COUNT(rules) },
    [HK_FAM_LOSS]      = { "loss", losses, HK_COUNT(losses) },
    [HK_FAM_OPTIM]     = { "optim", optims, HK_COUNT(optims) },
    [HK_FAM_SCHEDULE]  = { "schedule", schedules, HK_COUNT(schedules) },
    [HK_FAM_DATASET]   = { "dataset", datasets, HK_COUNT(datasets) },
    [HK_FAM_ENCODER]   = { "encoder", encoders, HK_COUNT(encoders) },
    [HK_FAM_BUILDER]   = { "builder", builders, HK_COUNT(builders) },
};

const char *hk_family_name(hk_family f) { return families[f].name; }

int hk_family_count(hk_family f) { return families[f].n; }

const hk_info *hk_family_at(hk_family f, int i) { return families[f].at[i]; }

const hk_info *hk_family_find(hk_family f, const char *name)
{
    for (int i = 0; i < families[f].n; i++)
        if (strcmp(families[f].at[i]->name, name) == 0) return families[f].at[i];
    return NULL;
}

hk_status hk_family_get(hk_family f, const char *name, const hk_info **out, hk_error *e)
{
    enum { MOST = 64 };
    const hk_info *found = hk_family_find(f, name);
    if (found) {
        *out = found;
        return HK_OK;
    }
    const char *known[MOST];
    int n = 0;
    for (; n < families[f].n && n < MOST; n++) known[n] = families[f].at[n]->name;
    const char *near = hk_nearest(name, known, n);
    char shown[64];
    hk_printable(shown, sizeof shown, name, sizeof shown);
    return hk_fail(e, HK_E_ARG, "unknown %s '%s'%s%s%s", families[f].name, shown,
                   near ? "; nearest is '" : "; see 'hillock list ", near ? near : families[f].name,
                   "'");
}
