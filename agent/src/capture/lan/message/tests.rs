//! Over what a Linux 6.18 kernel said of a router: a bridge with one port to the home, one interface
//! to the outside with both default routes, addresses of documentation.

use super::*;
use crate::capture::netlink::{Message, Messages};
use proptest::prelude::*;

const LINKS: &[u8] = include_bytes!("links.bin");
const ADDRESSES: &[u8] = include_bytes!("addresses.bin");
const ROUTES: &[u8] = include_bytes!("routes.bin");

fn bodies(bytes: &[u8], wanted: u16) -> Vec<&[u8]> {
    Messages::new(bytes)
        .filter_map(|message| match message {
            Message::Data { kind, body, .. } if kind == wanted => Some(body),
            Message::Done { .. } => None,
            other => panic!("{other:?}"),
        })
        .collect()
}

pub(in super::super) fn recorded() -> (Vec<Link>, Vec<Address>, Vec<u32>) {
    let links = bodies(LINKS, LINK).into_iter().map(Link::read);
    let addresses = bodies(ADDRESSES, ADDRESS).into_iter().map(Address::read);
    let routes = bodies(ROUTES, ROUTE).into_iter().map(default_route);
    (
        links.collect::<Result<_, _>>().expect("links"),
        addresses.collect::<Result<_, _>>().expect("addresses"),
        routes
            .collect::<Result<Vec<_>, _>>()
            .expect("routes")
            .concat(),
    )
}

#[test]
fn interfaces_know_their_bridge() {
    let (links, ..) = recorded();
    let names: Vec<_> = links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["lo", "lan", "p0", "wan"]);
    let [loopback, lan, port, wan] = &links[..] else {
        unreachable!("just compared");
    };
    assert_eq!((loopback.hardware, lan.hardware, wan.hardware), (772, 1, 1));
    assert_eq!(lan.kind.as_deref(), Some("bridge"));
    assert_eq!((port.master, lan.master), (Some(lan.index), None));
    assert_eq!((port.kind.as_deref(), port.lower), (Some("veth"), None));
    assert!(links.iter().all(|link| link.is_up));
}

#[test]
fn addresses_have_their_interface_and_network() {
    let (links, addresses, _) = recorded();
    let lan = links[1].index;
    let of_lan: Vec<_> = addresses
        .iter()
        .filter(|address| address.index == lan && address.address.to_string() != "fe80::")
        .map(|address| (address.address.to_string(), address.prefix_bits))
        .filter(|(address, _)| !address.starts_with("fe80"))
        .collect();
    assert_eq!(
        of_lan,
        [
            ("192.0.2.1".to_owned(), 24),
            ("2001:db8:1::1".to_owned(), 64)
        ]
    );
}

#[test]
fn only_default_routes_are_told() {
    let (links, _, defaults) = recorded();
    let wan = links[3].index;
    assert_eq!(defaults, [wan, wan], "IPv4 and IPv6");
    assert!(bodies(ROUTES, ROUTE).len() > 6);
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len() + 4).expect("short");
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[test]
fn a_default_over_two_lines_leads_to_both() {
    let hop = |index: u32| {
        let gateway = attribute(5, &[198, 51, 100, 2]);
        [&[16, 0, 0, 0][..], &index.to_ne_bytes(), &gateway].concat()
    };
    let header = [2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
    let body = [&header[..], &attribute(9, &[hop(4), hop(7)].concat())].concat();
    assert_eq!(default_route(&body), Ok(vec![4, 7]));
    let mut unreachable = body;
    unreachable[7] = 7;
    assert_eq!(default_route(&unreachable), Ok(vec![]));
}

#[test]
fn a_vlan_lies_on_another_interface() {
    let header = [
        &[0; 4][..],
        &9u32.to_ne_bytes(),
        &1u32.to_ne_bytes(),
        &[0; 4],
    ]
    .concat();
    let body = [
        header,
        attribute(3, b"br-lan.10\0"),
        attribute(5, &3u32.to_ne_bytes()),
        attribute(18, &attribute(1, b"vlan\0")),
    ]
    .concat();
    let link = Link::read(&body).expect("a link");
    assert_eq!((link.index, link.lower, link.is_up), (9, Some(3), true));
    // Its lower interface lies in another namespace: the number means another here.
    let elsewhere = [body, attribute(37, &0u32.to_ne_bytes())].concat();
    assert_eq!(Link::read(&elsewhere).map(|link| link.lower), Ok(None));
}

/// What a kernel with flow tables says; this one has none to record.
#[test]
fn a_flow_table_names_its_devices() {
    let devices = [attribute(1, b"lan1\0"), attribute(1, b"phy0-ap0\0")].concat();
    let hook = [
        attribute(1, &[0, 0, 0, 0]),
        attribute(2, &[0, 0, 0, 0]),
        attribute(3 | 0x8000, &devices),
    ]
    .concat();
    let table = |flags: u8| {
        [
            vec![1, 0, 0, 0],
            attribute(1, b"fw4\0"),
            attribute(2, b"ft\0"),
            attribute(3 | 0x8000, &hook),
            attribute(7, &[0, 0, 0, flags]),
        ]
        .concat()
    };
    let read = FlowTable::read(&table(3)).expect("a flow table");
    assert_eq!(read.devices, ["lan1", "phy0-ap0"]);
    assert!(read.is_hardware && read.is_counted);
    let plain = FlowTable::read(&table(0)).expect("a flow table");
    assert!(!plain.is_hardware && !plain.is_counted);
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _read = (Link::read(&bytes), Address::read(&bytes), default_route(&bytes));
        let _read = FlowTable::read(&bytes);
    }

    #[test]
    fn a_damaged_recording_is_read_or_refused(at in 0..LINKS.len(), byte in any::<u8>()) {
        for (recording, kind) in [(LINKS, LINK), (ADDRESSES, ADDRESS), (ROUTES, ROUTE)] {
            let mut bytes = recording.to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            for message in Messages::new(&bytes) {
                if let Message::Data { kind: found, body, .. } = message && found == kind {
                    let _read = (Link::read(body), Address::read(body), default_route(body));
                }
            }
        }
    }
}
