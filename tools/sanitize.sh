#!/usr/bin/env bash
# tools/sanitize.sh PRESET...: builds each preset and runs its unit tests.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0
for preset in "$@"; do
    echo "== $preset"
    if [ "$preset" = tsan ] && ! command -v clang >/dev/null; then
        echo "SKIPPED tsan: clang not installed"
        continue
    fi
    cmake --preset "$preset" >/dev/null
    cmake --build "build/$preset"
    tools/run-tests.py "build/$preset" -L unit || failed=1
done
exit $failed
