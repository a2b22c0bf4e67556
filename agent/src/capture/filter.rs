//! The classic BPF program that lets through only what names or times a connection.
//!
//! Takes a [`Mode`] and the link's type, gives a [`Program`] for the kernel. It runs there on every
//! packet of an interface and decides how many of its bytes reach the ring. [`Mode::Names`] drops
//! all but:
//!
//! | what | how it is told | bytes |
//! |---|---|---|
//! | TCP opening and end | SYN, FIN or RST | all |
//! | TLS ClientHello | payload begins `16 03`, a ClientHello follows | all |
//! | other TLS handshake | payload begins `16 03`: it shows only that this is TLS | headers |
//! | HTTP request | payload begins with a common method, on any port, of any size | all |
//! | the rest of a hello or request | see below | all |
//! | DNS, DHCP, DHCPv6, mDNS | port 53 (UDP and TCP), 67, 68, 546, 547, 5353, on either side | all |
//! | QUIC before its keys | long header of a version that is spoken, or Google's public header | all |
//! | DTLS handshake | payload begins `16 fe`, or `16 01 00` | all |
//!
//! "All" is [`SNAP_BYTES`] at most. [`Mode::Everything`] lets the headers of every other IP packet
//! through too, [`HEADER_BYTES`] of it: volumes are read from the IP header.
//!
//! **The rest of a hello.** Post-quantum hellos take two segments, and a filter has no memory to know
//! the second by. It passes a segment that could be one: pushed by its sender (the end of a message),
//! at most [`REST_BYTES_MAX`] long, sent from the higher port to the lower and from none of the
//! well-known ones, and not beginning as TLS application data, alerts or cipher changes do. Servers
//! listen on lower ports than those that systems hand out to clients, so downloads never match;
//! uploads consist of full segments (or of many merged into one) and of TLS application data, so
//! that of them only an odd remainder does. What is given up: the middle of a hello of three segments
//! where nothing merged them on the way (its name is still read if it stands in the first), and the
//! second segment of one sent to a port above the client's.
//!
//! **Headers.** IPv4 with options; IPv6 with up to two extension headers (hop-by-hop, routing,
//! destination, or fragment); Ethernet with no or one VLAN tag in the frame (the kernel takes tags
//! out of what it receives, not out of everything it sends); or no link header at all. First
//! fragments pass as if whole. Later fragments, frames with two tags, tunnels (IP in IP, GRE, VXLAN,
//! GTP) and everything that is neither TCP nor UDP pass only in [`Mode::Everything`], cut like the
//! rest: what lies in a tunnel is timed and counted there, not named.

mod assembler;
#[cfg(test)]
mod machine;

use super::LinkType;
pub use assembler::Instruction;
use assembler::{Assembler, At, If, Label};

/// What a filter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only what names or times a connection: volumes come from the connection table.
    Names,
    /// Every IP packet, most of them cut to their headers: where no connection table counts.
    Everything,
}

/// A program for the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    instructions: Vec<Instruction>,
}

/// Where the parts of a program are that others go on at.
#[derive(Clone, Copy)]
struct Ways {
    /// A = protocol number, X = where its header is, [`END`] = where the IP packet ends.
    transport: Label,
    /// The same, but A may be the number of an IPv6 extension header.
    extensions: Label,
    all: Label,
    /// Its first bytes, whatever the mode.
    glimpse: Label,
    /// IP, but of no use for names.
    rest: Label,
    none: Label,
}

// === impl Program ===

impl Program {
    /// The program for frames of this type; `None` where there is none for it.
    #[must_use]
    pub fn new(link: LinkType, mode: Mode) -> Option<Self> {
        let mut asm = Assembler::default();
        let ways = Ways {
            transport: asm.label(),
            extensions: asm.label(),
            all: asm.label(),
            glimpse: asm.label(),
            rest: asm.label(),
            none: asm.label(),
        };
        match link {
            LinkType::ETHERNET => ethernet(&mut asm, ways),
            LinkType::RAW => raw(&mut asm, ways),
            _ => return None,
        }
        extensions(&mut asm, ways);
        transport(&mut asm, ways);
        asm.mark(ways.all);
        asm.pass(SNAP_BYTES);
        asm.mark(ways.glimpse);
        asm.pass(HEADER_BYTES);
        asm.mark(ways.rest);
        asm.pass(match mode {
            Mode::Names => 0,
            Mode::Everything => HEADER_BYTES,
        });
        asm.mark(ways.none);
        asm.pass(0);
        Some(Self {
            instructions: asm.assemble(),
        })
    }

    /// The program that lets nothing through.
    #[must_use]
    pub fn nothing() -> Self {
        let mut asm = Assembler::default();
        asm.pass(0);
        Self {
            instructions: asm.assemble(),
        }
    }

    /// Its machine code.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }
}

/// Ethernet, with one VLAN tag or none.
fn ethernet(asm: &mut Assembler, ways: Ways) {
    const HEADER: u32 = 14;
    const TAGGED_HEADER: u32 = 18;
    let [v4, v6, tagged, tagged_v4, tagged_v6] = std::array::from_fn(|_| asm.label());
    asm.load_u16(At::Frame(12));
    asm.go_if(If::Is(ETHER_IPV4), v4);
    asm.go_if(If::Is(ETHER_IPV6), v6);
    asm.go_if(If::Is(ETHER_VLAN), tagged);
    asm.go_unless(If::Is(ETHER_SERVICE_VLAN), ways.none);
    asm.mark(tagged);
    asm.load_u16(At::Frame(16));
    asm.go_if(If::Is(ETHER_IPV4), tagged_v4);
    asm.go_if(If::Is(ETHER_IPV6), tagged_v6);
    asm.go_if(If::Is(ETHER_VLAN), ways.rest);
    asm.go(ways.none);
    for (label, at) in [(tagged_v4, TAGGED_HEADER), (v4, HEADER)] {
        asm.mark(label);
        ipv4(asm, ways, at);
    }
    for (label, at) in [(tagged_v6, TAGGED_HEADER), (v6, HEADER)] {
        asm.mark(label);
        ipv6(asm, ways, at);
    }
}

/// IP without a link header.
fn raw(asm: &mut Assembler, ways: Ways) {
    let (v4, v6) = (asm.label(), asm.label());
    asm.load_u8(At::Frame(0));
    asm.mask(0xf0);
    asm.go_if(If::Is(0x40), v4);
    asm.go_if(If::Is(0x60), v6);
    asm.go(ways.none);
    asm.mark(v4);
    ipv4(asm, ways, 0);
    asm.mark(v6);
    ipv6(asm, ways, 0);
}

fn ipv4(asm: &mut Assembler, ways: Ways, at: u32) {
    asm.load_u16(At::Frame(at + 6));
    asm.go_if(If::HasAny(0x1fff), ways.rest);
    asm.load_u16(At::Frame(at + 2));
    asm.add(at);
    asm.keep(END);
    asm.load_x_ipv4_header(at);
    asm.move_from_x();
    asm.add(at);
    asm.move_to_x();
    asm.load_u8(At::Frame(at + 9));
    asm.go(ways.transport);
}

fn ipv6(asm: &mut Assembler, ways: Ways, at: u32) {
    const HEADER: u32 = 40;
    asm.load_u16(At::Frame(at + 4));
    asm.add(at + HEADER);
    asm.keep(END);
    asm.set(at + HEADER);
    asm.move_to_x();
    asm.load_u8(At::Frame(at + 6));
    asm.go(ways.extensions);
}

/// Passes IPv6 extension headers, two at most: without loops each costs its instructions again.
fn extensions(asm: &mut Assembler, ways: Ways) {
    asm.mark(ways.extensions);
    for _ in 0..EXTENSIONS_MAX {
        let [options, fragment, next] = std::array::from_fn(|_| asm.label());
        asm.go_if(If::Is(TCP), ways.transport);
        asm.go_if(If::Is(UDP), ways.transport);
        asm.go_if(If::Is(FRAGMENT), fragment);
        asm.go_if(If::Is(HOP_BY_HOP), options);
        asm.go_if(If::Is(ROUTING), options);
        asm.go_if(If::Is(DESTINATION), options);
        asm.go(ways.rest);

        asm.mark(options);
        asm.load_u8(At::X(0));
        asm.keep(NEXT_HEADER);
        asm.load_u8(At::X(1));
        asm.add(1);
        asm.shift_left(3);
        asm.add_x();
        asm.move_to_x();
        asm.go(next);

        asm.mark(fragment);
        asm.load_u16(At::X(2));
        asm.go_if(If::HasAny(0xfff8), ways.rest);
        asm.load_u8(At::X(0));
        asm.keep(NEXT_HEADER);
        asm.move_from_x();
        asm.add(8);
        asm.move_to_x();

        asm.mark(next);
        asm.recall(NEXT_HEADER);
    }
}

fn transport(asm: &mut Assembler, ways: Ways) {
    let (is_tcp, is_udp) = (asm.label(), asm.label());
    asm.mark(ways.transport);
    asm.go_if(If::Is(TCP), is_tcp);
    asm.go_if(If::Is(UDP), is_udp);
    asm.go(ways.rest);
    asm.mark(is_tcp);
    tcp(asm, ways);
    asm.mark(is_udp);
    udp(asm, ways);
}

fn tcp(asm: &mut Assembler, ways: Ways) {
    let (handshake, rest_of_message) = (asm.label(), asm.label());
    asm.load_u8(At::X(13));
    asm.go_if(If::HasAny(TCP_FIN | TCP_SYN | TCP_RST), ways.all);
    asm.keep(TCP_FLAGS);
    asm.load_u16(At::X(0));
    asm.go_if(If::Is(DNS), ways.all);
    asm.keep(SOURCE_PORT);
    asm.load_u16(At::X(2));
    asm.go_if(If::Is(DNS), ways.all);
    asm.keep(DESTINATION_PORT);

    // X = where the payload begins; the low half of the byte is not the length's.
    asm.load_u8(At::X(12));
    asm.mask(0xf0);
    asm.shift_right(2);
    asm.add_x();
    asm.move_to_x();

    payload_bytes(asm);
    asm.go_if(If::Is(0), ways.rest);
    // The header promises more than the packet holds: the difference wrapped.
    asm.go_if(If::From(1 << 31), ways.rest);
    asm.go_unless(If::From(4), rest_of_message);
    asm.load_u16(At::X(0));
    asm.go_if(If::Is(0x1603), handshake);
    for kind in [0x14, 0x15, 0x17] {
        asm.go_if(If::Is(kind << 8 | 0x03), ways.rest);
    }
    asm.load_u32(At::X(0));
    for method in HTTP_METHODS {
        asm.go_if(If::Is(u32::from_be_bytes(*method)), ways.all);
    }
    asm.go(rest_of_message);

    asm.mark(handshake);
    asm.recall(PAYLOAD_BYTES);
    asm.go_unless(If::From(6), ways.all);
    asm.load_u8(At::X(5));
    asm.go_if(If::Is(CLIENT_HELLO), ways.all);
    asm.go(ways.glimpse);

    asm.mark(rest_of_message);
    asm.recall(PAYLOAD_BYTES);
    asm.go_if(If::From(REST_BYTES_MAX + 1), ways.rest);
    asm.recall(TCP_FLAGS);
    asm.go_unless(If::HasAny(TCP_PSH), ways.rest);
    asm.recall(DESTINATION_PORT);
    asm.move_to_x();
    asm.recall(SOURCE_PORT);
    asm.go_unless(If::From(WELL_KNOWN_END), ways.rest);
    asm.go_if(If::MoreThanX, ways.all);
    asm.go(ways.rest);
}

fn udp(asm: &mut Assembler, ways: Ways) {
    const HEADER: u32 = 8;
    let (long_header, old_dtls) = (asm.label(), asm.label());
    for offset in [0, 2] {
        asm.load_u16(At::X(offset));
        for port in [
            DNS,
            DHCP_SERVER,
            DHCP_CLIENT,
            DHCP6_CLIENT,
            DHCP6_SERVER,
            MDNS,
        ] {
            asm.go_if(If::Is(port), ways.all);
        }
    }
    asm.move_from_x();
    asm.add(HEADER);
    asm.move_to_x();
    payload_bytes(asm);
    asm.go_if(If::From(1 << 31), ways.rest);
    asm.go_unless(If::From(HELLO_DATAGRAM_BYTES_MIN), ways.rest);
    asm.load_u16(At::X(0));
    asm.go_if(If::Is(0x16fe), ways.all);
    asm.go_if(If::Is(0x1601), old_dtls);
    asm.load_u8(At::X(0));
    asm.mask(0xc0);
    asm.go_if(If::Is(0xc0), long_header);
    // Google's public header: with a version, and a connection identifier of eight bytes before it.
    asm.load_u8(At::X(0));
    asm.mask(0xcb);
    asm.go_unless(If::Is(0x09), ways.rest);
    asm.load_u16(At::X(9));
    asm.go_if(If::Is(0x5130), ways.all);
    asm.go(ways.rest);

    asm.mark(old_dtls);
    asm.load_u8(At::X(2));
    asm.go_if(If::Is(0), ways.all);
    asm.go(ways.rest);

    // Random bytes look like a long header one time in four: only the version tells.
    asm.mark(long_header);
    asm.load_u32(At::X(1));
    for version in [QUIC_1, QUIC_2] {
        asm.go_if(If::Is(version), ways.all);
    }
    // Drafts, Meta's, Google's two families, and those reserved to provoke negotiation.
    for (bits, version) in [
        (0xffff_ff00, 0xff00_0000),
        (0xffff_ff00, 0xface_b000),
        (0xffff_0000, 0x5130_0000),
        (0xffff_0000, 0x5430_0000),
        (0x0f0f_0f0f, 0x0a0a_0a0a),
    ] {
        asm.load_u32(At::X(1));
        asm.mask(bits);
        asm.go_if(If::Is(version), ways.all);
    }
    asm.go(ways.rest);
}

/// [`PAYLOAD_BYTES`] = A = how much of the IP packet lies behind X.
fn payload_bytes(asm: &mut Assembler) {
    asm.recall(END);
    asm.subtract_x();
    asm.keep(PAYLOAD_BYTES);
}

/// The most bytes of a frame let through: a full TLS record, which is the most that is kept of a
/// hello, with every header before it.
pub const SNAP_BYTES: u32 = 16 * 1024 + 512;

/// The most bytes let through of what is looked at only for its headers: Ethernet with a tag, IPv4
/// with all its options, TCP with all of its own, and the first bytes behind them.
pub const HEADER_BYTES: u32 = 18 + 60 + 60 + 22;

/// The longest segment taken for the end of a hello: less than a full one on any ordinary path.
pub const REST_BYTES_MAX: u32 = 1400;

/// More IPv6 extension headers than two are not followed.
const EXTENSIONS_MAX: usize = 2;

/// No hello fits into fewer bytes, and no field looked at lies beyond.
const HELLO_DATAGRAM_BYTES_MIN: u32 = 16;

/// The methods that begin nearly all requests, as far as four bytes tell. A rarer one is let through
/// where it fits into one small segment.
const HTTP_METHODS: [&[u8; 4]; 9] = [
    b"GET ", b"POST", b"HEAD", b"PUT ", b"DELE", b"CONN", b"OPTI", b"PATC", b"PROP",
];

// Slots of the machine's memory.
const END: u32 = 0;
const NEXT_HEADER: u32 = 1;
const TCP_FLAGS: u32 = 2;
const SOURCE_PORT: u32 = 3;
const DESTINATION_PORT: u32 = 4;
const PAYLOAD_BYTES: u32 = 5;

const ETHER_IPV4: u32 = 0x0800;
const ETHER_IPV6: u32 = 0x86dd;
const ETHER_VLAN: u32 = 0x8100;
const ETHER_SERVICE_VLAN: u32 = 0x88a8;

// Protocol numbers of IANA's registry.
const HOP_BY_HOP: u32 = 0;
const TCP: u32 = 6;
const UDP: u32 = 17;
const ROUTING: u32 = 43;
const FRAGMENT: u32 = 44;
const DESTINATION: u32 = 60;

const TCP_FIN: u32 = 0x01;
const TCP_SYN: u32 = 0x02;
const TCP_RST: u32 = 0x04;
const TCP_PSH: u32 = 0x08;

// Ports.
const DNS: u32 = 53;
const DHCP_SERVER: u32 = 67;
const DHCP_CLIENT: u32 = 68;
const DHCP6_CLIENT: u32 = 546;
const DHCP6_SERVER: u32 = 547;
const MDNS: u32 = 5353;
const WELL_KNOWN_END: u32 = 1024;

/// The handshake message's type (RFC 8446, section 4).
const CLIENT_HELLO: u32 = 1;

const QUIC_1: u32 = 1;
const QUIC_2: u32 = 0x6b33_43cf;

#[cfg(test)]
mod tests;
