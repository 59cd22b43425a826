/* The host's interface (include/hillock.h): arrays in, weights out, nothing allocated on the way,
 * and the same bits as the parts below give.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run_test.h"

#include <math.h>
#include <pthread.h>

#include "data/digits.h"
#include "hillock.h"
#include "registry.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#  define STACK_SHIFT 3
#elif defined(__has_feature)
#  if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#    define STACK_SHIFT 3
#  endif
#endif
#ifndef STACK_SHIFT
#  define STACK_SHIFT 0
#endif

/* Two channels and uneven sides: an axis in the wrong place would be seen. */
static const char maps[] =
    "data: {name: none, shape: [2, 5, 6], classes: 3, augment: {mean: [0.5], std: [0.25]}}\n"
    "encode: {name: rate}\n"
    "net:\n"
    "  layers:\n"
    "    - {type: conv2d, name: conv1, out: 4, kernel: 3, padding: 1}\n"
    "    - {type: spiking, name: lif1}\n"
    "    - {type: flatten, name: flat}\n"
    "    - {type: dense, name: head, out: 3, bias: true}\n"
    "    - {type: readout, name: readout, kind: sum}\n"
    "rule: {name: stop}\n"
    "optim: {name: sgd, lr: 0.2, momentum: 0.9}\n"
    "train: {T: 3, batch: 4, seed: 9, threads: 1}\n";

enum { B = 4, FRAME = 2 * 5 * 6, CLASSES = 3 };
static float x[B * FRAME];
static const int32_t label[B] = { 0, 1, 2, 1 };
static const hk_samples batch = { x, label, B };

static void fill(void)
{
    for (int i = 0; i < B * FRAME; i++) x[i] = hk_rng_uniform((hk_rng){ 3, 4 }, (uint64_t)i);
}

static hk_learner *create(const char *text, const char *const *set, int n_set)
{
    const hk_source s = { .text = text, .set = set, .n_set = n_set };
    hk_learner *l;
    hk_error e;
    good(hk_learner_create(&l, &s, &e), &e);
    return l;
}

static double loss_of(hk_learner *l, const hk_samples *b)
{
    hk_score score;
    hk_error e;
    good(hk_learner_infer(l, b, NULL, &score, &e), &e);
    assert_int_equal(score.seen, b->n);
    return score.loss;
}

static void it_learns(void **state)
{
    (void)state;
    fill();
    hk_learner *l = create(maps, NULL, 0);
    hk_error e;
    hk_score score;
    const double before = loss_of(l, &batch);
    for (int i = 0; i < 60; i++) good(hk_learner_learn(l, &batch, &score, &e), &e);
    assert_true(loss_of(l, &batch) < before / 2);
    assert_true(score.rate > 0 && score.rate < 1);
    assert_int_equal(score.seen, B);
    hk_learner_destroy(l);
}

/* The parts, put together by hand: frames with channels last, normalised, encoded, learned. */
static void the_parts_give_the_same_bits(void **state)
{
    static float last[B * FRAME];
    hk_recipe r;
    hk_net_spec spec;
    hk_engine g;
    hk_feed f;
    hk_error e;
    hk_result result;
    hk_score score;
    (void)state;
    fill();
    for (int b = 0; b < B; b++)
        for (int c = 0; c < 2; c++)
            for (int i = 0; i < 30; i++)
                last[b * FRAME + i * 2 + c] = (x[b * FRAME + c * 30 + i] - 0.5f) / 0.25f;
    good(hk_recipe_parse(&r, maps, strlen(maps), "maps", NULL, 0, &e), &e);
    good(hk_recipe_shape_from_data(&r, &e), &e);
    hk_recipe_spec(&r, true, true, &spec);
    const hk_host_kernels_cfg kernels = hk_recipe_kernels(&r, 0);
    good(hk_engine_open(&g, &spec, &kernels, &e), &e);
    good(hk_feed_open(&f, &r, 0, &e), &e);
    g.net.update = r.optim.update;
    hk_learner *l = create(maps, NULL, 0);
    for (uint64_t i = 0; i < 5; i++) {
        const hk_loaded loaded = { .x = last, .label = label, .n = B };
        good(hk_net_learn(&g.net, hk_feed_put(&f, &loaded, i), &result, &e), &e);
        good(hk_learner_learn(l, &batch, &score, &e), &e);
        assert_true(fabs(score.loss - result.loss) <= 0);
        assert_int_equal(score.correct, result.correct);
    }
    hk_learner_destroy(l);
    hk_feed_close(&f);
    hk_engine_close(&g);
    hk_recipe_free(&r);
}

static void weights_come_back(void **state)
{
    float a[B * CLASSES], b[B * CLASSES];
    hk_error e;
    (void)state;
    fill();
    hk_learner *l = create(maps, NULL, 0), *m = create(maps, NULL, 0);
    for (int i = 0; i < 5; i++) good(hk_learner_learn(l, &batch, NULL, &e), &e);
    good(hk_learner_infer(l, &batch, a, NULL, &e), &e);
    good(hk_learner_save(l, "maps.safetensors", &e), &e);
    good(hk_learner_infer(m, &batch, b, NULL, &e), &e);
    assert_memory_not_equal(a, b, sizeof a);
    good(hk_learner_load(m, "maps.safetensors", &e), &e);
    good(hk_learner_infer(m, &batch, b, NULL, &e), &e);
    assert_memory_equal(a, b, sizeof a);
    good(hk_learner_infer(m, &batch, b, NULL, &e), &e);          /* again: nothing is drawn anew */
    assert_memory_equal(a, b, sizeof a);
    static const char *const wider[] = { "net.layers.conv1.out=5" };
    hk_learner *w = create(maps, wider, 1);
    bad(hk_learner_load(w, "maps.safetensors", &e), HK_E_SHAPE, &e, "conv1.weight");
    bad(hk_learner_load(w, "absent.safetensors", &e), HK_E_IO, &e, "absent");
    hk_learner_destroy(w);
    hk_learner_destroy(m);
    hk_learner_destroy(l);
}

static void memory_is_planned(void **state)
{
    const hk_source s = { .text = maps };
    hk_learner_info plan, info;
    hk_learner *l;
    hk_error e;
    (void)state;
    fill();
    const size_t live = hk_alloc_counts().live;
    good(hk_learner_plan(&s, &plan, &e), &e);
    assert_int_equal(hk_alloc_counts().live, live);
    good(hk_learner_create(&l, &s, &e), &e);
    hk_learner_describe(l, &info);
    assert_memory_equal(&plan.memory, &info.memory, sizeof plan.memory);
    assert_int_equal(info.channels * info.height * info.width, FRAME);
    assert_int_equal(info.classes, CLASSES);
    assert_int_equal(info.steps, 1);
    const hk_memory *m = &info.memory;
    assert_int_equal(m->total, m->param + m->grad + m->optim + m->buffer + m->state + m->tape +
                                   m->packed + m->work + m->tables + m->input);
    assert_true(hk_alloc_counts().live - live >= m->total);
    const long requests = hk_alloc_counts().requests;
    for (int i = 0; i < 3; i++) good(hk_learner_learn(l, &batch, NULL, &e), &e);
    good(hk_learner_infer(l, &batch, NULL, NULL, &e), &e);
    assert_int_equal(hk_alloc_counts().requests, requests);
    hk_learner_destroy(l);
    assert_int_equal(hk_alloc_counts().live, live);

    const hk_source forward = { .text = maps, .infer_only = true };
    good(hk_learner_plan(&forward, &info, &e), &e);
    assert_int_equal(info.memory.grad + info.memory.optim, 0);
    assert_true(info.memory.total < plan.memory.total);
}

/* Every allocation of create fails once: a message, no learner, nothing left behind. */
static void create_fails_cleanly(void **state)
{
    const hk_source s = { .text = maps };
    const size_t live = hk_alloc_counts().live;
    hk_learner *l;
    hk_error e;
    hk_status st = HK_E_NOMEM;
    (void)state;
    for (long n = 1; st != HK_OK; n++) {
        hk_alloc_fail_at(n);
        st = hk_learner_create(&l, &s, &e);
        hk_alloc_fail_at(0);
        if (st == HK_OK) break;
        assert_int_equal(st, HK_E_NOMEM);
        assert_null(l);
        assert_true(*e.text);
        assert_int_equal(hk_alloc_counts().live, live);
    }
    hk_learner_destroy(l);
}

static void mistakes_are_named(void **state)
{
    static const int32_t wrong[B] = { 0, 1, 3, 0 };
    static const char *const unknown[] = { "optim.momentun=0.5" };
    const hk_source none = { 0 }, typo = { .text = maps, .set = unknown, .n_set = 1 };
    const hk_source broken = { .text = "data: {name: none" };
    const hk_source forward = { .text = maps, .infer_only = true };
    const hk_samples too_many = { x, label, B + 1 }, unlabelled = { x, NULL, B };
    const hk_samples mislabelled = { x, wrong, B };
    hk_learner *l;
    hk_error e;
    float scores[B * CLASSES];
    (void)state;
    fill();
    bad(hk_learner_create(&l, &none, &e), HK_E_ARG, &e, "path or text");
    bad(hk_learner_create(&l, &typo, &e), HK_E_ARG, &e, "nearest is 'momentum'");
    bad(hk_learner_create(&l, &broken, &e), HK_E_FORMAT, &e, "recipe:2");
    assert_null(l);
    assert_int_equal(hk_learner_create(&l, &typo, NULL), HK_E_ARG);
    l = create(maps, NULL, 0);
    bad(hk_learner_learn(l, &too_many, NULL, &e), HK_E_ARG, &e, "expected 1 to train.batch, 4");
    bad(hk_learner_learn(l, &unlabelled, NULL, &e), HK_E_ARG, &e, "without labels");
    bad(hk_learner_learn(l, &mislabelled, NULL, &e), HK_E_ARG, &e, "label 2 of the batch is 3");
    bad(hk_learner_infer(l, &mislabelled, scores, NULL, &e), HK_E_ARG, &e, "expected 0 to 2");
    good(hk_learner_infer(l, &unlabelled, scores, NULL, &e), &e);
    hk_learner_destroy(l);
    good(hk_learner_create(&l, &forward, &e), &e);
    bad(hk_learner_learn(l, &batch, NULL, &e), HK_E_ARG, &e, "infer only");
    hk_learner_destroy(l);
}

/* Learners share nothing: two threads with one each give what one thread gives. */
static void *learn_alone(void *out)
{
    hk_learner *l = create(maps, NULL, 0);
    hk_score score = { 0 };
    hk_error e;
    for (int i = 0; i < 20; i++)
        if (hk_learner_learn(l, &batch, &score, &e) != HK_OK) break;
    hk_learner_destroy(l);
    *(double *)out = score.loss;
    return NULL;
}

static void learners_share_nothing(void **state)
{
    double loss[3] = { 0, 1, 2 };
    pthread_t thread[2];
    (void)state;
    fill();
    learn_alone(&loss[2]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, learn_alone, &loss[i]), 0);
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(thread[i], NULL), 0);
    assert_true(loss[2] > 0);
    assert_memory_equal(&loss[0], &loss[2], sizeof *loss);
    assert_memory_equal(&loss[1], &loss[2], sizeof *loss);
}

/* In a thread with `kilobytes` of stack; sanitizers make frames several times as large. */
static void on_a_small_stack(size_t kilobytes, void *work(void *), void *out)
{
    pthread_attr_t small;
    pthread_t thread;
    assert_int_equal(pthread_attr_init(&small), 0);
    assert_int_equal(pthread_attr_setstacksize(&small, kilobytes << (STACK_SHIFT + 10)), 0);
    assert_int_equal(pthread_create(&thread, &small, work, out), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&small);
}

static void a_learner_needs_little_stack(void **state)
{
    double loss[2] = { 0, 1 };
    (void)state;
    fill();
    learn_alone(&loss[0]);
    on_a_small_stack(128, learn_alone, &loss[1]);
    assert_memory_equal(&loss[0], &loss[1], sizeof *loss);
}

/* A rate of 0 leaves the weights; a part of a batch is learned like a whole one. */
static void rate_and_partial_batch(void **state)
{
    const hk_samples part = { x, label, 2 };
    hk_error e;
    (void)state;
    fill();
    hk_learner *l = create(maps, NULL, 0);
    const double before = loss_of(l, &part);
    hk_learner_set_rate(l, 0);
    for (int i = 0; i < 3; i++) good(hk_learner_learn(l, &part, NULL, &e), &e);
    assert_true(fabs(loss_of(l, &part) - before) <= 0);
    hk_learner_set_rate(l, 1);
    for (int i = 0; i < 40; i++) good(hk_learner_learn(l, &part, NULL, &e), &e);
    assert_true(loss_of(l, &part) < before / 2);
    hk_learner_destroy(l);
}

/* Samples with a time axis, [T][n][C]: what decides is the last step, and each sample has its
 * own. */
static void samples_over_time(void **state)
{
    static const char text[] = "data: {name: none, shape: [6], classes: 2}\n"
                               "encode: {name: none}\n"
                               "net:\n"
                               "  layers:\n"
                               "    - {type: dense, name: head, out: 2}\n"
                               "    - {type: readout, name: readout, kind: last}\n"
                               "train: {T: 3, batch: 2, threads: 1}\n";
    float moving[3 * 2 * 6] = { 0 }, a[2 * 2], b[2 * 2];
    const hk_samples s = { moving, NULL, 2 };
    hk_learner_info info;
    hk_error e;
    (void)state;
    hk_learner *l = create(text, NULL, 0);
    hk_learner_describe(l, &info);
    assert_int_equal(info.steps, 3);
    good(hk_learner_infer(l, &s, a, NULL, &e), &e);
    moving[(0 * 2 + 0) * 6 + 2] = 9;                              /* step 1, sample 0 */
    good(hk_learner_infer(l, &s, b, NULL, &e), &e);
    assert_memory_equal(a, b, sizeof a);
    moving[(2 * 2 + 0) * 6 + 2] = 9;                              /* step 3, sample 0 */
    good(hk_learner_infer(l, &s, b, NULL, &e), &e);
    assert_memory_not_equal(a, b, 2 * sizeof *a);
    assert_memory_equal(a + 2, b + 2, 2 * sizeof *a);             /* sample 1 saw nothing */
    hk_learner_destroy(l);
}

/* ---- a whole training ----------------------------------------------------------------------- */

static const char digits[] = "data: {name: digits}\n"
                             "net: {name: mlp, width: 16}\n"
                             "optim: {name: sgd, lr: 0.1, momentum: 0.9}\n"
                             "train: {T: 2, batch: 64, epochs: 1, threads: 1}\n";

static void *train_alone(void *out)
{
    const hk_source s = { .text = digits };
    const hk_training t = { .folder = "stack" };
    hk_outcome outcome;
    *(hk_status *)out = hk_train_recipe(&s, &t, &outcome, NULL);
    return NULL;
}

static void a_training_needs_little_stack(void **state)
{
    hk_status st = HK_E_ARG;
    (void)state;
    remove_run("stack");
    on_a_small_stack(256, train_alone, &st);
    assert_int_equal(st, HK_OK);
}

static int64_t told;

static bool progress(void *self, const hk_progress *p)
{
    told += p->split == HK_SPLIT_TRAIN;
    return self == NULL || told < 10;
}

static double accuracy_on_arrays(const char *text, const char *folder)
{
    static float frame[64 * 64];
    int32_t answer[64];
    hk_dataset d;
    hk_error e;
    hk_score score;
    const hk_info *set = hk_family_find(HK_FAM_DATASET, "digits");
    const hk_dataset_cfg cfg = { .split = "test" };
    good(hk_data_open(&d, (const hk_dataset_ops *)set, &cfg, &e), &e);
    hk_learner *l = create(text, NULL, 0);
    good(hk_learner_load(l, folder, &e), &e);
    int64_t correct = 0;
    for (int64_t i = 0; i < d.n; i += 64) {
        const int32_t n = (int32_t)(d.n - i < 64 ? d.n - i : 64);
        for (int32_t k = 0; k < n; k++)
            good(hk_data_get(&d, i + k, frame + k * 64, &answer[k], &e), &e);
        const hk_samples s = { frame, answer, n };
        good(hk_learner_infer(l, &s, NULL, &score, &e), &e);
        correct += score.correct;
    }
    const double accuracy = (double)correct / (double)d.n;
    hk_learner_destroy(l);
    hk_data_close(&d);
    return accuracy;
}

static void a_whole_training(void **state)
{
    const hk_source s = { .text = digits };
    hk_training t = { .folder = "api", .progress = progress, .self = &told };
    hk_outcome out;
    hk_error e;
    (void)state;
    remove_run("api");
    told = 0;
    good(hk_train_recipe(&s, &t, &out, &e), &e);
    assert_true(out.stopped);
    bad(hk_train_recipe(&s, &t, &out, &e), HK_E_ARG, &e, "holds a run");
    t.resume = true;
    t.self = NULL;
    good(hk_train_recipe(&s, &t, &out, &e), &e);
    assert_false(out.stopped || out.chosen);
    assert_int_equal(out.epoch, 1);
    assert_true(out.accuracy > 0.5 && out.planned_bytes > 0 && out.seconds > 0);
    assert_true(fabs(accuracy_on_arrays(digits, "api") - out.accuracy) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_learns),
        cmocka_unit_test(the_parts_give_the_same_bits),
        cmocka_unit_test(weights_come_back),
        cmocka_unit_test(memory_is_planned),
        cmocka_unit_test(create_fails_cleanly),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(learners_share_nothing),
        cmocka_unit_test(rate_and_partial_batch),
        cmocka_unit_test(samples_over_time),
        cmocka_unit_test(a_learner_needs_little_stack),
        cmocka_unit_test(a_training_needs_little_stack),
        cmocka_unit_test(a_whole_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
