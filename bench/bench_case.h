/* A recipe set up to be timed: net, memory, and one batch that is shown again and again. Part of
 * `hillock bench`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_BENCH_CASE_H
#define HK_BENCH_CASE_H

#include "recipe/recipe.h"
#include "run/choice.h"
#include "run/engine.h"
#include "run/probe_input.h"

/* Networks that need no file: names to pass as `recipe`. */
extern const char *const hk_bench_nets[];        /* ends with NULL */

typedef struct hk_bench_case_cfg {
    const char        *recipe;           /* a name of hk_bench_nets, or a path                    */
    const char *const *set;              /* assignments a.b=c, in order                           */
    int                n_set;
    const char        *input;            /* .npz as `hillock probe` reads; NULL: random samples
                                            in the encoder's form, from a fixed seed              */
    const char        *weights;          /* safetensors; NULL: first weights of train.seed        */
    bool               learn;            /* false: forward only, running statistics               */
    hk_choice_opts     choice;           /* with train.tune                                       */
} hk_bench_case_cfg;

typedef struct hk_bench_case {
    hk_recipe recipe;
    hk_choices choices;                  /* that the engine follows                               */
    hk_engine engine;
    hki_input in;                        /* x NULL: random samples                                */
    void     *x;                         /* [batch][h][w] rows of the encoder's kind, or NULL     */
    int32_t  *label;
    hk_batch  batch;
    const hk_bench_case_cfg *cfg;
} hk_bench_case;

/* Reads the recipe and makes the batch. Of a recipe's data set only shape and classes are used. T
 * and batch are those of the input, else the recipe's. cfg must outlive the case; on failure too it
 * may be closed. Errors: of recipe, input and data set; E_NOMEM. */
hk_status hk_bench_case_open(hk_bench_case *b, const hk_bench_case_cfg *cfg, hk_error *e);

/* Builds the net on so many threads (0: all), in place of the one before. Errors: of the net and of
 * the weights. */
hk_status hk_bench_case_build(hk_bench_case *b, int32_t threads, hk_error *e);

/* What the net of the case is built from, with the choices of its last build. */
void hk_bench_case_spec(hk_bench_case *b, int32_t threads, hk_net_spec *spec, hk_host_kernels_cfg *cfg);

/* The batch once: a training step with its update, or inference. seconds may be NULL. */
hk_status hk_bench_case_run(hk_bench_case *b, double *seconds, hk_result *r, hk_error *e);

/* Mean spikes per neuron and step of the last batch. */
double hk_bench_case_rate(const hk_bench_case *b);

void hk_bench_case_close(hk_bench_case *b);      /* an all-zero *b is allowed */

#endif
