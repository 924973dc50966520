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
#     --all           minutes of fuzzing, and every unit test under ThreadSanitizer
#     --only PATTERN  only tests whose name (as printed) matches this regular expression
#
# Runs from any folder, as root or as a user, any number of times. Logs are in build/test-logs. Ends
# with one line of counts; exit status 1 if anything failed. Every script speaks TAP; those of
# tests/integration find the root of the tree in VT_ROOT and the programs in VT_BIN.
set -euo pipefail
VT_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$VT_ROOT"
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
fuzz_seconds=5
[ $all = no ] || fuzz_seconds=60

export VT_ROOT VT_BIN=$VT_ROOT/build/release/bin
export OPENBLAS_NUM_THREADS=1 # as the programs set it for themselves
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
# gRPC, RocksDB and BLAS are not instrumented: what they do among themselves TSan can not see.
export TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1:history_size=4
# A setting of the user's must not change what is tested.
unset $(compgen -e | grep '^VITRINE_' || true)

wanted() {
    [ -z "$only" ] || [[ $1 =~ $only ]]
}

# run NAME TIMEOUT_S COMMAND…, when it is wanted.
run() {
    if wanted "$1"; then vt_run_tap "$@"; fi
}

# build PRESET TARGET…: configures and builds; a test by itself.
build() {
    local preset=$1
    shift
    vt_step "build $preset: configure" cmake --preset "$preset" &&
        vt_step "build $preset: compile" cmake --build --preset "$preset" -j "$(vt_jobs)" \
            ${1:+--target "$@"}
}

# The CMake name of tests/unit/<module>/<name>_test.c and of tests/fuzz/<module>/<name>_fuzz.c.
target_of() {
    local module
    module=$(basename "$(dirname "$1")")
    printf '%s_%s_%s\n' "$(basename "$(dirname "$(dirname "$1")")")" "$module" \
        "$(basename "$1" .c)"
}

# unit_tests HOW BUILD FOLDER-PROGRAM-SOURCES…: runs those that are built.
unit_tests() {
    local how=$1 preset=$2 source target
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
}
run_release() { vt_run_tap "$1" 120 "$2"; }
run_asan() { vt_run_tap "$1" 300 "$2"; }
run_tsan() { vt_run_tap "$1" 300 vt_without_aslr "$2"; }

vt_stage "Packages (deploy/deps.txt)"
vt_install build run test
echo "all are installed"
vt_logs=$VT_ROOT/build/test-logs
mkdir -p "$vt_logs"
shopt -s nullglob
sources=(tests/unit/*/*_test.c)
fuzz_sources=(tests/fuzz/*/*_fuzz.c)
threaded=("${sources[@]}")
if [ $all = no ]; then
    mapfile -t threaded < <(grep -lE 'pthread_create|vt_parallel|n_threads' "${sources[@]}")
fi

vt_stage "Build: gcc, release"
build release || true

vt_stage "Unit tests"
unit_tests release release "${sources[@]}"

vt_stage "Integration tests"
for script in tests/integration/*_test.py; do
    run "integration $(basename "$script")" 600 python3 "$script"
done
for script in tests/integration/*_test.sh; do
    run "integration $(basename "$script")" 600 bash "$script"
done

vt_stage "Build: clang, ASan and UBSan, fuzz targets"
build fuzz || true

vt_stage "Unit tests under ASan and UBSan"
unit_tests asan fuzz "${sources[@]}"

vt_stage "Fuzz targets, $fuzz_seconds s each"
for source in "${fuzz_sources[@]}"; do
    run "fuzz ${source#tests/fuzz/}" $((fuzz_seconds + 120)) tests/testlib/checks/fuzz.sh \
        "$fuzz_seconds" "build/fuzz/tests/fuzz/$(target_of "$source")" "${source%_fuzz.c}_corpus"
done

vt_stage "Build: gcc, ThreadSanitizer, ${#threaded[@]} of ${#sources[@]} unit tests"
targets=()
for source in "${threaded[@]}"; do
    targets+=("$(target_of "$source")")
done
[ ${#targets[@]} -eq 0 ] || build tsan "${targets[@]}" || true

vt_stage "Unit tests under ThreadSanitizer"
unit_tests tsan tsan "${threaded[@]}"

vt_stage "Static checks"
run "check layering" 60 tests/layering.py
for check in format headers hardening buf tidy; do
    run "check $check" 600 "tests/testlib/checks/$check.sh"
done

vt_stage "Planted bugs"
for script in tests/negative/*.sh; do
    run "negative $(basename "$script" .sh)" 120 "$script"
done

vt_summary
