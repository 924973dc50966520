#!/usr/bin/env bash
# clang-tidy finds nothing, by the set in .clang-tidy. What passed is remembered by the content of
# the file, of every header and of the set, so that only what changed is looked at again.
# Needs build/fuzz, whose compile commands it reads. Prints TAP.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
build=build/fuzz
memory=build/tidy
mkdir -p "$memory"
common=$({ cat .clang-tidy; find services models proto tests loadtest -name '*.h' -print0 |
    sort -z | xargs -0 cat; } | sha256sum)
export build memory common

look() {
    local key
    key=$(printf '%s' "$common" | cat - "$1" | sha256sum | cut -c 1-32)
    [ ! -e "$memory/$key" ] || return 0
    if clang-tidy --quiet -p "$build" "$1" >"$memory/$key.log" 2>/dev/null; then
        mv "$memory/$key.log" "$memory/$key"
    else
        echo "WRONG $1"
        cat "$memory/$key.log"
        rm "$memory/$key.log"
    fi
}
export -f look

said=$(python3 -c '
import json, os, sys
root = os.getcwd() + "/"
files = {c["file"] for c in json.load(open(sys.argv[1]))}
print("\n".join(sorted(f[len(root):] for f in files if f.startswith(root) and "/build/" not in f
                       and f.endswith(".c"))))' "$build/compile_commands.json" |
    xargs -r -n 1 -P "$(nproc)" bash -c 'look "$0"')
if [ -n "$said" ]; then
    sed 's/^/# /' <<<"$said"
    echo "not ok 1 - clang-tidy finds nothing"
    exit 1
fi
echo "ok 1 - clang-tidy finds nothing"
