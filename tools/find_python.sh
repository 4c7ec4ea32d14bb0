#!/bin/sh
# Prints the command of a Python that is new enough and can make virtual environments.
# PYTHON= chooses one; otherwise the first that fits of those on PATH is taken.
set -eu

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if fits "$python"; then
        if "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            echo "$python"
            exit 0
        fi
        without_venv=$python
    fi
done

if [ -n "${without_venv:-}" ]; then
    fail "$without_venv cannot make virtual environments: its venv module is not installed." \
        "On Debian and Ubuntu: sudo apt install python3-venv"
fi
fail "Callboard needs Python 3.11 or newer; found: $("${PYTHON:-python3}" --version 2>&1 || true)" \
    "On Debian 12 or newer: sudo apt install python3 python3-venv" \
    "On macOS: brew install python@3.13" \
    "One that is not on PATH is named so: make PYTHON=/path/to/python3.12 run"
