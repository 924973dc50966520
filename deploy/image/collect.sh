#!/usr/bin/env bash
# Makes the root of an image: programs, every library that they need, the few files that a process
# expects, the licences, and a list of the Debian packages they came from (SPDX 2.3).
#
#   deploy/image/collect.sh OUT NAME FILE…
set -euo pipefail
out=$1 name=$2
shift 2

# Every file that the loader opens for these programs, by the names it opens them by.
needed_files() {
    local file
    for file in "$@"; do
        echo "$file"
        ldd "$file" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }'
    done | sort -u
}

# The Debian packages of files; libraries are known by their real place or by that before /usr was
# merged. What no package brings (our own programs) has none.
packages_of() {
    local file names=()
    for file in "$@"; do
        file=$(readlink -f "$file")
        names+=("$file" "${file#/usr}")
    done
    dpkg -S "${names[@]}" 2>/dev/null | cut -d: -f1 | sort -u
}

put_accounts() {
    mkdir -p "$out"/{etc/ssl/certs,tmp,data,usr/share/doc}
    chmod 1777 "$out/tmp"
    chown 65532:65532 "$out/data"
    printf 'root:x:0:0:root:/:/none\nvitrine:x:65532:65532:vitrine:/:/none\n' >"$out/etc/passwd"
    printf 'root:x:0:\nvitrine:x:65532:\n' >"$out/etc/group"
    cp /etc/os-release "$out/etc/os-release"
    [ ! -e /etc/ssl/certs/ca-certificates.crt ] ||
        cp /etc/ssl/certs/ca-certificates.crt "$out/etc/ssl/certs/"
}

put_licences() {
    local package
    for package in "$@"; do
        [ ! -e "/usr/share/doc/$package/copyright" ] ||
            install -D -m 644 "/usr/share/doc/$package/copyright" \
                "$out/usr/share/doc/$package/copyright"
    done
}

# One package a line, with the checksum of nothing: dpkg's version names the bytes.
put_sbom() {
    local package first=yes
    mkdir -p "$out/usr/share/sbom"
    {
        printf '{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT",'
        printf '"name":"%s","documentNamespace":"urn:vitrine:image:%s",' "$name" "$name"
        printf '"creationInfo":{"created":"1970-01-01T00:00:00Z","creators":["Tool: collect.sh"]},\n'
        printf '"packages":[\n'
        for package in "$@"; do
            [ $first = yes ] || printf ',\n'
            first=no
            dpkg-query -W -f '{"SPDXID":"SPDXRef-${Package}","name":"${Package}","versionInfo":"${Version}","downloadLocation":"NOASSERTION","externalRefs":[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:deb/debian/${Package}@${Version}?arch=${Architecture}"}]}' "$package"
        done
        printf '\n]}\n'
    } >"$out/usr/share/sbom/$name.spdx.json"
}

# A library that is not on this machine would be missed only when the image runs.
missing=$(ldd "$@" | awk '/not found/ { print $1 }' | sort -u | xargs)
[ -z "$missing" ] || { echo "collect.sh: not installed here: $missing" >&2; exit 1; }
mapfile -t files < <(needed_files "$@")
for file in "${files[@]}"; do
    install -D -m 755 "$file" "$out/usr${file#/usr}"
done
ln -sfn usr/lib "$out/lib"
ln -sfn usr/lib64 "$out/lib64"
mapfile -t packages < <(packages_of "${files[@]}")
put_accounts
put_licences "${packages[@]}"
put_sbom "${packages[@]}"
find "$out" -exec touch -h -d @0 {} + # equal programs, equal layers
echo "collect.sh: ${#files[@]} files of ${#packages[@]} packages, $(du -sh "$out" | cut -f1)"
