/* From reset to main, and the services of a board through semihosting (Arm's "Semihosting for AArch32
 * and AArch64", version 3.2, which RISC-V uses too).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "start.h"

enum { SYS_WRITE0 = 0x04, SYS_GET_CMDLINE = 0x15, SYS_EXIT_EXTENDED = 0x20 };
enum { APPLICATION_EXIT = 0x20026, SPARE = 64 };

/* The loops below must stay loops: memset and memcpy are not there before data are. */
__attribute__((optimize("no-tree-loop-distribute-patterns"))) _Noreturn void start(void)
{
    for (uint8_t *to = link_data_begin, *from = link_data_load; to < link_data_end;)
        *to++ = *from++;
    for (uint8_t *to = link_bss_begin; to < link_bss_end;) *to++ = 0;
    uint8_t *here = (uint8_t *)__builtin_frame_address(0) - SPARE;
    for (volatile uint8_t *to = link_bss_end; to < here;) *to++ = START_PAINT;
    board_exit(main());
}

void board_write(const char *text) { semihost(SYS_WRITE0, text); }

_Noreturn void board_exit(int code)
{
    const uintptr_t block[2] = { APPLICATION_EXIT, (uintptr_t)code };
    semihost(SYS_EXIT_EXTENDED, block);
    for (;;) {}
}

void board_arguments(char *out, size_t cap)
{
    const uintptr_t block[2] = { (uintptr_t)out, cap };
    out[0] = '\0';
    if (semihost(SYS_GET_CMDLINE, block)) out[0] = '\0';
    char *from = out;
    while (*from && *from != ' ') from++;
    while (*from == ' ') from++;
    while ((*out++ = *from++)) {}
}

board_memory board_measure(void)
{
    const uint8_t *low = link_bss_end;
    while (low < link_stack_end && *low == START_PAINT) low++;
    return (board_memory){ .ram = (size_t)(link_stack_end - link_ram_begin),
                           .ram_static = (size_t)(link_bss_end - link_ram_begin),
                           .stack_used = (size_t)(link_stack_end - low),
                           .flash = (size_t)(link_flash_end - link_flash_begin) };
}
