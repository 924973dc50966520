# What quickstart and the tests share: saying what happens, and installing what is missing from
# deploy/deps.txt. To be sourced by bash with `set -euo pipefail`.
#
#   vt_say TEXT…             one line about what happens now
#   vt_die TEXT…             one line about what went wrong, exit status 1
#   vt_packages GROUP…       the packages of these groups of deps.txt, one a line
#   vt_install GROUP…        installs those that are missing; needs root or sudo only then
#   vt_provide COMMAND PACKAGE   the same for a program that may have come from elsewhere; false
#                            when it can not be had
#   vt_container_engine      podman or docker, whichever works; else says why, and is false
#   vt_jobs                  how many compilers to run at once

vt_deploy_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

vt_say() {
    printf '\n==> %s\n' "$*"
}

vt_die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

vt_packages() {
    awk -v groups=" $* " '
        /^\[/ { wanted = index(groups, " " substr($1, 2, length($1) - 2) " ") > 0; next }
        /^#/ || NF == 0 { next }
        wanted { print $1 }' "$vt_deploy_folder/deps.txt"
}

vt_is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

vt_missing_packages() {
    local package
    for package in $(vt_packages "$@"); do
        vt_is_installed "$package" || printf '%s\n' "$package"
    done
}

# Runs a command as root: directly, or through sudo.
vt_as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

vt_can_be_root() {
    [ "$(id -u)" -eq 0 ] && return 0
    command -v sudo >/dev/null || return 1
    # Without a terminal nobody can type a password.
    if [ -t 0 ]; then sudo -v; else sudo -n true 2>/dev/null; fi
}

# apt without questions. Services of packages must neither start now nor at the next boot: we want
# their programs. policy-rc.d is Debian's way to say so; one that is there already is respected.
vt_apt_install() {
    local policy=/usr/sbin/policy-rc.d ours=no status=0
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | vt_as_root tee "$policy" >/dev/null
        vt_as_root chmod 755 "$policy"
        ours=yes
    fi
    vt_as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq -y \
        --no-install-recommends install "$@" >"$vt_apt_log" 2>&1 || status=$?
    [ $ours = no ] || vt_as_root rm -f "$policy"
    return $status
}

vt_install_packages() {
    local vt_apt_log
    command -v apt-get >/dev/null || vt_die "this machine has no apt-get; install the like of: $*"
    vt_can_be_root ||
        vt_die "packages are missing, and installing them needs root or sudo. As root, run:
  apt-get update && apt-get install --no-install-recommends $*"
    vt_say "Installing $# Debian packages: $*"
    vt_apt_log=$(mktemp)
    vt_as_root apt-get -o DPkg::Lock::Timeout=300 -qq update >"$vt_apt_log" 2>&1 ||
        { cat "$vt_apt_log" >&2; vt_die "apt-get update failed"; }
    vt_apt_install "$@" ||
        { tail -n 30 "$vt_apt_log" >&2; vt_die "apt-get install failed"; }
    rm -f "$vt_apt_log"
    if [[ " $* " == *" prometheus "* ]] && command -v systemctl >/dev/null; then
        vt_as_root systemctl disable -q prometheus 2>/dev/null || true # not booted by systemd
    fi
}

vt_install() {
    local missing
    mapfile -t missing < <(vt_missing_packages "$@")
    [ ${#missing[@]} -eq 0 ] || vt_install_packages "${missing[@]}"
}

vt_provide() {
    command -v "$1" >/dev/null || (vt_install_packages "$2")
}

# A compiler takes up to a gigabyte; more of them than memory allows would swap.
vt_jobs() {
    local cores memory_gib
    cores=$(nproc)
    memory_gib=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
    [ "$memory_gib" -ge "$cores" ] || cores=$((memory_gib > 1 ? memory_gib : 1))
    printf '%s\n' "$cores"
}

vt_container_engine() {
    local engine why=
    for engine in podman docker; do
        command -v $engine >/dev/null || { why+="$engine is not installed; "; continue; }
        $engine info >/dev/null 2>&1 && { echo $engine; return; }
        why+="$engine: $($engine info 2>&1 | tail -n 1); "
    done
    echo "${why%; }"
    return 1
}
