#!/usr/bin/env bash
# Installs the Debian packages that the build needs and that are missing. Silent when all are there.
# An optional package that cannot be had is named, with what is lost, and the build goes on.
set -euo pipefail
cd "$(dirname "$0")/.."

required="gcc libc6-dev cmake ninja-build pkg-config python3 libcmocka-dev libarchive-dev
    libjansson-dev libfyaml-dev zlib1g-dev libjpeg-dev libpng-dev librandom123-dev"
optional="python3-numpy:the_oracle_tests
    libdnnl-dev:oneDNN_products
    libopenblas-openmp-dev:CBLAS_products
    gcc-arm-none-eabi:the_cross_build
    libnewlib-arm-none-eabi:the_cross_build
    qemu-system-arm:the_firmware_of_the_Cortex_boards
    gcc-riscv64-unknown-elf:the_firmware_of_the_RISC-V_board
    picolibc-riscv64-unknown-elf:the_firmware_of_the_RISC-V_board
    qemu-system-misc:the_firmware_of_the_RISC-V_board
    clang:the_thread_sanitizer_and_the_fuzzers
    libclang-rt-14-dev:the_thread_sanitizer_and_the_fuzzers
    libomp-dev:the_thread_sanitizer"
tried=build/.optional-packages-tried     # so that an absent package is not asked for every time

if ! command -v dpkg-query >/dev/null; then
    [ -d build ] || echo "note: not a Debian system; needed are:" $required
    exit 0
fi

missing() {
    local have
    have=" $(dpkg-query -W -f '${Package}/${db:Status-Status} ' "$@" 2>/dev/null || true) "
    for p in "$@"; do
        case $have in *" $p/installed "*) ;; *) echo "$p" ;; esac
    done
}

updated=no
install() {
    local root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || return 1
        root=(sudo)
        [ -t 0 ] || root=(sudo -n)
    fi
    if [ $updated = no ]; then
        "${root[@]}" apt-get -qq update >&2 || true
        updated=yes
    fi
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y --no-install-recommends install "$@" >&2
}

need=$(missing $required)
if [ -n "$need" ]; then
    echo "installing:" $need
    if ! install $need; then
        echo "error: could not install:" $(missing $required) >&2
        echo "       as root: apt-get install --no-install-recommends" $need >&2
        exit 1
    fi
fi

want=$(missing $(printf '%s\n' $optional | cut -d: -f1))
[ -n "$want" ] || exit 0
if [ ! -f $tried ] || [ "$(cat $tried)" != "$want" ]; then
    echo "installing:" $want
    install $want || for p in $want; do install "$p" || true; done
    want=$(missing $want)
    mkdir -p build
    echo "$want" >$tried
fi
for p in $want; do
    use=$(printf '%s\n' $optional | sed -n "s/^$p://p" | tr _ ' ')
    echo "note: package $p could not be installed; skipped without it: $use"
done
