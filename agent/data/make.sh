#!/bin/sh
# Rebuilds oui.bin from the IEEE registry. The build of the crates needs none of this: the result is
# committed. Needs npm and python3 (3.11); writes nothing outside this folder but a temporary one.
#
#     sh agent/data/make.sh
set -eu
cd "$(dirname "$0")"

# A new version here means a new date in README.md.
OUI_VERSION=2.1.9

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --prefix "$work" --no-audit --no-fund --ignore-scripts "oui-data@$OUI_VERSION"
python3 oui.py "$work/node_modules/oui-data/index.json" ../../proto/data/vendors.toml oui.bin
