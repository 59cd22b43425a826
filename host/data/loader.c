/* The loader: two slots, one reading thread.
 *
 * A slot is EMPTY, FILLING (the thread's), FULL or LENT (the caller's). States and the position
 * that is read next are guarded by the lock; the content of a slot belongs to whoever its state
 * says.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host/data/loader.h"

#include "host/base/alloc.h"
#include "host/data/split.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

enum { SLOTS = 2 };

#define EPOCH_LIMIT (INT64_C(1) << 56)       /* the epoch shares a word with the stream's name */

typedef enum slot_state { EMPTY, FILLING, FULL, LENT } slot_state;

typedef struct slot {
    slot_state state;
    float     *x;
    int32_t   *label, *length;
    int64_t   *index;
    int64_t    n, epoch, at;
    hk_status  st;
    hk_error   err;
} slot;

struct hk_loader {
    const hk_dataset *d;
    hk_loader_cfg     cfg;
    size_t            floats;                /* of one sample                                 */
    uint32_t         *list;                  /* [n] samples of the part                       */
    int64_t           n, n_batch;
    int64_t           epoch, at;             /* what next() gives next; the caller's          */
    /* the thread's own */
    uint32_t         *order;                 /* [n] into list                                 */
    int64_t           order_epoch;           /* whose order that is, -1: none                 */
    float            *sample, *scratch;      /* [floats]                                      */
    /* shared */
    pthread_mutex_t   lock;
    pthread_cond_t    changed;
    pthread_t         thread;
    bool              has_thread, stop;
    slot              slot[SLOTS];
    int64_t           read_epoch, read_at;
};

/* ---- the thread ---------------------------------------------------------------------------- */

static void order_for(hk_loader *l, int64_t epoch)
{
    if (!l->cfg.shuffle || l->order_epoch == epoch) return;
    hk_rng r = { l->cfg.seed, HK_STREAM_ORDER | (uint64_t)epoch };
    hk_rng_permute(r, (uint32_t)l->n, l->order);
    l->order_epoch = epoch;
}

/* Sample b of the slot: read, change, and put where the layout wants it. */
static hk_status slot_put(hk_loader *l, slot *s, int64_t b)
{
    int64_t steps = l->d->steps > 1 ? l->d->steps : 1, i = s->index[b];
    s->length[b] = l->d->length ? l->d->length[i] : (int32_t)steps;
    float *x = steps > 1 ? l->sample : s->x + (size_t)b * l->floats;
    HK_TRY(hk_data_get(l->d, i, x, &s->label[b], &s->err));
    hk_augment_at at = { .r = { l->cfg.seed, HK_STREAM_AUGMENT | (uint64_t)s->epoch },
                         .sample = (uint64_t)i, .shape = l->d->shape, .steps = s->length[b] };
    hk_augment_apply(&l->cfg.augment, &at, l->cfg.train, x, l->scratch);
    size_t frame = l->floats / (size_t)steps;
    for (int64_t t = 0; t < steps && steps > 1; t++)
        memcpy(s->x + (size_t)(t * s->n + b) * frame, x + (size_t)t * frame, frame * sizeof *x);
    return HK_OK;
}

static void slot_fill(hk_loader *l, slot *s)
{
    int64_t first = s->at * l->cfg.batch;
    order_for(l, s->epoch);
    s->n = l->n - first < l->cfg.batch ? l->n - first : l->cfg.batch;
    s->st = HK_OK;
    for (int64_t b = 0; b < s->n && s->st == HK_OK; b++) {
        int64_t k = l->cfg.shuffle ? l->order[first + b] : first + b;
        s->index[b] = l->list[k];
        s->st = slot_put(l, s, b);
    }
}

static slot *slot_in(hk_loader *l, slot_state state)
{
    for (int k = 0; k < SLOTS; k++)
        if (l->slot[k].state == state) return &l->slot[k];
    return NULL;
}

static void *reader_run(void *arg)
{
    hk_loader *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        slot *s = slot_in(l, EMPTY);
        if (!s) {
            pthread_cond_wait(&l->changed, &l->lock);
            continue;
        }
        s->state = FILLING;
        s->epoch = l->read_epoch;
        s->at = l->read_at;
        if (++l->read_at == l->n_batch) {
            l->read_at = 0;
            l->read_epoch++;
        }
        pthread_mutex_unlock(&l->lock);
        slot_fill(l, s);
        pthread_mutex_lock(&l->lock);
        s->state = FULL;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- opening and closing ------------------------------------------------------------------- */

static hk_status cfg_check(const hk_dataset *d, const hk_loader_cfg *c, hk_error *e)
{
    HK_CHECK(e, c->batch >= 1, HK_E_ARG, "loader: batch is %ld, expected 1 or more",
             (long)c->batch);
    HK_CHECK(e, c->val_fraction >= 0 && c->val_fraction < 1, HK_E_ARG,
             "loader: val_fraction is %g, expected 0 to below 1", c->val_fraction);
    HK_CHECK(e, d->n >= 1 && d->n <= INT32_MAX, HK_E_ARG, "loader: the data set holds %lld samples",
             (long long)d->n);
    return hk_augment_check(&c->augment, d->shape, e);
}

static hk_status buffers_take(hk_loader *l, hk_error *e)
{
    /* No batch is longer than the part, whatever the configuration says. */
    size_t b = (size_t)(l->cfg.batch < l->n ? l->cfg.batch : l->n);
    bool fits = l->floats <= SIZE_MAX / sizeof(float) / b;
    bool all = fits;
    for (int k = 0; k < SLOTS && all; k++) {
        slot *s = &l->slot[k];
        s->x = hk_alloc(b * l->floats * sizeof *s->x);
        s->label = hk_alloc(b * sizeof *s->label);
        s->length = hk_alloc(b * sizeof *s->length);
        s->index = hk_alloc(b * sizeof *s->index);
        all = s->x && s->label && s->length && s->index;
    }
    if (all) {
        l->order = hk_alloc((size_t)l->n * sizeof *l->order);
        l->sample = hk_alloc(l->floats * sizeof *l->sample);
        l->scratch = hk_alloc(l->floats * sizeof *l->scratch);
    }
    HK_CHECK(e, all && l->order && l->sample && l->scratch, HK_E_NOMEM,
             "loader: no memory for %d batches of %zu samples of %zu values", SLOTS, b, l->floats);
    return HK_OK;
}

/* Signals stay with the caller's threads. */
static hk_status thread_start(hk_loader *l, hk_error *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    l->has_thread = pthread_create(&l->thread, NULL, reader_run, l) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    HK_CHECK(e, l->has_thread, HK_E_NOMEM, "loader: cannot start the reading thread");
    return HK_OK;
}

static hk_status loader_setup(hk_loader *l, hk_error *e)
{
    static const char *const part[] = { "training", "validation", "whole" };
    const hk_loader_cfg *c = &l->cfg;
    HK_TRY(hk_split_list(l->d, c, &l->list, &l->n, e));
    l->n_batch = c->drop_last ? l->n / c->batch : (l->n + c->batch - 1) / c->batch;
    HK_CHECK(e, l->n_batch >= 1, HK_E_ARG, "loader: the %s part has %lld of %lld samples, expected "
             "at least %d", part[c->part], (long long)l->n, (long long)l->d->n,
             c->drop_last ? (int)c->batch : 1);
    HK_TRY(buffers_take(l, e));
    return thread_start(l, e);
}

hk_status hk_loader_open(hk_loader **out, const hk_dataset *d, const hk_loader_cfg *cfg,
                         hk_error *e)
{
    *out = NULL;
    HK_TRY(cfg_check(d, cfg, e));
    hk_loader *l = hk_alloc_zero(1, sizeof *l);
    HK_CHECK(e, l, HK_E_NOMEM, "loader: no memory for itself");
    l->d = d;
    l->cfg = *cfg;
    l->floats = hk_data_floats(d);
    l->order_epoch = -1;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    hk_status st = loader_setup(l, e);
    if (st == HK_OK) *out = l;
    else hk_loader_close(l);
    return st;
}

void hk_loader_close(hk_loader *l)
{
    if (!l) return;
    if (l->has_thread) {
        pthread_mutex_lock(&l->lock);
        l->stop = true;
        pthread_cond_broadcast(&l->changed);
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
    }
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    for (int k = 0; k < SLOTS; k++) {
        hk_free(l->slot[k].x);
        hk_free(l->slot[k].label);
        hk_free(l->slot[k].length);
        hk_free(l->slot[k].index);
    }
    hk_free(l->list);
    hk_free(l->order);
    hk_free(l->sample);
    hk_free(l->scratch);
    hk_free(l);
}

/* ---- the caller's side ---------------------------------------------------------------------- */

int64_t hk_loader_samples(const hk_loader *l) { return l->n; }

int64_t hk_loader_batches(const hk_loader *l) { return l->n_batch; }

hk_status hk_loader_seek(hk_loader *l, int64_t epoch, int64_t batch, hk_error *e)
{
    HK_CHECK(e, epoch >= 0 && epoch < EPOCH_LIMIT - 1, HK_E_ARG,
             "loader: epoch is %lld, expected 0 or more", (long long)epoch);
    HK_CHECK(e, batch >= 0 && batch <= l->n_batch, HK_E_ARG,
             "loader: batch is %lld, expected 0 to %lld", (long long)batch, (long long)l->n_batch);
    pthread_mutex_lock(&l->lock);
    while (slot_in(l, FILLING)) pthread_cond_wait(&l->changed, &l->lock);
    for (int k = 0; k < SLOTS; k++) l->slot[k].state = EMPTY;
    l->epoch = epoch;
    l->at = batch;
    l->read_epoch = batch == l->n_batch ? epoch + 1 : epoch;
    l->read_at = batch == l->n_batch ? 0 : batch;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    return HK_OK;
}

/* Under the lock: waits for the slot of the caller's position. */
static slot *slot_wait(hk_loader *l)
{
    for (;;) {
        for (int k = 0; k < SLOTS; k++) {
            slot *s = &l->slot[k];
            if (s->state == FULL && s->epoch == l->epoch && s->at == l->at) return s;
        }
        pthread_cond_wait(&l->changed, &l->lock);
    }
}

hk_status hk_loader_next(hk_loader *l, hk_loaded *out, hk_error *e)
{
    slot *s = NULL;
    pthread_mutex_lock(&l->lock);
    slot *lent = slot_in(l, LENT);
    if (lent) {
        lent->state = EMPTY;
        pthread_cond_broadcast(&l->changed);
    }
    if (l->at < l->n_batch) {
        s = slot_wait(l);
        if (s->st == HK_OK) s->state = LENT;
    }
    pthread_mutex_unlock(&l->lock);
    if (s && s->st != HK_OK) return hk_fail(e, s->st, "%s", s->err.text);
    if (s) {
        *out = (hk_loaded){ .x = s->x, .label = s->label, .index = s->index, .n = s->n,
                            .length = l->d->length ? s->length : NULL, .steps = l->d->steps,
                            .epoch = s->epoch, .at = s->at };
        l->at++;
        return HK_OK;
    }
    *out = (hk_loaded){ .epoch = l->epoch, .at = l->at };
    l->epoch++;
    l->at = 0;
    return HK_OK;
}
