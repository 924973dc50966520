#!/usr/bin/env bash
# Runs one fuzz target on its corpus and then for some seconds on what libFuzzer makes of it, from a
# fixed seed. What it finds stays in build/fuzz-found. Prints TAP.
#
#   fuzz.sh SECONDS PROGRAM CORPUS
set -euo pipefail
seconds=$1 program=$2 corpus=$3
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
name="$(basename "$program") finds nothing in $seconds s"
found=$root/build/fuzz-found/$(basename "$program")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$found" "$corpus"
if "$program" -seed=1 -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$found/" "$work" "$corpus" >"$work.log" 2>&1; then
    grep -E 'number_of_executed_units' "$work.log" | sed 's/^/# /'
    echo "ok 1 - $name"
    rm -f "$work.log"
else
    grep -vE '^#[0-9]+' "$work.log" | tail -n 60 | sed 's/^/# /'
    rm -f "$work.log"
    echo "not ok 1 - $name"
    exit 1
fi
