#!/usr/bin/env bash
# tools/firmware.sh HILLOCK [BOARD...]: trains the digits net, exports it, builds the firmware of every
# board and runs it under QEMU: self-test, instructions of a step, adaptation, and 1000 learned samples
# whose log must equal that of this computer, bit by bit. Boards without tools are skipped by name.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/.."
hillock=${1:-build/release/hillock}
shift || true
out=build/firmware samples=1000 adapt=3000 test=1797
. firmware/boards.sh
[ $# = 0 ] || boards="$*"

if [ ! -f $out/run/result.json ]; then
    rm -rf $out/run
    mkdir -p $out
    "$hillock" train recipes/digits-mcu.yaml --out $out/run --quiet
fi
"$hillock" plan recipes/digits-mcu.yaml --target mcu --ram 65536 --flash 131072
"$hillock" export $out/run --target c --out $out/net --samples 3823,1797 --set optim.lr=0.005

firmware/build.sh host $out/net $out
firmware/run.sh host $out replay $samples >$out/host.log

# gains LOG: at least 10 points on shifted images, at most 2 lost on upright ones.
gains() {
    sed -n 's/^\(before\|after\): *upright \([0-9]*\) of \([0-9]*\), shifted \([0-9]*\) of.*/\2 \4 \3/p' "$1" |
        awk '{ u[NR] = 100 * $1 / $3; s[NR] = 100 * $2 / $3 }
            END { printf "shifted %+.1f points, upright %+.1f points\n", s[2] - s[1], u[2] - u[1]
                  exit !(NR == 2 && s[2] - s[1] >= 10 && u[2] - u[1] >= -2) }'
}

failed=0
for name in $boards; do
    echo "== $name"
    board "$name"
    if ! have; then
        echo "SKIPPED firmware $name: $missing not installed"
        continue
    fi
    firmware/build.sh "$name" $out/net $out
    firmware/run.sh "$name" $out self
    firmware/run.sh -count "$name" $out count | grep -v '^RAM\|^flash'
    firmware/run.sh "$name" $out adapt $adapt $test | tee $out/$name.adapt
    gains $out/$name.adapt || { echo "FAILED $name: adaptation"; failed=1; }
    firmware/run.sh "$name" $out replay $samples | grep -v '^RAM\|^flash' >$out/$name.log
    if cmp $out/host.log $out/$name.log; then
        echo "replay: $(wc -l <$out/$name.log) samples, every step equal to the host's"
    else
        echo "FAILED $name: replay differs from the host's"
        failed=1
    fi
done
exit $failed
