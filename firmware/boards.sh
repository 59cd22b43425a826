# The boards, for the scripts beside this file: sets what `board NAME` needs to build and to run it.
# SPDX-License-Identifier: Apache-2.0
boards="cortex-m4f cortex-m7 cortex-m55 rv32"

arm_tools="arm-none-eabi-gcc qemu-system-arm"
riscv_tools="riscv64-unknown-elf-gcc qemu-system-riscv32"

# cpu: flags of the compiler; pico: picoseconds of a SysTick tick; machine: QEMU's name.
board() {
    prefix=arm-none-eabi start=start_arm.c qemu=qemu-system-arm tools=$arm_tools specs=
    case $1 in
    cortex-m4f) machine=mps2-an386 pico=40000
        cpu="-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16" ;;
    cortex-m7) machine=mps2-an500 pico=40000
        cpu="-mcpu=cortex-m7 -mthumb -mfloat-abi=hard -mfpu=fpv5-d16" ;;
    # Without the vector extension: its arithmetic flushes subnormal numbers to zero.
    cortex-m55) machine=mps3-an547 pico=31250
        cpu="-mcpu=cortex-m55+nomve -mthumb -mfloat-abi=hard" ;;
    rv32) machine=virt pico=0 prefix=riscv64-unknown-elf start=start_riscv.c
        qemu="qemu-system-riscv32 -bios none" tools=$riscv_tools specs=--specs=picolibc.specs
        cpu="-march=rv32imafc -mabi=ilp32f -mcmodel=medany" ;;
    *) echo "unknown board '$1', expected one of: $boards" >&2; exit 2 ;;
    esac
    script=$machine
    [ "$1" != rv32 ] || script=virt-rv32
}

have() {
    for tool in $tools; do command -v "$tool" >/dev/null || { missing=$tool; return 1; }; done
}
