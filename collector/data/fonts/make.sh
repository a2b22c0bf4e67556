#!/bin/sh
# Takes Open Sans from Debian and reduces it to the letters that pictures use. The build of the crates needs
# none of this: the results are committed.
#
#     sh collector/data/fonts/make.sh
set -eu
cd "$(dirname "$0")"
here=$PWD

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download fonts-open-sans
dpkg-deb -x fonts-open-sans_*.deb font
python3 -m venv tools
tools/bin/pip install --quiet 'fonttools>=4,<5'
for weight in Regular Bold; do
    tools/bin/pyftsubset "font/usr/share/fonts/truetype/open-sans/OpenSans-$weight.ttf" \
        --unicodes='U+0020-007E,U+00A0-017F,U+0218-021B,U+0384-03CE,U+0400-045F,U+0490-0491,U+2010-2015,U+2018-201E,U+2020-2022,U+2026,U+202F,U+2030,U+2032,U+2033,U+2039,U+203A,U+20AC,U+2116,U+2122,U+2190-2193,U+2212,U+2260,U+2264,U+2265,U+25CA' \
        --layout-features=kern --no-hinting --desubroutinize --name-IDs=0,1,2,4,6,13,14 \
        --drop-tables+=DSIG,GSUB --output-file="$here/OpenSans-$weight.ttf"
done
