#!/usr/bin/env bash
# hillock stream: text, raw and NumPy steps from files and pipes give the same lines; learning pays, goes on
# after a checkpoint, ends cleanly on a signal, and a bad line costs no weight.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "$0")/lib_expect.sh"
hillock=${HILLOCK:?path of the command}
python=${PYTHON:-python3}
rm -rf work && mkdir work && cd work

# Two channels; class 1 where the second is the larger one. A label at three steps of four.
"$python" - <<'P'
import random, struct
random.seed(5)
text, raw = open("in.txt", "w"), open("in.f32", "wb")
rows = []
for i in range(4000):
    k = random.randrange(2)
    x = [random.gauss(1 - k, .3), random.gauss(k, .3)]
    label = -1 if i % 4 == 1 else k
    x = struct.unpack("<2f", struct.pack("<2f", *x))
    text.write(("%.9g,%.9g,%s\n" if i % 3 else "%.9g  %.9g %s\r\n") % (*x, "?" if label < 0 else label))
    raw.write(struct.pack("<3f", *x, label))
    rows.append((*x, label))
    if i % 1000 == 999:
        text.write("\n# so far\n---\n" if i % 2000 == 999 else "reset\n")
        raw.write(struct.pack("<3f", float("nan"), 0, 0))
        rows.append((float("nan"), 0, 0))
try:
    import numpy
    numpy.save("in.npy", numpy.array(rows, dtype="f8"))
except ImportError:
    pass
P
cat > r.yaml <<'Y'
data: {name: none, shape: [2], classes: 2}
net: {name: mlp, width: 8}
rule: stop
neuron: {name: lif, leak: 0.2, learn_leak: no, learn_threshold: no}
optim: {name: sgd, lr: 0.1}
train: {T: 1, batch: 1, threads: 1}
Y
run() { "$hillock" stream r.yaml --quiet "$@"; }

run --learn <in.txt >text || fail "text from a pipe"
[ "$(wc -l <text)" = 4000 ] || fail "not a line for every step"
[ "$(head -2 text | tail -1 | cut -f 1,3)" = "2	?" ] || fail "a line is step, prediction, label"
awk '$1 > 3000 && $3 != "?" { n++; right += $2 == $3 } END { exit !(right > 0.85 * n) }' text || fail "it does not learn"
run --learn --input in.txt | cmp text - || fail "text from a file"
(while read -r line; do echo "$line"; done <in.txt) | run --learn | cmp text - || fail "text in small pieces"
run --learn --input in.f32 --format f32 --labelled | cmp text - || fail "raw floats"
[ ! -f in.npy ] || run --learn --input in.npy --format npy | cmp text - || fail "NumPy"
run --learn --update-every 3 <in.txt | cmp -s text - && fail "--update-every changes nothing"

# In two parts with the weights in between (no momentum, and the cut is at the end of a sequence).
line=$(grep -n -m 1 '^---' in.txt | cut -d: -f 1)
head -n "$line" in.txt | run --learn --save half.safetensors --print 0 >none
[ ! -s none ] || fail "--print 0 prints"
tail -n "+$((line + 1))" in.txt | run --learn --weights half.safetensors --json --logits --print 1000 >json
"$python" - <<'P' || fail "JSON lines"
import json
last = [json.loads(l) for l in open("json")]
assert [d["step"] for d in last] == [1000, 2000, 3000], last
assert all(len(d["logits"]) == 2 and d["prediction"] in (0, 1) for d in last)
want = open("text").read().split("\n")[3999].split("\t")
assert str(last[-1]["prediction"]) == want[1] and last[-1]["label"] == int(want[2])
P
run --weights half.safetensors <in.txt >seen
tail -n "+$((line + 1))" in.txt | run --weights half.safetensors >seen2
cmp <(tail -n 3000 seen | cut -f 2,3) <(cut -f 2,3 seen2) || fail "looking changes the weights"

# A bad line: named, and what was learned before it is saved.
refused() { local word=$1; shift
    "$hillock" stream r.yaml "$@" >out 2>said && fail "$word: not refused"
    grep -q -- "$word" said || { cat said; fail "$word: not named"; }; }
(head -n 20 in.txt; echo "1,zwei,0"; cat in.txt) >bad.txt
refused "bad.txt, line 21: expected a number, found 'zwei'" --learn --input bad.txt --save kept.safetensors
head -n 20 in.txt | run --learn --print 0 --save twenty.safetensors
cmp kept.safetensors twenty.safetensors || fail "a bad line costs what was learned"
echo "1,2,2" >bad.txt;   refused "expected a class from 0 to 1, or ?, found '2'" --learn -i bad.txt
echo "1" >bad.txt;       refused "expected 2 values and perhaps a label, found 1 fields" --learn -i bad.txt
echo "1,2,0,4" >bad.txt; refused "found 4 fields" --learn -i bad.txt
echo "1,1e39" >bad.txt;  refused "expected a number" --learn -i bad.txt
head -c 100000 /dev/zero | tr '\0' '1' >bad.txt; refused "line 1: longer than" --learn -i bad.txt
head -c 25 in.f32 >bad.f32; refused "ends within step 3" --learn -i bad.f32 --format f32 --labelled
refused "does not begin as a .npy" --learn -i in.txt --format npy
refused "rule 'bptt' needs whole samples.*sltt, ottt_a, ottt_o, stop" --learn --set rule=bptt
refused "rule 'sltt_k' needs whole samples" --learn --set rule=sltt_k
refused "use loss.when: step" --learn --set loss.when=final
refused "encoder 'latency'" --learn --set encode=latency
refused "set mode: eval" --learn --set net.batchnorm=true
refused "set norm_mode: eval" --learn --set rule=sltt --set neuron.membrane_norm=true
refused "numbers of the training data" --learn --set data.normalise=channel
refused "weights W is needed"
refused "without --learn nothing changes" --save x --weights half.safetensors
printf '1,2,0\n1e38,1e38,0\n-1e38,3e38,1\n' >bad.txt
cp half.safetensors good.safetensors
if ! "$hillock" stream r.yaml --learn -i bad.txt --save good.safetensors --set optim.lr=1e6 >out 2>said; then
    cmp half.safetensors good.safetensors || fail "weights that are not finite were saved"
fi

# A signal ends it: the pipe stays open, the weights are those of the steps so far.
mkfifo pipe
"$hillock" stream r.yaml --quiet --learn --save stopped.safetensors <pipe >lines & pid=$!
exec 3>pipe
head -n 20 in.txt >&3
for i in $(seq 100); do [ "$(wc -l <lines)" -ge 20 ] && break; sleep 0.1; done
kill -TERM $pid
wait $pid || fail "a signal does not end it cleanly"
exec 3>&-
cmp stopped.safetensors twenty.safetensors || fail "a signal costs what was learned"

# Periodic checkpoints: the file is there while the stream goes on.
"$hillock" stream r.yaml --quiet --learn --save often.safetensors --save-every 10 <pipe >lines & pid=$!
exec 3>pipe
head -n 20 in.txt >&3
for i in $(seq 100); do cmp -s often.safetensors twenty.safetensors && break; sleep 0.1; done
cmp often.safetensors twenty.safetensors || fail "--save-every"
exec 3>&-
wait $pid
"$hillock" stream --help | grep -q 'A line of text is a step' || fail "--help"
# Whoever reads the output goes away: an error, and the weights of the steps so far.
{ "$hillock" stream r.yaml --quiet --learn --save gone.safetensors 2> said \
    < <(for _ in $(seq 400); do cat in.txt; done 2> none) || echo $? > code; } | head -n 1 > one || true
[ "$(cat code)" = 1 ] || fail "a reader that goes away is no failure"
grep -q 'standard output cannot be written any more, at step' said || fail "what went wrong is not said: $(cat said)"
[ -s gone.safetensors ] || fail "a reader that goes away costs what was learned"

echo "streams are read, learned and left as they should be"
