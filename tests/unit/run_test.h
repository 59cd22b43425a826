/* For the tests of runs: a small recipe on the embedded digits, runs in folders, and comparisons.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_RUN_TEST_H
#define HK_RUN_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "io/file.h"
#include "run/checkpoint.h"
#include "run/folder.h"
#include "run/trainer.h"
#include "run/weights.h"

/* Everything that a resumed run could get wrong: spikes drawn at random, dropout, two optimizer
 * slots, gradients accumulated over batches, running statistics, learned thresholds and leaks. */
static const char recipe_text[] =
    "data: {name: digits, validation: 0.1}\n"
    "encode: {name: rate}\n"
    "net:\n"
    "  layers:\n"
    "    - {type: flatten, name: flat}\n"
    "    - {type: dense, name: fc1, out: 24, bias: true}\n"
    "    - {type: batchnorm, name: bn1}\n"
    "    - {type: spiking, name: lif1}\n"
    "    - {type: dropout, name: drop, p: 0.2}\n"
    "    - {type: dense, name: head, out: 10, bias: true}\n"
    "    - {type: readout, name: readout, kind: sum}\n"
    "neuron: {name: lif, threshold_granularity: channel}\n"
    "rule: {name: stop}\n"
    "loss: {name: ce}\n"
    "optim: {name: adamw, lr: 0.005, schedule: {name: cosine, warmup: 0.5}}\n"
    "train: {T: 2, batch: 64, epochs: 2, accumulate: 3, seed: 5}\n";

#define RECIPE "digits.yaml"

static inline void write_recipe(void)
{
    hk_error e;
    if (hk_file_write(RECIPE, recipe_text, strlen(recipe_text), &e)) fail_msg("%s", e.text);
}

static inline void good(hk_status st, const hk_error *e)
{
    if (st != HK_OK) fail_msg("%s", e->text);
}

/* That st is the failure expected, and that its message holds the word. */
static inline void bad(hk_status st, hk_status expected, const hk_error *e, const char *word)
{
    if (st != expected)
        fail_msg("status %d, expected %d: %s", st, expected, st ? e->text : "success");
    if (!strstr(e->text, word)) fail_msg("'%s' is not in: %s", word, e->text);
}

static inline hk_train_opts options(const char *out)
{
    return (hk_train_opts){ .session = { .recipe = RECIPE, .threads = 1, .learn = true },
                            .out = out };
}

/* Trains to the end. */
static inline void train(const hk_train_opts *o)
{
    hk_train_result r;
    hk_error e;
    good(hk_train(o, &r, &e), &e);
    assert_false(r.stopped);
    json_decref(r.json);
}

/* Trains until the k-th batch in all. */
static inline bool stops_at(void *self, const hk_progress *p)
{
    const int64_t *k = self;
    return !(p->split == HK_SPLIT_TRAIN && (p->epoch - 1) * p->batches + p->batch == *k);
}

static inline void stop_after(hk_train_opts *o, int64_t batches)
{
    hk_train_result r;
    hk_error e;
    o->progress = stops_at;
    o->self = &batches;
    good(hk_train(o, &r, &e), &e);
    assert_true(r.stopped);
    assert_null(r.json);
    o->progress = NULL;
}

static inline void *slurp(const char *folder, const char *name, size_t *n)
{
    char path[HK_PATH];
    void *data;
    hk_error e;
    good(hk_run_path(folder, name, "", path, &e), &e);
    good(hk_file_read(path, 0, &data, n, &e), &e);
    return data;
}

static inline void same_file(const char *a, const char *b, const char *name)
{
    size_t n, m;
    char *p = slurp(a, name, &n), *q = slurp(b, name, &m);
    if (n != m || memcmp(p, q, n)) fail_msg("%s: %s and %s differ", name, a, b);
    hk_free(p);
    hk_free(q);
}

/* Removes what depends on the clock and the machine. */
static inline void drop_times(json_t *j)
{
    static const char *const keys[] = { "seconds", "samples_per_second", "resident", "memory" };
    const char *key;
    json_t *v;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) json_object_del(j, keys[i]);
    json_object_foreach(j, key, v) { if (json_is_object(v)) drop_times(v); }
}

/* Weights, optimizer, running statistics bit for bit; every line of the log but for times. */
static inline void same_run(const char *a, const char *b)
{
    size_t n, m;
    same_file(a, b, "checkpoint/last/weights.safetensors");
    same_file(a, b, "checkpoint/last/optimizer.safetensors");
    same_file(a, b, "checkpoint/best/weights.safetensors");
    char *p = slurp(a, "metrics.jsonl", &n), *q = slurp(b, "metrics.jsonl", &m), *x = p, *y = q;
    while (*x && *y) {
        size_t i = strcspn(x, "\n"), k = strcspn(y, "\n");
        json_t *left = json_loadb(x, i, 0, NULL), *right = json_loadb(y, k, 0, NULL);
        drop_times(left);
        drop_times(right);
        if (!left || !json_equal(left, right))
            fail_msg("%s: %.*s\n%s: %.*s", a, (int)i, x, b, (int)k, y);
        json_decref(left);
        json_decref(right);
        x += i + 1;
        y += k + 1;
    }
    if (*x || *y) fail_msg("%s and %s: logs of different length", a, b);
    hk_free(p);
    hk_free(q);
}

static inline void remove_run(const char *folder)
{
    char command[HK_PATH];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

#endif
