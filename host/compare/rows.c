/* A row and its folder: whether the run in it is the row's, how far it came, what was measured.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "io/file.h"
#include "parts.h"
#include "report/history.h"
#include "run/operations.h"

enum { TEXT = 96 }; /* of a line in a message */

hk_status hki_row_path(const hki_comparison *c, const hki_row *r, const char *name, char *out,
                       hk_error *e)
{
    char folder[HK_PATH], suffix[16];
    hk_format(suffix, sizeof suffix, "-s%d", (int)r->seed);
    HK_TRY(hk_run_path(c->o->out, c->variant[r->variant].folder, suffix, folder, e));
    return hk_run_path(folder, name, "", out, e);
}

/* ---- whose run it is ------------------------------------------------------------------------ */

/* The first line that differs, for a message; lines are "  key: value" below "section:". */
static void first_difference(const char *a, const char *b, char *out, size_t cap)
{
    const char *section = "";
    int n = 0;
    while (*a && *b) {
        const size_t i = strcspn(a, "\n"), k = strcspn(b, "\n");
        if (*b != ' ') section = b, n = (int)strcspn(b, ":\n");
        if (i != k || memcmp(a, b, i)) break;
        a += i + (a[i] == '\n');
        b += k + (b[k] == '\n');
    }
    char found[TEXT], expected[TEXT], at[48];
    hk_format(at, (size_t)n + 1 < sizeof at ? (size_t)n + 1 : sizeof at, "%s", section);
    a += strspn(a, " ");
    b += strspn(b, " ");
    hk_format(found, strcspn(a, "\n") < sizeof found ? strcspn(a, "\n") + 1 : sizeof found, "%s",
              a);
    hk_format(expected, strcspn(b, "\n") < sizeof expected ? strcspn(b, "\n") + 1 : sizeof expected,
              "%s", b);
    hk_format(out, cap, "section %s has '%s', expected '%s'", at, found, expected);
}

static hk_status check_training(const hki_comparison *c, const hki_row *r, const hki_blueprint *b,
                                const char *path, hk_error *e)
{
    const hki_variant *v = &c->variant[r->variant];
    char difference[320];
    HK_CHECK(e, b->seed == r->seed, HK_E_ARG,
             "%s is of seed %d, expected %d; choose another folder with --out", path, (int)b->seed,
             (int)r->seed);
    if (strcmp(b->text, v->text) == 0) return HK_OK;
    first_difference(b->text, v->text, difference, sizeof difference);
    return hk_fail(e, HK_E_ARG,
                   "%s is another training than '%s': %s; choose another folder with --out", path,
                   v->name, difference);
}

/* ---- what was measured ---------------------------------------------------------------------- */

static double rate_in(void *rates, const hk_node *l)
{
    const json_t *v = json_object_get(rates, l->name);
    return json_is_number(v) ? json_number_value(v) : 1;
}

/* Mean over the epochs of the seconds spent on training batches. */
static double epoch_seconds(const hki_history *h)
{
    double sum = 0;
    const size_t n = json_array_size(h->epoch);
    for (size_t i = 0; i < n; i++) sum += hki_number(json_array_get(h->epoch, i), "train.seconds");
    return n ? sum / (double)n : NAN;
}

/* A number that was not measured is null. */
static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *measured(const hki_row *r, const hki_blueprint *b, const hki_history *h,
                        const json_t *result)
{
    json_t *rates = json_object_get(json_object_get(result, "test"), "rates");
    const hk_operations ops = hk_count_operations(&b->engine.net, rate_in, rates);
    return json_pack(
        "{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O?, s:O?, s:O?}", "seed",
        r->seed, "epoch", number(hki_number(result, "test.epoch")), "accuracy",
        number(hki_number(result, "test.accuracy")), "loss",
        number(hki_number(result, "test.loss")), "rate", number(hki_number(result, "test.rate")),
        "planned", number(hki_number(result, "memory.total")), "resident",
        number(hki_number(result, "resident")), "seconds_per_epoch", number(epoch_seconds(h)),
        "seconds", number(hki_number(result, "seconds")), "operations_dense", number(ops.dense),
        "operations_events", number(ops.events), "rates", rates, "threshold",
        json_object_get(result, "threshold"), "leak", json_object_get(result, "leak"));
}

static hk_status read_json(const char *path, json_t **out, hk_error *e)
{
    void *data;
    size_t n;
    json_error_t why;
    HK_TRY(hk_file_read(path, 0, &data, &n, e));
    *out = json_loadb(data, n, 0, &why);
    hk_free(data);
    HK_CHECK(e, *out, HK_E_FORMAT, "%s:%d: %s", path, why.line, why.text);
    return HK_OK;
}

static hk_status collect(const hki_comparison *c, hki_row *r, const hki_blueprint *b,
                         const json_t *result, hk_error *e)
{
    char path[HK_PATH];
    json_t *environment = NULL;
    hki_history h;
    HK_TRY(hki_row_path(c, r, "environment.json", path, e));
    HK_TRY(read_json(path, &environment, e));
    hk_status st = hki_row_path(c, r, "metrics.jsonl", path, e);
    if (st == HK_OK) st = hki_history_read(&h, path, e);
    if (st == HK_OK) {
        json_decref(r->run);
        r->run = measured(r, b, &h, result);
        if (!r->run) st = hk_fail(e, HK_E_NOMEM, "no memory for a row");
        hki_history_deinit(&h);
    }
    if (st == HK_OK) json_object_set(r->run, "environment", environment);
    json_decref(environment);
    return st;
}

/* A result of fewer epochs is that of a run which has since been asked for more. */
static hk_status look_at_result(const hki_comparison *c, hki_row *r, const hki_blueprint *b,
                                hk_error *e)
{
    char path[HK_PATH];
    json_t *result;
    HK_TRY(hki_row_path(c, r, "result.json", path, e));
    r->state = HKI_CUT;
    if (!hk_file_exists(path)) return HK_OK;
    HK_TRY(read_json(path, &result, e));
    hk_status st = HK_OK;
    if (json_integer_value(json_object_get(result, "epochs")) == b->recipe.train.epochs) {
        st = collect(c, r, b, result, e);
        if (st == HK_OK) r->state = HKI_DONE;
    }
    json_decref(result);
    return st;
}

hk_status hki_row_look(const hki_comparison *c, hki_row *r, hk_error *e)
{
    char path[HK_PATH];
    hki_blueprint b;
    HK_TRY(hki_row_path(c, r, "recipe.yaml", path, e));
    r->state = HKI_OPEN;
    if (!hk_file_exists(path)) return HK_OK;
    HK_TRY(hki_blueprint_open(&b, path, NULL, NULL, 0, e));
    hk_status st = check_training(c, r, &b, path, e);
    if (st == HK_OK) st = look_at_result(c, r, &b, e);
    hki_blueprint_close(&b);
    return st;
}
