#!/bin/sh
# Run by the feed's CI on the target's architecture, once the package is installed.

fail() {
	echo "FAIL: $1"
	exit 1
}

[ "$1" = phonehome-agent ] || exit 0

# It needs no network, no privilege and no consent to say that it has none.
state=$(mktemp -d)
said=$(phonehome-agent --state "$state" status) || fail "status: exit $?"
echo "$said" | grep -q consent || fail "status does not mention consent: $said"
phonehome-agent --state "$state" devices /dev/null 2>/dev/null
[ $? -eq 65 ] || fail 'an empty capture file is not refused'
rm -r "$state"

[ -x /etc/init.d/phonehome ] || fail 'no init script'
sh -n /etc/init.d/phonehome || fail 'the init script is no shell script'
[ "$(uci -q get phonehome.main.enabled)" = 0 ] || fail 'it is not off at first'
for right in CAP_NET_RAW CAP_NET_ADMIN; do
	jsonfilter -i /etc/capabilities/phonehome.json -e '@.ambient[*]' | grep -qx "$right" || fail "no $right"
done
jsonfilter -i /usr/share/acl.d/phonehome.json -e '@.user' | grep -qx phonehome || fail 'no ACL for ubus'
grep -q '^phonehome:' /etc/passwd || fail 'no user'

exit 0
