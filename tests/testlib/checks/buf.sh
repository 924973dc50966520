#!/usr/bin/env bash
# buf lints the contract. It comes from npm into build/tools; where npm or its registry can not be
# reached the test is skipped. Prints TAP.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
version=1.75.0
tools=$PWD/build/tools
name="buf lint accepts proto/"
buf=$tools/node_modules/.bin/buf

if [ ! -x "$buf" ]; then
    command -v npm >/dev/null || { echo "ok 1 - $name # SKIP npm is not installed"; exit 0; }
    mkdir -p "$tools"
    if ! said=$(timeout 120 npm install --silent --no-fund --no-audit --no-save \
        --fetch-retries 1 --fetch-retry-mintimeout 1000 --fetch-timeout 20000 --prefix "$tools" \
        "@bufbuild/buf@$version" 2>&1); then
        sed 's/^/# /' <<<"$said"
        echo "ok 1 - $name # SKIP npm can not fetch @bufbuild/buf@$version from its registry"
        exit 0
    fi
fi
if said=$(cd proto && "$buf" lint 2>&1); then
    echo "ok 1 - $name"
else
    sed 's/^/# /' <<<"$said"
    echo "not ok 1 - $name"
    exit 1
fi
