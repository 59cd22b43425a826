/* SPDX-License-Identifier: Apache-2.0 */
#include "page_watch.h"

#include <string.h>

#if defined(__linux__) && defined(__x86_64__)

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

/* What the handler looks at; a signal has no other way to find it. */
static hki_watch *watching;
static struct sigaction before;

enum { WROTE = 2 };                      /* bit of the processor's error code: the access was a write */

static void protect(hki_watch *w, char *at, size_t bytes, int how)
{
    if (!mprotect(at, bytes, how)) return;
    w->failed = true;                    /* too many pieces, say: open all, so that the run can end */
    mprotect(w->base, w->bytes, PROT_READ | PROT_WRITE);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    hki_watch *w = watching;
    char *at = info->si_addr;
    if (!w || at < w->base || at >= w->base + w->armed) {    /* not ours: the access fails again */
        sigaction(number, &before, NULL);
        return;
    }
    const ucontext_t *u = context;
    const bool write = u->uc_mcontext.gregs[REG_ERR] & WROTE;
    w->seen(w->self, write);
    at -= (size_t)(at - w->base) % HKI_PAGE;
    protect(w, at, HKI_PAGE, write ? PROT_READ | PROT_WRITE : PROT_READ);
}

static void try_seen(void *self, bool write) { ((int *)self)[write]++; }

/* A page read and then written, the next written and then read. */
static bool tells(hki_watch *w)
{
    int seen[2] = { 0, 0 };
    volatile char *page = w->base;
    w->seen = try_seen;
    w->self = seen;
    hki_watch_arm(w, 2 * (size_t)HKI_PAGE);
    page[0] = (char)(page[1] + 1);
    page[HKI_PAGE] = 1;
    page[HKI_PAGE] = (char)(page[HKI_PAGE + 1] + page[0]);
    hki_watch_disarm(w);
    memset(w->base, 0, 2 * (size_t)HKI_PAGE);
    return !w->failed && seen[0] == 1 && seen[1] == 2;
}

hk_status hki_watch_open(hki_watch *w, size_t bytes, hk_error *e)
{
    memset(w, 0, sizeof *w);
    HK_CHECK(e, !watching && sysconf(_SC_PAGESIZE) == HKI_PAGE, HK_E_UNSUP,
             "bench: pages are watched one block at a time, and of %d bytes", HKI_PAGE);
    w->bytes = (bytes + HKI_PAGE - 1) / HKI_PAGE * HKI_PAGE + 2 * (size_t)HKI_PAGE;
    w->base = mmap(NULL, w->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (w->base == MAP_FAILED) w->base = NULL;
    HK_CHECK(e, w->base, HK_E_NOMEM, "bench: no memory for %zu bytes", w->bytes);
    struct sigaction mine = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &mine, &before);
    watching = w;
    if (tells(w)) return HK_OK;
    hki_watch_close(w);
    return hk_fail(e, HK_E_UNSUP, "bench: this system does not tell which pages are read and written");
}

void hki_watch_arm(hki_watch *w, size_t bytes)
{
    w->armed = bytes;
    if (!w->failed && bytes) protect(w, w->base, bytes, PROT_NONE);
}

void hki_watch_disarm(hki_watch *w)
{
    mprotect(w->base, w->bytes, PROT_READ | PROT_WRITE);
    w->armed = 0;
}

void hki_watch_close(hki_watch *w)
{
    if (!w->base) return;
    sigaction(SIGSEGV, &before, NULL);
    munmap(w->base, w->bytes);
    watching = NULL;
    memset(w, 0, sizeof *w);
}

#else

hk_status hki_watch_open(hki_watch *w, size_t bytes, hk_error *e)
{
    (void)bytes;
    memset(w, 0, sizeof *w);
    return hk_fail(e, HK_E_UNSUP, "bench: pages are watched on Linux on x86-64 only");
}

void hki_watch_arm(hki_watch *w, size_t bytes) { (void)w, (void)bytes; }
void hki_watch_disarm(hki_watch *w) { (void)w; }
void hki_watch_close(hki_watch *w) { (void)w; }

#endif
