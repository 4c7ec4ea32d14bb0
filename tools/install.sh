#!/bin/sh
# Installs into a virtual environment, which is made where it does not work:
#   install.sh DIRECTORY PIP_ARGUMENTS...
set -eu
directory=$1
shift

if ! "$directory/bin/python" -m pip --version >/dev/null 2>&1; then
    # --clear empties the folder, so it is only done to what is an environment.
    if [ -n "$(ls -A "$directory" 2>/dev/null)" ] && [ ! -f "$directory/pyvenv.cfg" ]; then
        echo "$directory is not empty and no virtual environment. Choose another: make VENV=..." >&2
        exit 1
    fi
    python=$("$(dirname "$0")/find_python.sh")
    echo "Making a virtual environment in $directory with $("$python" --version)."
    "$python" -m venv --clear "$directory"
fi
echo "Installing into $directory. The first time takes a minute or two."
exec "$directory/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
