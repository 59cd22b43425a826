/* Everything a recipe needs, open: data, layers, memory, kernels.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_SESSION_H
#define HK_SESSION_H

#include "choice.h"
#include "deploy/deploy.h"
#include "engine.h"
#include "feed.h"
#include "hillock.h"
#include "stats.h"

extern const char *const hk_split_name[HK_SPLITS];       /* "train", "val", "test" */

typedef struct hk_session_opts {
    const char        *recipe;           /* path of a recipe                                      */
    const char        *text;             /* a recipe itself, which `recipe` then only names       */
    const char *const *set;              /* assignments a.b=c, in order                           */
    int                n_set;
    int32_t            threads;          /* 0: as the recipe says                                 */
    bool               learn;            /* false: forward only, no gradients are planned         */
    hk_choice_opts     choice;           /* where train.tune finds and keeps its measurements     */
} hk_session_opts;

typedef struct hk_session {
    hk_recipe   recipe;
    uint64_t    recipe_hash;             /* of all but train.epochs and train.threads       */
    hk_dataset  data[2];                 /* training and test set                                 */
    hk_loader  *loader[HK_SPLITS];       /* VAL: NULL when nothing is held out                    */
    hk_choices  choices;                 /* that the engine follows                               */
    hk_engine   engine;
    hk_feed     feed;
    hk_deploy  *deploy;                  /* measured in place of the net (NULL: the net); owned   */
} hk_session;

/* Reads recipe and data, builds the net and takes its memory; on failure *s is all zero. A session
 * must not be moved. The errors of its parts. */
hk_status hk_session_open(hk_session *s, const hk_session_opts *o, hk_error *e);
void      hk_session_close(hk_session *s);

/* recipe_hash of what o says, for samples and classes as in d. The errors of hk_recipe_read. */
hk_status hk_session_hash(const hk_session_opts *o, const hk_recipe_data *d, uint64_t *hash,
                          hk_error *e);

/* Called after each batch of a pass: done of `all`; false ends the pass early. */
typedef bool hk_tick(void *self, const hk_stats *sums, int64_t done, int64_t all);

/* One pass over a split, forward only with running statistics; the last batch is padded. Sums go to
 * *out, which must be initialised. tick may be NULL. *ended (may be NULL): no tick said stop. */
hk_status hk_session_measure(hk_session *s, hk_split split, hk_stats *out, hk_tick *tick,
                             void *self, bool *ended, hk_error *e);

/* Seconds of a clock that never goes back. */
double hk_seconds(void);

/* FNV-1a over n bytes, continuing from hash; begin with HK_HASH. */
#define HK_HASH 14695981039346656037u
uint64_t hk_hash(uint64_t hash, const void *data, size_t n);

#endif
