//! Over what a Linux 6.18 kernel said, recorded from a router of documentation addresses: IPv4 behind
//! NAT, IPv6, zone 7, a port forward, a redirected DNS question, a ping; first a reading, then events.

use super::*;
use proptest::prelude::*;

const CONNECTIONS: &[u8] = include_bytes!("connections.bin");
const EVENTS: &[u8] = include_bytes!("events.bin");

fn entries(datagram: &[u8]) -> Vec<(Occasion, Entry)> {
    Reading::new(datagram)
        .filter_map(|said| match said {
            Said::Entry {
                occasion, entry, ..
            } => Some((occasion, entry)),
            _ => None,
        })
        .collect()
}

fn to(destination: &str) -> Entry {
    let destination: SocketAddr = destination.parse().expect("an address");
    let (occasion, entry) = entries(CONNECTIONS)
        .into_iter()
        .find(|(_, entry)| entry.original.destination == destination)
        .expect("it was recorded");
    assert_eq!(occasion, Occasion::Shown);
    entry
}

#[test]
fn a_reading_is_read() {
    let all: Vec<_> = Reading::new(CONNECTIONS).collect();
    assert_eq!(entries(CONNECTIONS).len(), 6);
    assert_eq!(
        all.iter()
            .filter(|said| **said == Said::OtherTransport)
            .count(),
        1
    );
    assert_eq!(
        all.last(),
        Some(&Said::Done {
            sequence: 1,
            is_interrupted: false
        })
    );
    assert_eq!(all.len(), 8);
}

#[test]
fn translation_shows_in_the_reply() {
    let entry = to("203.0.113.9:443");
    assert_eq!(entry.transport, Transport::Tcp);
    assert_eq!(entry.original.source.ip().to_string(), "192.0.2.10");
    assert_eq!(entry.reply.source, entry.original.destination);
    assert_eq!(entry.reply.destination.ip().to_string(), "198.51.100.1");
    assert!(entry.status.is_source_translated() && entry.status.is_answered());
    assert!(!entry.status.is_offloaded() && !entry.status.is_dying());
    assert_eq!(entry.key.zone, 0);

    let forwarded = to("198.51.100.1:8080");
    assert_eq!(forwarded.reply.source.to_string(), "192.0.2.10:80");
    assert!(forwarded.status.is_destination_translated());

    let redirected = to("203.0.113.53:53");
    assert_eq!(redirected.transport, Transport::Udp);
    assert_eq!(redirected.reply.source.to_string(), "192.0.2.1:53");
    assert!(!redirected.status.is_answered());
}

#[test]
fn counts_are_what_was_sent_and_its_headers() {
    // Payload, plus 52 bytes of IPv4 and TCP headers per packet and 8 more in each SYN.
    let [up, down] = to("203.0.113.9:443").counted.expect("accounting was on");
    assert_eq!(up.bytes, 1_000 + 52 * up.packets + 8);
    assert_eq!(down.bytes, 50_000 + 52 * down.packets + 8);
    let [up, down] = to("[2001:db8:9::9]:443")
        .counted
        .expect("accounting was on");
    assert_eq!(up.bytes, 2_000 + 72 * up.packets + 8);
    assert_eq!(down.bytes, 60_000 + 72 * down.packets + 8);
}

#[test]
fn zones_tell_connections_apart() {
    assert_eq!(to("203.0.113.9:8007").key.zone, 7);
    let keys: std::collections::BTreeSet<_> = entries(CONNECTIONS)
        .iter()
        .map(|(_, entry)| entry.key)
        .collect();
    assert_eq!(keys.len(), 6);
}

#[test]
fn events_tell_of_beginnings_without_counts_and_of_ends_with_them() {
    let events = entries(EVENTS);
    let (made, removed): (Vec<_>, Vec<_>) = events
        .iter()
        .partition(|(occasion, _)| *occasion == Occasion::Made);
    assert_eq!((made.len(), removed.len()), (6, 4));
    assert!(made.iter().all(|(_, entry)| entry.counted.is_none()));
    for (occasion, ended) in removed {
        assert_eq!(occasion, Occasion::Removed);
        assert!(ended.counted.is_some() && ended.status.is_dying());
        assert!(made.iter().any(|(_, begun)| begun.key == ended.key));
    }
}

/// An entry put together by hand: what this kernel does not send.
fn by_hand(with: &[u8]) -> Vec<u8> {
    let attribute = |kind: u16, value: &[u8]| {
        let length = u16::try_from(value.len() + 4).expect("short");
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let tuple = |source: [u8; 4], destination: [u8; 4], zone: &[u8]| {
        let addresses = [attribute(1, &source), attribute(2, &destination)].concat();
        let protocol = [
            attribute(1, &[6]),
            attribute(2, &[156, 64]),
            attribute(3, &[1, 187]),
        ]
        .concat();
        let zone = (!zone.is_empty()).then(|| attribute(3, zone));
        [
            attribute(1 | 0x8000, &addresses),
            attribute(2 | 0x8000, &protocol),
            zone.unwrap_or_default(),
        ]
        .concat()
    };
    let counters = [attribute(3, &[0, 0, 0, 2]), attribute(4, &[0, 1, 0, 0])].concat();
    let body = [
        vec![2, 0, 0, 0],
        attribute(1, &tuple([192, 0, 2, 10], [203, 0, 113, 9], &[0, 9])),
        attribute(2, &tuple([203, 0, 113, 9], [192, 0, 2, 10], &[])),
        attribute(9, &counters),
        attribute(10, &counters),
        with.to_vec(),
    ]
    .concat();
    let length = u32::try_from(body.len() + 16).expect("short");
    [
        &length.to_ne_bytes()[..],
        &256u16.to_ne_bytes(),
        &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &body,
    ]
    .concat()
}

#[test]
fn old_counters_and_a_zone_of_one_direction_are_read() {
    let id = [8, 0, 12, 0, 0, 0, 0, 5];
    let (_, entry) = entries(&by_hand(&id))[0];
    assert_eq!(entry.key, ConnectionKey { zone: 9, id: 5 });
    let counted = Counted {
        packets: 2,
        bytes: 65_536,
    };
    assert_eq!(entry.counted, Some([counted, counted]));
    let zone = [&id[..], &[6, 0, 18, 0, 0, 3, 0, 0]].concat();
    assert_eq!(entries(&by_hand(&zone))[0].1.key.zone, 3);
}

#[test]
fn an_entry_without_its_number_is_unreadable_and_harms_no_other() {
    let datagram = [&by_hand(&[])[..], &by_hand(&[8, 0, 12, 0, 0, 0, 0, 5])].concat();
    let said: Vec<_> = Reading::new(&datagram).collect();
    assert_eq!(said[0], Said::Unreadable);
    assert!(matches!(said[1], Said::Entry { .. }));
}

proptest! {
    #[test]
    fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Reading::new(&bytes).count() <= bytes.len());
    }

    #[test]
    fn a_damaged_recording_ends(
        at in 0..CONNECTIONS.len() + EVENTS.len(),
        byte in any::<u8>(),
        cut in 0..CONNECTIONS.len() + EVENTS.len(),
    ) {
        let mut bytes = [CONNECTIONS, EVENTS].concat();
        bytes[at] = byte;
        let whole = Reading::new(&bytes).count();
        let part = Reading::new(&bytes[..cut]).count();
        prop_assert!(part <= whole + 1 && whole <= bytes.len() / 16 + 1);
    }
}
