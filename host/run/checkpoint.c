/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "folder.h"
#include "io/file.h"
#include "session.h"
#include "weights.h"

enum { FORMAT = 1, MANIFEST_LIMIT = 1 << 24 };
#define OPTIMIZER "optimizer.safetensors"
#define MANIFEST  "manifest.json"
#ifndef HK_VERSION
#  define HK_VERSION "unknown"
#endif

hk_status hk_position_init(hk_position *p, const hk_net *net, hk_error *e)
{
    memset(p, 0, sizeof *p);
    HK_TRY(hk_stats_init(&p->epoch_sums, net, e));
    return hk_stats_init(&p->window, net, e);
}

void hk_position_deinit(hk_position *p)
{
    hk_stats_deinit(&p->epoch_sums);
    hk_stats_deinit(&p->window);
}

/* Slots, and gradients while some are pending: save appends to the list, load copies out of it. */
static hk_status each_slot(const hk_engine *g, hk_arrays *list, const char *file, bool save,
                           hk_error *e)
{
    for (int32_t i = 0; i < g->net.n_param; i++) {
        const hk_param *p = &g->net.param[i];
        for (int k = 0; k <= hk_engine_slots(g); k++) {
            bool grad = k == hk_engine_slots(g);
            char prefix[16] = "grad.";
            float *values = grad ? p->g : hk_engine_slot(g, p, k);
            if (!values || (grad && g->net.pending == 0)) continue;
            if (!grad) hk_format(prefix, sizeof prefix, "slot%d.", k);
            HK_TRY(save ? hk_param_collect(p, prefix, values, list, e)
                        : hk_param_apply(p, prefix, list, file, values, e));
        }
    }
    return HK_OK;
}

/* What the rule keeps from batch to batch, if it does. */
static hk_status rule_state(const hk_engine *g, hk_arrays *list, const char *file, bool save, hk_error *e)
{
    static const char name[] = "rule.state";
    const int64_t n = g->net.plan.state;
    if (!g->net.rule_state) return HK_OK;
    if (save) return hk_arrays_add(list, name, HK_DT_F32, 1, &n, g->net.rule_state, e);
    const hk_array *a = hk_arrays_find(list, name);
    HK_CHECK(e, a && a->dtype == HK_DT_F32 && a->rank == 1 && a->dim[0] == n, HK_E_FORMAT,
             "%s: tensor '%s' of %lld floats is missing", file, name, (long long)n);
    memcpy(g->net.rule_state, a->data, (size_t)n * sizeof(float));
    return HK_OK;
}

/* A digest that does not depend on the order of the arrays. */
static uint64_t digest(const hk_arrays *list)
{
    uint64_t sum = 0;
    for (int i = 0; i < list->n; i++) {
        uint64_t h = hk_hash(HK_HASH, list->at[i].name, strlen(list->at[i].name));
        sum += hk_hash(h, list->at[i].data, list->at[i].bytes);
    }
    return sum;
}

static const char *hex(uint64_t v, char out[17])
{
    for (int i = 0; i < 16; i++) out[i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
    out[16] = 0;
    return out;
}

static hk_status write_json(const char *path, json_t *j, hk_error *e)
{
    char *text = j ? json_dumps(j, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(j);
    HK_CHECK(e, text, HK_E_NOMEM, "%s: no memory for the manifest", path);
    hk_status st = hk_file_write(path, text, strlen(text), e);
    free(text);
    return st;
}

static hk_status save_manifest(const char *path, const hk_net *net, const hk_position *p,
                               uint64_t sum, hk_error *e)
{
    char recipe[17], tensors[17];
    json_t *j = json_pack(
        "{s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:i, s:{s:I, s:f, s:f},"
        " s:f, s:I, s:I, s:o, s:o}",
        "format", FORMAT, "hillock", HK_VERSION, "recipe", hex(p->recipe, recipe), "digest",
        hex(sum, tensors), "seed", (json_int_t)p->seed, "epoch", (json_int_t)p->epoch, "batch",
        (json_int_t)p->batch, "updates", (json_int_t)net->updates, "batches",
        (json_int_t)net->samples, "pending", (int)net->pending, "best", "epoch",
        (json_int_t)p->best_epoch, "accuracy", p->best_accuracy, "loss", p->best_loss, "seconds",
        p->seconds, "log_bytes", (json_int_t)p->log_bytes, "reports", (json_int_t)p->reports,
        "epoch_sums", hk_stats_print(&p->epoch_sums), "window", hk_stats_print(&p->window));
    return write_json(path, j, e);
}

/* Weights that are not numbers must not replace a checkpoint whose weights are. */
static hk_status check_finite(const hk_net *net, hk_error *e)
{
    for (int32_t i = 0; i < net->n_param; i++) {
        const hk_param *p = &net->param[i];
        for (size_t k = 0; k < p->n; k++)
            HK_CHECK(e, isfinite(p->w[k]), HK_E_NUM,
                     "%s.%s holds a value that is not finite after update "
                     "%lld; the last checkpoint is kept; lower optim.lr or set optim.clip_norm",
                     p->layer, p->name, (long long)net->updates);
    }
    return HK_OK;
}

static hk_status save_into(const char *temp, const hk_engine *g, const hk_position *p,
                           hk_arrays *weights, hk_arrays *slots, hk_error *e)
{
    char path[HK_PATH];
    HK_TRY(hk_weights_collect(&g->net, weights, e));
    HK_TRY(each_slot(g, slots, "", true, e));
    HK_TRY(rule_state(g, slots, "", true, e));
    HK_TRY(hk_run_path(temp, HK_CKPT_WEIGHTS, "", path, e));
    HK_TRY(hk_safetensors_write(path, weights, NULL, e));
    HK_TRY(hk_run_path(temp, OPTIMIZER, "", path, e));
    HK_TRY(hk_safetensors_write(path, slots, NULL, e));
    HK_TRY(hk_run_path(temp, MANIFEST, "", path, e));
    return save_manifest(path, &g->net, p, digest(weights) + digest(slots), e);
}

hk_status hk_checkpoint_save(const char *folder, const hk_engine *g, const hk_position *p,
                             hk_error *e)
{
    char temp[HK_PATH];
    hk_arrays weights = { 0 }, slots = { 0 };
    HK_TRY(check_finite(&g->net, e));
    HK_TRY(hk_folder_begin(folder, temp, e));
    hk_status st = save_into(temp, g, p, &weights, &slots, e);
    hk_arrays_clear(&weights);
    hk_arrays_clear(&slots);
    if (st == HK_OK) st = hk_folder_commit(folder, e);
    else hk_folder_remove(temp, NULL);
    return st;
}

static hk_status read_json(const char *path, json_t **out, hk_error *e)
{
    void *text;
    size_t n;
    json_error_t why;
    HK_TRY(hk_file_read(path, MANIFEST_LIMIT, &text, &n, e));
    *out = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    hk_free(text);
    HK_CHECK(e, *out, HK_E_FORMAT, "%s: line %d, column %d: %s", path, why.line, why.column,
             why.text);
    return HK_OK;
}

/* Position and counters of a manifest; `sum` is the digest that the tensors must have. */
static hk_status parse_manifest(const char *path, const json_t *j, hk_net *net, hk_position *p,
                                const char **recipe, const char **sum, hk_error *e)
{
    json_error_t why;
    json_int_t format, seed, epoch, batch, updates, batches, pending, best, bytes, reports;
    json_t *sums, *window;
    if (json_unpack_ex(
            (json_t *)j, &why, 0,
            "{s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:{s:I, s:F, s:F},"
            " s:F, s:I, s:I, s:o, s:o}",
            "format", &format, "recipe", recipe, "digest", sum, "seed", &seed, "epoch", &epoch,
            "batch", &batch, "updates", &updates, "batches", &batches, "pending", &pending, "best",
            "epoch", &best, "accuracy", &p->best_accuracy, "loss", &p->best_loss, "seconds",
            &p->seconds, "log_bytes", &bytes, "reports", &reports, "epoch_sums", &sums, "window",
            &window))
        return hk_fail(e, HK_E_FORMAT, "%s: %s", path, why.text);
    HK_CHECK(e, format == FORMAT, HK_E_FORMAT, "%s: format %lld, expected %d", path,
             (long long)format, FORMAT);
    HK_CHECK(e, epoch >= 0 && batch >= 0 && updates >= 0 && batches >= 0 && best >= 0 && bytes >= 0
                && pending >= 0 && pending <= INT32_MAX, HK_E_FORMAT,
             "%s: a counter is negative or too large", path);
    HK_TRY(hk_stats_parse(&p->epoch_sums, sums, path, e));
    HK_TRY(hk_stats_parse(&p->window, window, path, e));
    p->epoch = epoch;
    p->batch = batch;
    p->best_epoch = best;
    p->log_bytes = bytes;
    p->reports = reports;
    p->seed = seed;
    net->updates = updates;
    net->samples = batches;
    net->pending = (int32_t)pending;
    return HK_OK;
}

static hk_status load_from(const char *folder, const json_t *j, hk_engine *g, hk_position *p,
                           hk_arrays *weights, hk_arrays *slots, hk_error *e)
{
    char path[HK_PATH], text[17];
    const char *recipe, *sum;
    HK_TRY(hk_run_path(folder, MANIFEST, "", path, e));
    HK_TRY(parse_manifest(path, j, &g->net, p, &recipe, &sum, e));
    HK_CHECK(e, !p->recipe || !strcmp(recipe, hex(p->recipe, text)), HK_E_FORMAT,
             "%s: the checkpoint is of another recipe (%s, this one is %s); only train.epochs, "
             "train.threads and train.layer_major may change", path, recipe, text);
    HK_TRY(hk_run_path(folder, OPTIMIZER, "", path, e));
    HK_TRY(hk_safetensors_read(path, 0, slots, NULL, e));
    HK_TRY(each_slot(g, slots, path, false, e));
    HK_TRY(rule_state(g, slots, path, false, e));
    HK_TRY(hk_run_path(folder, HK_CKPT_WEIGHTS, "", path, e));
    HK_TRY(hk_safetensors_read(path, 0, weights, NULL, e));
    HK_CHECK(e, !strcmp(sum, hex(digest(weights) + digest(slots), text)), HK_E_FORMAT,
             "%s: tensors have digest %s, the manifest says %s: the checkpoint is damaged", folder,
             text, sum);
    return hk_weights_apply(&g->net, weights, path, e);
}

hk_status hk_checkpoint_load(const char *folder, hk_engine *g, hk_position *p, hk_error *e)
{
    char found[HK_PATH], path[HK_PATH];
    json_t *j = NULL;
    hk_arrays weights = { 0 }, slots = { 0 };
    HK_TRY(hk_folder_find(folder, found, e));
    HK_TRY(hk_run_path(found, MANIFEST, "", path, e));
    HK_TRY(read_json(path, &j, e));
    hk_status st = load_from(found, j, g, p, &weights, &slots, e);
    hk_arrays_clear(&weights);
    hk_arrays_clear(&slots);
    json_decref(j);
    return st;
}
