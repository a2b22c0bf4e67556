//! OpenWrt's own view of its networks: which devices lead outside.
//!
//! `ubus call network.interface dump` tells every logical interface with its device, protocol and
//! routes. It is asked once, before anything is dropped; only what leads outside is taken from it, since
//! that is what routes alone do not show while a line is down.

use serde::Deserialize;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where ubus is, if it is.
const PROGRAMS: [&str; 2] = ["/bin/ubus", "/sbin/ubus"];

/// Bytes of its answer that are read, at most; a router with ten interfaces fills twenty thousand.
pub const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// The dump, as far as it is of use.
#[derive(Debug, Deserialize)]
struct Dump {
    interface: Vec<Interface>,
}

#[derive(Debug, Deserialize)]
struct Interface {
    #[serde(default)]
    proto: String,
    l3_device: Option<String>,
    device: Option<String>,
    #[serde(default)]
    route: Vec<Route>,
}

#[derive(Debug, Deserialize)]
struct Route {
    mask: u8,
}

/// The devices that lead outside on this machine; none where there is no ubus or no answer.
#[must_use]
pub fn outward_of_this_machine() -> BTreeSet<String> {
    PROGRAMS
        .into_iter()
        .find(|program| Path::new(program).exists())
        .and_then(ask)
        .map(|answer| outward(&answer))
        .unwrap_or_default()
}

/// The devices that lead outside, by the answer of ubus: those with a default route, and those whose
/// protocol is a provider's.
#[must_use]
pub fn outward(answer: &[u8]) -> BTreeSet<String> {
    let Ok(dump) = serde_json::from_slice::<Dump>(answer) else {
        return BTreeSet::new();
    };
    dump.interface
        .into_iter()
        .filter(|interface| {
            interface.route.iter().any(|route| route.mask == 0)
                || !HOME_PROTOCOLS.contains(&interface.proto.as_str())
        })
        .flat_map(|interface| [interface.l3_device, interface.device])
        .flatten()
        .collect()
}

fn ask(program: &str) -> Option<Vec<u8>> {
    // It gives up by itself if nobody answers.
    let mut child = Command::new(program)
        .args(["-t", "5", "call", "network.interface", "dump"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut answer = Vec::new();
    let read = child
        .stdout
        .take()?
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut answer);
    // The pipe is closed by now: a longer answer ends there.
    let ended = child.wait();
    (read.is_ok() && ended.is_ok_and(|status| status.success())).then_some(answer)
}

/// Protocols by which a router addresses its own networks; the others ask a provider for an address,
/// or dial.
const HOME_PROTOCOLS: [&str; 3] = ["", "none", "static"];

#[cfg(test)]
mod tests {
    use super::*;

    /// As netifd prints it, cut to what matters and a little that does not.
    const DUMP: &str = r#"{ "interface": [
        { "interface": "lan", "up": true, "l3_device": "br-lan", "proto": "static", "device": "br-lan",
          "ipv4-address": [ { "address": "192.168.1.1", "mask": 24 } ], "route": [ ] },
        { "interface": "guest", "up": true, "l3_device": "br-lan.3", "proto": "static", "device": "br-lan.3",
          "route": [ { "target": "192.168.9.0", "mask": 24, "nexthop": "0.0.0.0" } ] },
        { "interface": "loopback", "up": true, "l3_device": "lo", "proto": "static", "device": "lo" },
        { "interface": "wan", "up": true, "l3_device": "pppoe-wan", "proto": "pppoe", "device": "eth1.7",
          "route": [ { "target": "0.0.0.0", "mask": 0, "nexthop": "198.51.100.2" } ], "data": { "zone": "wan" } },
        { "interface": "wan6", "up": false, "proto": "dhcpv6", "device": "eth1.7" },
        { "interface": "second", "up": true, "l3_device": "eth2", "proto": "static", "device": "eth2",
          "route": [ { "target": "::", "mask": 0, "nexthop": "2001:db8::1" } ] }
    ] }"#;

    #[test]
    fn what_leads_outside_is_told_from_what_leads_home() {
        let outward = outward(DUMP.as_bytes());
        let expected = ["eth1.7", "eth2", "pppoe-wan"].map(str::to_owned);
        assert_eq!(outward, BTreeSet::from(expected));
    }

    #[test]
    fn any_other_answer_tells_nothing() {
        for answer in [
            "",
            "{}",
            "[]",
            "Failed to connect to ubus\n",
            r#"{"interface":[{"route":1}]}"#,
        ] {
            assert!(outward(answer.as_bytes()).is_empty(), "{answer}");
        }
    }
}
