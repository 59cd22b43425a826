#!/usr/bin/env bash
# Hillock beside PyTorch, SpikingJelly and snnTorch: installs them into a virtual environment of their own
# (PEERS_VENV, default bench/peers/.venv; a few GB), builds Hillock and compares. Arguments: run.sh --help;
# run.sh accuracy --help for the time until Fashion-MNIST is known.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${PEERS_VENV:-$here/.venv}
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/installed.txt"
fi
if [ -z "${HILLOCK:-}" ]; then
    cd "$here/../.."
    [ -f build/release/build.ninja ] || cmake --preset release > /dev/null
    cmake --build build/release --target hillock > /dev/null
    cd - > /dev/null
fi
/sbin/ldconfig -p | grep -q libtcmalloc ||
    echo "note: without tcmalloc (Debian: libtcmalloc-minimal4) PyTorch is slower than it could be" >&2
script=run.py
[ "${1:-}" != accuracy ] || { script=accuracy.py; shift; }
exec "$venv/bin/python" "$here/$script" "$@"
