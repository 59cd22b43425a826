#!/usr/bin/env bash
# The neuron of docs/extending.md, taken from that page with its registry line: it compiles, it is
# listed with its keys, the checks of every neuron hold for it, and every rule trains it. Nothing else
# is changed; only the registry, the neuron and the test are compiled, the rest is as built.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "$0")/lib_build.sh"
python=${PYTHON:-python3}
rm -rf work && mkdir -p work/core && cd work
here=$PWD
page=$source/docs/extending.md

# ---- the page
line=$(grep -m 1 -x 'HK_NEURON([a-z0-9_]*)' "$page") || fail "no registry line in $page"
name=${line#HK_NEURON(}
name=${name%)}
awk '/^```/ { if (on) exit; on = $0 == "```c"; next } on' "$page" > "$name.c"
grep -q "hk_neuron_$name = {" "$name.c" || fail "the first C block of $page has no hk_neuron_$name"
! grep -q -x "$line" "$source/core/registry.def" || fail "$name is registered already"
last=$(grep -n '^HK_NEURON(' "$source/core/registry.def" | tail -n 1 | cut -d: -f1)
sed "${last}a $line" "$source/core/registry.def" > core/registry.def
[ "$(diff "$source/core/registry.def" core/registry.def | grep -c '^[<>]')" = 1 ] ||
    fail "more than one line of the registry was changed"

# ---- compile: the changed registry is found before the one of the sources
changed="-iquote '$here' -iquote '$here/core'"
compile() {     # compile AS FILE OBJECT: with the flags of AS
    eval "$(compiler_of "$1") $changed -Werror -c '$2' -o '$here/$3'"
}
compile core/neuron/lif.c "$here/$name.c" neuron.o
compile host/registry.c "$source/host/registry.c" registry.o
link=$(linker_of hillock)
[ -n "$link" ] || fail "the build does not link the command"
(cd "$build" && eval "${link/ -o hillock / -o \'$here/hillock\' \'$here/registry.o\' \'$here/neuron.o\' }")

# ---- the checks of every neuron
link=$(linker_of test_neuron)
if [ -n "$link" ]; then
    object=CMakeFiles/test_neuron.dir/tests/unit/test_neuron.c.o
    flags=$("$ninja" -C "$build" -t commands test_neuron | grep -- "-c $source/tests/unit/test_neuron.c$")
    eval "${flags%% -MD *} $changed -c '$source/tests/unit/test_neuron.c' -o '$here/test.o'"
    link=${link/$object/\'$here/test.o\' \'$here/neuron.o\'}
    (cd "$build" && eval "${link/ -o tests\/test_neuron / -o \'$here/test_neuron\' }")
    ./test_neuron > test.txt 2>&1 || { cat test.txt >&2; fail "test_neuron, with $name"; }
else
    echo "note: this build has no test_neuron"
fi

# ---- listed, with its keys
./hillock list neuron "$name" > listed.txt
for key in "$name" $(grep -o 'HK_ROW_[A-Z]*([a-z_]*, [a-z_]*' "$name.c" | sed 's/.*, //'); do
    grep -q -w -- "$key" listed.txt || { cat listed.txt >&2; fail "'$key' is not listed"; }
done
"$HILLOCK" list neuron "$name" > /dev/null 2>&1 && fail "the command as built knows $name"

# ---- trained by every rule
cat > digits.yaml <<YAML
data: {name: digits}
net: {name: mlp, width: 32}
neuron: {name: $name}
rule: {name: stop}
optim: {name: sgd, lr: 0.1, lr_leak: 0.1, momentum: 0.9}
train: {T: 3, batch: 64, epochs: 1, threads: 1}
YAML
cat > check.py <<'PY'
"""check.py RESULT SETTINGS: it has learned, and its own parameters if the rule does so."""
import json, sys
r, rule = json.load(open(sys.argv[1])), sys.argv[2]
flags = "WTL" if rule == "bptt" else rule[5:] if rule.startswith("stop ") else "W"
assert r["test"]["accuracy"] > (0.5 if "W" in flags else 0.02), r["test"]
start = {"threshold": 1.0, "leak": 1.5}
for what, flag in (("leak", "L"), ("threshold", "T")):
    for layer, v in r[what].items():
        learned = flag in flags and (rule != "bptt" or what == "leak")
        assert v["learned"] == learned, (rule, what, layer, v)
        raised = rule == "snn2ann" and what == "threshold"       # by the rule, not by a gradient
        assert raised or (v["mean"] != start[what]) == learned, (rule, what, layer, v)
PY
train() {       # train WHAT ASSIGNMENT...
    local what=$1 set=()
    shift
    for s in "$@"; do set+=(--set "$s"); done
    ./hillock train digits.yaml --out run --force --quiet --json "${set[@]}" > result.json 2> said ||
        { cat said >&2; fail "$name is not trained by $what"; }
    "$python" check.py result.json "$what" || fail "$name under $what"
}
rules=$("$HILLOCK" list rule --json |
    "$python" -c 'import json, sys; print(*(m["name"] for m in json.load(sys.stdin)))')
for rule in $rules; do
    case $rule in
    stop) ;;
    snn2ann) train "$rule" "rule={name: $rule}" loss.when=final ;;
    solsa) train "$rule" "rule={name: $rule, points: 0}" ;;
    *) train "$rule" "rule={name: $rule}" ;;
    esac
done
for w in true false; do for t in true false; do for l in true false; do
    flags=
    [ $w = true ] && flags+=W
    [ $t = true ] && flags+=T
    [ $l = true ] && flags+=L
    [ -z "$flags" ] || train "stop $flags" "rule.W=$w" "rule.T=$t" "rule.L=$l"
done; done; done
train "stop WTL" neuron.leak_granularity=channel
echo "$name: listed, checked, trained by $(echo $rules | tr ' ' ',') and every combination of W, T, L"
