#!/usr/bin/env bash
# An exported net on a Cortex-M4F under QEMU: the same bits as on this computer, learning that pays, the
# static block as planned. And the check of the core, with each thing planted that it must find.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "$0")/lib_expect.sh"
. "$(dirname "$0")/lib_firmware.sh"
hillock=${HILLOCK:?path of the command}
src=${HILLOCK_SRC:?path of the sources}
. "$src/firmware/boards.sh"
rm -rf work && mkdir work && cd work
recipe=$src/recipes/digits-mcu.yaml

# ---- plan: refusals, and no byte more for more steps
"$hillock" plan "$recipe" --target mcu --ram 64K --flash 128K >plan4
"$hillock" plan "$recipe" --target mcu --T 400 >plan400
cmp <(grep '^RAM' plan4) <(grep '^RAM' plan400) || fail "RAM grows with T"
figures() { awk '/^(RAM|flash|  )/ && !/net, the/ { print $1 == "flash" ? $2 : $1 }' "$1"; }
for name in $boards; do
    "$hillock" plan "$recipe" --target "$name" >plan
    paste <(figures plan4) <(figures plan) | awk '$1 < $2 { exit 1 }' ||
        fail "--target mcu plans less than $name needs"
done
code=0
"$hillock" plan "$recipe" --target mcu --ram 40K >said 2>&1 || code=$?
[ $code = 1 ] && grep -q 'bytes of RAM, .* the largest consumers are shared work ([0-9]*), tables (' said ||
    { cat said; fail "a net too large for its RAM"; }
code=0
"$hillock" plan "$recipe" --target mcu --flash 50K >said 2>&1 || code=$?
[ $code = 1 ] && grep -q 'bytes of flash, .* code (' said ||
    { cat said; fail "a net too large for its flash"; }
code=0
"$hillock" export "$recipe" --target rust --out net >said 2>&1 || code=$?
[ $code = 2 ] || fail "an unknown target"

# ---- export: one short training, three forms of weights, compiled for this computer
"$hillock" train "$recipe" --out run --quiet --set train.epochs=10 >/dev/null
for form in i8 f16 f32; do
    "$hillock" export run --target c --weights $form --out net --samples 3823,1797 \
        --set optim.lr=0.005 >/dev/null
    "$src/firmware/build.sh" host net out
    out/host/digits self || fail "self-test on this computer, weights $form"
done

board cortex-m4f
if ! have; then
    echo "SKIPPED firmware cortex-m4f: $missing not installed"
    exit 77
fi

# ---- the core: each of these must fail its check
mkdir -p core/base
cp "$src"/core/base/*.[ch] core/base/
for folder in "$src"/core/*/; do
    mkdir -p "core/$(basename "$folder")"
    cp "$folder"/*.h "core/$(basename "$folder")/" 2>/dev/null || true
done
plant() {               # plant NAME FOUND CODE
    cp -r core "core-$1"
    echo "$3" >>"core-$1/base/rng.c"
    if HILLOCK_CORE=$PWD/core-$1 "$src/firmware/build.sh" cortex-m4f none "check-$1" >said 2>&1; then
        fail "a core with $1 passes"
    fi
    grep -q "$2" said || { cat said; fail "a core with $1: the message does not name it"; }
}
HILLOCK_CORE=$PWD/core "$src/firmware/build.sh" cortex-m4f none check >/dev/null
plant malloc 'string.h and math.h: malloc' \
    'void *malloc(size_t n); void *hk_planted(void); void *hk_planted(void) { return malloc(8); }'
plant printf 'string.h and math.h: printf' \
    'int printf(const char *f, ...); void hk_planted(void); void hk_planted(void) { printf("%d", 1); }'
plant thread 'string.h and math.h: pthread_create' \
    'int pthread_create(void *, void *, void *, void *); void hk_planted(void);
     void hk_planted(void) { pthread_create(0, 0, 0, 0); }'
plant global 'mutable global: . hk_planted' 'extern int hk_planted; int hk_planted;'
plant static 'mutable global: . planted' \
    'static int planted; int hk_count(void); int hk_count(void) { return ++planted; }'

# ---- the device
"$src/firmware/build.sh" cortex-m4f net out
as_planned cortex-m4f out "$recipe"
"$src/firmware/run.sh" cortex-m4f out self | tee self
grep -q '^self-test: ' self || fail "self-test on the device"

"$src/firmware/run.sh" host out replay 250 >host.log
"$src/firmware/run.sh" cortex-m4f out replay 250 | grep -v '^RAM\|^flash' >device.log
[ "$(wc -l <host.log)" = 250 ] && cmp host.log device.log || fail "replay: device and host differ"
echo "replay: 250 samples, 1000 steps, equal bits"

"$src/firmware/run.sh" -count cortex-m4f out count | grep -q '^learn step 4: [0-9]' || fail "count"

"$src/firmware/run.sh" cortex-m4f out adapt 1000 400 | tee adapt
awk '/^(before|after):/ { gsub(",", ""); u[++n] = $3 / $5; s[n] = $7 / $9 }
    END { exit !(n == 2 && s[2] - s[1] > 0.1) }' adapt || fail "the device gains nothing"

# ---- traces in bf16: a smaller block, rounded on the device as on this computer
"$hillock" export run --target c --out net16 --samples 3823,1797 --set optim.lr=0.005 --set rule.traces=bf16 >/dev/null
"$src/firmware/build.sh" host net16 out16
"$src/firmware/build.sh" cortex-m4f net16 out16
"$src/firmware/run.sh" cortex-m4f out16 self >self16
grep -q '^self-test: ' self16 || { cat self16; fail "self-test on the device, traces in bf16"; }
bytes() { sed -n 's/^ *NET_BYTES = *\([0-9]*\),.*/\1/p' "$1/net.h"; }
[ "$(bytes net16)" -lt "$(bytes net)" ] || fail "traces in bf16 take $(bytes net16) bytes, in fp32 $(bytes net)"
"$src/firmware/run.sh" host out16 replay 50 >host16.log
"$src/firmware/run.sh" cortex-m4f out16 replay 50 | grep -v '^RAM\|^flash' >device16.log
[ "$(wc -l <host16.log)" = 50 ] && cmp host16.log device16.log || fail "replay: traces in bf16 differ"
cmp -s <(head -50 host.log) host16.log && fail "replay: traces in bf16 change nothing"
echo "traces in bf16: $(bytes net16) bytes, equal bits"
