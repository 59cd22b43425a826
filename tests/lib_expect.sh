# Sourced by the scripts here: what they say when something is not as expected.
# SPDX-License-Identifier: Apache-2.0

fail() { echo "FAILED: $*" >&2; exit 1; }

# expect CODE WORD COMMAND...: exit code, and a word in what it says (out or err)
expect() {
    local code=$1 word=$2 got=0
    shift 2
    "$@" > said 2>&1 || got=$?
    [ $got -eq "$code" ] || { cat said >&2; fail "exit code $got, expected $code: $*"; }
    grep -qF -- "$word" said || { cat said >&2; fail "'$word' is not in the output of: $*"; }
}
