/* Rows into processes, and what they say on the way.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "parts.h"

enum { WAIT_MS = 200 };

/* ---- how long it will take ------------------------------------------------------------------ */

static double seconds_of(const hki_row *r)
{
    return r->state == HKI_DONE ? json_number_value(json_object_get(r->run, "seconds")) : 0;
}

/* Mean over finished rows of this variant, or of all when it is -1; 0: there is none. */
static double mean_seconds(const hki_comparison *c, int variant)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < c->n_row; i++) {
        if (c->row[i].state != HKI_DONE || (variant >= 0 && c->row[i].variant != variant)) continue;
        sum += seconds_of(&c->row[i]);
        n++;
    }
    return n ? sum / n : 0;
}

/* Running rows by what they say, open ones as long as their variant took, else as the others. */
static double seconds_left(const hki_comparison *c)
{
    double left = 0, running = 0, any = mean_seconds(c, -1);
    int n = 0;
    for (int i = 0; i < c->o->jobs; i++) {
        if (!c->child[i].pid || c->child[i].seconds_left <= 0) continue;
        left += c->child[i].seconds_left;
        running += c->child[i].seconds + c->child[i].seconds_left;
        n++;
    }
    if (any <= 0 && n) any = running / n;
    for (int i = 0; i < c->n_row; i++) {
        const hki_row *r = &c->row[i];
        if (r->state != HKI_OPEN && r->state != HKI_CUT) continue;
        const double own = mean_seconds(c, r->variant);
        left += own > 0 ? own : any;
    }
    return left / c->o->jobs;
}

/* ---- one row -------------------------------------------------------------------------------- */

/* A run that was cut off goes on from the recipe that it keeps; any other begins from ours. */
static hk_status start(hki_comparison *c, hki_child *child, int index, hk_error *e)
{
    hki_row *r = &c->row[index];
    hki_variant *v = &c->variant[r->variant];
    char folder[HK_PATH], recipe[HK_PATH], seed[40];
    HK_TRY(hki_row_path(c, r, "", folder, e));
    HK_TRY(hki_row_path(c, r, "recipe.yaml", recipe, e));
    hk_format(seed, sizeof seed, "train.seed=%d", (int)r->seed);
    v->set[v->n_set] = seed;
    const bool cut = r->state == HKI_CUT;
    const hk_train_opts o = {
        .session = { .recipe = cut ? recipe : c->o->recipe,
                     .set = cut ? NULL : v->set,
                     .n_set = cut ? 0 : v->n_set + 1,
                     .threads = c->o->threads,
                     .learn = true },
        .out = folder,
    };
    hk_status st = hki_child_start(child, c->o->program, &o, index, e);
    v->set[v->n_set] = NULL;
    if (st == HK_OK) r->state = HKI_RUNNING;
    return st;
}

static int next_row(const hki_comparison *c)
{
    for (int i = 0; i < c->n_row; i++) {
        const hki_row *r = &c->row[i];
        if ((r->state == HKI_OPEN || r->state == HKI_CUT) && !c->variant[r->variant].refused.code)
            return i;
    }
    return -1;
}

static void tell(const hki_comparison *c, const hki_row *r, const char *text)
{
    char line[700];
    hk_format(line, sizeof line, "%s, seed %d: %s", c->variant[r->variant].name, (int)r->seed,
              text);
    if (c->o->note) c->o->note(c->o->self, line);
}

static void tell_result(const hki_comparison *c, const hki_row *r)
{
    char text[64];
    snprintf(text, sizeof text, "%.2f %%",
             100 * json_number_value(json_object_get(r->run, "accuracy")));
    tell(c, r, text);
}

/* A combination that is refused is refused for every seed. */
static void fail_row(hki_comparison *c, hki_row *r, const hk_error *why)
{
    r->state = HKI_FAILED;
    r->why = *why;
    tell(c, r, why->text);
    if (why->code == HK_E_UNSUP || why->code == HK_E_SHAPE) c->variant[r->variant].refused = *why;
}

static hk_status end(hki_comparison *c, hki_child *child, const hki_message *said, hk_error *e)
{
    hki_row *r = &c->row[child->row];
    hk_error why = said->error;
    const bool heard = child->ended;
    const int status = hki_child_end(child);
    if (!heard) {
        if (WIFSIGNALED(status))
            (void)hk_fail(&why, HK_E_NOMEM, "its process was ended by signal %d%s",
                          WTERMSIG(status), WTERMSIG(status) == 9 ? " (out of memory?)" : "");
        else
            (void)hk_fail(&why, HK_E_IO, "its process ended without a result");
    }
    if (!heard || why.code != HK_OK)
        fail_row(c, r, &why);
    else if (said->stopped)
        r->state = HKI_CUT;
    else {
        HK_TRY(hki_row_look(c, r, e));
        (void)hk_fail(&why, HK_E_IO, "no result in its folder");
        if (r->state == HKI_DONE)
            tell_result(c, r);
        else
            fail_row(c, r, &why);
    }
    return hki_compare_write(c, NULL, NULL, e);
}

/* ---- all of them ---------------------------------------------------------------------------- */

static hk_status hear(hki_comparison *c, hki_child *child, bool gone, hk_error *e)
{
    hki_message m = { 0 };
    const hki_row *r = &c->row[child->row];
    while (!child->ended && hki_child_hear(child, &m)) {
        if (m.word == HKI_SAYS_NOTE) tell(c, r, m.error.text);
        if (m.word != HKI_SAYS_PROGRESS) continue;
        c->progress.row = child->row + 1;
        c->progress.variant = c->variant[r->variant].name;
        c->progress.seed = r->seed;
        c->progress.run = m.progress;
    }
    return child->ended || gone ? end(c, child, &m, e) : HK_OK;
}

/* Shows what is new, once. */
static bool wanted(hki_comparison *c)
{
    c->progress.rows = c->n_row;
    c->progress.seconds_left = seconds_left(c);
    const bool go = !c->o->progress || c->o->progress(c->o->self, &c->progress);
    c->progress.run.batches = 0;
    return go;
}

static void stop(hki_comparison *c)
{
    for (int i = 0; i < c->o->jobs && !c->stopped; i++)
        if (c->child[i].pid) hki_child_stop(&c->child[i]);
    c->stopped = true;
}

/* Starts what there is room for; returns the number of running processes. */
static int fill(hki_comparison *c, hk_status *st, hk_error *e)
{
    int running = 0;
    for (int i = 0; i < c->o->jobs; i++) {
        const int row = next_row(c);
        if (!c->child[i].pid && row >= 0 && !c->stopped && *st == HK_OK)
            *st = start(c, &c->child[i], row, e);
        running += c->child[i].pid != 0;
    }
    return running;
}

hk_status hki_run_rows(hki_comparison *c, hk_error *e)
{
    struct pollfd wait[HK_COMPARE_JOBS];
    int slot[HK_COMPARE_JOBS];
    hk_status st = HK_OK;
    while (fill(c, &st, e)) {
        nfds_t n = 0;
        for (int i = 0; i < c->o->jobs; i++) {
            if (!c->child[i].pid) continue;
            slot[n] = i;
            wait[n++] = (struct pollfd){ .fd = c->child[i].fd, .events = POLLIN };
        }
        if (poll(wait, n, WAIT_MS) < 0)
            for (nfds_t k = 0; k < n; k++) wait[k].revents = 0;
        for (nfds_t k = 0; k < n; k++) {
            if (!wait[k].revents) continue;
            hk_error why;
            hk_status got = hear(c, &c->child[slot[k]], wait[k].revents & POLLHUP, &why);
            if (got != HK_OK && st == HK_OK) st = hk_fail(e, got, "%s", why.text);
        }
        if (st != HK_OK || !wanted(c)) stop(c);
    }
    return st;
}
