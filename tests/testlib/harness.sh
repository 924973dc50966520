# The counting half of tests/run.sh, and what its checks share. To be sourced by bash.
#
# A test program speaks TAP: "ok N - name", "ok N - name # SKIP reason", "not ok N - name", and
# lines that begin with '#' for people. vt_run_tap runs one, adds its results up, and shows what
# failed or was skipped. A program that dies, times out, or says nothing counts as a failed test.

vt_passed=0 vt_failed=0 vt_skipped=0
vt_began=$SECONDS

# vt_stage TEXT: a heading with the time since the start.
vt_stage() {
    local seconds=$((SECONDS - vt_began))
    printf '\n== %02d:%02d  %s\n' $((seconds / 60)) $((seconds % 60)) "$*"
}

vt_pass() {
    vt_passed=$((vt_passed + 1))
}

# vt_fail NAME [DETAIL_FILE]: counts and shows a failure, with the end of its output.
vt_fail() {
    vt_failed=$((vt_failed + 1))
    printf 'FAILED   %s\n' "$1"
    [ -z "${2:-}" ] || tail -n 40 "$2" | sed 's/^/         | /'
}

# vt_skip NAME REASON
vt_skip() {
    vt_skipped=$((vt_skipped + 1))
    printf 'skipped  %s: %s\n' "$1" "$2"
}

# Counts the results in a TAP file; the name of the program goes before each test's.
vt_count_tap() {
    local program=$1 file=$2 line name
    while IFS= read -r line; do
        name="$program: $(sed -E 's/^(not )?ok +[0-9]* *-? *//; s/ *# *SKIP.*//I' <<<"$line")"
        case $line in
        *'# SKIP'* | *'# skip'*) vt_skip "$name" "${line#*# [Ss][Kk][Ii][Pp]}" ;;
        'not ok'*) vt_fail "$name" ;;
        *) vt_pass ;;
        esac
    done < <(grep -E '^(not )?ok\b' "$file")
}

# The log of a test program's output.
vt_log_of() {
    printf '%s/%s.log\n' "$vt_logs" "${1//[^A-Za-z0-9_.-]/_}"
}

# vt_execute NAME TIMEOUT_S COMMAND…: runs it with its output in its log; its exit status.
vt_execute() {
    local log limit_s=$2
    log=$(vt_log_of "$1")
    shift 2
    CMOCKA_MESSAGE_OUTPUT=TAP timeout --kill-after=10 "$limit_s" "$@" >"$log" 2>&1 </dev/null
}

# vt_report_tap NAME TIMEOUT_S STATUS SECONDS: counts and shows what its log says.
vt_report_tap() {
    local name=$1 limit_s=$2 status=$3 seconds=$4 failed_before=$vt_failed log
    log=$(vt_log_of "$name")
    vt_count_tap "$name" "$log"
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        vt_fail "$name: not done after $limit_s s" "$log"
    elif [ "$status" -ne 0 ] && [ "$vt_failed" -eq "$failed_before" ]; then
        vt_fail "$name: exit status $status" "$log"
    elif ! grep -qE '^(not )?ok\b' "$log"; then
        vt_fail "$name: printed no result" "$log"
    elif [ "$vt_failed" -ne "$failed_before" ]; then
        tail -n 60 "$log" | sed 's/^/         | /'
        printf '         | all of it: %s\n' "$log"
    fi
    printf '%-8s %s (%d s)\n' "$([ "$vt_failed" -eq "$failed_before" ] && echo ok || echo FAILED)" \
        "$name" "$seconds"
}

# vt_run_tap NAME TIMEOUT_S COMMAND…: runs it alone and counts.
vt_run_tap() {
    local status=0 began=$SECONDS
    vt_execute "$@" || status=$?
    vt_report_tap "$1" "$2" $status $((SECONDS - began))
}

# vt_start_tap NAME TIMEOUT_S COMMAND…: the same beside others, vt_lanes of them or else one for each
# processor, counted when it ends; vt_wait_taps waits for the last of them. For programs that mind
# nobody's load.
declare -A vt_started=()
vt_start_tap() {
    [ ${#vt_started[@]} -lt "${vt_lanes:-$(vt_jobs)}" ] || vt_wait_tap
    vt_execute "$@" &
    vt_started[$!]="$2 $SECONDS $1"
}

vt_wait_tap() {
    local pid status=0 limit_s began name
    wait -n -p pid "${!vt_started[@]}" || status=$?
    read -r limit_s began name <<<"${vt_started[$pid]}"
    unset "vt_started[$pid]"
    vt_report_tap "$name" "$limit_s" $status $((SECONDS - began))
}

vt_wait_taps() {
    while [ ${#vt_started[@]} -gt 0 ]; do vt_wait_tap; done
}

# vt_step NAME COMMAND…: one step that is a test by itself, such as a build.
vt_step() {
    local name=$1 log=$vt_logs/${1//[^A-Za-z0-9_.-]/_}.log
    shift
    if "$@" >"$log" 2>&1 </dev/null; then
        vt_pass
        printf 'ok       %s\n' "$name"
    else
        vt_fail "$name" "$log"
        return 1
    fi
}

# ThreadSanitizer maps fixed addresses, which a kernel that randomises widely may have taken. Prints
# the words to put before a command so that addresses stay put; nothing where that is not allowed.
vt_without_aslr() {
    ! setarch "$(uname -m)" -R true 2>/dev/null || printf 'setarch %s -R\n' "$(uname -m)"
}

# The one line that counts.
vt_summary() {
    printf '\n%d passed, %d failed' "$vt_passed" "$vt_failed"
    [ "$vt_skipped" -eq 0 ] || printf ', %d skipped' "$vt_skipped"
    printf '\n'
    [ "$vt_failed" -eq 0 ]
}
