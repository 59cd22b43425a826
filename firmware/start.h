/* What the start-up codes share: symbols of sections.ld, and the way from reset to main.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef START_H
#define START_H

#include "board.h"

enum { START_PAINT = 0xa5 };

extern uint8_t link_data_begin[], link_data_end[], link_data_load[];
extern uint8_t link_bss_begin[], link_bss_end[];
extern uint8_t link_stack_end[], link_flash_begin[], link_flash_end[], link_ram_begin[];

int main(void);

/* With the stack pointer at link_stack_end: first values, zeros, paint, main, end. */
_Noreturn void start(void);
/* A semihosting call: what `operation` and the block at `argument` say. */
uintptr_t semihost(uintptr_t operation, const void *argument);

#endif
