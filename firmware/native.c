/* The board that is this computer: the device's program, run by the host on the same sources.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char board_name[] = "host";

static int    count;
static char **words;

int program(void);

int main(int argc, char **argv)
{
    count = argc;
    words = argv;
    return program();
}

void board_write(const char *text) { fputs(text, stdout); }

_Noreturn void board_exit(int code) { exit(code); }

void board_arguments(char *out, size_t cap)
{
    out[0] = '\0';
    for (int i = 1; i < count; i++) {
        if (strlen(out) + strlen(words[i]) + 2 > cap) return;
        if (i > 1) strcat(out, " ");
        strcat(out, words[i]);
    }
}

void board_count_begin(void) {}

uint32_t board_count_end(void) { return 0; }

board_memory board_measure(void) { return (board_memory){ 0, 0, 0, 0 }; }
