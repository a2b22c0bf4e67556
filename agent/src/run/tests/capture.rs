//! A capture of one phone, written byte by byte: a Xiaomi that asks one of its maker's servers for
//! a page, in clear text, and is answered.

use phonehome_proto::time::Timestamp;

/// Hardware address of the phone; its first bytes are those of Xiaomi's phones.
pub(in crate::run) const PHONE: [u8; 6] = [0x64, 0xcc, 0x2e, 1, 2, 3];
const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 1];
const LAN: [u8; 4] = [192, 168, 1, 20];
/// A server in Singapore's part of Alibaba's network.
const SERVER: [u8; 4] = [161, 117, 71, 36];

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// The frames of the conversation, from this port of the phone's.
pub(in crate::run) fn frames(port: u16) -> [Vec<u8>; 5] {
    let request = b"GET / HTTP/1.1\r\nHost: sa.api.intl.miui.com\r\n\r\n";
    let up = |seq, ack, flags, payload: &[u8]| {
        frame(
            PHONE,
            ROUTER,
            &tcp((LAN, port), (SERVER, 80), (seq, ack, flags), payload),
        )
    };
    let down = |seq, ack, flags, payload: &[u8]| {
        frame(
            ROUTER,
            PHONE,
            &tcp((SERVER, 80), (LAN, port), (seq, ack, flags), payload),
        )
    };
    [
        up(100, 0, SYN, b""),
        down(900, 101, SYN | ACK, b""),
        up(101, 901, ACK, b""),
        up(101, 901, ACK, request),
        down(
            901,
            101 + u32::try_from(request.len()).expect("short"),
            ACK,
            b"HTTP/1.1 204\r\n\r\n",
        ),
    ]
}

/// A pcap file of the conversation, beginning at `start`.
pub(in crate::run) fn pcap(start: Timestamp) -> Vec<u8> {
    // Magic of microseconds, version 2.4, zone, accuracy, snap length, Ethernet.
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    for (at, frame) in frames(40_000).iter().enumerate() {
        let micros = u32::try_from(at * 40_000).expect("short");
        let seconds = u32::try_from(start.seconds()).expect("before 2106");
        let len = u32::try_from(frame.len()).expect("short");
        for word in [seconds, micros, len, len] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(frame);
    }
    file
}

fn frame(from: [u8; 6], to: [u8; 6], ip: &[u8]) -> Vec<u8> {
    [&to[..], &from, &[0x08, 0x00], ip].concat()
}

fn tcp(
    (source, source_port): ([u8; 4], u16),
    (destination, destination_port): ([u8; 4], u16),
    (seq, ack, flags): (u32, u32, u8),
    payload: &[u8],
) -> Vec<u8> {
    let len = u16::try_from(40 + payload.len()).expect("short");
    let mut ip = vec![0x45, 0];
    ip.extend_from_slice(&len.to_be_bytes());
    ip.extend_from_slice(&[0, 0, 0x40, 0, 64, 6, 0, 0]);
    ip.extend_from_slice(&source);
    ip.extend_from_slice(&destination);
    ip.extend_from_slice(&source_port.to_be_bytes());
    ip.extend_from_slice(&destination_port.to_be_bytes());
    ip.extend_from_slice(&seq.to_be_bytes());
    ip.extend_from_slice(&ack.to_be_bytes());
    ip.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    ip.extend_from_slice(payload);
    ip
}
