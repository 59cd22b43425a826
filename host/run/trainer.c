/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer.h"

#include <string.h>

#include "base/alloc.h"
#include "describe.h"
#include "report/report.h"
#include "trainer_parts.h"
#include "weights.h"

enum { STEPS_LOGGED = 20 };              /* lines of the log per epoch */

double hk_learning_rate(const hk_recipe *r, int64_t epoch, int64_t batch, int64_t batches)
{
    const hk_recipe_optim *o = &r->optim;
    const double lr = (double)o->update.lr, n = (double)batches, warmup = (double)o->warmup,
                 before = (double)epoch + (double)batch / n,
                 after = (double)epoch + (double)(batch + 1) / n;
    if (before < warmup) {
        const double start = (double)o->warmup_start, done = after < warmup ? after / warmup : 1;
        return lr * (start + (1 - start) * done);
    }
    if (!o->schedule) return lr;
    return lr * o->schedule->factor(o->schedule_cfg, before - warmup, r->train.epochs - warmup);
}

/* ---- progress -------------------------------------------------------------------------------- */

/* Seconds until the last epoch is done, if batches go on as they did in this sitting. */
static double seconds_left(const hki_trainer *t)
{
    int64_t left = (t->s.recipe.train.epochs - t->at.epoch) * t->batches - t->at.batch;
    return t->here && left > 0 ? t->pass_seconds / (double)t->here * (double)left : 0;
}

static bool tick(void *self, const hk_stats *sums, int64_t done, int64_t all)
{
    hki_trainer *t = self;
    if (!t->o->progress) return true;
    const int64_t epochs = t->s.recipe.train.epochs;
    hk_progress p = {
        .split = t->pass,
        .epoch = t->at.epoch < epochs ? t->at.epoch + 1 : epochs,
        .epochs = epochs,
        .batch = done,
        .batches = all,
        .loss = hk_stats_loss(sums),
        .accuracy = hk_stats_accuracy(sums),
        .rate = hk_stats_mean_rate(sums, &t->s.engine.net),
        .samples_per_second = sums->seconds > 0 ? (double)sums->seen / sums->seconds : 0,
        .seconds = t->before + hk_seconds() - t->begun,
        .seconds_left = seconds_left(t),
        .planned_bytes = hk_engine_bytes(&t->s.engine),
        .resident_bytes = hk_resident_peak(),
    };
    return t->o->progress(t->o->self, &p);
}

static hk_status measure(hki_trainer *t, hk_split split, bool *ended, hk_error *e)
{
    t->pass = split;
    hk_status st = hk_session_measure(&t->s, split, split == HK_SPLIT_VAL ? &t->val : &t->test,
                                      tick, t, ended, e);
    t->pass = HK_SPLIT_TRAIN;
    return st;
}

/* ---- an epoch -------------------------------------------------------------------------------- */

static hk_status report_health(hki_trainer *t, hk_error *e)
{
    HK_TRY(
        hk_log_put(&t->log, hk_health_report(&t->health, &t->s.engine.net, &t->at.epoch_sums), e));
    for (int i = 0; i < t->health.n_advice && t->o->note; i++)
        t->o->note(t->o->self, t->health.advice[i]);
    t->at.reports++;
    return HK_OK;
}

static bool checkpoint_due(const hki_trainer *t)
{
    const hk_train_opts *o = t->o;
    return (o->checkpoint_batches > 0 && t->at.batch % o->checkpoint_batches == 0) ||
           (o->checkpoint_seconds > 0 && hk_seconds() - t->saved >= o->checkpoint_seconds);
}

/* Trains on one batch and notes what came of it. */
static hk_status learn(hki_trainer *t, const hk_loaded *got, double begun, hk_error *e)
{
    hk_net *net = &t->s.engine.net;
    hk_result r;
    double lr = hk_learning_rate(&t->s.recipe, t->at.epoch, t->at.batch, t->batches);
    int64_t first = HK_HEALTH_BATCHES < t->batches ? HK_HEALTH_BATCHES : t->batches;
    bool look = t->at.reports == 0 && t->at.epoch == 0 && t->at.batch + 1 == first;
    uint64_t stream = (uint64_t)t->at.epoch << 32 | (uint64_t)t->at.batch;

    net->update = t->s.recipe.optim.update;
    net->update.lr = (float)lr;
    net->update.accumulate = t->s.recipe.train.accumulate;
    net->update.epoch = (int32_t)t->at.epoch;
    const hk_batch *batch = hk_feed_put(&t->s.feed, got, stream);
    HK_TRY(look ? hk_health_learn(&t->health, net, batch, &r, e) : hk_net_learn(net, batch, &r, e));
    double seconds = hk_seconds() - begun;
    hk_stats_add(&t->at.epoch_sums, net, &r, seconds);
    hk_stats_add(&t->at.window, net, &r, seconds);
    t->at.batch++;
    t->here++;
    t->pass_seconds += seconds;
    if (look) HK_TRY(report_health(t, e));
    int64_t every = t->batches / STEPS_LOGGED > 1 ? t->batches / STEPS_LOGGED : 1;
    if (t->at.batch % every == 0) {
        HK_TRY(hki_log_step(t, lr, e));
        hk_stats_reset(&t->at.window);
    }
    return HK_OK;
}

static hk_status train_epoch(hki_trainer *t, bool *go, hk_error *e)
{
    for (;;) {
        hk_loaded got;
        double begun = hk_seconds();
        HK_TRY(hk_loader_next(t->s.loader[HK_SPLIT_TRAIN], &got, e));
        if (got.n == 0) return HK_OK;
        HK_TRY(learn(t, &got, begun, e));
        *go = tick(t, &t->at.epoch_sums, t->at.batch, t->batches);
        if (!*go) return HK_OK;
        if (checkpoint_due(t)) HK_TRY(hki_run_save(t, t->last, e));
    }
}

static bool is_better(const hki_trainer *t)
{
    double accuracy = hk_stats_accuracy(&t->val), loss = hk_stats_loss(&t->val);
    return t->at.best_epoch == 0 || accuracy > t->at.best_accuracy ||
           (!(accuracy < t->at.best_accuracy) && loss < t->at.best_loss);
}

/* Validation, log and checkpoints. `best` is written before `last`: a run killed in between repeats
 * this epoch's end and writes it again. */
static hk_status end_epoch(hki_trainer *t, bool *go, hk_error *e)
{
    bool have[HK_SPLITS] = { true, t->s.loader[HK_SPLIT_VAL] != NULL, t->o->test_each_epoch };
    for (int i = HK_SPLIT_VAL; i < HK_SPLITS; i++) {
        if (have[i]) HK_TRY(measure(t, (hk_split)i, go, e));
        if (!*go) return HK_OK;
    }
    bool better = have[HK_SPLIT_VAL] && is_better(t);
    t->at.epoch++;
    t->at.batch = 0;
    HK_TRY(hki_log_epoch(t, have, hk_learning_rate(&t->s.recipe, t->at.epoch, 0, t->batches), e));
    hk_stats_reset(&t->at.epoch_sums);
    hk_stats_reset(&t->at.window);
    if (better) {
        t->at.best_epoch = t->at.epoch;
        t->at.best_accuracy = hk_stats_accuracy(&t->val);
        t->at.best_loss = hk_stats_loss(&t->val);
        HK_TRY(hki_run_save(t, t->best, e));
    }
    HK_TRY(hki_run_save(t, t->last, e));
    return hk_report_write(t->o->out, t->report, e);
}

/* ---- the end --------------------------------------------------------------------------------- */

static json_t *test_line(const hki_trainer *t, const char *weights, int64_t epoch)
{
    json_t *j = hk_describe_pass(&t->test, &t->s.engine.net);
    json_t *rates = hk_describe_rates(&t->test, &t->s.engine.net);
    if (j) {
        json_object_set_new(j, "weights", json_string(weights));
        json_object_set_new(j, "epoch", json_integer(epoch));
        json_object_set_new(j, "rates", rates);
    }
    return j;
}

static hk_status load_best(hki_trainer *t, hk_error *e)
{
    char folder[HK_PATH], path[HK_PATH];
    HK_TRY(hk_folder_find(t->best, folder, e));
    HK_TRY(hk_run_path(folder, HK_CKPT_WEIGHTS, "", path, e));
    return hk_weights_load(&t->s.engine.net, path, e);
}

/* Test accuracy of the last weights, and of the best by validation; "test" is the latter if there
 * is one. */
static hk_status finish(hki_trainer *t, hk_train_result *out, bool *go, hk_error *e)
{
    const hk_net *net = &t->s.engine.net;
    const int64_t epoch = t->at.epoch, best = t->at.best_epoch;
    json_t *j = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:o, s:I, s:o, s:o}", "event", "result", "recipe",
        t->o->session.recipe, "rule", t->s.recipe.rule->info.name, "seed", (json_int_t)t->at.seed,
        "epochs", (json_int_t)epoch, "updates", (json_int_t)net->updates, "seconds", t->at.seconds,
        "memory", hk_describe_memory(&t->s.engine), "resident", (json_int_t)hk_resident_peak(),
        "threshold", hk_describe_learned(net, HK_THRESHOLD), "leak",
        hk_describe_learned(net, HK_LEAK));
    out->json = j;
    HK_CHECK(e, j, HK_E_NOMEM, "no memory for the result");
    HK_TRY(measure(t, HK_SPLIT_TEST, go, e));
    if (!*go) return HK_OK;
    json_object_set_new(j, "last", test_line(t, "last", epoch));
    if (best && best != epoch) {
        HK_TRY(load_best(t, e));
        HK_TRY(measure(t, HK_SPLIT_TEST, go, e));
        if (!*go) return HK_OK;
    }
    if (best) {
        json_object_set_new(j, "best", test_line(t, "best", best));
        json_object_set_new(
            j, "validation",
            json_pack("{s:f, s:f}", "accuracy", t->at.best_accuracy, "loss", t->at.best_loss));
    }
    json_object_set(j, "test", json_object_get(j, best ? "best" : "last"));
    HK_TRY(hk_log_put(&t->log, json_incref(j), e));
    return hki_run_result(t, j, e);
}

static hk_status run(hki_trainer *t, hk_train_result *out, hk_error *e)
{
    bool go = true;
    HK_TRY(hki_run_find(t, e));
    HK_TRY(hk_session_open(&t->s, &t->open, e));
    const hk_net *net = &t->s.engine.net;
    t->batches = hk_loader_batches(t->s.loader[HK_SPLIT_TRAIN]);
    t->begun = t->saved = hk_seconds();
    HK_TRY(hk_position_init(&t->at, net, e));
    HK_TRY(hk_stats_init(&t->val, net, e));
    HK_TRY(hk_stats_init(&t->test, net, e));
    HK_TRY(hk_health_init(&t->health, net, e));
    HK_TRY(hki_run_open(t, e));
    HK_TRY(hk_loader_seek(t->s.loader[HK_SPLIT_TRAIN], t->at.epoch, t->at.batch, e));
    while (go && t->at.epoch < t->s.recipe.train.epochs) {
        HK_TRY(train_epoch(t, &go, e));
        if (go) HK_TRY(end_epoch(t, &go, e));
        if (!go) HK_TRY(hki_run_save(t, t->last, e));
    }
    if (go) HK_TRY(finish(t, out, &go, e));
    out->stopped = !go;
    return HK_OK;
}

static void close_trainer(hki_trainer *t)
{
    hk_log_close(&t->log);
    hk_health_deinit(&t->health);
    hk_stats_deinit(&t->test);
    hk_stats_deinit(&t->val);
    hk_position_deinit(&t->at);
    hk_session_close(&t->s);
    hk_free(t);
}

hk_status hk_train(const hk_train_opts *o, hk_train_result *out, hk_error *e)
{
    *out = (hk_train_result){ 0 };
    hki_trainer *t = hk_alloc_zero(1, sizeof *t);
    HK_CHECK(e, t, HK_E_NOMEM, "no memory for the trainer, %zu bytes", sizeof *t);
    t->o = o;
    hk_status st = run(t, out, e);
    if (st != HK_OK || out->stopped) {
        json_decref(out->json);
        out->json = NULL;
    }
    close_trainer(t);
    return st;
}
