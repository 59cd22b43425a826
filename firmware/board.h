/* What a program asks of the machine it runs on: a console, an end, a count of instructions, the
 * bounds of its memory. start_arm.c, start_riscv.c and native.c provide it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

extern const char board_name[];

void           board_write(const char *text);
_Noreturn void board_exit(int code);
/* The words behind the program's name, into out[cap]. */
void           board_arguments(char *out, size_t cap);

/* Instructions between begin and end, exact to one under QEMU's -icount; a call may take at most ten
 * million of them. 0 where nothing counts. */
void           board_count_begin(void);
uint32_t       board_count_end(void);

/* Bytes. The stack was painted before main; used is what has been written over since. */
typedef struct board_memory {
    size_t ram, ram_static;              /* all there is; data and bss                            */
    size_t stack_used;
    size_t flash;                        /* code, constants and first values, without samples     */
} board_memory;
board_memory board_measure(void);

#endif
