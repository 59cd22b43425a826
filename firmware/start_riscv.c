/* RISC-V in machine mode: floating-point unit, traps, and instructions counted by minstret, which under
 * QEMU's -icount shift=6 gives 64 for each.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "start.h"

const char board_name[] = BOARD_NAME;

/* The three instructions that mean a semihosting call must stand together, uncompressed. */
__attribute__((noinline, aligned(16))) uintptr_t semihost(uintptr_t operation, const void *argument)
{
    register uintptr_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    __asm__ volatile(".option push\n.option norvc\n"
                     "slli x0, x0, 0x1f\nebreak\nsrai x0, x0, 7\n"
                     ".option pop"
                     : "+r"(a0) : "r"(a1) : "memory");
    return a0;
}

__attribute__((used)) static void fault(void)
{
    board_write("fault\n");
    board_exit(3);
}

__attribute__((naked, noreturn, section(".start"), used)) void reset(void)
{
    __asm__ volatile(".option push\n.option norelax\n"
                     "la gp, __global_pointer$\n"
                     ".option pop\n"
                     "la sp, link_stack_end\n"
                     "la t0, trap\n"
                     "csrw mtvec, t0\n"
                     "li t0, 0x6000\n"                /* mstatus.FS: floating point on */
                     "csrs mstatus, t0\n"
                     "csrw fcsr, x0\n"
                     "j start\n"
                     ".align 2\n"
                     "trap: j fault\n");
}

enum { PER_INSTRUCTION = 64 };

static uint32_t begun;

static uint32_t retired(void)
{
    uint32_t n;
    __asm__ volatile("csrr %0, minstret" : "=r"(n) : : "memory");
    return n;
}

void board_count_begin(void) { begun = retired(); }

uint32_t board_count_end(void) { return (retired() - begun) / PER_INSTRUCTION; }
