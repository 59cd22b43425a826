#!/usr/bin/env bash
# hillock compare with train.tune: every row keeps the forms that it followed, takes those of the cache,
# and goes on with its own after a kill.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "$0")/lib_expect.sh"
hillock=${HILLOCK:?path of the command}
python=${PYTHON:-python3}
export OMP_NUM_THREADS=1
rm -rf work && mkdir work && cd work
export XDG_CACHE_HOME=$PWD/cache

cat > digits.yaml <<'YAML'
data: {name: digits, validation: 0.1}
net:
  layers:
    - {type: flatten, name: flat}
    - {type: dense, name: fc1, out: 16}
    - {type: spiking, name: lif1}
    - {type: dense, name: head, out: 10}
    - {type: readout, name: readout, kind: sum}
rule: {name: stop}
optim: {name: sgd, lr: 0.1, momentum: 0.9}
train: {T: 2, batch: 64, epochs: 1, seed: 3, tune: true}
YAML
tuned() { "$hillock" compare digits.yaml --vary rule=stop,sltt "$@"; }

# ---- measured once, and kept: in the cache and with every row
tuned --out rows > table 2> err || { cat err >&2; fail "a tuned comparison"; }
grep -q 'stop, seed 1: tuning fc1 forward, 1 of 5' err || { cat err >&2; fail "the first row did not measure"; }
grep -q 'sltt, seed 1: choices of 5 products: 0 measured, 5 from' err || { cat err >&2; fail "the second row measured again"; }
cmp rows/stop-s1/choice.json rows/sltt-s1/choice.json || fail "rows of one comparison follow different tables"
cache=$(echo cache/hillock/choices-*.json)
[ -s "$cache" ] || fail "nothing in the cache"
cp -r rows before
tuned --out rows > again 2> err || { cat err >&2; fail "a finished comparison"; }
cmp table again || fail "another table from finished rows"
diff -r before/stop-s1 rows/stop-s1 || fail "a finished row was touched"

# ---- a cache with forms that no measurement finds: rows follow it
"$python" - "$cache" <<'PY'
import json, sys
table = json.load(open(sys.argv[1]))
for row in table["rows"]:
    row["form"], row["events_below"] = "ref", 0.0
json.dump(table, open(sys.argv[1], "w"))
PY
"$hillock" compare digits.yaml --vary rule=stop,sltt --epochs 20 --out long > said 2>&1 & pid=$!
for _ in $(seq 500); do
    [ ! -e long/stop-s1/checkpoint/last/manifest.json ] || break
    sleep 0.02
done
kill -KILL $pid 2> /dev/null || true
wait $pid 2> /dev/null || true
[ -e long/stop-s1/checkpoint/last/manifest.json ] && [ ! -e long/stop-s1/result.json ] ||
    { cat said >&2; fail "the first row was not cut off in the middle"; }
[ "$(grep -c '"form": "ref"' long/stop-s1/choice.json)" = 5 ] || fail "the row does not follow the cache"
cp long/stop-s1/choice.json kept.json

# ---- a row that was cut off has its own table, or ends with a reason
cp -r long lost
rm lost/stop-s1/choice.json
expect 1 '| stop | 0 of 1 | failed: seed 1: ' tuned --epochs 20 --out lost
grep -q 'choice.json is missing: this run was tuned' said || { cat said >&2; fail "no reason"; }
rm -r cache
tuned --epochs 20 --out long > table 2> err || { cat err >&2; fail "a tuned comparison does not go on"; }
cmp kept.json long/stop-s1/choice.json || fail "a resumed row has another table"
! grep -q 'stop, seed 1: tuning' err || fail "a resumed row was measured again"
grep -q 'sltt, seed 1: tuning' err || fail "the row that had not begun did not measure"
"$hillock" train digits.yaml --set rule=stop --set train.seed=1 --epochs 20 --choice kept.json --out straight --quiet > /dev/null
cmp straight/checkpoint/last/weights.safetensors long/stop-s1/checkpoint/last/weights.safetensors ||
    fail "a resumed row has other weights"
echo "compare, tuned: all as expected"
