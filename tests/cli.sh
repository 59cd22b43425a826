#!/usr/bin/env bash
# The command as people use it: help, exit codes, unknown words, and a run from plan to resume.
set -euo pipefail
. "$(dirname "$0")/lib_expect.sh"
hillock=${HILLOCK:?path of the command}
python=${PYTHON:-python3}
rm -rf work && mkdir work && cd work

cat > digits.yaml <<'YAML'
data: {name: digits, validation: 0.1}
encode: {name: direct}
net:
  layers:
    - {type: flatten, name: flat}
    - {type: dense, name: fc1, out: 32}
    - {type: batchnorm, name: bn1}
    - {type: spiking, name: lif1}
    - {type: dense, name: head, out: 10}
    - {type: readout, name: readout, kind: sum}
rule: {name: stop}
optim: {name: sgd, lr: 0.1, momentum: 0.9}
train: {T: 2, batch: 64, epochs: 1, seed: 3}
YAML

# ---- words
expect 0 'Usage: hillock' "$hillock" --help
expect 0 'hillock 0.' "$hillock" --version
expect 2 'Usage: hillock' "$hillock"
expect 2 "nearest is 'train'" "$hillock" trian digits.yaml
for command in train compare eval plan export list probe bench doctor; do
    expect 0 'Usage: hillock' "$hillock" $command --help
    expect 2 'hillock' "$hillock" $command --no-such-option
done
expect 0 'stop' "$hillock" list rule
expect 2 "unknown part" "$hillock" bench prodcuts
expect 0 'agrees' "$hillock" doctor --threads 1

# ---- wrong input
expect 1 'missing.yaml' "$hillock" train missing.yaml
expect 1 "momentum" "$hillock" train digits.yaml --out run --set optim.momentun=0.5
expect 2 'whole number' "$hillock" train digits.yaml --epochs many
expect 2 'exclude' "$hillock" train digits.yaml --resume --force
expect 1 'weights' "$hillock" eval digits.yaml
[ ! -e run ] || fail "a refused recipe left a folder"

# ---- one recipe, timed alone and in turns
expect 2 'stands alone' "$hillock" bench step
expect 2 'stands alone' "$hillock" bench step infer -r digits.yaml
expect 2 'go with' "$hillock" bench products --paced
expect 2 'go with' "$hillock" bench neurons --traffic
expect 2 'go with' "$hillock" bench step -r digits.yaml --paced --traffic
expect 1 'missing.npz' "$hillock" bench step -r digits.yaml --input missing.npz
expect 0 'above the idle process' "$hillock" bench infer -r digits.yaml -n 2 --set train.batch=1
"$hillock" bench step -r digits.yaml --warmup 0 -n 1 --json > alone.json
printf '\n\n\n' | "$hillock" bench step -r digits.yaml --warmup 0 --paced > turns.json
"$python" - alone.json turns.json <<'PYTHON' || fail "bench step in turns is not bench step alone"
import json, sys
alone = json.load(open(sys.argv[1]))
idle, ready, first, second = [json.loads(line) for line in open(sys.argv[2])]
assert idle["state"] == "idle" and ready["state"] == "ready" and ready["batch"] == 64
assert first["loss"] == alone["loss"] and first["spikes"] == alone["spikes"]
assert second["loss"] < first["loss"]
assert alone["resident"] > alone["idle"] and ready["planned"] == alone["planned"] > 0
PYTHON

# ---- plan, train, eval
expect 0 'stop' "$hillock" plan digits.yaml
"$hillock" train digits.yaml --out run --threads 1 > out 2> err || { cat err >&2; fail train; }
grep -q 'test accuracy' out || fail "no result on stdout"
grep -q 'epoch 1/1' err || fail "no progress on stderr"
for file in recipe.yaml environment.json metrics.jsonl report.svg result.json checkpoint/last/manifest.json \
            checkpoint/last/weights.safetensors checkpoint/best/weights.safetensors; do
    [ -s run/$file ] || fail "run/$file is missing"
done
"$python" -c 'import xml.dom.minidom, sys; xml.dom.minidom.parse("run/report.svg")' || fail "report.svg is not XML"
expect 1 'resume' "$hillock" train digits.yaml --out run
"$hillock" train digits.yaml --out run --force --quiet --json > out.json 2> err
[ ! -s err ] || fail "--quiet printed on stderr"
expect 0 'test accuracy' "$hillock" eval run
expect 0 '"accuracy"' "$hillock" eval run --json
expect 0 'val accuracy' "$hillock" eval digits.yaml --weights run/checkpoint/last/weights.safetensors --split val
"$hillock" eval run --set train.products=ref > by_step
"$hillock" eval run --set train.products=ref --set train.layer_major=true > by_layer
cmp by_step by_layer || fail "inference layer by layer says something else"
expect 1 'fc1.weight' "$hillock" eval digits.yaml --set net.layers.1.out=16 \
    --weights run/checkpoint/last/weights.safetensors
head -c 100 run/checkpoint/last/weights.safetensors > cut.safetensors
expect 1 'cut.safetensors' "$hillock" eval digits.yaml --weights cut.safetensors

# ---- products in bf16 where the processor has it: another loss, the same accuracy within noise
"$hillock" train digits.yaml --out narrow --quiet --set train.precision=auto --set train.products=dense > /dev/null
"$hillock" train digits.yaml --out full --quiet --set train.products=dense > /dev/null
"$python" - <<'PYTHON' || fail "training in bf16 does not learn as in fp32"
import json
narrow, full = (json.load(open(d + "/result.json")) for d in ("narrow", "full"))
bf16 = json.load(open("narrow/environment.json"))["instructions"] == "bf16"
assert (narrow["last"]["loss"] != full["last"]["loss"]) == bf16
assert abs(narrow["test"]["accuracy"] - full["test"]["accuracy"]) < 0.03
PYTHON

# ---- resume: interrupted, one epoch more, and the recipe that the run wrote
"$hillock" train digits.yaml --out long --epochs 40 --checkpoint-every 1b > /dev/null 2>&1 & pid=$!
while [ ! -e long/checkpoint/last/manifest.json ]; do sleep 0.02; kill -0 $pid 2> /dev/null || break; done
kill -INT $pid 2> /dev/null || true
code=0; wait $pid || code=$?
[ $code -le 1 ] || fail "interrupted run ended with $code"
expect 0 'resumed at epoch' "$hillock" train digits.yaml --out long --epochs 2 --resume
expect 0 'resumed at epoch 2, batch 0' "$hillock" train run/recipe.yaml --out run --epochs 2 --resume
expect 1 'another recipe' "$hillock" train digits.yaml --out run --resume --set optim.lr=0.2

# ---- choices by measurement: kept in the cache and in the run, followed by another run
export XDG_CACHE_HOME=$PWD/cache
expect 0 'tuning fc1 forward, 1 of 5' "$hillock" train digits.yaml --out tuned --tune
expect 0 'choices of 5 products: 0 measured' "$hillock" bench step -r digits.yaml --tune --warmup 0 -n 1
"$hillock" train digits.yaml --out same --choice tuned/choice.json > /dev/null 2> said || fail "train --choice"
grep -q 'choices of 5 products from tuned/choice.json' said || fail "the table was not followed"
! grep -q 'tuning' said || fail "measured beside a given table"
cmp tuned/checkpoint/last/weights.safetensors same/checkpoint/last/weights.safetensors ||
    fail "the same table gives other bits"
expect 0 'choices of 2 products from tuned/choice.json' "$hillock" eval tuned
expect 2 'exclude' "$hillock" train digits.yaml --resume --choice tuned/choice.json
expect 2 'go with' "$hillock" bench products --tune
head -c 400 tuned/choice.json > cut.json
expect 1 'cut.json' "$hillock" train digits.yaml --out other --choice cut.json
[ ! -e other ] || fail "a refused table left a folder"

# ---- probe
if "$python" -c 'import numpy' 2> /dev/null; then
    "$python" - <<'PY'
import numpy
r = numpy.random.default_rng(1)
x = r.random((3, 5, 1, 8, 8), dtype="float32")
numpy.savez("x.npz", x=x, label=numpy.arange(5))
numpy.savez("frame.npz", x=x[0], label=numpy.arange(5))
numpy.savez("bad.npz", x=x, label=numpy.arange(4))
PY
    expect 0 'arrays' "$hillock" probe digits.yaml --input x.npz --out y.npz --save-weights w.safetensors
    expect 0 '"loss"' "$hillock" probe digits.yaml --weights w.safetensors --input x.npz --out z.npz --json
    expect 0 'arrays' "$hillock" probe digits.yaml --input frame.npz --out f.npz
    expect 1 "label" "$hillock" probe digits.yaml --input bad.npz --out b.npz
    cmp y.npz z.npz || fail "saved weights give another probe"
    "$python" - <<'PY'
import numpy
y, f = numpy.load("y.npz"), numpy.load("f.npz")
assert y["lif1.u"].shape == y["lif1.s"].shape == y["lif1.delta"].shape == (3, 5, 32)
assert y["fc1.trace_w"].shape == (3, 5, 64) and f["fc1.trace_w"].shape == (2, 5, 64)
assert y["logits"].shape == (3, 5, 10) and y["loss"].shape == () and y["grad.fc1.weight"].shape == (32, 64)
assert y["lif1.trace_threshold"].shape == y["lif1.trace_leak"].shape == (3, 5, 32)
assert set(numpy.unique(y["lif1.s"])) <= {0, 1}
PY
fi
echo "command: all as expected"
