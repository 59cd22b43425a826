# For scripts that compile: how this build compiles and links, asked of ninja. Sets $source and $build.
# SPDX-License-Identifier: Apache-2.0
source=${HILLOCK_SRC:?root of the sources}
build=$(cd "$(dirname "${HILLOCK:?path of the command}")" && pwd)
ninja=$(command -v ninja || command -v ninja-build || true)

. "$source/tests/lib_expect.sh"
skip() { echo "SKIPPED $(basename "$0" .sh): $*"; exit 77; }

[ -f "$build/build.ninja" ] && [ -n "$ninja" ] || skip "$build is no build folder of ninja"

# compiler_of FILE: the command that compiles it, without its input and output.
compiler_of() {
    local line
    line=$("$ninja" -C "$build" -t commands hillock | grep -- " -c $source/$1\$" | head -n 1)
    [ -n "$line" ] || fail "the build does not compile $1"
    echo "${line%% -MD *}"
}

# linker_of TARGET: the command that links it, as run in $build; empty if there is no such target.
linker_of() {
    "$ninja" -C "$build" -t commands "$1" 2>/dev/null | tail -n 1
}
