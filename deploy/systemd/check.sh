#!/usr/bin/env bash
# Are the units well formed, and as tight as they are said to be?
#
#   deploy/systemd/check.sh
#
# Prints the exposure that `systemd-analyze security` computes, 0 to 10 (unguarded services stand at 9.6),
# beside the limit, and exits 1 above it. It installs nothing and needs systemd-analyze, not a running systemd.
set -euo pipefail
cd "$(dirname "$0")"

# What remains are the agent's two capabilities and its packet and netlink sockets, and the network of both.
declare -Ar limit_tenths=([phonehome-agent]=20 [phonehome-collector]=11)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for unit in "${!limit_tenths[@]}"; do
  # The programs are not installed where this is checked; everything else is checked as it stands.
  sed -E 's!=/usr/s?bin/phonehome-!=/bin/true !' "$unit.service" >"$work/$unit.service"
  systemd-analyze verify --man=no "$work/$unit.service" 2>&1 | tee "$work/said"
  [[ ! -s $work/said ]] || exit 1
  exposure=$(systemd-analyze security --no-pager --offline=true "$work/$unit.service" |
    sed -nE 's/.*Overall exposure level.*: ([0-9.]+) .*/\1/p')
  printf '%-20s exposure %s, limit %d.%d\n' "$unit" "$exposure" \
    $((limit_tenths[$unit] / 10)) $((limit_tenths[$unit] % 10))
  ((${exposure/./} <= limit_tenths[$unit])) || exit 1
done
