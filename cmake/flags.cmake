# Flags of every file (target hk_flags), and the CPU variants of the core (HK_CLONES).
include(CheckCSourceRuns)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  set(HK_X86_64 ON)
endif()

add_library(hk_flags INTERFACE)
target_include_directories(hk_flags INTERFACE
  ${CMAKE_SOURCE_DIR}/core ${CMAKE_SOURCE_DIR}/host ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR})
target_compile_definitions(hk_flags INTERFACE _GNU_SOURCE)
# Same seed, same bits: no contraction into fused multiply-add unless the source asks for it.
target_compile_options(hk_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wno-unknown-pragmas
  -ffp-contract=off -fno-math-errno -fno-trapping-math)
if(HK_WERROR)
  target_compile_options(hk_flags INTERFACE -Werror)
endif()

if(HK_SANITIZE)
  set(sanitize -fsanitize=${HK_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(hk_flags INTERFACE ${sanitize})
  target_link_options(hk_flags INTERFACE ${sanitize})
endif()
if(HK_FUZZ)
  target_compile_options(hk_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Core functions marked HK_CLONES are compiled once per level of x86-64, chosen at load time. The
# choice runs before the sanitizers are ready, so their builds do without. clang 14 names the chooser
# so that other files do not find it; its builds do without, too.
set(HK_CLONES "")
if(HK_X86_64 AND CMAKE_C_COMPILER_ID STREQUAL "GNU"
   AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT HK_SANITIZE)
  set(clones "__attribute__((target_clones(\"arch=x86-64-v4\",\"arch=x86-64-v3\",\"default\")))")
  set(CMAKE_REQUIRED_FLAGS "-O3 -Werror")
  check_c_source_runs("
    ${clones} void f(float *a, const float *b, int n);
    ${clones} void f(float *a, const float *b, int n)
    { for (int i = 0; i < n; i++) a[i] = a[i] * b[i] + 1.0f; }
    int main(void) { float a[64] = {0}, b[64] = {0}; f(a, b, 64); return a[63] != 1.0f; }"
    HK_CLONES_RUN)
  unset(CMAKE_REQUIRED_FLAGS)
  if(HK_CLONES_RUN)
    set(HK_CLONES "${clones}")
  endif()
endif()
