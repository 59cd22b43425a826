/* The parts `step` and `infer` of hillock bench: one recipe, run again and again, alone or in turns
 * with another program.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_CLI_BENCH_TURNS_H
#define HK_CLI_BENCH_TURNS_H

#include "bench/bench_case.h"

typedef struct hk_turns_opts {
    hk_bench_case_cfg what;              /* `learn` is set by the part                            */
    int32_t threads, repeats, warmup;
    bool    json;
    bool    traffic;                     /* alone: bytes moved between memory and processor, too  */
    bool    paced;                       /* see hk_cli_turns                                      */
} hk_turns_opts;

/* Warm-up, then `repeats` timed runs, printed as a line or as JSON.
 *
 * paced: for comparisons in turns within one run, where each side holds still while another works.
 * Every line of stdin is answered by one line of JSON. Before the first line nothing of the net is
 * in memory, which is the idle process:
 *   out {"state": "idle"}
 *   in  any line     out {"state": "ready", ...}     net built, weights read, warmed up
 *   in  any line     out {"seconds": ...}            one run; until stdin ends */
hk_status hk_cli_turns(const hk_turns_opts *o, hk_error *e);

#endif
