#!/usr/bin/env bash
# Every C file of ours is as clang-format would write it. Prints TAP.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
said=$(find services models proto loadtest tests -name '*.[ch]' -print0 |
    xargs -0 -r -n 32 -P "$(nproc)" clang-format --dry-run -Werror 2>&1) && right=yes || right=no
if [ $right = no ]; then
    wrong=$(sed -nE 's/^([^:]+):[0-9]+:[0-9]+: error: code should be.*/\1/p' <<<"$said" | sort -u)
    sed 's/^/# clang-format -i /' <<<"${wrong:-$said}"
    echo "not ok 1 - clang-format changes nothing"
    exit 1
fi
echo "ok 1 - clang-format changes nothing"
