use super::sample::{ethernet, frame, ipv4, ipv6, put_away, tcp, told, udp};
use super::*;
use crate::capture::LinkType;
use proptest::prelude::*;
use std::num::NonZeroU16;

const UDP: u8 = 17;
const TCP: u8 = 6;

/// A datagram in IPv4: 20 + 8 + 5 bytes.
fn hello() -> Vec<u8> {
    ipv4(UDP, &udp(40_000, 443, b"hello"))
}

/// The payload of the packet in a frame, or why there is none.
fn payload(link: LinkType, bytes: &[u8]) -> Result<Vec<u8>, Skipped> {
    read(&frame(link, bytes)).map(|packet| packet.payload().to_vec())
}

fn is_hello(link: LinkType, bytes: &[u8]) {
    assert_eq!(
        payload(link, bytes).as_deref(),
        Ok(b"hello".as_slice()),
        "{link:?} {bytes:02x?}"
    );
    if matches!(link, LinkType::RAW) {
        let kind = if bytes[0] >> 4 == 4 { 0x0800 } else { 0x86dd };
        is_hello(LinkType::ETHERNET, &ethernet(kind, bytes));
    }
}

#[test]
fn reads_every_link_layer() {
    let hello = hello();
    let with = |head: &[u8]| [head, &hello].concat();
    for link in [
        LinkType::RAW,
        LinkType::RAW_BSD,
        LinkType::RAW_OPENBSD,
        LinkType::IPV4,
    ] {
        is_hello(link, &hello);
    }
    is_hello(LinkType::IPV6, &ipv6(UDP, &udp(1, 2, b"hello")));
    is_hello(LinkType::ETHERNET, &ethernet(0x0800, &hello));
    is_hello(
        LinkType::ETHERNET,
        &ethernet(0x86dd, &ipv6(UDP, &udp(1, 2, b"hello"))),
    );
    is_hello(
        LinkType::ETHERNET,
        &ethernet(0x8100, &with(&[0x20, 5, 8, 0])),
    );
    is_hello(
        LinkType::ETHERNET,
        &ethernet(0x88a8, &with(&[0, 9, 0x81, 0, 0, 5, 8, 0])),
    );
    is_hello(
        LinkType::ETHERNET,
        &ethernet(0x8847, &with(&[0, 1, 0, 64, 0, 2, 1, 64])),
    );
    let in_control_word = [
        [0, 2, 1, 64, 0, 0, 0, 0].as_slice(),
        &ethernet(0x0800, &hello),
    ]
    .concat();
    is_hello(LinkType::ETHERNET, &ethernet(0x8847, &in_control_word));
    is_hello(
        LinkType::ETHERNET,
        &ethernet(0x8864, &with(&[0x11, 0, 0, 1, 0, 35, 0, 0x21])),
    );
    is_hello(
        LinkType::ETHERNET,
        &ethernet(41, &with(&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0])),
    );
    let backbone = [[0, 0, 0, 7].as_slice(), &ethernet(0x0800, &hello)].concat();
    is_hello(LinkType::ETHERNET, &ethernet(0x88e7, &backbone));
    is_hello(LinkType::PPP, &with(&[0, 0x21]));
    is_hello(LinkType::PPP, &with(&[0x21]));
    is_hello(LinkType::PPP_HDLC, &with(&[0xff, 3, 0, 0x21]));
    is_hello(LinkType::PPP_HDLC, &with(&[0x0f, 0, 8, 0]));
    is_hello(LinkType::PPP_WITH_DIR, &with(&[1, 0xff, 3, 0, 0x21]));
    is_hello(LinkType::PPP_ETHER, &with(&[0x11, 0, 0, 1, 0, 35, 0, 0x21]));
    is_hello(LinkType::C_HDLC, &with(&[0x0f, 0, 8, 0]));
    is_hello(LinkType::NULL, &with(&[2, 0, 0, 0]));
    is_hello(LinkType::LOOP, &with(&[0, 0, 0, 2]));
    is_hello(LinkType::MPLS, &with(&[0, 2, 1, 64]));
    is_hello(
        LinkType::LINUX_SLL,
        &with(&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0]),
    );
    let cooked = [8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
    is_hello(LinkType::LINUX_SLL2, &with(&cooked));
    let wifi = wifi(&[0x88, 0x01], true, &hello);
    is_hello(LinkType::IEEE802_11, &wifi);
    is_hello(
        LinkType::IEEE802_11_RADIOTAP,
        &[[0, 0, 9, 0, 0, 0, 0, 0, 0].as_slice(), &wifi].concat(),
    );
}

fn wifi(control: &[u8; 2], has_quality: bool, ip: &[u8]) -> Vec<u8> {
    let quality: &[u8] = if has_quality { &[0, 0] } else { &[] };
    let address = |last: u8| [2, 0, 0, 0, 0, last];
    [
        control.as_slice(),
        &[0, 0],
        &address(1),
        &address(2),
        &address(3),
        &[0, 0],
        quality,
        &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0],
        ip,
    ]
    .concat()
}

#[test]
fn link_addresses_and_vlans_are_kept() {
    let tagged = ethernet(
        0x88a8,
        &[[0, 9, 0x81, 0, 0x60, 5, 8, 0].as_slice(), &hello()].concat(),
    );
    let link = read(&frame(LinkType::ETHERNET, &tagged))
        .expect("a packet")
        .link;
    let station = |last| Some(MacAddr::new([2, 0, 0, 0, 0, last]));
    assert_eq!(
        link,
        Link {
            source: station(1),
            destination: station(2),
            vlan: Some(5)
        }
    );
    // A priority is no VLAN.
    let untagged = ethernet(0x8100, &[[0x60, 0, 8, 0].as_slice(), &hello()].concat());
    assert_eq!(
        read(&frame(LinkType::ETHERNET, &untagged))
            .expect("a packet")
            .link
            .vlan,
        None
    );
    // To the access point: its own address stands first, the destination third.
    let up = wifi(&[0x08, 0x01], false, &hello());
    let link = read(&frame(LinkType::IEEE802_11, &up))
        .expect("a packet")
        .link;
    assert_eq!((link.source, link.destination), (station(2), station(3)));
    let down = wifi(&[0x08, 0x02], false, &hello());
    let link = read(&frame(LinkType::IEEE802_11, &down))
        .expect("a packet")
        .link;
    assert_eq!((link.source, link.destination), (station(3), station(1)));
}

#[test]
fn reads_every_tunnel() {
    let link = LinkType::RAW;
    let inner_v6 = ipv6(UDP, &udp(1, 2, b"hello"));
    let framed = ethernet(0x0800, &hello());
    let with = |head: &[u8], rest: &[u8]| [head, rest].concat();
    is_hello(link, &ipv4(4, &hello()));
    is_hello(link, &ipv4(41, &inner_v6));
    is_hello(link, &ipv6(4, &hello()));
    is_hello(link, &ipv6(41, &inner_v6));
    is_hello(link, &ipv4(137, &with(&[0, 2, 1, 64], &hello())));
    is_hello(link, &ipv4(47, &with(&[0, 0, 8, 0], &hello())));
    is_hello(
        link,
        &ipv4(
            47,
            &with(
                &[0xb0, 0, 0x86, 0xdd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2],
                &inner_v6,
            ),
        ),
    );
    is_hello(link, &ipv4(47, &with(&[0, 0, 0x65, 0x58], &framed)));
    is_hello(
        link,
        &ipv4(
            47,
            &with(
                &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
                &framed,
            ),
        ),
    );
    let pptp = [
        0x30, 0x81, 0x88, 0x0b, 0, 35, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 3, 0, 0x21,
    ];
    is_hello(link, &ipv4(47, &with(&pptp, &hello())));
    let in_udp = |port: u16, payload: &[u8]| ipv4(UDP, &udp(50_000, port, payload));
    is_hello(
        link,
        &in_udp(4789, &with(&[8, 0, 0, 0, 0, 0, 7, 0], &framed)),
    );
    is_hello(
        link,
        &in_udp(
            6081,
            &with(&[1, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 1, 1, 1], &framed),
        ),
    );
    is_hello(
        link,
        &in_udp(2152, &with(&[0x30, 0xff, 0, 33, 0, 0, 0, 1], &hello())),
    );
    let extended = [0x34, 0xff, 0, 41, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 9, 0];
    is_hello(link, &in_udp(2152, &with(&extended, &hello())));
    is_hello(
        link,
        &in_udp(37008, &with(&[1, 0, 0, 1, 0, 10, 1, 0xff, 1], &framed)),
    );
    // CAPWAP with an 802.3 frame, with an 802.11 frame, and with one whose control bytes are swapped.
    is_hello(
        link,
        &in_udp(5247, &with(&[0, 0x10, 2, 0, 0, 0, 0, 0], &framed)),
    );
    is_hello(
        link,
        &in_udp(
            5247,
            &with(
                &[0, 0x10, 3, 0, 0, 0, 0, 0],
                &wifi(&[8, 1], false, &hello()),
            ),
        ),
    );
    is_hello(
        link,
        &in_udp(
            5247,
            &with(
                &[0, 0x10, 3, 0, 0, 0, 0, 0],
                &wifi(&[1, 8], false, &hello()),
            ),
        ),
    );
}

#[test]
fn the_packet_inside_a_tunnel_is_the_packet() {
    let inside = ipv6(UDP, &udp(1, 2, b"hello"));
    let outside = ethernet(0x0800, &ipv4(41, &inside));
    let packet = read(&frame(LinkType::ETHERNET, &outside)).expect("a packet");
    assert_eq!(
        packet.source,
        "2001:db8::1".parse::<IpAddr>().expect("an address")
    );
    assert_eq!(packet.ip_bytes as usize, inside.len());
    assert_eq!(packet.link.source, Some(MacAddr::new([2, 0, 0, 0, 0, 1])));
}

#[test]
fn a_tunnels_port_alone_proves_nothing() {
    for (port, bytes) in [
        (4789, b"\x08\0\0\0\0\0\x07\0not a frame".as_slice()),
        (2152, b"\x30\xff"),
        (5247, b""),
    ] {
        let outside = ipv4(UDP, &udp(50_000, port, bytes));
        assert_eq!(
            payload(LinkType::RAW, &outside).as_deref(),
            Ok(bytes),
            "{port}"
        );
    }
    // But what is one is one, whatever it carries.
    let ping = ipv4(1, &[8, 0, 0, 0]);
    let inside = ipv4(
        UDP,
        &udp(
            50_000,
            2152,
            &[[0x30, 0xff, 0, 24, 0, 0, 0, 1].as_slice(), &ping].concat(),
        ),
    );
    assert_eq!(payload(LinkType::RAW, &inside), Err(Skipped::Icmp));
}

#[test]
fn bytes_are_those_of_the_ip_header() {
    // Short Ethernet frames are padded, long ones cut; neither changes the length.
    let padded = ethernet(0x0800, &[hello(), vec![0; 13]].concat());
    let packet = read(&frame(LinkType::ETHERNET, &padded)).expect("a packet");
    assert_eq!(
        (packet.ip_bytes, packet.payload()),
        (33, b"hello".as_slice())
    );
    let padded = ethernet(
        0x0800,
        &[ipv4(TCP, &tcp(40_000, 443, 0x10, b"")), vec![0; 2]].concat(),
    );
    assert_eq!(
        payload(LinkType::ETHERNET, &padded),
        Ok(vec![]),
        "padding is no payload"
    );
    let whole = ethernet(0x0800, &ipv4(TCP, &tcp(40_000, 443, 0x10, &[7; 1_000])));
    let cut = Frame {
        bytes: &whole[..60],
        ..frame(LinkType::ETHERNET, &whole)
    };
    let packet = read(&cut).expect("a packet");
    assert_eq!(
        (packet.ip_bytes, packet.payload().len()),
        (20 + 24 + 1_000, 60 - 14 - 20 - 24)
    );
    // Segmentation offload leaves the length open: then the wire knows.
    let mut open = whole.clone();
    open[16..18].fill(0);
    let cut = Frame {
        bytes: &open[..60],
        ..frame(LinkType::ETHERNET, &open)
    };
    assert_eq!(read(&cut).expect("a packet").ip_bytes, 20 + 24 + 1_000);
}

#[test]
fn merged_segments_have_their_headers_each() {
    let told = |whole: &[u8], segment_bytes| {
        let merged = Frame {
            bytes: &whole[..whole.len().min(100)],
            segment_bytes: NonZeroU16::new(segment_bytes),
            ..frame(LinkType::RAW, whole)
        };
        let packet = read(&merged).expect("a packet");
        (packet.ip_bytes, packet.wire_packets)
    };
    let stream = tcp(40_000, 443, 0x10, &[7; 3_000]);
    // The tests' TCP header has 24 bytes: 1,448 and 1,448 and 104 of the 3,000.
    let (v4, v6) = (ipv4(TCP, &stream), ipv6(TCP, &stream));
    assert_eq!(told(&v4, 1_448), (3_000 + 3 * (20 + 24), 3));
    assert_eq!(told(&v6, 1_448), (3_000 + 3 * (40 + 24), 3));
    assert_eq!(told(&v4, 1_000), (3_000 + 3 * (20 + 24), 3));
    assert_eq!(told(&v4, 3_000), (3_000 + 20 + 24, 1));
    let datagrams = ipv6(17, &udp(40_000, 443, &[7; 2_500]));
    assert_eq!(told(&datagrams, 1_200), (2_500 + 3 * (40 + 8), 3));
    // Nothing is merged where nobody says so, and what carries nothing is one packet.
    assert_eq!(told(&v4, 0), (3_000 + 20 + 24, 1));
    let bare = ipv4(TCP, &tcp(40_000, 443, 0x10, b""));
    assert_eq!(told(&bare, 1_448), (20 + 24, 1));
}

#[test]
fn tcp_headers_say_where_a_segment_stands() {
    let bytes = ipv4(TCP, &tcp(40_000, 443, 0x12, b"data"));
    let packet = read(&frame(LinkType::RAW, &bytes)).expect("a packet");
    let Segment::Tcp(segment) = packet.segment else {
        panic!("{packet:?}")
    };
    assert_eq!(
        (segment.seq, segment.ack, segment.payload),
        (1_000, 2_000, b"data".as_slice())
    );
    assert!(segment.flags.accepts() && !segment.flags.opens() && !segment.flags.has(TcpFlags::FIN));
}

#[test]
fn extension_headers_are_passed() {
    let datagram = udp(1, 2, b"hello");
    let rest = [
        [43, 0, 0, 0, 0, 0, 0, 0].as_slice(),
        &[51, 0, 0, 0, 0, 0, 0, 0],
        &[44, 1, 0, 0],
        &[0; 8],
    ];
    let first_fragment = [UDP, 0, 0, 1, 0, 0, 0, 9];
    let bytes = ipv6(
        0,
        &[rest.concat().as_slice(), &first_fragment, &datagram].concat(),
    );
    is_hello(LinkType::RAW, &bytes);
}

#[test]
fn says_why_there_is_no_packet() {
    let reasons = |bytes: &[u8]| payload(LinkType::RAW, bytes).expect_err("no packet");
    let change = |at: usize, to: u8| {
        let mut bytes = hello();
        bytes[at] = to;
        bytes
    };
    assert_eq!(reasons(&[]), Skipped::Cut);
    assert_eq!(reasons(&hello()[..27]), Skipped::Cut);
    assert_eq!(reasons(&change(0, 0x55)), Skipped::BadIp);
    assert_eq!(reasons(&change(0, 0x44)), Skipped::BadIp);
    assert_eq!(reasons(&change(7, 1)), Skipped::LaterFragment);
    assert_eq!(
        reasons(&ipv6(44, &[UDP, 0, 0, 8, 0, 0, 0, 9])),
        Skipped::LaterFragment
    );
    assert_eq!(reasons(&change(9, 1)), Skipped::Icmp);
    assert_eq!(reasons(&ipv6(58, &[128, 0, 0, 0])), Skipped::Icmp);
    assert_eq!(reasons(&change(9, 132)), Skipped::OtherTransport);
    assert_eq!(reasons(&change(25, 7)), Skipped::BadTransport);
    let mut short_header = ipv4(TCP, &tcp(1, 2, 0, b""));
    short_header[32] = 0x40;
    assert_eq!(reasons(&short_header), Skipped::BadTransport);
    let nested = (0..5).fold(hello(), |inside, _| ipv4(4, &inside));
    assert_eq!(reasons(&nested), Skipped::TooDeep);
    let tags = [0, 5, 0x81, 0].repeat(20);
    assert_eq!(
        payload(LinkType::ETHERNET, &ethernet(0x8100, &tags)),
        Err(Skipped::TooDeep)
    );
    assert_eq!(
        payload(LinkType::ETHERNET, &ethernet(0x0806, &[0; 28])),
        Err(Skipped::NotIp)
    );
    assert_eq!(
        payload(LinkType::IEEE802_11, &wifi(&[8, 0x41], false, &hello())),
        Err(Skipped::EncryptedLink)
    );
    assert_eq!(
        payload(LinkType::IEEE802_11, &[0x80; 40]),
        Err(Skipped::NotIp)
    );
    assert_eq!(payload(LinkType(147), &hello()), Err(Skipped::UnknownLink));
}

#[test]
fn addresses_on_the_link_print_as_nothing() {
    assert_eq!(
        format!("{:?}", MacAddr::new([1, 2, 3, 4, 5, 6])),
        "MacAddr(..)"
    );
}

/// Every link type that is read, and one that is not.
const LINKS: [u16; 18] = [
    0, 1, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 127, 204, 219, 228, 276, 300,
];

/// Headers that lead deep into the readers, to put in front of chance.
fn heads() -> impl Strategy<Value = Vec<u8>> {
    let ports = prop::sample::select(vec![53_u16, 67, 2152, 4789, 5247, 5353, 6081, 37008]);
    prop_oneof![
        Just(vec![]),
        any::<u8>().prop_map(|protocol| ethernet(0x0800, &ipv4(protocol, &[]))),
        any::<u8>().prop_map(|next| ethernet(0x86dd, &ipv6(next, &[]))),
        any::<u16>().prop_map(|kind| ethernet(kind, &[])),
        ports.prop_map(|port| ethernet(0x0800, &ipv4(UDP, &udp(port, port, &[])))),
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        link in prop::sample::select(LINKS.to_vec()),
        mut head in heads(),
        tail in prop::collection::vec(any::<u8>(), 0..200),
        wire in any::<u32>(),
        segment in any::<u16>(),
    ) {
        if let [.., first, second] = head.get_mut(16..18).unwrap_or_default() {
            // The length of what was put together, so that what follows is inside.
            (*first, *second) = (1, 0);
        }
        let bytes = [head, tail].concat();
        let frame = Frame {
            wire_len_bytes: wire,
            segment_bytes: NonZeroU16::new(segment),
            ..frame(LinkType(link), &bytes)
        };
        let mut counts = PacketCounts::default();
        if let Some(packet) = counts.read(&frame) {
            let _ = (packet.dns(), packet.dhcp(), packet.mdns());
            prop_assert_eq!(put_away(&packet, &bytes), told(&packet));
        }
        if let Some(packet) = plain(&frame) {
            prop_assert_eq!(read_any(&frame).map(|packet| told(&packet)), Ok(told(&packet)));
        }
        prop_assert_eq!(counts.frames, counts.packets + counts.skipped.total());
    }

    /// However a packet is cut, what is left of it is read as the same packet or as a cut one.
    #[test]
    fn a_cut_packet_is_cut_or_itself(length in 0_usize..80) {
        let whole = ethernet(0x0800, &ipv4(TCP, &tcp(40_000, 443, 0x18, b"twenty bytes of data")));
        let cut = Frame { bytes: &whole[..length.min(whole.len())], ..frame(LinkType::ETHERNET, &whole) };
        prop_assert_eq!(plain(&cut).is_some(), read_any(&cut).is_ok());
        match read(&cut) {
            Ok(packet) => {
                prop_assert_eq!((packet.ip_bytes, packet.source_port), (64, 40_000));
                prop_assert_eq!(put_away(&packet, cut.bytes), told(&packet));
            }
            Err(why) => prop_assert_eq!(why, Skipped::Cut),
        }
    }
}
