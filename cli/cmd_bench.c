/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
int hk_cmd_bench(int argc, char **argv) { (void)argc; (void)argv; return HK_EXIT_FAILED; }
