/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
int hk_cmd_doctor(int argc, char **argv) { (void)argc; (void)argv; return HK_EXIT_FAILED; }
