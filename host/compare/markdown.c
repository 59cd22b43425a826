/* The table of a comparison in Markdown.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "parts.h"
#include "report/history.h"
#include "report/units.h"

/* "92.16 ± 0.12"; a dash where nothing was measured. */
static void put_spread(FILE *f, const json_t *v, const char *key, double scale, int digits)
{
    const json_t *mean = json_object_get(json_object_get(v, "mean"), key);
    const json_t *deviation = json_object_get(json_object_get(v, "deviation"), key);
    if (!json_is_number(mean)) {
        fputs(" – |", f);
        return;
    }
    fprintf(f, " %.*f", digits, scale * json_number_value(mean));
    if (json_is_number(deviation))
        fprintf(f, " ± %.*f", digits, scale * json_number_value(deviation));
    fputs(" |", f);
}

/* So many that about three figures are seen. */
static int decimals(const json_t *v, const char *key)
{
    const double mean = json_number_value(json_object_get(json_object_get(v, "mean"), key));
    return mean < 1 ? 3 : mean < 10 ? 2 : mean < 100 ? 1 : 0;
}

static void put_with(FILE *f, const json_t *v, const char *key, void text(double, char *, size_t))
{
    char out[32] = "–";
    const json_t *mean = json_object_get(json_object_get(v, "mean"), key);
    if (json_is_number(mean)) text(json_number_value(mean), out, sizeof out);
    fprintf(f, " %s |", out);
}

/* "0.85 (0.71 to 1.01)" */
static void put_learned(FILE *f, const json_t *v, const char *role)
{
    const json_t *mean = json_object_get(v, "mean");
    char path[32];
    hk_format(path, sizeof path, "%s.mean", role);
    const double m = hki_number(mean, path);
    if (!isfinite(m)) {
        fputs(" – |", f);
        return;
    }
    hk_format(path, sizeof path, "%s.min", role);
    fprintf(f, " %.2f (%.2f to ", m, hki_number(mean, path));
    hk_format(path, sizeof path, "%s.max", role);
    fprintf(f, "%.2f) |", hki_number(mean, path));
}

/* Text inside a cell. */
static void put_cell(FILE *f, const char *s)
{
    for (; *s; s++) {
        if (*s == '|') fputc('\\', f);
        fputc(*s == '\n' ? ' ' : *s, f);
    }
}

static void put_row(FILE *f, const json_t *v, int seeds)
{
    const char *state = hki_string(v, "state", ""), *reason = hki_string(v, "reason", "");
    const size_t n = json_array_size(json_object_get(v, "runs"));
    fputs("| ", f);
    put_cell(f, hki_string(v, "name", "?"));
    fprintf(f, (int)n == seeds ? " | %zu |" : " | %zu of %d |", n, seeds);
    if (n) {
        put_spread(f, v, "accuracy", 100, 2);
    } else {
        fprintf(f, " %s%s", strcmp(state, "open") ? state : "not run yet", *reason ? ": " : "");
        put_cell(f, reason);
        fputs(" |", f);
    }
    put_spread(f, v, "rate", 100, 1);
    put_with(f, v, "planned", hki_bytes_text);
    put_with(f, v, "resident", hki_bytes_text);
    put_spread(f, v, "seconds_per_epoch", 1, decimals(v, "seconds_per_epoch"));
    put_with(f, v, "operations_dense", hki_count_text);
    put_with(f, v, "operations_events", hki_count_text);
    put_learned(f, v, "threshold");
    put_learned(f, v, "leak");
    fputc('\n', f);
    if (!*reason || !n) return;
    fputs("| | | ", f);
    put_cell(f, reason);
    fputs(" | | | | | | | | |\n", f);
}

/* Which epoch the accuracy is of, when it is the same for all. */
static const char *chosen(const json_t *variants)
{
    int with = 0, n = (int)json_array_size(variants);
    for (int i = 0; i < n; i++)
        with += json_is_true(json_object_get(json_array_get(variants, (size_t)i), "validation"));
    return with == 0 ? "of the last epoch"
           : with == n
               ? "of the epoch chosen on the validation split"
               : "of the epoch chosen on the validation split where there is one, else of the last";
}

static void put_notes(FILE *f, const json_t *summary)
{
    const int seeds = (int)json_integer_value(json_object_get(summary, "seeds"));
    const json_t *variants = json_object_get(summary, "variants");
    fprintf(f, "\nTest accuracy is that %s", chosen(variants));
    fprintf(f, seeds > 1 ? "; mean ± standard deviation over seeds 1 to %d.\n" : ", seed %d.\n",
            seeds);
    fputs("Planned is the net's memory, to the byte known before; resident the most that the "
          "process took, data\nincluded. Seconds are those of training batches. Multiply-adds are "
          "those of one sample's forward pass over\nall steps: nothing skipped, and an estimate "
          "for products that skip zeros at the measured firing rates.\nThresholds and leaks: mean "
          "and range of those that are learned.\n\n",
          f);
    for (size_t i = 0; i < json_array_size(variants); i++) {
        const json_t *v = json_array_get(variants, i);
        fprintf(f, "    %s\n", hki_string(v, "command", ""));
    }
}

hk_status hki_markdown(const json_t *summary, char **out, hk_error *e)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    HK_CHECK(e, f, HK_E_NOMEM, "no memory for a table");
    fputs(
        "| variant | seeds | test accuracy % | firing rate % | planned | resident | s per epoch | "
        "multiply-adds, dense | skipping zeros | thresholds | leaks |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|\n",
        f);
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(summary, "variants"), i, v)
        put_row(f, v, (int)json_integer_value(json_object_get(summary, "seeds")));
    put_notes(f, summary);
    const bool bad = fclose(f) != 0;
    *out = bad || !text ? NULL : hk_strdup(text);
    free(text);
    HK_CHECK(e, *out, HK_E_NOMEM, "no memory for a table");
    return HK_OK;
}
