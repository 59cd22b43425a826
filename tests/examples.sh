#!/usr/bin/env bash
# The examples compile against what `make install` installs, and learn: 01 and 03 with the core alone, 02 with
# everything. tests/embed.sh has embed_train.c. examples/README.md names them all.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "$0")/lib_build.sh"
rm -rf work && mkdir work && cd work
here=$PWD
entry() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
cc=$(entry CMAKE_C_COMPILER)
sanitize=$(entry HK_SANITIZE)
warnings="-Wall -Wextra -Wshadow -Werror ${sanitize:+-fsanitize=$sanitize}"

for file in "$source"/examples/*.[ch]; do
    grep -qF "(${file##*/})" "$source/examples/README.md" || fail "examples/README.md does not name ${file##*/}"
done
cmake --install "$build" --prefix "$here/prefix" > installed.txt

# ---- 01: installed headers and the core, nothing else
if [ -f "$build/libhillock_core.a" ]; then
    library=$(find prefix -name libhillock_core.a)
    $cc -std=c11 -pedantic -O2 $warnings -I prefix/include "$source/examples/01_embedded_loop.c" \
        "$library" -lm -o 01
    ./01 > 01.txt || { cat 01.txt; fail "01_embedded_loop"; }
    awk '$1 == "update" { if (!first) first = $4; last = $4 }
         END { exit !(last < first / 4) }' 01.txt || { cat 01.txt; fail "01_embedded_loop: no lower loss"; }

    # ---- 03: step by step from a sensor
    $cc -std=c11 -pedantic -O2 $warnings -I prefix/include "$source/examples/03_stream.c" "$library" -lm -o 03
    ./03 > 03.txt || { cat 03.txt; fail "03_stream"; }
    awk '$1 == "step" && $2 == 30000 { before = $4 } $1 == "step" { last = $4 }
         END { exit !(before > 85 && last > 85) }' 03.txt || { cat 03.txt; fail "03_stream: does not learn"; }
else
    echo "note: this build has no libhillock_core.a"
fi

# ---- 02: a recipe, and again to see that a finished run is not begun anew
PKG_CONFIG_PATH=$here/$(dirname "$(find prefix -name hillock.pc)")
export PKG_CONFIG_PATH
$cc -std=c11 -pedantic -O2 $warnings "$source/examples/02_train.c" -o 02 $(pkg-config --cflags --libs hillock)
settings="net.width=8 train.epochs=2 train.T=2"
./02 "$source/recipes/digits-stop.yaml" run $settings > 02.txt || { cat 02.txt; fail "02_train"; }
for word in 'epoch 2 of 2' 'test accuracy [6-9]'; do
    grep -q "$word" 02.txt || { cat 02.txt; fail "02_train: '$word' is missing"; }
done
./02 "$source/recipes/digits-stop.yaml" run $settings > again.txt || { cat again.txt; fail "02_train again"; }
[ "$(tail -n 1 02.txt)" = "$(tail -n 1 again.txt)" ] || { cat again.txt; fail "02_train again: another result"; }
! ./02 missing.yaml other > said 2>&1 || fail "02_train without a recipe"
grep -q 'missing.yaml' said || { cat said; fail "02_train: the missing file is not named"; }
echo "the examples compile and learn"
