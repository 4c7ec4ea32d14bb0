#!/usr/bin/env bash
# Installs the provider of OpenID Connect that the tests of sign-in run: npm oidc-provider.
# FOLDER is where to; by default the one in which the tests look. Needs Node.js 18 or newer.
set -euo pipefail

version=8.8.1 # certified, and the last line that runs on Node.js 18 and 20
folder=${1:-${CALLBOARD_OIDC_PROVIDER:-${XDG_CACHE_HOME:-$HOME/.cache}/callboard/oidc-provider}}

if grep -qs "\"version\": \"$version\"" "$folder/node_modules/oidc-provider/package.json"; then
    exit 0
fi
mkdir -p "$folder"
npm install --prefix "$folder" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
    --loglevel=error "oidc-provider@$version"
