/* Runs under rule snn2ann: the same bits after a stop and for any number of threads, raised thresholds
 * in files though no optimizer learns them, and inference that is the spiking net of training. Random
 * words that are drawn many at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run_test.h"

#include <Random123/philox.h>

/* Bits as input, pooled counts, both kinds of dropout, thresholds per neuron that are soon raised. */
static const char *const set[] = {
    ("net.layers=[{type: conv2d, name: conv1, out: 6, padding: 1, bias: true},"
     " {type: batchnorm, name: bn1}, {type: dropout, name: drop, p: 0.2}, {type: spiking, name: s1},"
     " {type: avgpool2d, name: pool}, {type: conv2d, name: conv2, out: 8, padding: 1},"
     " {type: batchnorm, name: bn2}, {type: spiking, name: s2}, {type: flatten, name: flat},"
     " {type: dense, name: head, out: 10}, {type: readout, name: readout, kind: mean}]"),
    ("neuron={name: if, reset: hard, compare: '>', threshold_granularity: neuron,"
     " threshold_init: uniform}"),
    "rule={name: snn2ann, noise: 0.01}", "loss.when=final", "train.T=3",
};

static hk_train_opts counts(const char *out)
{
    hk_train_opts o = options(out);
    o.session.set = set;
    o.session.n_set = sizeof set / sizeof *set;
    return o;
}

static void whole_run(void)
{
    static bool done;
    if (done) return;
    remove_run("whole");
    hk_train_opts o = counts("whole");
    train(&o);
    done = true;
}

static bool stop_at(void *self, const hk_progress *p)
{
    int64_t *left = self;
    if (p->split == HK_SPLIT_TRAIN && *left > 0) (*left)--;
    return *left > 0;
}

static void resumed(void **state)
{
    static const int64_t stops[] = { 1, 11, 53 };
    (void)state;
    whole_run();
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        remove_run("parts");
        hk_train_opts o = counts("parts");
        int64_t left = stops[i];
        hk_train_result r;
        hk_error e;
        o.progress = stop_at;
        o.self = &left;
        good(hk_train(&o, &r, &e), &e);
        assert_true(r.stopped);
        o.progress = NULL;
        o.resume = true;
        train(&o);
        same_run("whole", "parts");
    }
}

/* Parameters and running statistics after a few updates with so many threads. */
static void learn_with(int32_t n, float *param, float *buffer, size_t most)
{
    enum { BATCHES = 6 };
    hk_session s;
    hk_loaded got;
    hk_result r;
    hk_error e;
    hk_session_opts o = counts("x").session;
    o.threads = n;
    good(hk_session_open(&s, &o, &e), &e);
    hk_net *net = &s.engine.net;
    assert_true(net->bytes[HK_R_PARAM] <= most && net->bytes[HK_R_BUFFER] <= most);
    for (int i = 0; i < BATCHES; i++) {
        good(hk_loader_next(s.loader[HK_SPLIT_TRAIN], &got, &e), &e);
        good(hk_net_learn(net, hk_feed_put(&s.feed, &got, (uint64_t)i), &r, &e), &e);
    }
    memcpy(param, net->base[HK_R_PARAM], net->bytes[HK_R_PARAM]);
    memcpy(buffer, net->base[HK_R_BUFFER], net->bytes[HK_R_BUFFER]);
    hk_session_close(&s);
}

static void threads(void **state)
{
    enum { FLOATS = 1 << 15 };
    static float param[3][FLOATS], buffer[3][FLOATS];
    (void)state;
    for (int n = 1; n <= 3; n++) learn_with(n, param[n - 1], buffer[n - 1], sizeof param[0]);
    for (int n = 1; n < 3; n++) {
        assert_memory_equal(param[n], param[0], sizeof param[0]);
        assert_memory_equal(buffer[n], buffer[0], sizeof buffer[0]);
    }
}

/* The weights of a run in a net that learns, or that only infers. */
static void open_trained(hk_session *s, bool learn)
{
    hk_error e;
    hk_session_opts o = counts("whole").session;
    o.learn = learn;
    good(hk_session_open(s, &o, &e), &e);
    good(hk_weights_load(&s->engine.net, "whole/checkpoint/last/weights.safetensors", &e), &e);
}

static void inference(void **state)
{
    hk_session one, two;
    hk_loaded got;
    hk_result r;
    hk_error e;
    (void)state;
    whole_run();
    open_trained(&one, true);
    open_trained(&two, false);
    good(hk_loader_next(one.loader[HK_SPLIT_VAL], &got, &e), &e);
    good(hk_net_infer(&one.engine.net, hk_feed_put(&one.feed, &got, 9), &r, &e), &e);
    const double accuracy = (double)r.correct / (double)r.seen;
    good(hk_net_infer(&two.engine.net, hk_feed_put(&two.feed, &got, 9), &r, &e), &e);
    const size_t n = (size_t)one.engine.net.spec.batch * 10 * sizeof(float);
    assert_memory_equal(hk_net_output(&one.engine.net), hk_net_output(&two.engine.net), n);
    assert_true(accuracy > 0.6 && (double)r.correct / (double)r.seen == accuracy);
    assert_true(two.engine.net.bytes[HK_R_STATE] < one.engine.net.bytes[HK_R_STATE]);
    hk_session_close(&one);
    hk_session_close(&two);
}

/* Thresholds of a layer have moved by one amount, and come back from the file. */
static void thresholds(void **state)
{
    hk_session first, last;
    hk_error e;
    (void)state;
    whole_run();
    hk_session_opts o = counts("whole").session;
    good(hk_session_open(&first, &o, &e), &e);
    open_trained(&last, true);
    int raised = 0;
    for (int32_t i = 0; i < first.engine.net.n_param; i++) {
        const hk_param *a = &first.engine.net.param[i], *b = &last.engine.net.param[i];
        if (a->role != HK_THRESHOLD) continue;
        assert_false(a->learn);
        const float by = b->w[0] - a->w[0];
        raised += by > 0.005f;
        for (size_t k = 0; k < a->n; k++) {
            const float d = b->w[k] - a->w[k] - by;
            assert_true(d < 1e-4f && d > -1e-4f);
        }
    }
    assert_true(raised > 0);
    hk_session_close(&first);
    hk_session_close(&last);
}

/* The log tells both accuracies of training; what it says of validation is the spiking net's. */
static void both_accuracies(void **state)
{
    size_t n;
    int epochs = 0;
    (void)state;
    whole_run();
    char *log = slurp("whole", "metrics.jsonl", &n);
    for (char *x = log; *x; x += strcspn(x, "\n") + 1) {
        json_t *j = json_loadb(x, strcspn(x, "\n"), 0, NULL);
        const json_t *train = json_object_get(j, "train");
        if (train) {
            const double spikes = json_number_value(json_object_get(train, "spiking_accuracy"));
            const double sums = json_number_value(json_object_get(train, "accuracy"));
            assert_true(spikes > 0.1 && spikes < 1 && sums > 0.1 && spikes != sums);
            assert_null(json_object_get(json_object_get(j, "val"), "spiking_accuracy"));
            epochs++;
        }
        json_decref(j);
    }
    assert_int_equal(epochs, 2);
    hk_free(log);
}

static void steps_allocate_nothing(void **state)
{
    hk_session s;
    hk_error e;
    hk_loaded got;
    hk_result r;
    (void)state;
    hk_session_opts o = counts("x").session;
    good(hk_session_open(&s, &o, &e), &e);
    good(hk_loader_next(s.loader[HK_SPLIT_TRAIN], &got, &e), &e);
    long before = hk_alloc_counts().requests;
    for (int i = 0; i < 4; i++)
        good(hk_net_learn(&s.engine.net, hk_feed_put(&s.feed, &got, 7), &r, &e), &e);
    assert_int_equal(hk_alloc_counts().requests, before);
    hk_session_close(&s);
}

/* Against Random123 itself, over the carry into the upper word of the index. */
static void words(void **state)
{
    const hk_rng r = { 0x123456789abcdefu, 0xfedcba9876543210u };
    const uint64_t from[] = { 0, 7, 0xfffffff5u, 0x3fffffffff0u };
    (void)state;
    for (int k = 0; k < 4; k++) {
        uint32_t got[4 * 37];
        hk_rng_words(r, from[k], 37, got);
        for (uint64_t i = 0; i < 37; i++) {
            const uint64_t at = from[k] + i;
            philox4x32_ctr_t ctr = { { (uint32_t)at, (uint32_t)(at >> 32), (uint32_t)r.stream,
                                       (uint32_t)(r.stream >> 32) } };
            philox4x32_key_t key = { { (uint32_t)r.seed, (uint32_t)(r.seed >> 32) } };
            const philox4x32_ctr_t want = philox4x32(ctr, key);
            assert_memory_equal(got + 4 * i, want.v, sizeof want.v);
            assert_int_equal(got[4 * i], hk_rng_u32(r, at));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumed), cmocka_unit_test(threads), cmocka_unit_test(inference),
        cmocka_unit_test(thresholds), cmocka_unit_test(both_accuracies),
        cmocka_unit_test(steps_allocate_nothing), cmocka_unit_test(words),
    };
    write_recipe();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
