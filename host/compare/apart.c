/* SPDX-License-Identifier: Apache-2.0 */
#include "apart.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"

#define SAY_SECONDS 0.05 /* progress at most so often */

/* Messages are written and read whole. */
_Static_assert(sizeof(hki_message) <= PIPE_BUF, "a message must be written in one piece");

/* ---- the child ------------------------------------------------------------------------------ */

typedef struct speaker {
    int fd;
    bool (*stopped)(void);
    double said;
} speaker;

static void say(const speaker *s, const hki_message *m)
{
    while (write(s->fd, m, sizeof *m) < 0 && errno == EINTR) {}
}

static bool progress(void *self, const hk_progress *p)
{
    speaker *s = self;
    const double now = hk_seconds();
    if (now - s->said >= SAY_SECONDS || p->batch == p->batches) {
        const hki_message m = { .word = HKI_SAYS_PROGRESS, .progress = *p };
        s->said = now;
        say(s, &m);
    }
    return !s->stopped();
}

static void note(void *self, const char *text)
{
    hki_message m = { .word = HKI_SAYS_NOTE };
    hk_format(m.error.text, sizeof m.error.text, "%s", text);
    say(self, &m);
}

void hki_train_apart(const hk_train_opts *o, int fd, bool (*stopped)(void))
{
    speaker s = { fd, stopped, 0 };
    hk_train_opts own = *o;
    hk_train_result result;
    hki_message m = { .word = HKI_SAYS_END };
    own.progress = progress;
    own.note = note;
    own.self = &s;
    if (hk_train(&own, &result, &m.error) == HK_OK) m.error.code = HK_OK;
    m.stopped = result.stopped;
    json_decref(result.json);
    say(&s, &m);
}

/* ---- the parent ----------------------------------------------------------------------------- */

/* The call that o stands for; numbers go to text. NULL when memory is exhausted. */
static const char **words_of(const hk_train_opts *o, int fd, char text[64])
{
    enum { FIXED = 12 };
    const char **word = hk_alloc((FIXED + 2 * (size_t)o->session.n_set) * sizeof *word);
    int n = 0;
    if (!word) return NULL;
    word[n++] = "hillock";
    word[n++] = "train";
    word[n++] = o->session.recipe;
    word[n++] = "--resume";
    word[n++] = "--out";
    word[n++] = o->out;
    word[n++] = "--tell";
    word[n++] = text;
    size_t used = hk_format(text, 32, "%d", fd) + 1;
    if (o->session.threads) {
        hk_format(text + used, 64 - used, "%d", (int)o->session.threads);
        word[n++] = "--threads";
        word[n++] = text + used;
    }
    for (int i = 0; i < o->session.n_set; i++) {
        word[n++] = "--set";
        word[n++] = o->session.set[i];
    }
    word[n] = NULL;
    return word;
}

/* In the child: becomes the program, and ends when the parent does. */
static void become(const char *program, const char **word, int fd, pid_t parent)
{
    fcntl(fd, F_SETFD, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) execv(program, (char *const *)(void *)word);
    _exit(127);
}

static hk_status start(hki_child *c, const char *program, const char **word, const int end[2],
                       hk_error *e)
{
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid == 0) become(program, word, end[1], parent);
    HK_CHECK(e, pid > 0, HK_E_IO, "no process for a run: %s", strerror(errno));
    c->pid = pid;
    c->fd = end[0];
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    return HK_OK;
}

hk_status hki_child_start(hki_child *c, const char *program, const hk_train_opts *o, int row,
                          hk_error *e)
{
    int end[2];
    char text[64];
    *c = (hki_child){ .row = row };
    HK_CHECK(e, pipe2(end, O_CLOEXEC) == 0, HK_E_IO, "no pipe to a process: %s", strerror(errno));
    const char **word = words_of(o, end[1], text);
    hk_status st =
        word ? start(c, program, word, end, e) : hk_fail(e, HK_E_NOMEM, "no memory for a call");
    hk_free(word);
    close(end[1]);
    if (st != HK_OK) close(end[0]);
    return st;
}

bool hki_child_hear(hki_child *c, hki_message *out)
{
    if (read(c->fd, out, sizeof *out) != (ssize_t)sizeof *out) return false;
    if (out->word == HKI_SAYS_PROGRESS) {
        c->seconds = out->progress.seconds;
        c->seconds_left = out->progress.seconds_left;
    }
    c->ended |= out->word == HKI_SAYS_END;
    return true;
}

void hki_child_stop(const hki_child *c)
{
    kill(c->pid, SIGTERM);
}

int hki_child_end(hki_child *c)
{
    int status = 0;
    close(c->fd);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) {}
    c->pid = 0;
    return status;
}
