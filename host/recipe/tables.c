/* SPDX-License-Identifier: Apache-2.0 */
#include "tables.h"

#include <string.h>

static const hk_field data_fields[] = {
    HK_ROW_FLOAT(hk_recipe_data, validation, 0, 0, 0.9, "1",
                 "share of the training set held out; the best epoch is chosen on it"),
    HK_ROW_ENUM(hk_recipe_data, normalise, HK_NORM_NONE, "none|channel", 2,
                "channel: mean 0 and deviation 1 by the training part, unless augment has mean, std"),
    HK_ROW_INT(hk_recipe_data, steps, 0, 0, 1000000, "steps",
               "time axis of a sample, where no data are read; 0: static, or as the data say"),
};

static const hk_field net_fields[] = {
    HK_ROW_ENUM(hk_weights_cfg, weights, 0, "float|binary|ternary", 3,
                "weights of every dense and conv2d layer"),
    HK_ROW_ENUM(hk_weights_cfg, ends, 0, "same|float", 2,
                "weights of the first and the last of them: likewise, or floats"),
};

static const hk_field objective_fields[] = {
    HK_ROW_ENUM(hk_objective_cfg, when, HK_EACH_STEP, "step|final", 2,
                "a loss at every step, or one at the end of the sample"),
    HK_ROW_ENUM(hk_objective_cfg, batch, 0, "mean|sum", 2, "how samples of a batch are joined"),
    HK_ROW_BOOL(hk_objective_cfg, divide_by_T, 1, "divide the sum over the steps by T"),
    HK_ROW_FLOAT(hk_objective_cfg, smoothing, 0, 0, 1, "1", "label smoothing"),
};

static const hk_field optim_fields[] = {
    HK_ROW_FLOAT(hk_update, lr, 0.1, 0, 1e6, "1", "learning rate before the schedule"),
    HK_ROW_FLOAT(hk_update, lr_threshold, 1, 0, 1e6, "1", "factor on it for firing thresholds"),
    HK_ROW_FLOAT(hk_update, lr_leak, 1, 0, 1e6, "1", "factor on it for leaks"),
    HK_ROW_FLOAT(hk_update, clip_norm, 0, 0, 1e6, "1",
                 "largest norm of the whole gradient; 0: no clipping"),
};

static const hk_field schedule_fields[] = {
    HK_ROW_FLOAT(hk_recipe_optim, warmup, 0, 0, 1e4, "epochs",
                 "epochs in which the rate rises linearly to lr; the schedule has those that remain"),
    HK_ROW_FLOAT(hk_recipe_optim, warmup_start, 0, 0, 1, "1", "factor on lr where that rise begins"),
};

static const hk_field train_fields[] = {
    HK_ROW_INT(hk_recipe_train, T, 4, 1, 1000000, "steps", "time steps of a sample"),
    HK_ROW_INT(hk_recipe_train, batch, 64, 1, 65536, "samples", "samples of a batch"),
    HK_ROW_INT(hk_recipe_train, epochs, 10, 1, 1000000, "epochs", "passes over the training set"),
    HK_ROW_INT(hk_recipe_train, accumulate, 1, 1, 65536, "batches", "batches per update"),
    HK_ROW_INT(hk_recipe_train, seed, 1, 0, INT32_MAX, "1", "seed of everything random"),
    HK_ROW_INT(hk_recipe_train, threads, 0, 0, 4096, "1", "threads; 0: as many as there are cores"),
    HK_ROW_INT(hk_recipe_train, shards, HK_MAX_SHARD, 1, HK_MAX_SHARD, "1",
               "pieces in which sums are formed, whatever the number of threads"),
    HK_ROW_ENUM(hk_recipe_train, precision, HK_FP32, "fp32|bf16|auto", 3,
                "of products, sums are fp32; auto: bf16 where the processor has it"),
    HK_ROW_ENUM(hk_recipe_train, products, HK_WAY_AUTO, "auto|events|dense|ref", 4,
                "form of all products; auto: by the density of each input"),
    HK_ROW_BOOL(hk_recipe_train, tune, 0,
                "measure the forms of each product on this machine; false: the fixed table"),
    HK_ROW_BOOL(hk_recipe_train, layer_major, 0,
                "inference: a layer runs all steps before the next; faster for few samples, keeps T outputs"),
};

#define TABLE(nm, size, text)                                                                      \
    const hk_info hk_table_##nm = { .name = #nm, .brief = text, .source = "docs/recipe.md",        \
                                    .cfg_size = sizeof(size), .fields = nm##_fields,               \
                                    .n_fields = HK_COUNT(nm##_fields) }

TABLE(net, hk_weights_cfg, "weights of a builder's layers");
TABLE(data, hk_recipe_data, "what is learned");
TABLE(objective, hk_objective_cfg, "how the loss meets time and batch");
TABLE(optim, hk_update, "rates");
TABLE(schedule, hk_recipe_optim, "how the rate changes");
TABLE(train, hk_recipe_train, "how long and in what portions");

typedef struct synonym { const char *word, *name; } synonym;

static const synonym types[] = { { "batchnorm1d", "batchnorm" }, { "batchnorm2d", "batchnorm" } };
static const synonym keys[] = { { "cmp", "compare" } };

static const char *look_up(const synonym *s, int n, const char *word)
{
    for (int i = 0; i < n; i++)
        if (strcmp(s[i].word, word) == 0) return s[i].name;
    return word;
}

const char *hk_synonym_type(const char *word) { return look_up(types, HK_COUNT(types), word); }
const char *hk_synonym_key(const char *word) { return look_up(keys, HK_COUNT(keys), word); }
