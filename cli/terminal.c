/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define LIVE_SECONDS  0.1
#define PLAIN_SECONDS 10.0

void hk_terminal_init(hk_terminal *t, bool quiet)
{
    const char *plain = getenv("NO_COLOR"), *term = getenv("TERM");
    *t = (hk_terminal){ .quiet = quiet };
    t->live = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    t->color = t->live && !(plain && *plain);
}

static void seconds_text(double s, char *out, size_t cap)
{
    long n = (long)(s + 0.5);
    if (n < 3600) snprintf(out, cap, "%ld:%02ld", n / 60, n % 60);
    else snprintf(out, cap, "%ld:%02ld:%02ld", n / 3600, n / 60 % 60, n % 60);
}

static void compose(const char *head, const hk_progress *p, char *out, size_t cap)
{
    char left[32], memory[32], loss[32] = "";
    hk_cli_bytes((double)p->resident_bytes, memory);
    if (!isnan(p->loss)) snprintf(loss, sizeof loss, "  loss %.4f", p->loss);
    int n = snprintf(out, cap,
                     "%sepoch %lld/%lld %-5s %3.0f %%%s  accuracy %.2f %%  firing %.1f %%  "
                     "%.0f samples/s  %s",
                     head ? head : "", (long long)p->epoch, (long long)p->epochs,
                     hk_split_name[p->split], 100.0 * (double)p->batch / (double)p->batches, loss, 100 * p->accuracy,
                     100 * p->rate, p->samples_per_second, memory);
    if (p->seconds_left <= 0 || n < 0 || (size_t)n >= cap) return;
    seconds_text(p->seconds_left, left, sizeof left);
    snprintf(out + n, cap - (size_t)n, "  %s left%s", left, head ? " in all" : "");
}

void hk_terminal_clear(hk_terminal *t)
{
    if (t->live && t->width) fprintf(stderr, "\r%*s\r", t->width, "");
    t->width = 0;
}

void hk_terminal_progress(hk_terminal *t, const char *head, const hk_progress *p)
{
    char line[400];
    double now = hk_seconds();
    bool last = p->batch == p->batches;
    if (t->quiet || (!last && now - t->shown < (t->live ? LIVE_SECONDS : PLAIN_SECONDS))) return;
    t->shown = now;
    compose(head, p, line, sizeof line);
    if (!t->live) {
        fprintf(stderr, "%s\n", line);
        return;
    }
    int n = (int)strlen(line), before = t->width;
    fprintf(stderr, "\r%s%s%s%*s", t->color ? "\033[2m" : "", line, t->color ? "\033[0m" : "",
            before > n ? before - n : 0, "");
    t->width = n;
    if (last) {
        fputc('\n', stderr);
        t->width = 0;
    }
    fflush(stderr);
}

void hk_terminal_note(hk_terminal *t, const char *text)
{
    if (t->quiet) return;
    hk_terminal_clear(t);
    fprintf(stderr, "%s%s%s\n", t->color ? "\033[33m" : "", text, t->color ? "\033[0m" : "");
}
