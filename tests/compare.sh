#!/usr/bin/env bash
# hillock compare: the table, what is refused, what is kept, and going on after a kill.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "$0")/lib_expect.sh"
hillock=${HILLOCK:?path of the command}
python=${PYTHON:-python3}
export OMP_NUM_THREADS=1
rm -rf work && mkdir work && cd work

cat > digits.yaml <<'YAML'
data: {name: digits, validation: 0.1}
net:
  layers:
    - {type: flatten, name: flat}
    - {type: dense, name: fc1, out: 16}
    - {type: batchnorm, name: bn1}
    - {type: spiking, name: lif1}
    - {type: dense, name: head, out: 10}
    - {type: readout, name: readout, kind: sum}
rule: {name: stop}
optim: {name: sgd, lr: 0.1, momentum: 0.9}
train: {T: 2, batch: 64, epochs: 1, seed: 3}
YAML

compare() { "$hillock" compare digits.yaml "$@"; }

# ---- calls that are refused before anything runs
expect 1 "nearest is 'sltt'" compare --vary rule=stop,slt --out none
expect 1 "nearest is 'rule'" compare --vary rul=stop,sltt --out none
expect 1 'same training' compare --vary rule=stop --vary train.seed=1,2 --out none
expect 1 'not closed' compare --vary 'rule={name: stop' --out none
expect 1 'expected NAME' compare --variant =rule=stop --out none
expect 1 'share the folder' compare --variant A=rule=stop --variant a=rule=sltt --out none
expect 1 'is empty' compare --vary rule=stop, --out none
expect 2 'whole number' compare --vary rule=stop --seeds none
expect 1 'missing.yaml' "$hillock" compare missing.yaml --vary rule=stop --out none
[ ! -e none ] || fail "a refused comparison left a folder"

# ---- a product with a refused member: its row has the reason, the others run, the code is 1
code=0
compare --vary rule=stop,sltt --vary neuron.reset=soft,hard --seeds 2 --out product > table 2> err || code=$?
[ $code -eq 1 ] || { cat err >&2; fail "a refused member: exit code $code, expected 1"; }
grep -q '^| stop, reset=hard | 0 of 2 | refused: .*hard reset' table || { cat table >&2; fail "no refused row"; }
[ "$(grep -c '^| [a-z, =]* | 2 | [0-9.]* ± [0-9.]* |' table)" = 3 ] || { cat table >&2; fail "not three rows"; }
grep -q 'epoch chosen on the validation split; mean ± standard deviation over seeds 1 to 2' table || fail "which epoch"
grep -q '\[1/8\] stop, reset=soft, seed 1: epoch 1/1' err || { cat err >&2; fail "no progress on stderr"; }
cmp table product/compare.md || fail "compare.md is not what was printed"
[ "$(ls -d product/*-s[12] | wc -l)" = 6 ] || fail "not six run folders"
"$python" - <<'PY'
import json, math, statistics, xml.dom.minidom
xml.dom.minidom.parse("product/compare.svg")
whole = json.load(open("product/compare.json"))
assert [v["state"] for v in whole["variants"]] == ["done", "refused", "done", "done"]
for v in whole["variants"]:
    runs = [json.load(open("product/%s/result.json" % r["folder"])) for r in v["runs"]]
    if not runs:
        continue
    accuracy = [r["test"]["accuracy"] for r in runs]
    assert math.isclose(v["mean"]["accuracy"], statistics.mean(accuracy), rel_tol=1e-6)
    assert math.isclose(v["deviation"]["accuracy"], statistics.stdev(accuracy), rel_tol=1e-6)
    for r, mine in zip(runs, v["runs"]):
        assert (mine["seed"], mine["planned"]) == (r["seed"], r["memory"]["total"])
        assert mine["environment"]["cpu"] and mine["resident"] == r["resident"] > mine["planned"]
        rate = r["test"]["rates"]["lif1"]             # 64 -> 16 of a frame shown twice, 16 -> 10 of spikes
        assert mine["operations_dense"] == 2 * (64 * 16 + 16 * 10)
        assert math.isclose(mine["operations_events"], 64 * 16 + 2 * 16 * 10 * rate, rel_tol=1e-6)
    learned = v["mean"]["threshold"]
    assert (learned is not None) == v["name"].startswith("stop")
    assert v["command"] == "hillock train digits.yaml --set rule=%s --set neuron.reset=%s" % (
        v["name"][:4], v["name"][-4:])
PY

# ---- the table again, from the folders alone
cp -r product copy
rm copy/compare.*
code=0
compare --vary rule=stop,sltt --vary neuron.reset=soft,hard --seeds 2 --out copy --table --quiet > again || code=$?
[ $code -eq 1 ] || fail "--table: exit code $code, expected 1"
cmp table again || fail "another table from the same folders"
cmp product/compare.json copy/compare.json || fail "another compare.json from the same folders"
cmp product/compare.svg copy/compare.svg || fail "another picture from the same folders"

# ---- more seeds and variants may be added, others or fewer are refused
expect 1 'not among those asked for' compare --vary rule=stop,sltt --seeds 2 --out product
expect 1 'another training' compare --set optim.lr=0.2 --vary rule=stop,sltt --vary neuron.reset=soft,hard \
    --seeds 2 --out product
expect 1 'with 2 seeds' compare --vary rule=stop,sltt --vary neuron.reset=soft,hard --out product
rm copy/compare.json
expect 1 "section optim has 'lr: 0.1', expected 'lr: 0.2'" compare --set optim.lr=0.2 --vary rule=stop,sltt \
    --vary neuron.reset=soft,hard --seeds 2 --out copy
expect 1 '| stop L=false | 0 of 2 | not run yet' compare --vary 'rule={name: stop, L: false},{name: sltt}' \
    --seeds 2 --out labels --table

# ---- a run made by `hillock train` counts, whatever rates it gave to what is not learned
"$hillock" train digits.yaml --set rule=sltt --set train.seed=1 --set optim.lr_leak=0.3 --out kept/sltt-s1 --quiet > /dev/null
cp -r kept/sltt-s1 before
expect 0 '| STOP-W |' compare --variant STOP-W="rule.T=false rule.L=false" --variant SLTT=rule=sltt --out kept --jobs 2
diff -r before kept/sltt-s1 || fail "a finished run was trained again"
[ -s kept/stop-w-s1/result.json ] || fail "the other variant was not trained"
"$hillock" train digits.yaml --set rule=sltt --set train.seed=1 --set optim.lr=0.3 --out other/sltt-s1 --quiet > /dev/null
expect 1 "another training than 'sltt'" compare --vary rule=stop,sltt --out other
[ ! -e other/stop-s1 ] || fail "something ran beside another run"

# ---- what a run takes from the data is not another recipe
for again in 1 2; do
    expect 0 '| sltt | 1 |' compare --set data.normalise=channel --vary rule=stop,sltt --out normalised --quiet
done

# ---- the strength of a synapse is no leak: its memory, at most 1, is
sed 's/{type: dense, name: fc1/{type: synapse, name: syn, alpha: 0.9, beta: 5}\n    - &/' digits.yaml > synapse.yaml
expect 0 '| bptt | 1 |' "$hillock" compare synapse.yaml --vary rule=bptt --out synapse --quiet
grep -q '"syn.beta"' synapse/compare.json || fail "the strength is not among the learned values"
"$python" -c 'import json; v = json.load(open("synapse/compare.json"))["variants"][0]["mean"]["leak"]; assert 0.1 <= v["min"] <= v["max"] <= 1, v' ||
    fail "a strength counts as a leak"

# ---- a run that fails is a row, the others go on
mkdir broken && touch broken/stop-s1
expect 1 '| stop | 0 of 1 | failed: seed 1: ' compare --vary rule=stop,sltt --out broken --quiet
grep -q '^| sltt | 1 | [0-9]' said || { cat said >&2; fail "the other variant is missing"; }

# ---- two at a time would write into the same folders
mkdir busy
flock busy/compare.lock sleep 20 & pid=$!
while flock -n busy/compare.lock true; do sleep 0.02; done
expect 1 'at work' compare --vary rule=stop,sltt --out busy
kill $pid

# ---- killed at once, and asked to stop: the same command goes on, to the bits of an uninterrupted run
"$hillock" train digits.yaml --set rule=stop --set train.seed=1 --epochs 8 --out straight --quiet > /dev/null
waits=stop-s1/checkpoint/last/manifest.json
for signal in KILL INT; do
    "$hillock" compare digits.yaml --vary rule=stop,sltt --epochs 8 --out long > said 2>&1 & pid=$!
    for _ in $(seq 500); do
        [ ! -e long/$waits ] || break
        sleep 0.02
    done
    kill -$signal $pid 2> /dev/null || true
    wait $pid 2> /dev/null || true
    waits=sltt-s1/checkpoint/last/manifest.json
done
expect 0 '| sltt | 1 |' compare --vary rule=stop,sltt --epochs 8 --out long
cmp straight/checkpoint/last/weights.safetensors long/stop-s1/checkpoint/last/weights.safetensors ||
    fail "a resumed run has other weights"
echo "compare: all as expected"
