#!/usr/bin/env bash
# The core and an exported net for a second instruction set: RV32IMAFC compiles without a warning, needs
# nothing but string.h and math.h, links into the board's memory as planned, and gives this computer's
# bits where QEMU is there to run it.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "$0")/lib_expect.sh"
. "$(dirname "$0")/lib_firmware.sh"
hillock=${HILLOCK:?path of the command}
src=${HILLOCK_SRC:?path of the sources}
. "$src/firmware/boards.sh"
mkdir -p work && cd work               # objects stay: only what changed is compiled again
board rv32
for tool in $prefix-gcc $prefix-ld $prefix-nm; do
    command -v "$tool" >/dev/null || { echo "SKIPPED firmware rv32: $tool not installed"; exit 77; }
done
echo 'int main(void) { return 0; }' >probe.c
$prefix-gcc $cpu $specs -c probe.c -o probe.o 2>/dev/null ||
    { echo "SKIPPED firmware rv32: picolibc is not installed"; exit 77; }

recipe=$src/recipes/digits-mcu.yaml
"$hillock" export "$recipe" --target c --out fresh --samples 100,100 >/dev/null
for file in fresh/*; do                # a file with the same text keeps its time, and its object
    mkdir -p net
    cmp -s "$file" "net/${file#fresh/}" || cp "$file" net/
done
"$src/firmware/build.sh" rv32 net out
as_planned rv32 out "$recipe"
if have; then
    "$src/firmware/run.sh" rv32 out self | tee self
    grep -q '^self-test: ' self || fail "self-test on the device"
else
    echo "note: linked, not run: $missing is not installed"
fi
