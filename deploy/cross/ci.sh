#!/usr/bin/env bash
# What CI asks of deploy/: routers' executables are small enough and do what this machine's does; units and
# OpenWrt package are as they should be.
#
#   deploy/cross/ci.sh
#
# It installs nothing. It needs what build.sh, compare.sh, ../systemd/check.sh and ../openwrt/check.sh name
# at their heads, and a release build of the workspace with its examples.
set -euo pipefail
cd "$(dirname "$0")/../.."

native=$(realpath "${NATIVE:-${CARGO_TARGET_DIR:-target}/release}")
deploy/systemd/check.sh
AGENT=$native/phonehome-agent deploy/openwrt/check.sh
deploy/cross/build.sh aarch64 mipsel
deploy/cross/compare.sh aarch64 mipsel
