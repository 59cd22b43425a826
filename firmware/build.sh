#!/usr/bin/env bash
# firmware/build.sh BOARD NET OUT [PROGRAM]: the core, an exported net and a program (default
# firmware/digits.c) as OUT/BOARD.elf with its map; BOARD `host` builds them for this computer.
# Fails where the core or the net needs more than string.h and math.h. NET `none`: checks the core.
# OPTIMIZE=-Os in the environment: less code, slower (another OUT for it: objects are kept).
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
source_root=$(cd "$(dirname "$0")/.." && pwd)
. "$source_root/firmware/boards.sh"
name=$1 net=$2 out=$3 program=${4:-$source_root/firmware/digits.c}
core=${HILLOCK_CORE:-$source_root/core}
warnings="-Wall -Wextra -Wshadow -Werror -Wno-unknown-pragmas"
flags="-std=gnu11 ${OPTIMIZE:--O2} -DHK_SMALL -ffp-contract=off -fno-math-errno -fno-trapping-math
    -ffunction-sections -fdata-sections $warnings"
mkdir -p "$out/$name/include"
# A folder with nothing but Random123 in it: /usr/include as a whole would bring the host's libc.
ln -sfn "${RANDOM123:-/usr/include}/Random123" "$out/$name/include/Random123"
includes="-I$core -I$source_root/include -I$net -I$source_root/firmware -isystem $out/$name/include"

present=
[ "$net" = none ] || present=$net
objects=
compile() {             # compile FLAGS FILE...: each into OUT/NAME, added to $objects
    local extra=$1 file object
    shift
    for file in "$@"; do
        object=$out/$name/$(echo "${file#"$source_root"/}" | tr / _).o
        case $file in */samples.c) object=$out/$name/samples.o ;; esac
        if [ ! -f "$object" ] || [ -n "$(find "$file" "$core" "$source_root/include" $present \
            "$source_root/firmware" -newer "$object" -type f -print -quit)" ]; then
            $cc $flags $extra $includes -c "$file" -o "$object"
        fi
        objects="$objects $object"
    done
}

if [ "$name" = host ]; then
    cc=${CC:-cc} extra=
else
    board "$name"
    cc=$prefix-gcc extra="$cpu $specs -ffreestanding"
fi
compile "$extra" "$core"/*/*.c
of_core=$objects
library=
if [ "$net" != none ]; then
    compile "$extra" "$net"/net.c "$net"/weights.c "$net"/selftest.c
    library=$objects
fi
[ ! -f "$net/samples.c" ] || compile "$extra" "$net/samples.c"   # placed by its name
if [ "$name" = host ]; then
    compile "-DBOARD_NATIVE" "$program" "$source_root/firmware/native.c"
    $cc -o "$out/host/digits" $objects -lm
    exit
fi
emulation=
[ "$name" != rv32 ] || emulation=-melf32lriscv
$prefix-ld $emulation -r -o "$out/$name/hillock_core.o" $of_core
check=$source_root/tests/check_core_symbols.sh
bash "$check" "$out/$name/hillock_core.o" $prefix-nm
[ "$net" != none ] || exit 0
$prefix-ld $emulation -r -o "$out/$name/hillock_net.o" $library
bash "$check" "$out/$name/hillock_net.o" $prefix-nm 'net|net_node|net_param|net_memory'

compile "$extra -DBOARD_NAME=\"$name\" -DBOARD_PICO=$pico" "$program" \
    "$source_root/firmware/start.c" "$source_root/firmware/$start"

$cc $cpu $specs -nostartfiles -L"$source_root/firmware" -T "$source_root/firmware/board/$script.ld" \
    -Wl,--gc-sections,-Map="$out/$name.map",--no-warn-rwx-segments -o "$out/$name.elf" $objects -lm -lc -lgcc
