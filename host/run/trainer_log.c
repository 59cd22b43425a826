/* SPDX-License-Identifier: Apache-2.0 */
#include "describe.h"
#include "trainer_parts.h"

#ifndef HK_VERSION
#  define HK_VERSION "unknown"
#endif

hk_status hki_log_run(hki_trainer *t, hk_error *e)
{
    const hk_net *net = &t->s.engine.net;
    const hk_recipe *r = &t->s.recipe;
    json_t *samples = json_object();
    for (int i = 0; i < HK_SPLITS; i++)
        if (t->s.loader[i])
            json_object_set_new(samples, hk_split_name[i],
                                json_integer(hk_loader_samples(t->s.loader[i])));
    return hk_log_put(&t->log,
                      json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:I, s:o, s:o}",
                                "event", "run", "hillock", HK_VERSION, "recipe",
                                t->o->session.recipe, "rule", r->rule->info.name, "data",
                                r->data.ops->info.name, "T", r->train.T, "batch", r->train.batch,
                                "epochs", r->train.epochs, "seed", (json_int_t)r->train.seed,
                                "parameters", (json_int_t)hk_count_learned(net), "neurons",
                                (json_int_t)hk_count_neurons(net), "samples", samples, "memory",
                                hk_describe_memory(&t->s.engine)),
                      e);
}

static double progress(const hki_trainer *t)
{
    return (double)t->at.epoch + (double)t->at.batch / (double)t->batches;
}

hk_status hki_log_step(hki_trainer *t, double lr, hk_error *e)
{
    const hk_stats *w = &t->at.window;
    return hk_log_put(&t->log, json_pack(
        "{s:s, s:f, s:I, s:f, s:f, s:f, s:f}", "event", "step", "epoch", progress(t), "updates",
        (json_int_t)t->s.engine.net.updates, "lr", lr, "loss", hk_stats_loss(w), "accuracy",
        hk_stats_accuracy(w), "rate", hk_stats_mean_rate(w, &t->s.engine.net)), e);
}

hk_status hki_log_epoch(hki_trainer *t, const bool have[HK_SPLITS], double lr, hk_error *e)
{
    const hk_net *net = &t->s.engine.net;
    const hk_stats *sums[HK_SPLITS] = { &t->at.epoch_sums, &t->val, &t->test };
    json_t *j = json_pack(
        "{s:s, s:I, s:I, s:f, s:o, s:o, s:o, s:f, s:{s:I, s:I}}", "event", "epoch", "epoch",
        (json_int_t)t->at.epoch, "updates", (json_int_t)net->updates, "lr", lr, "rates",
        hk_describe_rates(&t->at.epoch_sums, net), "threshold",
        hk_describe_learned(net, HK_THRESHOLD), "leak", hk_describe_learned(net, HK_LEAK),
        "seconds", t->before + hk_seconds() - t->begun, "memory", "planned",
        (json_int_t)hk_engine_bytes(&t->s.engine), "resident", (json_int_t)hk_resident_peak());
    for (int i = 0; j && i < HK_SPLITS; i++)
        if (have[i]) json_object_set_new(j, hk_split_name[i], hk_describe_pass(sums[i], net));
    return hk_log_put(&t->log, j, e);
}
