#!/usr/bin/env bash
# check_core_symbols.sh OBJECT NM [ALLOWED]: the linked core may need string.h, math.h and the compiler's
# own helpers from outside, and may hold no mutable global, but those whose names match ALLOWED.
set -euo pipefail
export LC_ALL=C
if [ $# -lt 2 ]; then
    echo "SKIPPED cross build cortex-m4f: arm-none-eabi-gcc not installed"
    exit 77
fi
object=$1 nm=$2 allowed=${3:-}

string='mem(cpy|set|move|cmp|chr)|str(len|n?cmp|n?cpy|n?cat|r?chr|str|c?spn|pbrk)'
math='(sqrt|cbrt|exp|exp2|expm1|log|log2|log10|log1p|pow|hypot|sin|cos|tan|asin|acos|atan|atan2'
math+='|sinh|cosh|tanh|asinh|acosh|atanh|erf|erfc|tgamma|lgamma|fabs|fmod|remainder|fma|fmin|fmax'
math+='|fdim|floor|ceil|trunc|round|lround|llround|rint|nearbyint|lrint|llrint|ldexp|frexp|scalbn'
math+='|scalbln|ilogb|logb|modf|copysign|nextafter)f?'
helpers='__aeabi_.*|__(add|sub|mul|div|mod|udiv|umod|ashl|ashr|lshr|cmp|neg|fix|float|pop|clz|ctz).*'
helpers+='|__(lt|le|gt|ge|eq|ne|unord)[sd]f2|__(trunc|extend)[sd]f[sd]f2|__bswap[sd]i2'

bad=$("$nm" -u "$object" | awk '{ print $NF }' | grep -Evx "$string|$math|$helpers" || true)
mutable=$("$nm" "$object" | awk '$(NF-1) ~ /^[DdBbCSsGg]$/ { print $(NF-1), $NF }' |
    grep -Evx "[A-Za-z] (${allowed:-no mutable global})" || true)
[ -z "$bad" ] || printf 'undefined symbol outside string.h and math.h: %s\n' $bad
[ -z "$mutable" ] || printf 'mutable global: %s\n' "$mutable"
[ -z "$bad$mutable" ] || exit 1
echo "$(basename "$object" .o): $("$nm" "$object" | grep -c ' [Tt] ') functions, nothing outside string.h and math.h"
