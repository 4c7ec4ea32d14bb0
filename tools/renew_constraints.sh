#!/bin/sh
# Writes constraints.txt: the newest versions that fit together, as an empty environment gets them.
# Run it with the oldest Python that is supported: its set includes what newer ones leave out.
set -eu
cd "$(dirname "$0")/.."
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
grep -v '^-c' requirements-dev.txt >"$directory/requirements.txt"
# Paths in a requirements file are taken from the working directory.
tools/install.sh "$directory/environment" -r "$directory/requirements.txt"
{
    head -n 1 constraints.txt
    "$directory/environment/bin/python" -m pip freeze --exclude-editable | grep -v ' @ ' |
        LC_ALL=C sort -f
} >"$directory/constraints.txt"
cp "$directory/constraints.txt" constraints.txt
