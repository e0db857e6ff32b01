#!/usr/bin/env bash
# Installs what `make demo` and `make test` need, and prints what it does:
#   Python packages as locked in uv.lock, into .venv;
#   ffmpeg and unar from the system's packages, where they are missing.
# `./setup.sh cluster` adds SLURM, for `make test-cluster`; without it its tests skip.
set -euo pipefail
cd "$(dirname "$0")"

say() { echo "== $*"; }

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)

can_install() { command -v apt-get >/dev/null && "${as_root[@]}" true 2>/dev/null; }

install_packages() {
    say "Installing $* with apt-get"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

install_system_packages() {
    local missing=()
    command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null || missing+=(ffmpeg)
    command -v unar >/dev/null || missing+=(unar)
    [ ${#missing[@]} -eq 0 ] && return
    if ! can_install; then
        say "Missing: ${missing[*]}. Install with one of these, then run make again:"
        echo "   sudo apt-get install -y ${missing[*]}"
        echo "   brew install ${missing[*]}"
        echo "   sudo dnf install -y ${missing[*]}"
        exit 1
    fi
    install_packages "${missing[@]}"
}

install_slurm() {
    [ -x /usr/sbin/munged ] && [ -x /usr/sbin/slurmctld ] && [ -x /usr/sbin/slurmd ] &&
        return
    if can_install; then
        install_packages munge slurm-wlm
    else
        say "No SLURM, so that its tests will be skipped: apt-get install munge slurm-wlm"
    fi
}

find_uv() {
    if command -v uv >/dev/null; then
        UV=uv
        return
    fi
    UV=.tools/bin/uv
    if [ ! -x "$UV" ]; then
        say "Installing uv into .tools"
        python3 -m venv .tools
        .tools/bin/pip install --quiet --disable-pip-version-check uv
    fi
}

if [ "${1:-}" = cluster ]; then
    install_slurm
    exit
fi
install_system_packages
find_uv
if [ ! -d .venv ]; then
    say "Installing the Python packages of uv.lock into .venv (5.5 GB, mostly torch)"
else
    say "Checking .venv against uv.lock"
fi
"$UV" sync --frozen --quiet
