/* A training step against the sum of its best products alone, and on one thread against more. Part
 * of `hillock bench`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_BENCH_TRAIN_H
#define HK_BENCH_TRAIN_H

#include "kernel/host_kernels.h"

typedef struct hk_bench_step {
    char    net[64], rule[16];
    int32_t T, batch, threads;
    double  seconds, spread;             /* one training batch: all steps and the update          */
    double  products;                    /* its products, each by itself in its fastest form      */
    double  ratio;                       /* seconds / products                                    */
    double  one_thread;                  /* seconds on one thread                                 */
    double  speedup;                     /* one_thread / seconds                                  */
    double  rate;                        /* mean firing rate of the batch                         */
} hk_bench_step;

/* recipe: as in bench_case.h; samples are random. Each product is verified against the definition by
 * hk_bench_products and the tests. repeats: timed batches. Errors: of recipe and net; E_NOMEM. */
hk_status hk_bench_train(const char *recipe, int32_t threads, int32_t repeats, hk_bench_step *out,
                         hk_error *e);

#endif
