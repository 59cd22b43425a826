/* The host's interface: trains a recipe in a run folder, as `hillock train` does, and prints what came
 * of it. Built against the source tree, whose host headers are not installed.
 *
 *   02_train RECIPE FOLDER [KEY=VALUE ...]
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/trainer.h"

#include <stdio.h>

/* After each batch; false would stop the run at a checkpoint, from which `resume` goes on. */
static bool progress(void *self, const hk_progress *p)
{
    (void)self;
    if (p->split == HK_SPLIT_TRAIN && p->batch == p->batches)
        printf("epoch %lld of %lld: loss %.4f, accuracy %.1f %%, firing rate %.1f %%, %.1f MiB planned\n",
               (long long)p->epoch, (long long)p->epochs, p->loss, 100 * p->accuracy, 100 * p->rate,
               (double)p->planned_bytes / (1 << 20));
    return true;
}

static void note(void *self, const char *text)
{
    (void)self;
    printf("note: %s\n", text);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s RECIPE FOLDER [KEY=VALUE ...]\n", argv[0]);
        return 2;
    }
    const hk_train_opts opts = {
        .session = { .recipe = argv[1], .set = (const char *const *)argv + 3, .n_set = argc - 3,
                     .learn = true },
        .out = argv[2], .resume = true,
        .progress = progress, .note = note,
    };
    hk_train_result result;
    hk_error e;
    if (hk_train(&opts, &result, &e) != HK_OK) {
        fprintf(stderr, "error: %s\n", e.text);
        return 1;
    }
    const json_t *test = json_object_get(result.json, "test");
    printf("test accuracy %.2f %%\n", 100 * json_number_value(json_object_get(test, "accuracy")));
    json_decref(result.json);
    return 0;
}
