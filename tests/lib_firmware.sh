# For scripts that link firmware: what was linked against what was planned. After lib_expect.sh and
# firmware/boards.sh. SPDX-License-Identifier: Apache-2.0

# as_planned BOARD OUT RECIPE: OUT/BOARD.elf has the static block and the tables that `hillock plan`
# says, to the byte, no more other data than it allows, and its code to a twentieth.
as_planned() {
    local elf=$2/$1.elf block tables other code constants got
    board "$1"
    "$hillock" plan "$3" --target "$1" >planned
    block=$(awk '/the static block/ { print $2 }' planned)
    tables=$(awk '/tables of the core/ { print $1 }' planned)
    other=$(awk '/start-up, C library/ { print $1 }' planned)
    constants=$(awk '/weights and tables/ { print $2 }' planned)
    code=$(awk '/ code \(/ { print $1 }' planned)
    $prefix-nm -S "$elf" >symbols
    bytes() { echo $((16#$(awk -v s="$1" '$NF == s { print $2 }' symbols))); }
    place() { echo $((16#$(awk -v s="$1" '$NF == s { print $1 }' symbols))); }
    [ "$(bytes net_memory)" = "$block" ] || fail "$1: planned a block of $block bytes, linked $(bytes net_memory)"
    got=$(($(bytes net) + $(bytes net_node) + $(bytes net_param)))
    [ "$got" = "$tables" ] || fail "$1: planned $tables bytes of tables, linked $got"
    got=$(($(place link_bss_end) - $(place link_ram_begin) - block - tables))
    [ "$got" -ge 0 ] && [ "$got" -le "$other" ] || fail "$1: planned $other bytes of other data, linked $got"
    got=$(($(place link_flash_end) - $(place link_flash_begin) - constants))
    [ $((got * 20)) -le $((code * 21)) ] && [ $((got * 20)) -ge $((code * 19)) ] ||
        fail "$1: planned $code bytes of code, linked $got: measure host/export/target.c again"
    echo "$1: block $block and tables $tables bytes as planned; code $got, estimated $code"
}
