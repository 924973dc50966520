#!/usr/bin/env bash
# Everything that can be wrong and that a machine can see. Installs what is missing, builds, runs:
#
#   static       format, layering, headers alone, clang-tidy, buf, what the programs are hardened with
#   unit         every cmocka program of tests/unit: gcc's release build, then clang's with ASan + UBSan
#   race         those that start threads, with gcc's ThreadSanitizer
#   fuzz         every target of tests/fuzz, a few seconds each
#   negative     planted bugs that the above must catch
#   integration  every script of tests/integration against the release programs
#
#   tests/run.sh [--all] [--only PATTERN]
#     --all           minutes of fuzzing, every unit test under ThreadSanitizer, and the long forms of
#                     the tests that kill, cut and damage (they read VITRINE_TEST_ALL=1)
#     --only PATTERN  only tests whose name (as printed) matches this regular expression
#
# Runs from any folder, as root or as a user, any number of times. Logs are in build/test-logs. Ends
# with one line of counts; exit status 1 if anything failed. Every script speaks TAP; those of
# tests/integration find the programs in the folder VITRINE_BIN.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
. deploy/lib.sh
. tests/testlib/harness.sh

all=no only=
while [ $# -gt 0 ]; do
    case $1 in
    --all) all=yes ;;
    --only) only=${2:?--only needs a pattern}; shift ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) vt_die "unknown argument '$1'; see $0 --help" ;;
    esac
    shift
done
fuzz_seconds=5 release_timeout=120 integration_timeout=600
# How a script of tests/integration says that it wants the machine for itself; the reason follows.
runs_alone='^# Runs alone: '
# What a unit test's source says when its code runs on several threads.
starts_threads='pthread_create|parallel|n_threads|worker_pool|bundle_set|rpc_server'
[ $all = no ] || fuzz_seconds=60 release_timeout=1800 integration_timeout=3600

export OPENBLAS_NUM_THREADS=1 # as the programs set it for themselves
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
# gRPC, RocksDB and BLAS are not instrumented: what they do among themselves TSan can not see.
export TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1:history_size=4
# A setting of the user's must not change what is tested; where the data sets are may be told.
unset $(compgen -e | grep '^VITRINE_' | grep -v '^VITRINE_DATA$' || true)
[ $all = no ] || export VITRINE_TEST_ALL=1
export VITRINE_BIN=$root/build/release/bin

wanted() {
    [ -z "$only" ] || [[ $1 =~ $only ]]
}

# run NAME TIMEOUT_S COMMAND…, when it is wanted: alone; run_beside: beside others.
run() {
    if wanted "$1"; then vt_run_tap "$@"; fi
}
run_beside() {
    if wanted "$1"; then vt_start_tap "$@"; fi
}

# build PRESET TARGET…: configures and builds; a test by itself.
build() {
    local preset=$1
    shift
    vt_step "build $preset: configure" cmake --preset "$preset" -DVT_TESTS=ON &&
        vt_step "build $preset: compile" cmake --build --preset "$preset" -j "$(vt_jobs)" \
            ${1:+--target "$@"} -- -k 0 # one broken file must not hide the rest
}

# The CMake name of tests/unit/<module>/<name>_test.c and of tests/fuzz/<module>/<name>_fuzz.c.
target_of() {
    local module
    module=$(basename "$(dirname "$1")")
    printf '%s_%s_%s\n' "$(basename "$(dirname "$(dirname "$1")")")" "$module" \
        "$(basename "$1" .c)"
}

# One more than there are processors: some always wait, for a disk or for a process to come up.
lanes() {
    printf '%s\n' $(($(vt_jobs) + 1))
}

# unit_tests HOW BUILD FOLDER-PROGRAM-SOURCES…: runs those that are built.
unit_tests() {
    local how=$1 preset=$2 source target vt_lanes
    vt_lanes=$(lanes)
    shift 2
    for source in "$@"; do
        target=$(target_of "$source")
        local name="$how ${source#tests/unit/}"
        wanted "${name%_test.c}" || continue
        if [ -x "build/$preset/tests/unit/$target" ]; then
            "run_$how" "${name%_test.c}" "build/$preset/tests/unit/$target"
        else
            vt_fail "${name%_test.c}: was not built"
        fi
    done
    vt_wait_taps
}
run_release() { vt_start_tap "$1" $release_timeout "$2"; }
# The long forms only against the release build: instrumented they would take hours.
run_asan() { vt_start_tap "$1" 300 env -u VITRINE_TEST_ALL "$2"; }
# Unquoted: it is several words, or none.
run_tsan() { vt_start_tap "$1" 300 env -u VITRINE_TEST_ALL $(vt_without_aslr) "$2"; }

install() {
    vt_stage "Packages (deploy/deps.txt)"
    vt_install build run deploy test
    vt_provide go golang-go || echo "going on without go: what needs it will be skipped"
    vt_provide npm npm || echo "going on without npm: what needs it will be skipped"
    echo "what is needed is installed"
}

test_release() {
    vt_stage "Build: gcc, release"
    build release || true
    vt_stage "Unit tests"
    unit_tests release release "${sources[@]}"
}

# integration_tests HOW SCRIPT…: one after the other (run), or beside each other (run_beside).
integration_tests() {
    local how=$1 script vt_lanes
    vt_lanes=$(lanes)
    shift
    for script in "$@"; do
        $how "integration $(sed 's|tests/integration/||; s|\.py$||' <<<"$script")" \
            $integration_timeout python3 "$script"
    done
    vt_wait_taps
}

# Most wait most of the time: for a process to come up, for a call that must not be answered.
test_whole_programs() {
    local scripts=(tests/integration/*_test.py tests/integration/*/*_test.py) alone beside
    mapfile -t alone < <(grep -l "$runs_alone" "${scripts[@]}")
    mapfile -t beside < <(grep -L "$runs_alone" "${scripts[@]}")
    vt_stage "Integration tests"
    integration_tests run_beside "${beside[@]}"
    integration_tests run "${alone[@]}"
}

test_with_clang() {
    vt_stage "Build: clang, ASan and UBSan, fuzz targets"
    build fuzz || true
    vt_stage "Unit tests under ASan and UBSan"
    unit_tests asan fuzz "${sources[@]}"
    vt_stage "Fuzz targets, $fuzz_seconds s each"
    local source
    for source in tests/fuzz/*/*_fuzz.c; do
        run_beside "fuzz $(sed 's|tests/fuzz/||; s|_fuzz.c||' <<<"$source")" $((fuzz_seconds + 120)) \
            tests/testlib/checks/fuzz.sh "$fuzz_seconds" \
            "build/fuzz/tests/fuzz/$(target_of "$source")" "${source%_fuzz.c}_corpus"
    done
    vt_wait_taps
}

test_for_races() {
    local source targets=() threaded=("${sources[@]}")
    if [ $all = no ]; then
        mapfile -t threaded < <(grep -lE "$starts_threads" "${sources[@]}")
    fi
    for source in "${threaded[@]}"; do
        targets+=("$(target_of "$source")")
    done
    vt_stage "Build: gcc, ThreadSanitizer, ${#threaded[@]} of ${#sources[@]} unit tests"
    build tsan "${targets[@]}" || true
    vt_stage "Unit tests under ThreadSanitizer"
    unit_tests tsan tsan "${threaded[@]}"
}

check_statically() {
    vt_stage "Static checks"
    run "check layering" 60 tests/layering.py
    local check
    for check in format headers hardening buf tidy; do
        run "check $check" 600 "tests/testlib/checks/$check.sh"
    done
}

check_the_checks() {
    vt_stage "Planted bugs"
    local script
    for script in tests/negative/*.sh; do
        run "negative $(basename "$script" .sh)" 120 "$script"
    done
}

# In a function, so that bash has read it all before it begins: the file may be edited meanwhile.
main() {
    vt_logs=$root/build/test-logs
    mkdir -p "$vt_logs"
    shopt -s nullglob
    sources=(tests/unit/*/*_test.c)
    install
    test_release
    test_whole_programs
    test_with_clang
    test_for_races
    check_statically
    check_the_checks
    vt_summary
    exit
}
main
