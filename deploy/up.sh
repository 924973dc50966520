#!/usr/bin/env bash
# Brings up a whole cell on this machine: profile, candidate, two ranking services, the gateway in
# front of them, a training job, and Prometheus. Mutual TLS inside, TLS and keys outside.
#
#   deploy/up.sh [--processes] [--folder DIR] [--data DIR] [--free-ports] [--otlp HOST:PORT]
#     --processes   plain processes instead of containers
#     --folder DIR  certificates, keys, configuration, logs and data (build/cell in the source tree)
#     --data DIR    serve this data folder; default: a demo storefront in DIR/data, made once
#     --free-ports  on ports that are free now, instead of 8443, 9090 …
#     --otlp H:P    a collector that takes spans by OTLP over gRPC, as the cell reaches it
#     --trace-sample SHARE  of the calls that come without a traceparent (0.01)
#
# Prints where everything is, and calls it once. DIR/cell.json says the same for scripts.
# deploy/down.sh ends it. Run again, it ends what ran and starts it anew on the same data. With
# VITRINE_BIN set nothing is built: the programs are there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/deploy/lib.sh"
. "$root/deploy/cell.sh"

mode=containers folder=$root/build/cell data= ports=fixed otlp= trace_sample=0.01
while [ $# -gt 0 ]; do
    case $1 in
    --processes) mode=processes ;;
    --folder) folder=${2:?--folder needs a path}; shift ;;
    --data) data=${2:?--data needs a path}; shift ;;
    --free-ports) ports=free ;;
    --otlp) otlp=${2:?--otlp needs host:port}; shift ;;
    --trace-sample) trace_sample=${2:?--trace-sample needs a share}; shift ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) vt_die "unknown argument '$1'; see $0 --help" ;;
    esac
    shift
done
folder=$(realpath -m "$folder")
[ -z "$data" ] || data=$(realpath "$data")

# Defines `vitrine`, which runs a command of ours, as a process or in a container of its own.
make_program() {
    if [ $mode = containers ]; then make_images; return; fi
    vitrine() { "$program" "$@"; }
    if [ -n "${VITRINE_BIN:-}" ]; then
        vt_install run deploy
        program=$VITRINE_BIN/vitrine
        return
    fi
    vt_install build run deploy
    vt_say "Building the release programs into build/release ($(vt_jobs) compilers at once)"
    (cd "$root" && cmake --preset release -DVT_TESTS=OFF >/dev/null &&
        cmake --build --preset release -j "$(vt_jobs)" --target vitrine vitrine-gateway)
    program=$root/build/release/bin/vitrine
}

# The demo storefront, imported and trained; once.
make_data() {
    [ -z "$data" ] || { vt_say "Serving $data"; return; }
    data=$folder/data
    [ ! -e "$folder/data.complete" ] || { vt_say "Serving the data of before: $data"; return; }
    vt_say "Making a demo storefront, importing it, training a model ($data)"
    rm -rf "$folder/shop" "$data"
    mkdir "$folder/shop" "$data"
    vitrine demo-data --out "$folder/shop" --seed 1 >/dev/null
    vitrine import --data "$data" "$folder"/shop/{channels,items,customers,events}.jsonl
    vitrine train --data "$data" --algorithm ials # in seconds; a shop lets its data choose
    touch "$folder/data.complete"
}

make_certificates() {
    vt_say "Certificates ($folder/certs)"
    "$root/deploy/certs.sh" "$folder/certs" --name profile --name candidate --name ranking-1 \
        --name ranking-2 >/dev/null
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
    start_process training "$program" train --data "$data" --algorithm ials \
        --every 1h
}

# start_service NAME ROLE PORT HTTP-PORT OPTION…
start_service() {
    local name=$1 role=$2 listen=127.0.0.1:$3 http=127.0.0.1:$4
    shift 4
    start_process "$name" "$program" serve --data "$data" --role "$role" --listen "$listen" \
        --http "$http" --tls-cert "$folder/certs/server.pem" --tls-key "$folder/certs/server.key" \
        --tls-ca "$folder/certs/ca.pem" --otlp "$otlp" --trace-sample "$trace_sample" "$@"
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

# render_gateway LISTEN-HOST RANKING PROFILE: its configuration, for the ports chosen before.
render_gateway() {
    cat >"$folder/gateway/values.yaml" <<END
listen: $1:$gateway
admin: 127.0.0.1:$admin
metrics: $1:$metrics
keys: keys.sha256
certificates:
  server: {cert: ../certs/server.pem, key: ../certs/server.key}
  services: {cert: ../certs/gateway.pem, key: ../certs/gateway.key, ca: ../certs/ca.pem}
upstreams: {ranking: [$2], profile: [$3]}
tracing: {collector: "$otlp", sample: $trace_sample}
END
    "$root/deploy/gateway/render.py" --values "$folder/gateway/values.yaml" \
        --out "$folder/gateway/out"
}

start_gateway() {
    local envoy
    vt_say "Starting the gateway"
    envoy=$("$root/deploy/gateway/envoy.sh")
    gateway=$(free_port 8443) admin=$(free_port 9901) metrics=$(free_port 9902)
    render_gateway 127.0.0.1 "'$(address_of ranking-1)', '$(address_of ranking-2)'" "'$profile'"
    # Its callers have no other gateway to go to.
    start_process gateway "$(dirname "$program")/vitrine-gateway" --admin "127.0.0.1:$admin" \
        --linger 0ms --grace 1s -- "$envoy" -c "$folder/gateway/out/envoy.yaml" \
        --log-level warning --disable-hot-restart
    wait_for gateway gateway_answers
}

gateway_answers() {
    [ "$(curl -s --cacert "$folder/certs/ca.pem" -o "$folder/gateway/answer.json" -w '%{http_code}' \
        -H "x-api-key: $(key_of storefront)" -H 'content-type: application/json' \
        -d '{"placement":"home","n":1}' "https://localhost:$gateway/v1/recommend")" = 200 ]
}

# prometheus_config GATEWAY-METRICS NAME=ADDRESS…: what it scrapes, and the alerts.
prometheus_config() {
    local target name
    mkdir -p "$folder/prometheus"
    [ ! -e "$root/deploy/prometheus/alerts.yml" ] ||
        cp "$root/deploy/prometheus/alerts.yml" "$folder/prometheus/"
    {
        printf 'global: {scrape_interval: 5s, evaluation_interval: 5s}\n'
        printf 'rule_files: ["alerts*.yml"]\nscrape_configs:\n- job_name: gateway\n'
        printf '  metrics_path: /stats/prometheus\n  static_configs: [{targets: ["%s"]}]\n' "$1"
        shift
        printf -- '- job_name: vitrine\n  static_configs:\n'
        for target in "$@"; do
            name=${target%%=*}
            printf -- '  - {targets: ["%s"], labels: {role: %s, replica: %s}}\n' "${target#*=}" \
                "${name%-*}" "$name"
        done
    } >"$folder/prometheus/prometheus.yml"
}

start_prometheus() {
    vt_say "Starting Prometheus"
    prometheus=$(free_port 9090)
    prometheus_config "127.0.0.1:$metrics" "profile=$(http_of profile)" \
        "candidate=$(http_of candidate)" "ranking-1=$(http_of ranking-1)" \
        "ranking-2=$(http_of ranking-2)"
    start_process prometheus prometheus --config.file "$folder/prometheus/prometheus.yml" \
        --storage.tsdb.path "$folder/prometheus/data" --web.listen-address "127.0.0.1:$prometheus" \
        --log.level warn
    wait_for prometheus curl -sf -o /dev/null "http://127.0.0.1:$prometheus/-/ready"
}

# ---- containers ----

# Whether an image is there, and of the commit that is checked out, where that is known.
has_image() {
    local label='{{index .Config.Labels "org.opencontainers.image.revision"}}' of wanted
    of=$("$engine" image inspect --format "$label" "localhost/$1:latest" 2>/dev/null) || return 1
    wanted=$(git -C "$root" rev-parse HEAD 2>/dev/null) || return 0
    [ "$of" = "$wanted" ]
}

make_images() {
    vt_install deploy container
    engine=$(vt_container_engine) ||
        vt_die "containers cannot run here ($engine); use --processes"
    local image missing=()
    for image in vitrine vitrine-gateway vitrine-prometheus; do
        has_image "$image" || missing+=("$(sed 's/^vitrine-//' <<<"$image")")
    done
    [ ${#missing[@]} -eq 0 ] || "$root/deploy/image.sh" "${missing[@]}"
    vitrine() {
        give_to_user "$folder"
        "$engine" run --rm --network none --read-only --cap-drop all --user "$user" \
            --ulimit nofile=16384:16384 --ulimit nproc=4096:4096 -v "$folder:$folder" localhost/vitrine "$@"
    }
    user=$(id -u):$(id -g)
    [ "$user" != 0:0 ] || user=65532:65532 # nobody's: a container never runs as root
    [ -z "$data" ] || user=$(stat -c %u:%g "$data")
}

# Who made the files is root or the user already; root gives what containers read to theirs.
give_to_user() {
    [ "$(id -u)" -ne 0 ] || chown -R "$user" "$@"
}

start_containers() {
    vt_say "Starting the containers"
    gateway=8443 admin=9901 metrics=9902
    render_gateway 0.0.0.0 "'ranking-1:7400', 'ranking-2:7400'" "'profile:7400'"
    prometheus_config gateway:9902 profile=profile:7401 candidate=candidate:7401 \
        ranking-1=ranking-1:7401 ranking-2=ranking-2:7401
    give_to_user "$folder/certs" "$folder/gateway" "$folder/prometheus"
    gateway=$(free_port 8443) prometheus=$(free_port 9090)
    cat >"$folder/compose.env" <<END
VITRINE_CELL=$folder
VITRINE_CELL_DATA=$data
VITRINE_USER=$user
VITRINE_GATEWAY_PORT=$gateway
VITRINE_PROMETHEUS_PORT=$prometheus
VITRINE_OTLP=$otlp
VITRINE_TRACE_SAMPLE=$trace_sample
END
    compose "$folder" up -d >"$folder/logs/compose.log" 2>&1 ||
        { tail -n 20 "$folder/logs/compose.log" >&2; vt_die "the containers did not start"; }
    local waited
    for ((waited = 0; waited < 120; waited++)); do
        ! gateway_answers || return 0
        sleep 0.5
    done
    vt_die "the gateway did not answer within a minute; see: $engine logs …"
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
        printf ' "%s":{%s}}\n' "$mode" "$(parts)"
    } >"$folder/cell.json.new"
    chmod 600 "$folder/cell.json.new"
    mv "$folder/cell.json.new" "$folder/cell.json"
}

# "profile":17,… with the process ids; of containers their names.
parts() {
    local file pid name
    if [ $mode = containers ]; then
        for name in $(compose_services); do printf ',"%s":"%s"' "$name" "$(container_of "$name")"; done
    else
        for file in "$folder"/processes/*; do
            read -r pid _ <"$file"
            printf ',"%s":%s' "$(basename "$file")" "$pid"
        done
    fi | cut -c2-
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

mkdir -p "$folder/logs"
make_program
stop_cell "$folder"
make_certificates
make_keys
make_data
trap 'stop_cell "$folder"' ERR
if [ $mode = processes ]; then
    start_services
    start_gateway
    start_prometheus
else
    start_containers
fi
write_cell_json
say_how
