/* Training inside a program: a net described in a string, learned from arrays in memory, saved and
 * read back. Eight by eight pictures of a horizontal bar, a vertical bar or both, with noise.
 *
 *   cc embed_train.c $(pkg-config --cflags --libs hillock) && OMP_WAIT_POLICY=passive ./a.out
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <hillock.h>

#include <stdio.h>

enum { SIDE = 8, PIXELS = SIDE * SIDE, CLASSES = 3, BATCH = 16, UPDATES = 100 };

static const char recipe[] =
    "data: {name: none, shape: [1, 8, 8], classes: 3}\n"
    "net: {name: conv_small, width: 4}\n"
    "rule: {name: stop}\n"                      /* weights, thresholds and leaks, online */
    "optim: {name: sgd, lr: 0.1, momentum: 0.9}\n"
    "train: {T: 4, batch: 16}\n";

static void draw(uint64_t index, float x[PIXELS], int32_t *label)
{
    const hk_rng r = { 7, index };
    const uint32_t row = hk_rng_below(r, 1, SIDE), column = hk_rng_below(r, 2, SIDE);
    *label = (int32_t)hk_rng_below(r, 0, CLASSES);
    for (uint32_t i = 0; i < PIXELS; i++) {
        const bool bar = (*label != 1 && i / SIDE == row) || (*label != 0 && i % SIDE == column);
        x[i] = (bar ? 1.0f : 0.0f) + 0.2f * hk_rng_normal(r, 8 + i);
    }
}

static int fail(const hk_error *e)
{
    fprintf(stderr, "error: %s\n", e->text);
    return 1;
}

int main(void)
{
    static float x[BATCH][PIXELS], scores[BATCH][CLASSES];
    int32_t label[BATCH];
    const hk_source source = { .text = recipe };
    const hk_samples batch = { x[0], label, BATCH };
    hk_learner_info info;
    hk_learner *l;
    hk_score score;
    hk_error e;
    if (hk_learner_plan(&source, &info, &e)) return fail(&e);
    printf("%lld parameters, %zu bytes\n", (long long)info.parameters, info.memory.total);
    if (hk_learner_create(&l, &source, &e)) return fail(&e);
    for (int u = 0; u < UPDATES; u++) {
        for (int i = 0; i < BATCH; i++) draw((uint64_t)(u * BATCH + i), x[i], &label[i]);
        if (hk_learner_learn(l, &batch, &score, &e)) return fail(&e);
        if (u % 20 == 0) printf("update %d loss %.3f\n", u, score.loss);
    }
    for (int i = 0; i < BATCH; i++) draw(1000000 + (uint64_t)i, x[i], &label[i]);
    if (hk_learner_save(l, "bars.safetensors", &e)) return fail(&e);
    if (hk_learner_load(l, "bars.safetensors", &e)) return fail(&e);
    if (hk_learner_infer(l, &batch, scores[0], &score, &e)) return fail(&e);
    printf("new pictures: %d of %d, firing rate %.1f %%\n", score.correct, score.seen,
           100 * score.rate);
    hk_learner_destroy(l);
    return 0;
}
