#!/usr/bin/env bash
# Every C file of ours is as clang-format would write it. Prints TAP.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
wrong=$(find services models proto loadtest tests -name '*.[ch]' -print0 |
    xargs -0 -r -n 1 -P "$(nproc)" sh -c \
        'clang-format --dry-run -Werror "$0" >/dev/null 2>&1 || echo "$0"' | sort)
if [ -n "$wrong" ]; then
    sed 's/^/# clang-format -i /' <<<"$wrong"
    echo "not ok 1 - clang-format changes nothing"
    exit 1
fi
echo "ok 1 - clang-format changes nothing"
