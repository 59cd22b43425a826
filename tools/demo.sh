#!/usr/bin/env bash
# tools/demo.sh HILLOCK: the memory plan of a small online training run, then the run itself.
set -euo pipefail
cd "$(dirname "$0")/.."
hillock=${1:-build/release/hillock}
recipe=recipes/digits-stop.yaml
out=build/demo

"$hillock" plan $recipe
rm -rf $out
"$hillock" train $recipe --out $out
report=$(find $out -name report.svg | head -n 1)
if [ -z "$report" ]; then
    echo "error: $out holds no report.svg" >&2
    exit 1
fi
echo "curves: $report"
