#!/usr/bin/env bash
# Sequences of unequal length from .ts files to a trained net: normalisation is kept in the run folder,
# evaluation gives the same numbers from the run and from the recipe, a resumed run the same weights.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "$0")/lib_expect.sh"
hillock=${HILLOCK:?path of the command}
rm -rf work && mkdir -p work/toy && cd work

# Three classes: which of the two channels rises, or both. Offsets and units differ.
"${PYTHON:-python3}" - <<'P'
import random
random.seed(3)
for split, n in (("TRAIN", 90), ("TEST", 60)):
    with open("toy/Toy_%s.ts" % split, "w") as f:
        f.write("@problemName Toy\n@timeStamps false\n@missing false\n@univariate false\n@dimensions 2\n"
                "@equalLength false\n@classLabel true first second both\n@data\n")
        for i in range(n):
            k, T = i % 3, random.randint(6, 24 if split == "TEST" else 20)
            rise = (k != 1, k != 0)
            f.write(":".join(",".join("%.4f" % (40 * c + (10 * c + 1) * (random.gauss(0, .2) + rise[c] * t / 10))
                                      for t in range(T)) for c in range(2)))
            f.write(":%s\n" % ("first", "second", "both")[k])
P
cat > toy.yaml <<'Y'
data: {name: ts, path: toy, normalise: channel}
encode: delta
net: {name: mlp, width: 32}
rule: stop
optim: {name: adamw, lr: 0.01}
train: {T: 24, batch: 8, epochs: 6, threads: 1}
Y
for encode in delta direct rate; do
    "$hillock" train toy.yaml --out "$encode" --quiet --set encode=$encode >/dev/null
    grep -q 'mean: \[' "$encode/recipe.yaml" || fail "$encode: the run folder has no mean"
    "$hillock" eval "$encode" --quiet | head -1 >from_run
    "$hillock" eval toy.yaml --set encode=$encode --weights "$encode/checkpoint/last/weights.safetensors" \
        --quiet | head -1 >from_recipe
    cmp from_run from_recipe || fail "$encode: another result from the recipe"
done
awk '$3 < 80 { exit 1 }' <("$hillock" eval direct --quiet | head -1) || fail "direct: does not learn"

# A recipe of a run is the recipe: it goes on from the run's checkpoint.
"$hillock" train direct/recipe.yaml --out direct --resume --quiet --set train.epochs=7 >/dev/null
"$hillock" train toy.yaml --out whole --quiet --set encode=direct --set train.epochs=7 >/dev/null
cmp direct/checkpoint/last/weights.safetensors whole/checkpoint/last/weights.safetensors ||
    fail "resumed by the run's own recipe: other weights"

"$hillock" compare toy.yaml --vary rule=stop,sltt --seeds 1 --out both --set train.epochs=2 --quiet >table
grep -q sltt table || { cat table; fail "compare of sequences"; }

refused() { local word=$1; shift
    "$hillock" train toy.yaml --out no --quiet "$@" >said 2>&1 && fail "$word: not refused"
    grep -q -- "$word" said || { cat said; fail "$word: not named"; }; }
refused "latency.* spreads one frame" --set encode=latency
refused "needs samples with a time axis" --set data.name=digits --set encode=delta
sed -i 's/first second both/second first both/' toy/Toy_TEST.ts
refused "class 0 is 'first' in the training set and 'second'"
sed -i '$ d' toy/Toy_TRAIN.ts && printf '1,2:3' >>toy/Toy_TRAIN.ts
refused "Toy_TRAIN.ts, line 98"
echo "sequences learn, and are what they say"
