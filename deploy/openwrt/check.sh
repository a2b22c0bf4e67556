#!/usr/bin/env bash
# Everything about the OpenWrt package that can be checked without OpenWrt.
#
#   deploy/openwrt/check.sh [--update]       with --update the golden files are written anew
#
# - the scripts pass shellcheck and busybox's own shell reads them;
# - the init script, run by that shell with rc.common and procd played by check/rc.common, writes the
#   configuration and tells procd what check/golden.txt says; every configuration it writes is one that
#   the agent takes (with AGENT set to an agent's executable);
# - the Makefile, read by make with OpenWrt's includes played by check/buildroot, has the version of
#   Cargo.toml, in a form that apk takes, and installs what is there;
# - what is JSON is JSON, and the LuCI page draws what the agent answers (where node is installed).
#
# It installs nothing. It needs shellcheck, busybox-static, make and python3.
set -euo pipefail
[[ -z ${AGENT-} ]] || AGENT=$(realpath "$AGENT")
cd "$(dirname "$0")"
package=$PWD/phonehome-agent
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() {
  printf 'check.sh: %s\n' "$1" >&2
  exit 1
}

shellcheck "$package"/files/phonehome.{init,ntp,defaults} "$package"/test*.sh check/rc.common check.sh
for script in "$package"/files/phonehome.{init,ntp,defaults} "$package"/test*.sh; do
  busybox sh -n "$script"
done
while read -r json; do
  python3 -m json.tool "$json" >"$work/json"
done < <(find . -name '*.json')

if command -v node >/dev/null; then
  node check/page.js luci-app-phonehome/htdocs/luci-static/resources/view/phonehome/status.js
fi

# The script with every place of the router moved beneath a folder.
router=$work/router
moved() {
  sed -E "s!(/var/etc|/var/run|/etc/phonehome|/etc/capabilities|/sbin/ujail|/lib/functions)!$router\1!g" "$1"
}
mkdir -p "$router/lib/functions" "$router/sbin" "$router/etc/capabilities" "$router/var/run/phonehome"
touch "$router/lib/functions/network.sh"
moved "$package/files/phonehome.init" >"$work/init"
cp "$package/files/capabilities.json" "$router/etc/capabilities/phonehome.json"

play() {
  printf '=== %s\n' "$1"
  # Its last word is that of the validation, which may say no.
  SCRIPT=$work/init OPTIONS=$2 DEVICES=$3 busybox sh check/rc.common 2>&1 || true
  if [[ -e $router/var/etc/phonehome.toml ]]; then
    printf -- '--- phonehome.toml\n'
    cat "$router/var/etc/phonehome.toml"
    takes "$1"
    rm "$router/var/etc/phonehome.toml"
  fi
}

# Without consent the agent waits, until it is told to end; a configuration it does not take ends it at once.
# The user of the package is not here; somebody else everybody has stands in.
takes() {
  [[ -n ${AGENT-} ]] || return 0
  local code=0
  sed -E 's/^user = .*/user = "nobody"/' "$router/var/etc/phonehome.toml" >"$work/agent.toml"
  timeout 3 "$AGENT" run --config "$work/agent.toml" >"$work/agent.log" 2>&1 || code=$?
  [[ $code == 124 ]] || die "the agent ends with the configuration '$1': $code, $(cat "$work/agent.log")"
}

{
  play 'off, as installed' 'enabled=0' ''
  play 'on, without ujail' 'enabled=1' ''
  printf '#!/bin/sh\n' >"$router/sbin/ujail"
  chmod +x "$router/sbin/ujail"
  play 'on, in a jail' 'enabled=1' ''
  play 'networks by name, all options' 'enabled=on
network=lan guest
source=conntrack
log=info
spool_disk=1
spread_hours=23' 'lan br-lan
guest br-lan.3'
  play 'one network is down' 'enabled=1
network=lan guest' 'lan br-lan'
  play 'every network is down' 'enabled=1
network=lan' ''
  play 'not valid' 'enabled=1
invalid=yes' ''
} | sed "s!$router!!g" >"$work/played"
if [[ ${1-} == --update ]]; then
  cp "$work/played" check/golden.txt
fi
diff -u check/golden.txt "$work/played" || die 'the init script does something else; --update if that is meant'

# The clock's script: only the event that means "set" leaves the mark, and no link is followed.
moved "$package/files/phonehome.ntp" >"$work/ntp"
mark=$router/var/run/phonehome/clock-set
ACTION=step busybox sh "$work/ntp"
[[ ! -e $mark ]] || die 'a step alone does not mean that the clock is right'
ln -s "$work/elsewhere" "$mark"
ACTION=stratum busybox sh "$work/ntp"
[[ -f $mark && ! -L $mark && ! -e $work/elsewhere ]] || die 'the mark is not made, or through a link'

# The Makefile.
export TOPDIR=$PWD/check/buildroot PKG_INSTALL_DIR=$work/built
mkdir -p "$work/built/bin"
touch "$work/built/bin/phonehome-agent"
version=$(sed -nE 's/^version = "(.*)"/\1/p' ../../Cargo.toml | head -n 1)
made() {
  make --no-print-directory -C "$package" "$@"
}
[[ $(made value-PKG_VERSION) == "$version" ]] || die "PKG_VERSION is not $version"
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ && $(made value-PKG_RELEASE) =~ ^[0-9]+$ ]] || die 'apk does not take this version'
made install-to ROOT="$work/root" >"$work/make.log"
(cd "$work/root" && find . ! -type d | sort) >"$work/installed"
if [[ ${1-} == --update ]]; then
  cp "$work/installed" check/installed.txt
fi
diff -u check/installed.txt "$work/installed" || die 'other files are installed'
made show-conffiles | while read -r kept; do
  [[ $kept == /etc/config/phonehome || $kept == /etc/phonehome/home/ ]] || die "$kept is kept too"
done
printf 'openwrt: scripts, init script (%d cases), hotplug, JSON and Makefile are as they should be\n' \
  "$(grep -c '^===' check/golden.txt)"
