# What up.sh and down.sh share: processes that outlive the script, known by id and start time, in
# FOLDER/processes. To be sourced after lib.sh.
#
#   start_process NAME COMMAND…   in the background, its output in FOLDER/logs/NAME.log
#   wait_for NAME COMMAND…        until COMMAND is true; ends the script when NAME ends before
#   stop_cell FOLDER              ends every process and container of the folder: callers' side first
#   port N, free_port N           N, or with --free-ports 0, or a port that is free now

# The time a process started: with it an id means the same process for ever.
start_time() {
    sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
}

start_process() {
    local name=$1
    shift
    mkdir -p "$folder/processes"
    setsid nohup "$@" >"$folder/logs/$name.log" 2>&1 </dev/null &
    echo "$! $(start_time $!)" >"$folder/processes/$name"
}

is_running() {
    local pid started
    [ -e "$1" ] && read -r pid started <"$1" || return 1
    [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ]
}

wait_for() {
    local name=$1 waited
    shift
    for ((waited = 0; waited < 600; waited++)); do
        ! "$@" 2>/dev/null || return 0
        is_running "$folder/processes/$name" || break
        sleep 0.1
    done
    tail -n 20 "$folder/logs/$name.log" >&2
    vt_die "$name did not become ready; its log is $folder/logs/$name.log"
}

# stop_processes FOLDER NAME…: asks those that run to end, all at once; ends them after 15 seconds.
stop_processes() {
    local processes=$1/processes name pid waited
    shift
    for name in "$@"; do
        is_running "$processes/$name" || continue
        read -r pid _ <"$processes/$name"
        kill -CONT "$pid" 2>/dev/null || true
        kill -TERM "$pid" 2>/dev/null || true
    done
    for name in "$@"; do
        for ((waited = 0; waited < 150; waited++)); do
            is_running "$processes/$name" || break
            sleep 0.1
        done
        ! is_running "$processes/$name" || kill -KILL "$(cut -d' ' -f1 "$processes/$name")"
        rm -f "$processes/$name"
    done
}

# One project for each folder, so that cells do not meet.
project_of() {
    echo "vitrine-$(printf %s "$1" | sha256sum | cut -c1-8)"
}

# compose FOLDER COMMAND…: podman-compose or docker compose, on the containers of this folder alone.
compose() {
    local folder=$1 project
    shift
    project=$(project_of "$folder")
    if [ "$(vt_container_engine)" = podman ]; then
        (set -a && . "$folder/compose.env" &&
            podman-compose -p "$project" -f "$vt_deploy_folder/compose.yaml" "$@")
    else
        docker compose -p "$project" --env-file "$folder/compose.env" \
            -f "$vt_deploy_folder/compose.yaml" "$@"
    fi
}

compose_services() {
    sed -nE 's/^  ([a-z0-9-]+): ?.*/\1/p' <(sed -n '/^services:/,$p' "$vt_deploy_folder/compose.yaml")
}

# The container that a service runs in; podman-compose and docker compose join names differently.
container_of() {
    compose "$folder" ps 2>/dev/null | grep -oE "vitrine-[0-9a-f]{8}[_-]$1[_-]1" | head -n 1
}

stop_cell() {
    if [ -e "$1/compose.env" ]; then
        compose "$1" down -v >"$1/logs/compose.log" 2>&1 || true
        # podman-compose leaves the network behind.
        podman network rm -f "$(project_of "$1")_default" >/dev/null 2>&1 || true
        rm -f "$1/compose.env"
    fi
    stop_processes "$1" prometheus gateway training
    stop_processes "$1" ranking-1 ranking-2 candidate profile
    rm -f "$1/cell.json"
}

port() {
    if [ "$ports" = free ]; then echo 0; else echo "$1"; fi
}

# Envoy and Prometheus do not say which port they got: one is looked for.
free_port() {
    if [ "$ports" = fixed ]; then echo "$1"; return; fi
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
