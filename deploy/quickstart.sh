#!/usr/bin/env bash
# From a fresh Debian 12 to ranked products: installs what is missing, builds, makes a demo
# storefront, imports it, trains a model, serves it, and asks for recommendations over gRPC.
#
#   deploy/quickstart.sh [--keep] [--folder DIR]
#     --keep        leaves the server running at the end, and says how to ask and how to stop it
#     --folder DIR  where the data goes (default: build/quickstart in the source tree); what an
#                   earlier run left there is replaced
#
# From any folder, as root or as a user with sudo, any number of times. About three minutes on two
# cores, most of it installing and compiling.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/deploy/lib.sh"

keep=no folder=$root/build/quickstart
while [ $# -gt 0 ]; do
    case $1 in
    --keep) keep=yes ;;
    --folder) folder=${2:?--folder needs a path}; shift ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) vt_die "unknown argument '$1'; see $0 --help" ;;
    esac
    shift
done
case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
customer_new=newcomer-1
server=
log=$folder/serve.log

# Prints a command as a person would type it, then runs it.
show() {
    printf '\n$ vitrine %s\n' "${*:2}"
    "$@"
}

stop_server() {
    [ -n "$server" ] || return 0
    kill -TERM "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
}
trap stop_server EXIT

# The port is free because the system chose it; the log says which, once every thread serves.
start_server() {
    "$vitrine" serve --data "$folder/data" --listen 127.0.0.1:0 --drain-linger 0ms 2>"$log" &
    server=$!
    local waited
    for ((waited = 0; waited < 300; waited++)); do
        kill -0 "$server" 2>/dev/null || { cat "$log" >&2; vt_die "the server did not start"; }
        port=$(sed -nE 's/.*"event":"ready".*"port":([0-9]+).*/\1/p' "$log" | head -n 1)
        [ -z "$port" ] || return 0
        sleep 0.1
    done
    cat "$log" >&2
    vt_die "the server was not ready after 30 seconds"
}

vt_install build run

vt_say "Building the release programs into build/release ($(vt_jobs) compilers at once)"
cd "$root"
cmake --preset release -DVT_TESTS=OFF >/dev/null
cmake --build --preset release -j "$(vt_jobs)" --target vitrine
vitrine=$root/build/release/bin/vitrine

vt_say "Making a demo storefront, importing it, training a model ($folder)"
mkdir -p "$folder"
rm -rf "$folder/shop" "$folder/data"
show "$vitrine" demo-data --out "$folder/shop" --seed 1
show "$vitrine" import --data "$folder/data" "$folder"/shop/{channels,items,customers,events}.jsonl
show "$vitrine" train --data "$folder/data" --algorithm ials # in seconds

vt_say "Serving it: all three services in one process"
start_server
echo "process $server answers gRPC on 127.0.0.1:$port, its log is $log"

# The customer with the most purchases, whom a model should know well.
customer=$(grep -hoE '"type":"purchase".*"customer_id":"C[0-9]+"' "$folder/shop/events.jsonl" |
    grep -oE 'C[0-9]+"$' | tr -d '"' | sort | uniq -c | sort -k1,1nr -k2,2 |
    awk 'NR == 1 { print $2 }')
target=127.0.0.1:$port

vt_say "A known customer, $customer: what the purchases say"
show "$vitrine" recommend --target "$target" --customer "$customer" -n 8

vt_say "A new customer, of whom nothing is known: what is popular"
show "$vitrine" recommend --target "$target" --customer "$customer_new" -n 8

item=$("$vitrine" recommend --target "$target" --customer "$customer" -n 1 --json |
    grep -oE '"id": ?"[^"]+"' | head -n 1 | sed -E 's/.*"([^"]+)"$/\1/')
vt_say "The new customer clicks $item, and the very next answer is personal"
show "$vitrine" event --target "$target" --customer "$customer_new" --type click --item "$item"
show "$vitrine" recommend --target "$target" --customer "$customer_new" -n 8

if [ $keep = yes ]; then
    trap - EXIT
    disown "$server"
    vt_say "The server keeps running. Ask it:  $vitrine recommend --target $target --customer $customer
    Stop it:  kill $server"
else
    stop_server
    vt_say "Done; the server is stopped. Start it again on the same data with
    $vitrine serve --data $folder/data"
fi
