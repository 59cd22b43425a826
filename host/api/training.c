/* SPDX-License-Identifier: Apache-2.0 */
#include "hillock.h"

#include "run/trainer.h"

static double number(const json_t *j, const char *key)
{
    return json_number_value(json_object_get(j, key));
}

static hk_outcome outcome_of(const json_t *j)
{
    const json_t *test = json_object_get(j, "test");
    return (hk_outcome){
        .chosen = json_object_get(j, "best") != NULL,
        .epoch = json_integer_value(json_object_get(test, "epoch")),
        .accuracy = number(test, "accuracy"), .loss = number(test, "loss"),
        .rate = number(test, "rate"), .seconds = number(j, "seconds"),
        .planned_bytes = (size_t)number(json_object_get(j, "memory"), "total"),
        .resident_bytes = (size_t)number(j, "resident"),
    };
}

hk_status hk_train_recipe(const hk_source *source, const hk_training *training, hk_outcome *out,
                          hk_error *e)
{
    HK_CHECK(e, source->path || source->text, HK_E_ARG, "a recipe is wanted: path or text");
    HK_CHECK(e, training->folder, HK_E_ARG, "a training needs a folder");
    HK_CHECK(e, !(training->resume && training->force), HK_E_ARG,
             "resume and force exclude each other");
    const hk_train_opts o = {
        .session = { .recipe = source->path ? source->path : "recipe",
                     .text = source->path ? NULL : source->text, .set = source->set,
                     .n_set = source->n_set, .threads = source->threads, .learn = true },
        .out = training->folder, .resume = training->resume, .force = training->force,
        .checkpoint_seconds = training->checkpoint_seconds, .progress = training->progress,
        .note = training->note, .self = training->self,
    };
    hk_train_result r;
    HK_TRY(hk_train(&o, &r, e));
    *out = r.stopped ? (hk_outcome){ .stopped = true } : outcome_of(r.json);
    json_decref(r.json);
    return HK_OK;
}
