#!/usr/bin/env bash
# Installs the object store that the tests of kept logs run: the server of moto, which speaks S3,
# in an environment of its own, as what it needs would bar newer packages of the portal.
# FOLDER is where to; by default the one in which the tests look.
set -euo pipefail

version=5.2.5
folder=${1:-${CALLBOARD_OBJECT_STORE:-${XDG_CACHE_HOME:-$HOME/.cache}/callboard/object-store}}

if "$folder/bin/python" -c "import flask_cors, moto; assert moto.__version__ == '$version'" 2>/dev/null; then
    exit 0
fi
rm -rf "$folder"
"${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/python" -m pip --disable-pip-version-check -q install "moto[s3]==$version" flask flask-cors
