//! One connection, frame by frame: handshake, hello, data both ways, goodbye.
//!
//! The capture is taken on the router's LAN side: what the phone sends is seen at once, what it asks
//! for comes back a round trip later.

use super::city::later;
use super::frame::{self, Link, SNAP_BYTES, Segment, flag};
use super::hello::{self, Hello};
use super::quic::{self, Side};
use super::recording::Recording;
use super::site::Carrier;
use phonehome_proto::chance::{Chance, SeededChance};
use phonehome_proto::time::Timestamp;
use std::net::SocketAddr;

/// Who speaks with whom, since when, how far apart, and how much.
#[derive(Clone, Copy, Debug)]
pub struct Conversation<'a> {
    /// From the phone to the router.
    pub link: Link,
    /// The phone.
    pub client: SocketAddr,
    /// The server.
    pub server: SocketAddr,
    /// The server's name.
    pub host: &'a str,
    /// When the first packet passes the router.
    pub at: Timestamp,
    /// From the router to the server and back.
    pub round_trip_nanos: i64,
    /// Application bytes from the phone.
    pub bytes_up: u32,
    /// Application bytes to the phone.
    pub bytes_down: u32,
}

impl Conversation<'_> {
    /// Records the whole conversation; gives the moment it ends.
    pub fn record(
        self,
        carrier: Carrier,
        recording: &mut Recording,
        chance: &mut SeededChance,
    ) -> Timestamp {
        let (post_quantum, grease_ech) = match carrier {
            Carrier::TlsPostQuantum | Carrier::QuicPostQuantum => (true, false),
            Carrier::TlsGreaseEch => (false, true),
            Carrier::Tls | Carrier::Quic | Carrier::Http => (false, false),
        };
        let quic = matches!(carrier, Carrier::Quic | Carrier::QuicPostQuantum);
        let protocols: &[&str] = if quic { &["h3"] } else { &["h2", "http/1.1"] };
        let hello = Hello {
            name: self.host,
            protocols,
            grease_ech,
            post_quantum,
            quic,
        };
        match carrier {
            Carrier::Http => {
                let request = format!(
                    "GET /generate_204 HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                    self.host
                );
                let reply = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";
                Stream::open(self, recording, chance).talk(request.as_bytes(), reply)
            }
            Carrier::Tls | Carrier::TlsPostQuantum | Carrier::TlsGreaseEch => {
                let first = hello::record(hello, chance);
                let reply = hello::server_record(chance);
                Stream::open(self, recording, chance).talk(&first, &reply)
            }
            Carrier::Quic | Carrier::QuicPostQuantum => {
                let connection = chance.bytes();
                let first = hello::handshake(hello, chance);
                self.quic(connection, &first, recording, chance)
            }
        }
    }

    fn quic(
        self,
        connection: [u8; 8],
        hello: &[u8],
        recording: &mut Recording,
        chance: &mut SeededChance,
    ) -> Timestamp {
        let (up, down) = (self.link, self.link.reversed());
        let mut at = self.at;
        for datagram in quic::initials(Side::Client, connection, hello, chance) {
            recording.push(at, frame::udp(up, self.client, self.server, &datagram));
            at = later(at, MILLISECOND / 5);
        }
        let reply = hello::server_record(chance);
        at = later(self.at, self.round_trip_nanos);
        // Without the record header: QUIC carries bare handshake messages.
        for datagram in quic::initials(Side::Server, connection, &reply[5..], chance) {
            let cut = &datagram[..datagram.len().min(400)];
            recording.push(
                at,
                frame::udp_cut(down, self.server, self.client, cut, datagram.len()),
            );
            at = later(at, MILLISECOND / 5);
        }
        for (bytes, link, from, to) in [
            (self.bytes_up, up, self.client, self.server),
            (self.bytes_down, down, self.server, self.client),
        ] {
            at = later(
                at,
                if link.from == up.from {
                    WIFI
                } else {
                    self.round_trip_nanos
                },
            );
            for piece in pieces(bytes) {
                let head = quic::one_rtt(connection, chance);
                let bytes = piece.max(head.len());
                recording.push(at, frame::udp_cut(link, from, to, &head, bytes));
                at = later(at, MILLISECOND / 4);
            }
        }
        at
    }
}

/// A TCP connection, open.
struct Stream<'a> {
    about: Conversation<'a>,
    recording: &'a mut Recording,
    chance: &'a mut SeededChance,
    at: Timestamp,
    client_next: u32,
    server_next: u32,
}

impl<'a> Stream<'a> {
    fn open(
        about: Conversation<'a>,
        recording: &'a mut Recording,
        chance: &'a mut SeededChance,
    ) -> Self {
        let [client_next, server_next] = [chance.bytes(), chance.bytes()].map(u32::from_be_bytes);
        let mut stream = Self {
            at: about.at,
            about,
            recording,
            chance,
            client_next,
            server_next,
        };
        stream.send(Way::Up, flag::SYN, &[], 0);
        stream.at = later(stream.at, stream.about.round_trip_nanos);
        stream.send(Way::Down, flag::SYN | flag::ACK, &[], 0);
        stream.at = later(stream.at, WIFI);
        stream.send(Way::Up, flag::ACK, &[], 0);
        stream
    }

    /// First words, the answer's first words, then the data of both; then both hang up.
    fn talk(mut self, first: &[u8], reply: &[u8]) -> Timestamp {
        for piece in first.chunks(SEGMENT_BYTES) {
            self.send(Way::Up, flag::PSH | flag::ACK, piece, piece.len());
        }
        self.wait();
        self.send(Way::Down, flag::PSH | flag::ACK, reply, reply.len());
        for (way, bytes) in [
            (Way::Up, self.about.bytes_up),
            (Way::Down, self.about.bytes_down),
        ] {
            self.bulk(way, bytes);
        }
        self.at = later(self.at, WIFI);
        self.send(Way::Up, flag::FIN | flag::ACK, &[], 0);
        self.wait();
        self.send(Way::Down, flag::FIN | flag::ACK, &[], 0);
        self.at = later(self.at, WIFI);
        self.send(Way::Up, flag::ACK, &[], 0);
        self.at
    }

    /// Encrypted records, cut after their first bytes; the other end acknowledges every second.
    fn bulk(&mut self, way: Way, bytes: u32) {
        if bytes == 0 {
            return;
        }
        self.at = later(self.at, WIFI);
        for (number, piece) in pieces(bytes).enumerate() {
            let mut head = [0; SNAP_BYTES - 14 - 60];
            self.chance.fill(&mut head);
            let record = u16::try_from(piece)
                .expect("a segment is short")
                .to_be_bytes();
            head[..5].copy_from_slice(&[0x17, 0x03, 0x03, record[0], record[1]]);
            let shown = head.len().min(piece);
            self.send(way, flag::ACK, &head[..shown], piece);
            self.at = later(self.at, MILLISECOND / 4);
            if number % 2 == 1 {
                self.send(way.back(), flag::ACK, &[], 0);
            }
        }
        self.wait();
    }

    fn wait(&mut self) {
        self.at = later(self.at, self.about.round_trip_nanos);
    }

    fn send(&mut self, way: Way, flags: u8, data: &[u8], data_bytes: usize) {
        let Conversation {
            link,
            client,
            server,
            ..
        } = self.about;
        let (link, from, to, next, acknowledge) = match way {
            Way::Up => (
                link,
                client,
                server,
                &mut self.client_next,
                self.server_next,
            ),
            Way::Down => (
                link.reversed(),
                server,
                client,
                &mut self.server_next,
                self.client_next,
            ),
        };
        let acknowledge = if flags & flag::ACK == 0 {
            0
        } else {
            acknowledge
        };
        let segment = Segment {
            sequence: *next,
            acknowledge,
            flags,
            data,
            data_bytes,
        };
        // SYN and FIN each take one number (RFC 9293, section 3.4).
        let taken = data_bytes + usize::from(flags & (flag::SYN | flag::FIN) != 0);
        *next = next.wrapping_add(u32::try_from(taken).expect("a segment is short"));
        self.recording
            .push(self.at, frame::tcp(link, from, to, segment));
    }
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Up,
    Down,
}

impl Way {
    const fn back(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// `bytes` in pieces of a segment.
fn pieces(bytes: u32) -> impl Iterator<Item = usize> {
    let bytes = usize::try_from(bytes).expect("a page is below 4 GiB");
    (0..bytes)
        .step_by(SEGMENT_BYTES)
        .map(move |start| (bytes - start).min(SEGMENT_BYTES))
}

const SEGMENT_BYTES: usize = 1_340;
const MILLISECOND: i64 = 1_000_000;

/// From the router to the phone and back.
const WIFI: i64 = 3 * MILLISECOND;
