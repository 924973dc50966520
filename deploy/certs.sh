#!/usr/bin/env bash
# A certificate authority of one's own, a certificate for the servers of a cell and one for each
# role of a caller (docs/operations.md, "Certificates"). Run again, it keeps the authority and
# replaces the certificates: that is a rotation, which running servers notice by themselves.
#
#   deploy/certs.sh DIR [--days N] [--name HOST-OR-IP]... [ROLE]...
#
#   DIR      gets ca.pem ca.key server.pem server.key storefront.pem storefront.key …
#   --days   how long the certificates are valid (90); the authority is made for ten years
#   --name   what callers call the servers, besides localhost, 127.0.0.1 and ::1
#   ROLE     only these of: server storefront trainer operator marketer read-only service gateway
set -euo pipefail
umask 077

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

all_roles=(storefront trainer operator marketer read-only service gateway)
days=90 names=(localhost 127.0.0.1 ::1) roles=() dir=
while [ $# -gt 0 ]; do
    case $1 in
    --days | --name)
        [ $# -ge 2 ] || usage
        if [ "$1" = --days ]; then days=$2; else names+=("$2"); fi
        shift
        ;;
    -*) usage ;;
    *)
        if [ -z "$dir" ]; then dir=$1
        elif [[ " server ${all_roles[*]} " == *" $1 "* ]]; then roles+=("$1")
        else echo "certs.sh: '$1' is no role: server ${all_roles[*]}" >&2; exit 2; fi
        ;;
    esac
    shift
done
[ -n "$dir" ] || usage
[ ${#roles[@]} -gt 0 ] || roles=(server "${all_roles[@]}")
mkdir -p "$dir"

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

# "DNS:localhost,IP:127.0.0.1,…"
server_names() {
    local name list=
    for name in "${names[@]}"; do
        if [[ $name =~ ^[0-9.]+$ || $name == *:* ]]; then list+="IP:$name,"; else list+="DNS:$name,"; fi
    done
    echo "${list%,}"
}

make_authority() {
    new_key "$dir/ca.key"
    openssl req -x509 -new -key "$dir/ca.key" -sha256 -days 3650 -subj "/CN=Vitrine cell CA" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" -out "$dir/ca.pem"
}

# make_certificate NAME PURPOSES ALTERNATIVE-NAMES: the key first, and both by rename, so that
# a server that reads in between sees a pair that does not fit, and waits.
make_certificate() {
    local new=$dir/.new-$1
    new_key "$new.key"
    openssl req -new -key "$new.key" -subj "/O=Vitrine/CN=$1" -out "$new.csr"
    openssl x509 -req -in "$new.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -sha256 \
        -set_serial "0x$(openssl rand -hex 16)" -days "$days" -out "$new.pem" -extfile <(
            echo "basicConstraints=critical,CA:FALSE"
            echo "keyUsage=critical,digitalSignature"
            echo "extendedKeyUsage=$2"
            echo "subjectAltName=$3"
        ) 2>/dev/null
    rm "$new.csr"
    mv "$new.key" "$dir/$1.key"
    mv "$new.pem" "$dir/$1.pem"
}

[ -f "$dir/ca.pem" ] || make_authority
for role in "${roles[@]}"; do
    if [ "$role" = server ]; then
        # The parts of a cell call each other, and /livez its own port, with this certificate.
        make_certificate server serverAuth,clientAuth "URI:vitrine://role/service,$(server_names)"
    else
        make_certificate "$role" clientAuth "URI:vitrine://role/$role"
    fi
done
