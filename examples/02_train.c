/* A whole training: a recipe in a run folder, as `hillock train` does it, and what came of it.
 *
 *   02_train RECIPE FOLDER [KEY=VALUE ...]
 *
 *   cc 02_train.c $(pkg-config --cflags --libs hillock)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <hillock.h>

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
    const hk_source source = { .path = argv[1], .set = (const char *const *)argv + 3,
                               .n_set = argc - 3 };
    const hk_training training = { .folder = argv[2], .resume = true, .progress = progress,
                                   .note = note };
    hk_outcome out;
    hk_error e;
    if (hk_train_recipe(&source, &training, &out, &e) != HK_OK) {
        fprintf(stderr, "error: %s\n", e.text);
        return 1;
    }
    printf("test accuracy %.2f %%\n", 100 * out.accuracy);
    return 0;
}
