#!/usr/bin/env bash
# Installs the client that the tests of the catalog's API run as it is: npm @backstage/catalog-client.
# FOLDER is where to; by default the one in which the tests look. Needs Node.js 18 or newer.
set -euo pipefail

version=1.16.2 # the one whose requests docs/backstage-compatibility.md tells of
folder=${1:-${CALLBOARD_CATALOG_CLIENT:-${XDG_CACHE_HOME:-$HOME/.cache}/callboard/catalog-client}}

if grep -qs "\"version\": \"$version\"" "$folder/node_modules/@backstage/catalog-client/package.json"; then
    exit 0
fi
mkdir -p "$folder"
npm install --prefix "$folder" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
    --loglevel=error "@backstage/catalog-client@$version"
