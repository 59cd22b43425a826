#!/usr/bin/env bash
# firmware/run.sh [-count] BOARD OUT [WORD...]: runs OUT/BOARD.elf under QEMU with these arguments.
# -count: every instruction takes 64 ns of the board's time, so that it can count them.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(cd "$(dirname "$0")" && pwd)/boards.sh"
icount=
[ "$1" != -count ] || { icount="-icount shift=6"; shift; }
name=$1 out=$2
shift 2
if [ "$name" = host ]; then exec "$out/host/digits" "$@"; fi
board "$name"
arguments=arg=$name
for word in "$@"; do arguments=$arguments,arg=$word; done
exec $qemu -M $machine -nographic -monitor none -serial none $icount \
    -semihosting-config "enable=on,target=native,$arguments" -kernel "$out/$name.elf" 2>&1
