/* Cortex-M: vector table, floating-point unit, faults, and instructions counted by SysTick.
 *
 * BOARD_NAME   the name printed
 * BOARD_PICO   picoseconds of one SysTick tick. QEMU runs with -icount shift=6: an instruction takes
 *              64 ns of the board's time, more than a tick, so that ticks tell instructions apart.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "start.h"

const char board_name[] = BOARD_NAME;

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYST_CSR REGISTER(0xe000e010u)       /* control: 1 enable, 4 processor clock */
#define SYST_RVR REGISTER(0xe000e014u)       /* reload value, 24 bits                */
#define SYST_CVR REGISTER(0xe000e018u)       /* current value, counts down           */
#define CPACR    REGISTER(0xe000ed88u)       /* access to coprocessors               */

enum { INSTRUCTION_PICO = 64000, TICKS = 0xffffff };

uintptr_t semihost(uintptr_t operation, const void *argument)
{
    register uintptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

__attribute__((naked, noreturn)) static void reset(void)
{
    __asm__ volatile("ldr r0, =0xe000ed88\n"          /* CPACR: full access to CP10, CP11 */
                     "ldr r1, [r0]\n"
                     "orr r1, r1, #0xf00000\n"
                     "str r1, [r0]\n"
                     "dsb\n"
                     "isb\n"
                     "ldr r0, =link_stack_end\n"
                     "mov sp, r0\n"
                     "b start\n");
}

static void fault(void)
{
    board_write("fault\n");
    board_exit(3);
}

typedef union vector { void (*handler)(void); const void *stack; } vector;

__attribute__((section(".start"), used)) static const vector table[16] = {
    { .stack = link_stack_end }, { reset }, { fault }, { fault }, { fault }, { fault }, { fault },
    { fault }, { NULL }, { NULL }, { NULL }, { fault }, { fault }, { NULL }, { fault }, { fault },
};

/* newlib's mathematics sets errno; its own would bring a kilobyte of state for every thread. */
int *__errno(void);
int *__errno(void)
{
    static int number;
    return &number;
}

void board_count_begin(void)
{
    SYST_RVR = TICKS;
    SYST_CVR = 0;
    SYST_CSR = 5;
}

uint32_t board_count_end(void)
{
    const uint32_t ticks = TICKS - SYST_CVR;
    SYST_CSR = 0;
    return (uint32_t)(((uint64_t)ticks * BOARD_PICO + INSTRUCTION_PICO / 2) / INSTRUCTION_PICO);
}
