/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "describe.h"
#include "io/file.h"
#include "report/report.h"
#include "trainer_parts.h"

static hk_status join(const hki_trainer *t, const char *name, char *out, hk_error *e)
{
    return hk_run_path(t->o->out, name, "", out, e);
}

static hk_status write_json(const char *path, const json_t *j, hk_error *e)
{
    char *text = j ? json_dumps(j, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    HK_CHECK(e, text, HK_E_NOMEM, "%s: no memory", path);
    size_t n = strlen(text);
    text[n] = '\n';
    hk_status st = hk_file_write(path, text, n + 1, e);
    free(text);
    return st;
}

/* Files that say what the run is, rewritten at each sitting: only epochs and threads may differ. */
static hk_status write_head(hki_trainer *t, hk_error *e)
{
    char path[HK_PATH], *text;
    HK_TRY(join(t, "recipe.yaml", path, e));
    HK_TRY(hk_recipe_print(&t->s.recipe, &text, e));
    hk_status st = hk_file_write(path, text, strlen(text), e);
    hk_free(text);
    HK_TRY(st);
    HK_TRY(join(t, "environment.json", path, e));
    json_t *j = hk_describe_environment(&t->s.engine.kernels, &t->s);
    st = write_json(path, j, e);
    json_decref(j);
    HK_TRY(st);
    return t->s.choices.n ? hk_choices_write(&t->s.choices, t->choice, &t->s.engine.kernels, e) : HK_OK;
}

static hk_status remove_former(hki_trainer *t, hk_error *e)
{
    static const char *const suffix[] = { "", ".tmp", ".old" };
    char path[HK_PATH];
    for (int i = 0; i < 3; i++) {
        HK_TRY(hk_run_path(t->last, "", suffix[i], path, e));
        HK_TRY(hk_folder_remove(path, e));
        HK_TRY(hk_run_path(t->best, "", suffix[i], path, e));
        HK_TRY(hk_folder_remove(path, e));
    }
    HK_TRY(hk_folder_remove(t->result, e));
    HK_TRY(hk_folder_remove(t->choice, e));
    return hk_folder_remove(t->report, e);
}

static hk_status load(hki_trainer *t, hk_error *e)
{
    char text[160];
    HK_CHECK(e, t->open.choice.file || !t->s.choices.n, HK_E_IO,
             "%s is missing: this run was tuned, and goes on to the same bits only with its own table; "
             "remove the folder of the run, or begin again with --force", t->choice);
    HK_TRY(hki_run_recipe(t, &t->at.recipe, e));
    HK_TRY(hk_checkpoint_load(t->last, &t->s.engine, &t->at, e));
    t->at.recipe = t->s.recipe_hash;
    HK_CHECK(e, t->at.batch <= t->batches, HK_E_FORMAT, "%s: batch %lld, but an epoch has %lld",
             t->last, (long long)t->at.batch, (long long)t->batches);
    hk_format(text, sizeof text, "resumed at epoch %lld, batch %lld of %lld",
              (long long)(t->at.epoch + 1), (long long)t->at.batch, (long long)t->batches);
    if (t->o->note) t->o->note(t->o->self, text);
    return HK_OK;
}

hk_status hki_run_find(hki_trainer *t, hk_error *e)
{
    char path[HK_PATH], found[HK_PATH];
    HK_TRY(join(t, "checkpoint/last", t->last, e));
    HK_TRY(join(t, "checkpoint/best", t->best, e));
    HK_TRY(join(t, "report.svg", t->report, e));
    HK_TRY(join(t, "result.json", t->result, e));
    HK_TRY(join(t, HK_CHOICE_FILE, t->choice, e));
    HK_TRY(join(t, "metrics.jsonl", path, e));
    bool former = hk_file_exists(path), resumable = hk_folder_find(t->last, found, NULL) == HK_OK;
    HK_CHECK(
        e, t->o->resume || t->o->force || !(former || resumable), HK_E_ARG,
        "%s holds a run; continue it with --resume, replace it with --force, or choose another "
        "folder with --out",
        t->o->out);
    t->goes_on = t->o->resume && resumable;
    t->open = t->o->session;
    if (!t->open.choice.note) {
        t->open.choice.note = t->o->note;
        t->open.choice.self = t->o->self;
    }
    /* The forms are part of a run's bits. */
    if (t->goes_on) t->open.choice.file = hk_file_exists(t->choice) ? t->choice : NULL;
    return HK_OK;
}

hk_status hki_run_open(hki_trainer *t, hk_error *e)
{
    char path[HK_PATH], found[HK_PATH];
    HK_TRY(join(t, "metrics.jsonl", path, e));
    t->at.recipe = t->s.recipe_hash;
    t->at.seed = t->s.recipe.train.seed;
    if (t->goes_on) HK_TRY(load(t, e));
    else HK_TRY(remove_former(t, e));
    t->before = t->at.seconds;
    HK_TRY(join(t, "checkpoint", found, e));
    HK_TRY(hk_mkdirs(found, e));
    HK_TRY(write_head(t, e));
    HK_TRY(hk_log_open(&t->log, path, t->at.log_bytes, e));
    return t->log.bytes == 0 ? hki_log_run(t, e) : HK_OK;
}

hk_status hki_run_save(hki_trainer *t, const char *folder, hk_error *e)
{
    t->at.seconds = t->before + hk_seconds() - t->begun;
    t->at.log_bytes = t->log.bytes;
    HK_TRY(hk_log_flush(&t->log, e));
    HK_TRY(hk_checkpoint_save(folder, &t->s.engine, &t->at, e));
    t->saved = hk_seconds();
    return HK_OK;
}

hk_status hki_run_result(hki_trainer *t, json_t *result, hk_error *e)
{
    HK_TRY(write_json(t->result, result, e));
    return hk_report_write(t->o->out, t->report, e);
}
