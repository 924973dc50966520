#!/usr/bin/env bash
# Brings up a whole cell on this machine: profile, candidate, two ranking services, the gateway in
# front of them, a training job, and Prometheus. Mutual TLS inside, TLS and keys outside.
#
#   deploy/up.sh [--processes] [--folder DIR] [--data DIR] [--free-ports]
#     --processes   plain processes instead of containers
#     --folder DIR  certificates, keys, configuration, logs and data (build/cell in the source tree)
#     --data DIR    serve this data folder; default: a demo storefront in DIR/data, made once
#     --free-ports  on ports that are free now, instead of 8443, 9090 …
#
# Prints where everything is, and calls it once. DIR/cell.json says the same for scripts.
# deploy/down.sh ends it. Run again, it ends what ran and starts it anew on the same data. With
# VITRINE_BIN set nothing is built: the programs are there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/deploy/lib.sh"
. "$root/deploy/cell.sh"

mode=containers folder=$root/build/cell data= ports=fixed
while [ $# -gt 0 ]; do
    case $1 in
    --processes) mode=processes ;;
    --folder) folder=${2:?--folder needs a path}; shift ;;
    --data) data=${2:?--data needs a path}; shift ;;
    --free-ports) ports=free ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) vt_die "unknown argument '$1'; see $0 --help" ;;
    esac
    shift
done
folder=$(realpath -m "$folder")
[ -z "$data" ] || data=$(realpath "$data")

make_program() {
    if [ -n "${VITRINE_BIN:-}" ]; then
        vt_install run deploy
        vitrine=$VITRINE_BIN/vitrine
        return
    fi
    vt_install build run deploy
    vt_say "Building the release programs into build/release ($(vt_jobs) compilers at once)"
    (cd "$root" && cmake --preset release -DVT_TESTS=OFF >/dev/null &&
        cmake --build --preset release -j "$(vt_jobs)" --target vitrine)
    vitrine=$root/build/release/bin/vitrine
}

# The demo storefront, imported and trained; once.
make_data() {
    [ -z "$data" ] || { vt_say "Serving $data"; return; }
    data=$folder/data
    [ ! -e "$folder/data.complete" ] || { vt_say "Serving the data of before: $data"; return; }
    vt_say "Making a demo storefront, importing it, training a model ($data)"
    rm -rf "$folder/shop" "$data"
    "$vitrine" demo-data --out "$folder/shop" --seed 1 >/dev/null
    "$vitrine" import --data "$data" "$folder"/shop/{channels,items,customers,events}.jsonl
    "$vitrine" train --data "$data"
    touch "$folder/data.complete"
}

make_certificates() {
    vt_say "Certificates ($folder/certs)"
    "$root/deploy/certs.sh" "$folder/certs" >/dev/null
}

# A key for each role, kept from run to run; the gateway gets their hashes.
make_keys() {
    local role key
    if [ ! -e "$folder/keys.txt" ]; then
        (umask 077 && for role in storefront operator marketer trainer read-only; do
            echo "$role $(openssl rand -hex 24)"
        done >"$folder/keys.txt.new")
        mv "$folder/keys.txt.new" "$folder/keys.txt"
    fi
    mkdir -p "$folder/gateway"
    while read -r role key; do
        echo "$(printf %s "$key" | sha256sum | cut -d' ' -f1) $role $role"
    done <"$folder/keys.txt" >"$folder/gateway/keys.sha256"
}

key_of() {
    awk -v role="$1" '$1 == role { print $2 }' "$folder/keys.txt"
}

start_services() {
    vt_say "Starting profile, candidate and two ranking services"
    start_service profile profile "$(port 7410)" "$(port 7411)"
    profile=$(address_of profile)
    start_service candidate candidate "$(port 7420)" "$(port 7421)" --profile "$profile"
    candidate=$(address_of candidate)
    start_service ranking-1 ranking "$(port 7400)" "$(port 7401)" --profile "$profile" \
        --candidate "$candidate"
    start_service ranking-2 ranking "$(port 7402)" "$(port 7403)" --profile "$profile" \
        --candidate "$candidate"
    vt_say "Starting the training job: again when there is something new, at most every hour"
    start_process training "$vitrine" train --data "$data" --every 1h
}

# start_service NAME ROLE PORT HTTP-PORT OPTION…
start_service() {
    local name=$1 role=$2 listen=127.0.0.1:$3 http=127.0.0.1:$4
    shift 4
    start_process "$name" "$vitrine" serve --data "$data" --role "$role" --listen "$listen" \
        --http "$http" --tls-cert "$folder/certs/server.pem" --tls-key "$folder/certs/server.key" \
        --tls-ca "$folder/certs/ca.pem" "$@"
    wait_for "$name" ready_of "$name"
}

ready_of() {
    grep -q '"event":"ready"' "$folder/logs/$1.log"
}

# The address a service listens on, and that of its metrics: the log says which.
logged_port() {
    sed -nE 's/.*"event":"listening".*"'"$2"'":([0-9]+).*/\1/p' "$folder/logs/$1.log" | head -n 1
}
address_of() {
    echo "127.0.0.1:$(logged_port "$1" port)"
}
http_of() {
    echo "127.0.0.1:$(logged_port "$1" http_port)"
}

start_gateway() {
    local envoy values=$folder/gateway/values.yaml
    vt_say "Starting the gateway"
    envoy=$("$root/deploy/gateway/envoy.sh")
    mkdir -p "$folder/gateway"
    gateway=$(gateway_port 8443) admin=$(gateway_port 9901) metrics=$(gateway_port 9902)
    cat >"$values" <<END
listen: 127.0.0.1:$gateway
admin: 127.0.0.1:$admin
metrics: 127.0.0.1:$metrics
keys: keys.sha256
certificates:
  server: {cert: ../certs/server.pem, key: ../certs/server.key}
  services: {cert: ../certs/gateway.pem, key: ../certs/gateway.key, ca: ../certs/ca.pem}
upstreams:
  ranking: ["$(address_of ranking-1)", "$(address_of ranking-2)"]
  profile: ["$profile"]
END
    "$root/deploy/gateway/render.py" --values "$values" --out "$folder/gateway/out"
    start_process gateway "$envoy" -c "$folder/gateway/out/envoy.yaml" --log-level warning \
        --disable-hot-restart
    wait_for gateway gateway_answers
}

gateway_answers() {
    [ "$(curl -s --cacert "$folder/certs/ca.pem" -o "$folder/gateway/answer.json" -w '%{http_code}' \
        -H "x-api-key: $(key_of storefront)" -H 'content-type: application/json' \
        -d '{"placement":"home","n":1}' "https://localhost:$gateway/v1/recommend")" = 200 ]
}

start_prometheus() {
    local config=$folder/prometheus/prometheus.yml
    if ! command -v prometheus >/dev/null; then
        vt_say "Going on without Prometheus: it is not installed"
        return
    fi
    vt_say "Starting Prometheus"
    mkdir -p "$folder/prometheus"
    prometheus=$(gateway_port 9090)
    {
        printf 'global: {scrape_interval: 5s, evaluation_interval: 5s}\n'
        [ ! -e "$root/deploy/prometheus/alerts.yml" ] ||
            printf 'rule_files: ["%s"]\n' "$root/deploy/prometheus/alerts.yml"
        printf 'scrape_configs:\n'
        printf -- '- job_name: vitrine\n  static_configs:\n'
        local name
        for name in profile candidate ranking-1 ranking-2; do
            printf -- '  - targets: ["%s"]\n    labels: {role: %s, replica: %s}\n' \
                "$(http_of $name)" "${name%-*}" "$name"
        done
        printf -- '- job_name: gateway\n  metrics_path: /stats/prometheus\n  static_configs: [{targets: ["127.0.0.1:%s"]}]\n' "$metrics"
    } >"$config"
    start_process prometheus prometheus --config.file "$config" \
        --storage.tsdb.path "$folder/prometheus/data" --web.listen-address "127.0.0.1:$prometheus" \
        --log.level warn
    wait_for prometheus curl -sf -o /dev/null "http://127.0.0.1:$prometheus/-/ready"
}

# What scripts need to know; by rename, so that who reads it reads all of it.
write_cell_json() {
    {
        printf '{"gateway":"https://localhost:%s","grpc":"localhost:%s","ca":"%s",\n' "$gateway" \
            "$gateway" "$folder/certs/ca.pem"
        printf ' "prometheus":"%s","data":"%s","logs":"%s",\n' \
            "${prometheus:+http://127.0.0.1:$prometheus}" "$data" "$folder/logs"
        printf ' "keys":{%s},\n' "$(awk '{ printf "%s\"%s\":\"%s\"", sep, $1, $2; sep = "," }' \
            "$folder/keys.txt")"
        printf ' "processes":{%s}}\n' "$(for file in "$folder"/processes/*; do
            read -r pid _ <"$file"
            printf ',"%s":%s' "$(basename "$file")" "$pid"
        done | cut -c2-)"
    } >"$folder/cell.json.new"
    chmod 600 "$folder/cell.json.new"
    mv "$folder/cell.json.new" "$folder/cell.json"
}

say_how() {
    local call
    call="curl --cacert $folder/certs/ca.pem -H 'x-api-key: $(key_of storefront)' -H 'content-type: application/json' -d '{\"customerId\":\"C000001\",\"placement\":\"home\",\"n\":3}' https://localhost:$gateway/v1/recommend"
    vt_say "The cell is up"
    cat <<END
  JSON and gRPC   https://localhost:$gateway   (calls to try: https://localhost:$gateway/)
  keys            $folder/keys.txt
  Prometheus      ${prometheus:+http://127.0.0.1:$prometheus}
  logs            $folder/logs
  for scripts     $folder/cell.json
  end it          deploy/down.sh --folder $folder

\$ $call
END
    eval "$call --silent --show-error --fail"
    echo
}

[ $mode = processes ] || vt_die "containers: not in this version; use --processes"
make_program
mkdir -p "$folder/logs"
stop_cell "$folder"
make_data
make_certificates
make_keys
trap 'stop_cell "$folder"' ERR
start_services
start_gateway
start_prometheus
write_cell_json
say_how
