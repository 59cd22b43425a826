/* The whole comparison as JSON: what compare.json holds, and what table and picture are made from.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parts.h"

#ifndef HK_VERSION
#  define HK_VERSION "unknown"
#endif

/* Numbers of a run that get a mean and a standard deviation over the seeds. */
static const char *const measures[] = { "accuracy",
                                        "loss",
                                        "rate",
                                        "planned",
                                        "resident",
                                        "seconds_per_epoch",
                                        "seconds",
                                        "operations_dense",
                                        "operations_events" };

/* ---- over the seeds ------------------------------------------------------------------------- */

/* Mean, and the standard deviation with n - 1 in the denominator; null where there is none. */
static void add_measure(json_t *mean, json_t *deviation, const json_t *runs, const char *key)
{
    double sum = 0, squares = 0;
    const size_t n = json_array_size(runs);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_object_get(json_array_get(runs, i), key);
        sum += json_is_number(v) ? json_number_value(v) : NAN;
    }
    const double m = sum / (double)n;
    for (size_t i = 0; i < n; i++) {
        const double d = json_number_value(json_object_get(json_array_get(runs, i), key)) - m;
        squares += d * d;
    }
    const bool known = n && isfinite(m);
    json_object_set_new(mean, key, known ? json_real(m) : json_null());
    json_object_set_new(deviation, key,
                        known && n > 1 ? json_real(sqrt(squares / (double)(n - 1))) : json_null());
}

/* Whether `name` is a layer's second parameter of the role, LAYER.NAME beside LAYER: the strength of a
 * synapse beside its memory is no leak. */
static bool second(const json_t *layers, const char *name)
{
    const char *dot = strrchr(name, '.');
    const size_t n = dot ? (size_t)(dot - name) : 0;
    return n && json_object_getn(layers, name, n);
}

/* Of what is learned: mean over layers and seeds of the layers' means, and the range of all
 * values; of each layer its first parameter of the role. */
static json_t *learned(const json_t *runs, const char *role)
{
    double sum = 0, least = INFINITY, most = -INFINITY;
    int n = 0;
    for (size_t i = 0; i < json_array_size(runs); i++) {
        json_t *layers = json_object_get(json_array_get(runs, i), role), *v;
        const char *name;
        json_object_foreach(layers, name, v)
        {
            if (!json_is_true(json_object_get(v, "learned")) || second(layers, name)) continue;
            sum += json_number_value(json_object_get(v, "mean"));
            least = fmin(least, json_number_value(json_object_get(v, "min")));
            most = fmax(most, json_number_value(json_object_get(v, "max")));
            n++;
        }
    }
    return n ? json_pack("{s:f, s:f, s:f}", "mean", sum / n, "min", least, "max", most)
             : json_null();
}

/* ---- one variant ---------------------------------------------------------------------------- */

/* An assignment as a shell reads it. */
static void put_set(FILE *f, const char *set)
{
    bool plain = true;
    for (const char *p = set; *p; p++)
        plain = plain && (isalnum((unsigned char)*p) || strchr("._=/-+:", *p));
    fprintf(f, plain ? " --set %s" : " --set '%s'", set);
}

static json_t *command(const hki_comparison *c, const hki_variant *v)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    if (!f) return NULL;
    fprintf(f, "hillock train %s", c->o->recipe);
    for (int i = 0; i < v->n_set; i++) put_set(f, v->set[i]);
    json_t *j = fclose(f) ? NULL : json_string(text);
    free(text);
    return j;
}

static json_t *assignments(const hki_variant *v)
{
    json_t *set = json_array();
    for (int i = 0; i < v->n_set; i++) json_array_append_new(set, json_string(v->set[i]));
    return set;
}

/* "done", "open", "failed", "refused", and why. */
static const char *state_of(const hki_comparison *c, int variant, char *why, size_t cap)
{
    const char *state = "done";
    why[0] = '\0';
    if (c->variant[variant].refused.code) {
        hk_format(why, cap, "%s", c->variant[variant].refused.text);
        return "refused";
    }
    for (int i = 0; i < c->n_row; i++) {
        const hki_row *r = &c->row[i];
        if (r->variant != variant || r->state == HKI_DONE) continue;
        if (r->state == HKI_FAILED) {
            hk_format(why, cap, "seed %d: %s", (int)r->seed, r->why.text);
            return "failed";
        }
        state = "open";
    }
    return state;
}

static json_t *runs_of(const hki_comparison *c, int variant)
{
    char folder[HK_PATH];
    json_t *runs = json_array();
    for (int i = 0; i < c->n_row; i++) {
        const hki_row *r = &c->row[i];
        if (r->variant != variant || r->state != HKI_DONE) continue;
        hk_format(folder, sizeof folder, "%s-s%d", c->variant[variant].folder, (int)r->seed);
        json_object_set_new(r->run, "folder", json_string(folder));
        json_array_append(runs, r->run);
    }
    return runs;
}

static json_t *one(const hki_comparison *c, int variant)
{
    const hki_variant *v = &c->variant[variant];
    char why[640];
    const char *state = state_of(c, variant, why, sizeof why);
    json_t *runs = runs_of(c, variant), *mean = json_object(), *deviation = json_object();
    for (int i = 0; i < HK_COUNT(measures); i++) add_measure(mean, deviation, runs, measures[i]);
    json_object_set_new(mean, "threshold", learned(runs, "threshold"));
    json_object_set_new(mean, "leak", learned(runs, "leak"));
    if (!json_array_size(runs) && !v->refused.code) /* known before anything runs */
        json_object_set_new(mean, "planned", json_integer((json_int_t)v->planned));
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:b, s:o, s:o, s:o, s:o, s:o, s:s}", "name",
                     v->name, "folder", v->folder, "state", state, "reason", why, "epochs",
                     v->epochs, "validation", (int)v->validation, "set", assignments(v), "command",
                     command(c, v), "mean", mean, "deviation", deviation, "runs", runs, "resolved",
                     v->text);
}

json_t *hki_summary(const hki_comparison *c)
{
    json_t *variants = json_array();
    for (int i = 0; i < c->n_variant; i++) json_array_append_new(variants, one(c, i));
    if (json_array_size(variants) != (size_t)c->n_variant) {
        json_decref(variants);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:i, s:o}", "hillock", HK_VERSION, "recipe", c->o->recipe, "seeds",
                     c->o->seeds, "variants", variants);
}

/* ---- whether a folder is ours --------------------------------------------------------------- */

/* A text of an older build lacks keys that came later, so it is resolved again. */
static hk_status same_training(const hki_comparison *c, const hki_variant *v, const char *held,
                               hk_error *e)
{
    hki_blueprint b;
    if (!*held || !*v->text || strcmp(held, v->text) == 0) return HK_OK;
    HK_TRY(hki_blueprint_open(&b, "compare.json", held, NULL, 0, e));
    const bool same = strcmp(b.text, v->text) == 0;
    hki_blueprint_close(&b);
    HK_CHECK(
        e, same, HK_E_ARG,
        "%s holds another comparison: its variant '%s' is another training; choose another folder "
        "with --out",
        c->o->out, v->name);
    return HK_OK;
}

hk_status hki_summary_fits(const hki_comparison *c, const json_t *held, hk_error *e)
{
    size_t i;
    json_t *h;
    const int seeds = (int)json_integer_value(json_object_get(held, "seeds"));
    HK_CHECK(
        e, seeds <= c->o->seeds, HK_E_ARG,
        "%s holds a comparison with %d seeds, expected at most %d; choose another "
        "folder with --out",
        c->o->out, seeds, (int)c->o->seeds);
    json_array_foreach(json_object_get(held, "variants"), i, h)
    {
        const char *folder = json_string_value(json_object_get(h, "folder"));
        const char *text = json_string_value(json_object_get(h, "resolved"));
        const hki_variant *v = NULL;
        for (int k = 0; k < c->n_variant && folder; k++)
            if (strcmp(c->variant[k].folder, folder) == 0) v = &c->variant[k];
        HK_CHECK(
            e, v, HK_E_ARG,
            "%s holds another comparison: its variant '%s' is not among those asked for; choose "
            "another folder with --out",
            c->o->out, folder ? folder : "?");
        HK_TRY(same_training(c, v, text ? text : "", e));
    }
    return HK_OK;
}
