#!/usr/bin/env bash
# Every header of ours compiles alone, with both compilers and all warnings. Prints TAP.
# Needs build/release, for the generated code that some include.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
flags="-std=c17 -D_GNU_SOURCE -I. -isystem build/release/proto $(pkg-config --cflags \
    grpc libprotobuf-c rocksdb openblas lapacke jansson libmicrohttpd)
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wmissing-prototypes -Wvla -Werror"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0 number=0
for compiler in gcc clang; do
    number=$((number + 1))
    # Included twice from an otherwise empty file: its guard is part of standing alone.
    find services models proto loadtest tests -name '*.h' -print0 | sort -z |
        xargs -0 -r -n 1 -P "$(nproc)" sh -c 'printf "#include \"%s\"\n#include \"%s\"\n" "$0" "$0" |
            '"$compiler $(tr '\n' ' ' <<<"$flags")"' -x c -fsyntax-only - 2>&1 ||
            echo "$0 does not compile alone"' >"$work/said" || true
    if grep -q 'does not compile alone' "$work/said"; then
        sed 's/^/# /' "$work/said"
        echo "not ok $number - every header compiles alone with $compiler"
        status=1
    else
        echo "ok $number - every header compiles alone with $compiler"
    fi
done
exit $status
