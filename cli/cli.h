/* What the commands share. Data go to stdout, progress and messages to stderr; exit codes are 0
 * done, 1 failed, 2 called wrongly.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_CLI_H
#define HK_CLI_H

#include "hillock_core.h"

#include <argp.h>
#include <stdio.h>

enum { HK_EXIT_DONE = 0, HK_EXIT_FAILED = 1, HK_EXIT_USAGE = 2 };

/* One per file cmd_<name>.c. argv[0] is "hillock <name>", for messages and help. */
int hk_cmd_train(int argc, char **argv);
int hk_cmd_compare(int argc, char **argv);
int hk_cmd_eval(int argc, char **argv);
int hk_cmd_stream(int argc, char **argv);
int hk_cmd_plan(int argc, char **argv);
int hk_cmd_export(int argc, char **argv);
int hk_cmd_list(int argc, char **argv);
int hk_cmd_probe(int argc, char **argv);
int hk_cmd_bench(int argc, char **argv);
int hk_cmd_doctor(int argc, char **argv);

/* "hillock: <message>" on stderr; returns HK_EXIT_FAILED. */
int hk_cli_fail(const hk_error *e);

/* Assignments of --set, in order. */
typedef struct hk_cli_sets {
    const char *at[256];
    int         n;
} hk_cli_sets;

/* For an argp table: key 's', and what its parser does with it. */
#define HK_CLI_SET                                                                                 \
    { "set", 's', "KEY=VALUE", 0, "Override a key of the recipe, e.g. optim.lr=0.05", 0 }
void hk_cli_set(hk_cli_sets *s, const char *assignment, struct argp_state *state);

/* For an argp table: that of --tune, the same as --set train.tune=true. */
#define HK_CLI_TUNE(key)                                                                           \
    { "tune", key, NULL, 0, "Measure the forms of each product first (train.tune=true)", 0 }
/* The folder where measurements are kept: $XDG_CACHE_HOME/hillock, else ~/.cache/hillock; NULL: there is
 * neither. The text stays as long as the process. */
const char *hk_cli_cache(void);
/* Prints a line on stderr, for parts that want somebody who does. */
void hk_cli_note(void *unused, const char *text);

/* Splits "a,b,c" in place into out[cap]; returns the number of parts, or -1 when there are more. */
int hk_cli_split(char *text, char **out, int cap);

/* A whole number from lo to hi; anything else is a wrong call. what: the option, for the message. */
long hk_cli_whole(const char *arg, long lo, long hi, const char *what, struct argp_state *state);

/* From now on the first SIGINT or SIGTERM is remembered, and the second of a kind ends the process. */
void hk_cli_catch_signals(void);
bool hk_cli_interrupted(void);

/* A string as JSON, in quotes. */
void hk_cli_json(FILE *f, const char *s);

/* A count of bytes for people: "512 B", "3.4 MiB". Returns out. */
const char *hk_cli_bytes(double bytes, char out[32]);
/* A count for people, in powers of 1000: "606 M". Returns out. */
const char *hk_cli_count(double n, char out[32]);

#endif
