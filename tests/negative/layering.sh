#!/usr/bin/env bash
# Breaches of the layering, planted one at a time in an otherwise empty tree: tests/layering.py must
# refuse each and name the file. Prints TAP.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# file | its include | may it?
plants='
services/ranking/ranking.c|<grpc/grpc.h>|no
services/common/rpc/server.c|<grpc/grpc.h>|yes
services/profile/history.c|<rocksdb/c.h>|no
services/profile/history.c|"services/common/store/store.h"|yes
services/common/store/store.c|"services/common/rpc/call.h"|no
services/common/rpc/server.c|"services/common/store/store.h"|no
models/factor/ials.c|<cblas.h>|no
models/factor/ials.c|"services/profile/profile.h"|no
models/kernels/kernels.c|"models/dataset/dataset.h"|no
models/factor/ials.c|"models/bundle/bundle.h"|no
models/popularity/popularity.c|"models/eval/eval.h"|no
models/factor/ials.c|"models/kernels/kernels.h"|yes
services/ingest/ingest.c|"services/profile/profile.h"|no
services/candidate/candidate.c|<sodium.h>|no
services/candidate/candidate.c|"vitrine/v1/types.pb-c.h"|no
services/candidate/wire.c|"vitrine/v1/types.pb-c.h"|yes
services/candidate/candidate.c|"services/candidate/wire.h"|no
services/candidate/wire.c|"services/common/rpc/call.h"|no
services/candidate/candidate.c|"services/ranking/ranking.h"|no
services/ranking/ranking.c|"services/candidate/candidate.h"|yes
services/common/base/err.c|"services/common/rpc/call.h"|no
services/node/main.c|"tests/testlib/testlib.h"|no
services/unheard/of.c|"services/common/base/err.h"|no
'

number=0 failed=0
while IFS='|' read -r file include may; do
    [ -n "$file" ] || continue
    number=$((number + 1))
    rm -rf "${work:?}"/*
    mkdir -p "$work/$(dirname "$file")"
    printf '/* planted */\n#include %s\n' "$include" >"$work/$file"
    said=$("$root/tests/layering.py" --root "$work" 2>&1) && answer=yes || answer=no
    if [ $answer = no ] && [[ $said != *"# $file"* ]]; then answer="no, but without naming it"; fi
    name="layering: ${file} including ${include} is $([ "$may" = no ] && echo refused || echo let be)"
    if [ "$answer" = "$may" ]; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name"
        failed=1
    fi
done <<<"$plants"
echo "1..$number"
exit $failed
