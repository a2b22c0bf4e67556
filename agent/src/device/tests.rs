use super::*;
use crate::packet::{Link, Segment, TcpFlags, TcpSegment};
use phonehome_proto::time::Timestamp;
use proptest::prelude::*;

const SECRET: [u8; 32] = [7; 32];
const PHONE: MacAddr = MacAddr::new([0x04, 0xb1, 0x67, 1, 2, 3]);
const OTHER: MacAddr = MacAddr::new([0xae, 0x9c, 0xd5, 1, 2, 3]);
const ROUTER: MacAddr = MacAddr::new([0x00, 0xe0, 0xfc, 9, 9, 9]);
const NOON: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn tcp(mac: Option<MacAddr>, source: &str, destination: &str, flags: TcpFlags) -> Packet<'static> {
    Packet {
        time: NOON,
        link: Link {
            source: mac,
            destination: None,
            vlan: None,
        },
        source: address(source),
        destination: address(destination),
        source_port: 40_000,
        destination_port: 443,
        ip_bytes: 60,
        wire_packets: 1,
        segment: Segment::Tcp(TcpSegment {
            seq: 0,
            ack: 0,
            flags,
            options: b"",
            payload: b"",
            head: TcpSegment::head_of(b""),
        }),
    }
}

fn syn(mac: Option<MacAddr>, source: &str, destination: &str) -> Packet<'static> {
    tcp(mac, source, destination, TcpFlags::SYN)
}

/// A DHCP message of `kind` (option 53) about `mac`, which has or is given `given`.
fn dhcp_bytes(kind: u8, mac: MacAddr, given: [u8; 4], options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 236];
    bytes[0] = if kind == 5 { 2 } else { 1 };
    bytes[1] = 1;
    bytes[2] = 6;
    bytes[16..20].copy_from_slice(&given);
    bytes[28..34].copy_from_slice(&mac.octets());
    bytes.extend([99, 130, 83, 99, 53, 1, kind]);
    bytes.extend(options);
    bytes.push(255);
    bytes
}

fn dhcp<'a>(mac: MacAddr, source: &str, payload: &'a [u8]) -> Packet<'a> {
    Packet {
        source_port: 68,
        destination_port: 67,
        segment: Segment::Udp { payload },
        ..tcp(Some(mac), source, "255.255.255.255", TcpFlags::SYN)
    }
}

#[test]
fn stations_that_fall_together_are_two() {
    let mut table = DeviceTable::new(&SECRET);
    let [.., last, before] = PHONE.octets();
    let twin = MacAddr::new([0x04, 0xb1, 0x67, 1, before, last]);
    assert_eq!(twin.fold() % LATEST, PHONE.fold() % LATEST);
    let mut see = |mac| table.handle_packet(&syn(Some(mac), "192.168.1.5", "8.8.8.8"));
    let [phone, other] = [PHONE, twin].map(&mut see);
    assert_ne!(phone, other);
    assert_eq!(
        [PHONE, twin, twin, PHONE].map(&mut see),
        [phone, other, other, phone]
    );
}

#[test]
fn a_device_is_its_mac_whatever_its_addresses() {
    let mut table = DeviceTable::new(&SECRET);
    let first = table.handle_packet(&syn(Some(PHONE), "192.168.1.5", "8.8.8.8"));
    assert_eq!(
        table.handle_packet(&syn(Some(PHONE), "fe80::1", "ff02::fb")),
        first
    );
    assert_eq!(
        table.handle_packet(&syn(Some(PHONE), "2a02:1::5", "2a00:2::1")),
        first
    );
    for own in ["192.168.1.5", "fe80::1", "2a02:1::5"] {
        assert_eq!(table.device_of(None, address(own), None), first, "{own}");
    }
    let row = table.row(first.expect("a device"));
    assert_eq!(
        (row.mac_kind, row.mac_prefix),
        (MacKind::Global, Some([0x04, 0xb1, 0x67]))
    );
    assert_eq!(row.verdict.vendor().map(Vendor::id), Some("xiaomi"));
    assert_eq!(table.ids().count(), 1);
    assert_eq!(
        table.days(first.expect("a device")).collect::<Vec<_>>(),
        [NOON.day().expect("after 1970")]
    );
}

#[test]
fn a_made_up_address_is_told_from_a_makers() {
    let mut table = DeviceTable::new(&SECRET);
    for (mac, kind) in [(PHONE, MacKind::Global), (OTHER, MacKind::Randomised)] {
        let id = table
            .handle_packet(&syn(Some(mac), "192.168.1.5", "8.8.8.8"))
            .expect("a device");
        assert_eq!(table.row(id).mac_kind, kind);
    }
}

#[test]
fn without_a_link_layer_a_device_is_its_address() {
    let mut table = DeviceTable::new(&SECRET);
    let id = table
        .handle_packet(&syn(None, "10.0.0.2", "8.8.8.8"))
        .expect("a device");
    let row = table.row(id);
    assert_eq!((row.mac_kind, row.mac_prefix), (MacKind::None, None));
    assert_eq!(
        table.handle_packet(&tcp(None, "8.8.8.8", "10.0.0.2", TcpFlags::ACK)),
        None
    );
    assert_eq!(table.ids().collect::<Vec<_>>(), [id]);
}

#[test]
fn the_latest_holder_of_an_address_has_it() {
    let mut table = DeviceTable::new(&SECRET);
    let first = table.handle_packet(&syn(Some(PHONE), "192.168.1.5", "8.8.8.8"));
    let second = table.handle_packet(&syn(Some(OTHER), "192.168.1.5", "8.8.8.8"));
    assert_ne!(first, second);
    assert_eq!(table.device_of(None, address("192.168.1.5"), None), second);
    // The station on the link says more than the address.
    assert_eq!(
        table.device_of(None, address("192.168.1.5"), Some(PHONE)),
        first
    );
}

#[test]
fn vlans_are_networks_of_their_own() {
    let mut table = DeviceTable::new(&SECRET);
    let tagged = |vlan| Packet {
        link: Link {
            source: None,
            destination: None,
            vlan,
        },
        ..syn(None, "192.168.1.5", "8.8.8.8")
    };
    let (one, two) = (
        table.handle_packet(&tagged(Some(1))),
        table.handle_packet(&tagged(Some(2))),
    );
    assert_ne!(one, two);
    assert_eq!(table.device_of(Some(2), address("192.168.1.5"), None), two);
    assert_eq!(table.device_of(None, address("192.168.1.5"), None), None);
}

#[test]
fn a_router_is_nobody() {
    let mut table = DeviceTable::new(&SECRET);
    let phone = table.handle_packet(&syn(Some(PHONE), "192.168.1.5", "8.8.8.8"));
    let router = table.handle_packet(&syn(Some(ROUTER), "192.168.1.1", "192.168.1.5"));
    for server in ["8.8.8.8", "9.9.9.9"] {
        let answer = tcp(Some(ROUTER), server, "192.168.1.5", TcpFlags::ACK);
        assert_eq!(table.handle_packet(&answer), None);
    }
    let router = router.expect("it has an address of its own");
    assert_eq!(table.verdict(router).is_phone, Some(false));
    // Whoever opens something from beyond it is not it.
    assert_eq!(
        table.handle_packet(&syn(Some(ROUTER), "203.0.113.7", "198.51.100.1")),
        None
    );
    assert_eq!(
        table.device_of(None, address("8.8.8.8"), Some(ROUTER)),
        None
    );
    assert_eq!(
        table.device_of(None, address("192.168.1.5"), Some(PHONE)),
        phone
    );
}

#[test]
fn stations_that_only_pass_on_are_listed_but_never_present() {
    let mut table = DeviceTable::new(&SECRET);
    table.handle_packet(&tcp(Some(ROUTER), "8.8.8.8", "192.168.1.5", TcpFlags::ACK));
    let [id] = table.ids().collect::<Vec<_>>()[..] else {
        panic!("one station")
    };
    assert_eq!(table.days(id).count(), 0);
    assert_eq!(table.device_of(None, address("8.8.8.8"), None), None);
}

#[test]
fn dhcp_tells_who_a_device_is_and_where() {
    let mut table = DeviceTable::new(&SECRET);
    let options = [&[60, 18][..], b"HUAWEI:android:VOG"].concat();
    let request = dhcp_bytes(3, OTHER, [0; 4], &options);
    let id = table
        .handle_packet(&dhcp(OTHER, "0.0.0.0", &request))
        .expect("a device");
    assert_eq!(table.verdict(id).vendor().map(Vendor::id), Some("huawei"));
    // The server's answer passes through the router and is about the phone.
    let ack = dhcp_bytes(5, OTHER, [192, 168, 1, 77], &[]);
    table.handle_packet(&Packet {
        source_port: 67,
        destination_port: 68,
        ..dhcp(ROUTER, "192.168.1.1", &ack)
    });
    assert_eq!(
        table.device_of(None, address("192.168.1.77"), None),
        Some(id)
    );
}

#[test]
fn tags_mean_nothing_under_another_secret() {
    let tag_under = |secret| {
        let mut table = DeviceTable::new(&secret);
        let id = table
            .handle_packet(&syn(Some(PHONE), "192.168.1.5", "8.8.8.8"))
            .expect("a device");
        table.tag(id)
    };
    assert_eq!(tag_under(SECRET), tag_under(SECRET));
    assert_ne!(tag_under(SECRET), tag_under([8; 32]));
    let text = tag_under(SECRET).to_string();
    assert_eq!(text.parse(), Ok(tag_under(SECRET)));
    for wrong in [
        "",
        "0123456",
        "012345678",
        "0123456G",
        "ABCDEF01",
        "+1234567",
    ] {
        assert_eq!(wrong.parse::<DeviceTag>(), Err(NotATag), "{wrong}");
    }
    assert_eq!(format!("{:?}", tag_under(SECRET)), "DeviceTag(..)");
}

#[test]
fn a_full_table_refuses_and_counts() {
    let mut table = DeviceTable::new(&SECRET);
    for n in 0..DEVICES_MAX + 5 {
        let [.., a, b] = u32::try_from(n).expect("small").to_be_bytes();
        let mac = MacAddr::new([2, 0, 0, 0, a, b]);
        table.handle_packet(&syn(Some(mac), "192.168.1.5", "8.8.8.8"));
    }
    assert_eq!(table.ids().count(), DEVICES_MAX);
    assert_eq!(table.shed().of(Shed::DeviceRefused), 5);
}

#[test]
fn a_declared_router_stays_what_its_holder_says() {
    let mut table = DeviceTable::new(&SECRET);
    let id = table
        .handle_packet(&syn(Some(PHONE), "192.168.1.5", "8.8.8.8"))
        .expect("a device");
    table.declare(table.tag(id), Vendor::from_id("vivo").expect("listed"));
    let verdict = table.verdict(id);
    assert_eq!(verdict.basis(), Some(Basis::Declared));
    assert_eq!(table.verdicts().get(&table.tag(id)), Some(&verdict));
}

#[test]
fn a_table_that_lives_forgets_and_knows_again() {
    let mut table = DeviceTable::new(&SECRET);
    let days_later = |days: i64, packet: Packet<'static>| Packet {
        time: packet.time.plus_seconds(days * 86_400),
        ..packet
    };
    let phone = table
        .handle_packet(&syn(Some(PHONE), "192.168.1.5", "8.8.8.8"))
        .map(|id| table.tag(id));
    let guest = syn(Some(OTHER), "192.168.1.6", "8.8.8.8");
    let guest_tag = table.handle_packet(&guest).map(|id| table.tag(id));
    table.handle_packet(&days_later(9, syn(Some(PHONE), "192.168.1.5", "8.8.8.8")));
    let today = NOON.day().expect("after 1970").plus(11);
    table.forget_before(Day::new(today.number() - 10).expect("a day"));

    let seen: Vec<_> = table.sightings().collect();
    assert_eq!(seen.len(), 1);
    assert_eq!((Some(seen[0].row.device), seen[0].days.len()), (phone, 1));
    assert_eq!(seen[0].last_seen, NOON.plus_seconds(9 * 86_400));
    assert_eq!(table.forgotten(), 1);
    assert_eq!(
        table.device_of(None, address("192.168.1.6"), Some(OTHER)),
        None
    );
    // The guest comes back to the freed place, by the same tag.
    let back = table.handle_packet(&days_later(12, guest));
    assert_eq!(back.map(|id| table.tag(id)), guest_tag);
    assert_eq!(table.ids().count(), 2);
}

#[test]
fn days_of_a_wrong_clock_are_put_right() {
    let mut table = DeviceTable::new(&SECRET);
    let at = |seconds| Packet {
        time: Timestamp::from_seconds(seconds),
        ..syn(Some(PHONE), "192.168.1.5", "8.8.8.8")
    };
    // Two hours after booting in 1970 the clock is set, at one in the morning of day 20,000.
    let id = table.handle_packet(&at(60)).expect("a device");
    table.handle_packet(&at(7_000));
    let delta_seconds = 20_000 * 86_400 + 3_600 - 7_200;
    table.redate(delta_seconds * 1_000_000_000);
    let days: Vec<_> = table.days(id).map(Day::number).collect();
    assert_eq!(days, [19_999, 20_000]);
    let seen = table.sightings().next().expect("a device");
    assert_eq!(
        seen.last_seen,
        Timestamp::from_seconds(7_000 + delta_seconds)
    );
}

proptest! {
    /// Whatever comes, the table stays within its bounds and answers.
    #[test]
    fn arbitrary_senders_are_answered(
        senders in proptest::collection::vec((any::<[u8; 6]>(), any::<[u8; 4]>(), any::<[u8; 4]>()), 0..200),
    ) {
        let mut table = DeviceTable::new(&SECRET);
        for (mac, source, destination) in senders {
            let mut packet = syn(Some(MacAddr::new(mac)), "0.0.0.0", "0.0.0.0");
            packet.source = source.into();
            packet.destination = destination.into();
            if let Some(id) = table.handle_packet(&packet) {
                prop_assert!(table.ids().any(|known| known == id));
                prop_assert_eq!(table.row(id).device, table.tag(id));
            }
            let found = table.device_of(None, packet.source, packet.link.source);
            prop_assert!(found.is_none_or(|id| table.ids().any(|known| known == id)));
        }
    }
}
