#!/usr/bin/env bash
# The installed library as another project finds it: pkg-config from C and from C++, find_package from
# CMake; the header alone as C11 and C++.
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
. "$(dirname "$0")/lib_build.sh"
rm -rf work && mkdir work && cd work
here=$PWD
entry() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
cc=$(entry CMAKE_C_COMPILER)
case $cc in *clang*) cxx=clang++ ;; *) cxx=g++ ;; esac
sanitize=$(entry HK_SANITIZE)
sanitize=${sanitize:+-fsanitize=$sanitize}
warnings="-Wall -Wextra -Wshadow -pedantic -Werror"
command -v pkg-config > /dev/null || skip "pkg-config is not installed"
[ -f "$build/libhillock.a" ] || skip "this build has no libhillock.a"

cmake --install "$build" --prefix "$here/prefix" > installed.txt
pc=$(find prefix -name hillock.pc)
[ -n "$pc" ] || fail "hillock.pc is not installed"
PKG_CONFIG_PATH=$here/$(dirname "$pc")
export PKG_CONFIG_PATH
flags="$(pkg-config --cflags hillock) $(pkg-config --libs hillock)"
[ "$(pkg-config --modversion hillock)" = "$("$HILLOCK" --version | sed 's/hillock //')" ] || fail "version of hillock.pc"
for header in hillock.h hillock_core.h hillock_ext.h hillock_net.h hillock_stream.h hillock_image.h kernel/kernel.h; do
    [ -f prefix/include/$header ] || fail "$header is not installed"
done

# ---- C: the example learns
$cc -std=c11 -O2 $warnings $sanitize "$source/examples/embed_train.c" -o embed $flags
./embed > embed.txt || { cat embed.txt; fail "embed_train"; }
awk '/^update/ { if (!first) first = $4; last = $4 }
     /^new pictures/ { correct = $3; all = $5 + 0 }
     END { exit !(last < first / 2 && correct > all / 2) }' embed.txt || { cat embed.txt; fail "embed_train: nothing learned"; }
awk '/^[0-9]* parameters/ { exit !($3 < 2000000) }' embed.txt || fail "embed_train: the plan"

# ---- C++: the same symbols
if command -v $cxx > /dev/null; then
    cat > user.cc <<'CC'
#include <hillock.h>
#include <hillock_image.h>
#include <cstdio>
#include <vector>
int main()
{
    const char *recipe = "data: {name: none, shape: [4], classes: 2}\n"
                         "net: {name: mlp, width: 8}\n"
                         "train: {T: 2, batch: 2}\n";
    hk_source source = {};
    source.text = recipe;
    hk_learner *l = nullptr;
    hk_error e;
    if (hk_learner_create(&l, &source, &e) != HK_OK) return std::puts(e.text), 1;
    std::vector<float> x = { 1, 0, 1, 0, 0, 1, 0, 1 };
    const int32_t label[] = { 0, 1 };
    const hk_samples batch = { x.data(), label, 2 };
    hk_score first = {}, last = {};
    for (int i = 0; i < 50; i++)
        if (hk_learner_learn(l, &batch, i ? &last : &first, &e) != HK_OK) return std::puts(e.text), 1;
    hk_learner_destroy(l);
    if (!hk_kernels_ref.parallel) return 1;              // a symbol of the core
    return !(last.loss < first.loss / 2);
}
CC
    $cxx -std=c++11 -O2 -Wall -Wextra -Werror $sanitize user.cc -o user $flags
    ./user || fail "a program in C++"
else
    echo "note: no C++ compiler"
fi

# ---- CMake
mkdir project
cp "$source/examples/embed_train.c" project/main.c
cat > project/CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.21)
project(user LANGUAGES C)
find_package(hillock 0.1 REQUIRED)
add_executable(user main.c)
target_link_libraries(user PRIVATE hillock::hillock)
CMAKE
cmake -S project -B project/build -DCMAKE_PREFIX_PATH="$here/prefix" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_C_FLAGS="$sanitize" > cmake.txt 2>&1 || { cat cmake.txt; fail "find_package(hillock)"; }
cmake --build project/build > cmake.txt 2>&1 || { cat cmake.txt; fail "a project with CMake"; }
project/build/user > again.txt || { cat again.txt; fail "a project with CMake"; }
cmp embed.txt again.txt || fail "the same program gives other numbers"
echo "installed: pkg-config from C and C++, find_package from CMake"
