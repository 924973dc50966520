#!/usr/bin/env bash
# The release programs carry the hardening that the build asks for, seen from outside. Prints TAP.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
number=0 status=0

# holds NAME PATTERN TEXT: the pattern is in the text.
holds() {
    number=$((number + 1))
    if grep -qE -- "$2" <<<"$3"; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        status=1
    fi
}

for program in build/release/bin/*; do
    name=$(basename "$program")
    header=$(readelf -hW "$program")
    segments=$(readelf -lW "$program")
    dynamic=$(readelf -dW "$program")
    symbols=$(readelf --dyn-syms -W "$program")
    holds "$name is position-independent" 'Type:.*DYN' "$header"
    holds "$name has its relocations read-only" 'GNU_RELRO' "$segments"
    holds "$name binds all symbols at start" 'FLAGS.*(BIND_)?NOW' "$dynamic"
    holds "$name has a stack that is not executable" 'GNU_STACK.* RW +0x' "$segments"
    holds "$name has stack protectors" '__stack_chk_fail' "$symbols"
    # A module lives in a program that has checked both: it allocates and copies nothing of its own.
    [[ $name == *.so ]] && continue
    holds "$name checks the sizes it copies" '__(memcpy|snprintf|vsnprintf|strcpy|fprintf)_chk' \
        "$symbols"
    holds "$name allocates through jemalloc" 'libjemalloc' "$dynamic"
done
[ $number -gt 0 ] || { echo "not ok 1 - there are release programs"; exit 1; }
exit $status
