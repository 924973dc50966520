#!/usr/bin/env bash
# Planted bugs that the sanitizers must catch, built with the flags that the presets use: if one of
# these passes, a green sanitizer run means nothing. Prints TAP.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../testlib/harness.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Sanitizer builds are linked by lld where it is (CMakeLists.txt).
linker=()
! command -v ld.lld >/dev/null || linker=(-fuse-ld=lld)

# must_catch NUMBER COMPILER SANITIZER FILE REPORT
must_catch() {
    local program=$work/$4-$2 name="$2 -fsanitize=$3 catches the planted $4" said
    "$2" -std=c17 -g -O1 -fsanitize="$3" -fno-sanitize-recover=all -pthread "${linker[@]}" \
        "$here/$4.c" -o "$program"
    if said=$($(vt_without_aslr) "$program" 2>&1); then
        echo "not ok $1 - $name"
    elif [[ $said != *"$5"* ]]; then
        printf '%s\n' "$said" | sed 's/^/# /'
        echo "not ok $1 - $name"
    else
        echo "ok $1 - $name"
    fi
}

must_catch 1 clang address,undefined leak "detected memory leaks"
must_catch 2 clang address,undefined overflow "heap-buffer-overflow"
must_catch 3 clang address,undefined undefined "signed integer overflow"
must_catch 4 gcc address,undefined leak "detected memory leaks"
must_catch 5 gcc thread race "data race"
echo 1..5
