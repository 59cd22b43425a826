#!/usr/bin/env bash
# tools/fuzz.sh SECONDS: runs every tests/fuzz/fuzz_*.c for that long. New inputs are kept under
# build/fuzz/corpus; seeds are those of tests/fuzz/corpus/NAME, of recipes those of recipes/. Without
# a seed a reader of JSON or YAML, whose library is not instrumented, sees nothing but syntax errors.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
if ! command -v clang >/dev/null; then
    echo "SKIPPED fuzz: clang not installed"
    exit 0
fi
cmake --preset fuzz >/dev/null
cmake --build build/fuzz
shopt -s nullglob
programs=(build/fuzz/fuzz/fuzz_*)
if [ ${#programs[@]} = 0 ]; then
    echo "no tests/fuzz/fuzz_*.c"
    exit 0
fi
mkdir -p build/fuzz/recipes
cp recipes/*.yaml build/fuzz/recipes
failed=0
for program in "${programs[@]}"; do
    name=$(basename "$program")
    echo "== $name, $seconds s"
    mkdir -p "build/fuzz/corpus/$name" "build/fuzz/found"
    folders=("build/fuzz/corpus/$name")
    [ ! -d "tests/fuzz/corpus/$name" ] || folders+=("tests/fuzz/corpus/$name")
    [ "$name" != fuzz_recipe ] || folders+=(build/fuzz/recipes)
    "$program" -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/found/$name-" "${folders[@]}" || failed=1
done
exit $failed
