/* Runs: memory as planned, weights and checkpoints that come back, runs that go on to the same bits
 * after they were stopped, killed or out of disk.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run_test.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static hk_session_opts session_opts(void)
{
    return (hk_session_opts){ .recipe = RECIPE, .threads = 1, .learn = true };
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void plan_is_allocated(void **state)
{
    hk_session s;
    hk_error e;
    (void)state;
    hk_session_opts o = session_opts();
    good(hk_session_open(&s, &o, &e), &e);
    hk_net_spec spec = s.engine.net.spec;
    hk_host_kernels_cfg cfg = { .threads = 2 };
    hk_host_kernels k;
    hk_engine g;
    size_t begin = hk_alloc_counts().live;
    good(hk_host_kernels_open(&k, &cfg, &e), &e);
    size_t object = hk_alloc_counts().live - begin;
    hk_host_kernels_close(&k);
    good(hk_engine_open(&g, &spec, &cfg, &e), &e);
    assert_int_equal(hk_alloc_counts().live - begin, hk_engine_bytes(&g) + object);
    hk_engine_close(&g);
    assert_int_equal(hk_alloc_counts().live, begin);
    hk_session_close(&s);
}

static void steps_allocate_nothing(void **state)
{
    hk_session s;
    hk_error e;
    hk_loaded got;
    hk_result r;
    (void)state;
    hk_session_opts o = session_opts();
    good(hk_session_open(&s, &o, &e), &e);
    good(hk_loader_next(s.loader[HK_SPLIT_TRAIN], &got, &e), &e);
    long before = hk_alloc_counts().requests;
    for (int i = 0; i < 4; i++)
        good(hk_net_learn(&s.engine.net, hk_feed_put(&s.feed, &got, 7), &r, &e), &e);
    good(hk_net_infer(&s.engine.net, hk_feed_put(&s.feed, &got, 7), &r, &e), &e);
    assert_int_equal(hk_alloc_counts().requests, before);
    hk_session_close(&s);
}

/* The N-th request that fails gives a message and leaves nothing behind. */
static void no_memory(void **state)
{
    hk_error e;
    (void)state;
    hk_session_opts o = session_opts();
    size_t live = hk_alloc_counts().live;
    for (long n = 1;; n = n < 40 ? n + 1 : n + n / 8) {
        hk_session s;
        hk_alloc_fail_at(n);
        hk_status st = hk_session_open(&s, &o, &e);
        hk_alloc_fail_at(0);
        if (st == HK_OK) hk_session_close(&s);
        else assert_int_equal(st, HK_E_NOMEM);
        assert_int_equal(hk_alloc_counts().live, live);
        if (st == HK_OK) break;
    }
}

/* ---- weights --------------------------------------------------------------------------------- */

static void refused(hk_net *net, hk_arrays *list, hk_status st, const char *word)
{
    hk_error e;
    bad(hk_weights_apply(net, list, "w.safetensors", &e), st, &e, word);
    assert_non_null(strstr(e.text, "w.safetensors"));
}

static void weights(void **state)
{
    hk_session s;
    hk_error e;
    hk_arrays list = { 0 };
    int64_t dims[2] = { 24, 63 }, one[1] = { 10 };
    (void)state;
    hk_session_opts o = session_opts();
    good(hk_session_open(&s, &o, &e), &e);
    hk_net *net = &s.engine.net;
    float first = net->param[0].w[0];
    good(hk_weights_save(net, "a.safetensors", NULL, &e), &e);
    net->param[0].w[0] = first + 1;
    good(hk_weights_load(net, "a.safetensors", &e), &e);
    assert_memory_equal(&net->param[0].w[0], &first, sizeof first);

    good(hk_weights_collect(net, &list, &e), &e);
    good(hk_arrays_add(&list, "fc1.wieght", HK_DT_F32, 1, one, NULL, &e), &e);
    refused(net, &list, HK_E_FORMAT, "nearest is 'fc1.weight'");
    hk_array_clear(&list.at[--list.n]);
    hk_free(list.at[0].name);
    list.at[0].name = hk_strdup("zzzz");
    refused(net, &list, HK_E_FORMAT, "zzzz");
    hk_array_clear(&list.at[0]);
    list.at[0] = list.at[--list.n];
    refused(net, &list, HK_E_FORMAT, "'fc1.weight' is missing");
    good(hk_arrays_add(&list, "fc1.weight", HK_DT_F32, 2, dims, NULL, &e), &e);
    refused(net, &list, HK_E_SHAPE, "expected shape [24, 64], found [24, 63]");
    assert_memory_equal(&net->param[0].w[0], &first, sizeof first);
    hk_arrays_clear(&list);
    hk_session_close(&s);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

static hk_status load(const char *folder, hk_error *e)
{
    hk_session s;
    hk_position at;
    hk_session_opts o = session_opts();
    good(hk_session_open(&s, &o, e), e);
    good(hk_position_init(&at, &s.engine.net, e), e);
    hk_status st = hk_checkpoint_load(folder, &s.engine, &at, e);
    hk_position_deinit(&at);
    hk_session_close(&s);
    return st;
}

/* Every file cut short and every byte wrong is refused, with the file's name. */
static void damaged(const char *folder, const char *name)
{
    size_t n;
    char path[HK_PATH];
    hk_error e;
    char *data = slurp(folder, name, &n);
    good(hk_run_path(folder, name, "", path, &e), &e);
    size_t steps = 24;
    for (size_t i = 0; i < steps; i++) {
        good(hk_file_write(path, data, i * n / steps, &e), &e);
        bad(load(folder, &e), HK_E_FORMAT, &e, folder);
    }
    data[n - 9] ^= 1;
    good(hk_file_write(path, data, n, &e), &e);
    if (strcmp(name, "manifest.json")) bad(load(folder, &e), HK_E_FORMAT, &e, "damaged");
    data[n - 9] ^= 1;
    good(hk_file_write(path, data, n, &e), &e);
    good(load(folder, &e), &e);
    hk_free(data);
}

static void broken_checkpoints(void **state)
{
    hk_error e;
    (void)state;
    remove_run("broken");
    hk_train_opts o = options("broken");
    stop_after(&o, 4);
    damaged("broken/checkpoint/last", "manifest.json");
    damaged("broken/checkpoint/last", "weights.safetensors");
    damaged("broken/checkpoint/last", "optimizer.safetensors");

    hk_train_result r;
    const char *other[] = { "optim.lr=0.1" };
    o.resume = true;
    o.session.set = other;
    o.session.n_set = 1;
    bad(hk_train(&o, &r, &e), HK_E_FORMAT, &e, "another recipe");
    o.resume = false;
    bad(hk_train(&o, &r, &e), HK_E_ARG, &e, "--resume");

    /* Killed between the two renames: the older one is found. */
    assert_int_equal(rename("broken/checkpoint/last", "broken/checkpoint/last.old"), 0);
    good(load("broken/checkpoint/last", &e), &e);
    bad(load("broken/checkpoint/lost", &e), HK_E_IO, &e, "no checkpoint");
}

/* ---- going on -------------------------------------------------------------------------------- */

static void whole_run(void)
{
    static bool done;
    if (done) return;
    remove_run("whole");
    hk_train_opts o = options("whole");
    train(&o);
    done = true;
}

static void resumed_equals_whole(void **state)
{
    static const int64_t stops[] = { 1, 10, 52, 53, 54, 70 };
    (void)state;
    whole_run();
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        remove_run("parts");
        hk_train_opts o = options("parts");
        stop_after(&o, stops[i]);
        o.resume = true;
        train(&o);
        same_run("whole", "parts");
    }
}

static void resumed_often(void **state)
{
    (void)state;
    whole_run();
    remove_run("often");
    hk_train_opts o = options("often");
    for (int64_t at = 7; at < 106; at += 13) {
        stop_after(&o, at);
        o.resume = true;
    }
    train(&o);
    same_run("whole", "often");
}

/* A rule that remembers: update points searched over the epochs, and a sample that ends early. */
static void rule_resumes(void **state)
{
    static const char text[] =
        "data: {name: digits, validation: 0.1}\n"
        "encode: {name: rate}\n"
        "net:\n"
        "  layers:\n"
        "    - {type: flatten, name: flat}\n"
        "    - {type: synapse, name: syn1}\n"
        "    - {type: dense, name: fc1, out: 10}\n"
        "    - {type: spiking, name: lif1}\n"
        "    - {type: readout, name: readout, kind: count}\n"
        "neuron: {name: lif, convention: B, reset_amount: 0.5, surrogate: {name: gaussian}}\n"
        "rule: {name: solsa, points: 3, period: 1, traces: bf16}\n"
        "loss: {name: mse, form: mean, divide_by_T: false}\n"
        "optim: {name: rmsprop, lr: 0.0005}\n"
        "train: {T: 6, batch: 256, epochs: 4, seed: 5}\n";
    static const int64_t stops[] = { 3, 14, 20, 27, 40, 51 };
    hk_error e;
    (void)state;
    good(hk_file_write("points.yaml", text, strlen(text), &e), &e);
    remove_run("points");
    remove_run("parts");
    hk_train_opts o = options("points");
    o.session.recipe = "points.yaml";
    train(&o);
    o.out = "parts";
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        stop_after(&o, stops[i]);
        o.resume = true;
    }
    train(&o);
    same_run("points", "parts");
}

/* A child trains; it is killed without warning, again and again, until it gets through. */
static void killed(void **state)
{
    (void)state;
    whole_run();
    remove_run("killed");
    unsigned seed = 99;
    int kills = 0;
    for (;;) {
        pid_t child = fork();
        if (child == 0) {
            hk_train_opts o = options("killed");
            hk_train_result r;
            hk_error e;
            o.resume = true;
            o.checkpoint_batches = 1;
            _exit(hk_train(&o, &r, &e) == HK_OK ? 0 : 1);
        }
        assert_true(child > 0);
        int status;
        seed = seed * 1664525u + 1013904223u;
        if (kills < 25) {
            usleep(20000 + (seed >> 8) % 150000);
            kill(child, SIGKILL);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        kills += WIFSIGNALED(status);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            break;
        }
    }
    same_run("whole", "killed");
}

/* Writing stops at a size, as on a full disk: a message, and the last checkpoint as it was. */
static void full_disk(void **state)
{
    hk_error e;
    (void)state;
    whole_run();
    remove_run("full");
    hk_train_opts o = options("full");
    stop_after(&o, 20);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit small = { 3000, 3000 };
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &small);
        hk_train_result r;
        o.resume = true;
        o.checkpoint_batches = 1;
        hk_status st = hk_train(&o, &r, &e);
        _exit(st == HK_E_IO && strstr(e.text, "full") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
    good(load("full/checkpoint/last", &e), &e);
    o.resume = true;
    train(&o);
    same_run("whole", "full");
}

static void not_a_number(void **state)
{
    hk_error e;
    hk_train_result r;
    (void)state;
    remove_run("nan");
    hk_train_opts o = options("nan");
    const char *wild[] = { "optim.name=sgd", "optim.lr=1e6", "optim.weight_decay=1" };
    o.session.set = wild;
    o.session.n_set = 3;
    o.checkpoint_batches = 1;
    bad(hk_train(&o, &r, &e), HK_E_NUM, &e, "optim.lr");
    hk_arrays list = { 0 };
    good(hk_safetensors_read("nan/checkpoint/last/weights.safetensors", 0, &list, NULL, &e), &e);
    for (int i = 0; i < list.n; i++)
        for (size_t k = 0; k < hk_array_count(&list.at[i]); k++)
            assert_true(isfinite(((const float *)list.at[i].data)[k]));
    hk_arrays_clear(&list);
}

/* Two threads, the same bits. */
static void threads(void **state)
{
    (void)state;
    whole_run();
    remove_run("two");
    hk_train_opts o = options("two");
    o.session.threads = 2;
    train(&o);
    same_run("whole", "two");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_is_allocated),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(weights),
        cmocka_unit_test(broken_checkpoints),
        cmocka_unit_test(resumed_equals_whole),
        cmocka_unit_test(resumed_often),
        cmocka_unit_test(rule_resumes),
        cmocka_unit_test(killed),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(not_a_number),
        cmocka_unit_test(threads),
    };
    write_recipe();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
