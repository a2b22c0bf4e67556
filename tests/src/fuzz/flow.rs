//! The flow table before a hostile network, a kernel that counts as it likes, and clocks that jump.
//!
//! The bytes are a script: steps, each an operation and what it needs. Tables are tiny, so that every
//! bound is met. After each step all that is over is taken, and nothing may be lost uncounted.

use super::is_a_name;
use crate::traffic::frame::{self, Link, Segment};
use phonehome_agent::capture::{
    ConnectionKey, ConnectionStatus, Counted, Counters, Frame, LinkType, Moment, Offload, Path,
};
use phonehome_agent::flow::{Ended, Flow, FlowLimits, FlowTable};
use phonehome_agent::packet;
use phonehome_proto::net::Transport;
use phonehome_proto::time::Timestamp;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

/// What an operation's number stands for; numbers go round.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub enum Operation {
    /// Two ends, TCP flags, a sequence number, bytes of a merged segment, and a payload behind its length.
    Packet,
    /// An Ethernet frame, behind its length in two bytes.
    Frame,
    /// A word of the kernel: two ends, which connection, on what occasion, its status, and four totals.
    Counters,
    /// The same, of a connection that joins no device with the outside.
    PassedOver,
    /// The connection table was read to its end.
    Swept,
    /// Nothing was seen.
    Idle,
    /// Frames were lost.
    Loss,
    /// Time passes, or both clocks jump, by so many seconds in four bytes.
    Pass,
    /// The wall clock alone is set, by so many.
    Set,
    /// The wall clock was wrong by so many.
    Redate,
    /// A day is over.
    Midnight,
    /// Somebody is allowed.
    Part,
    /// What is known of flow tables.
    Offload,
}

const OPERATIONS: [Operation; 13] = [
    Operation::Packet,
    Operation::Frame,
    Operation::Counters,
    Operation::PassedOver,
    Operation::Swept,
    Operation::Idle,
    Operation::Loss,
    Operation::Pass,
    Operation::Set,
    Operation::Redate,
    Operation::Midnight,
    Operation::Part,
    Operation::Offload,
];

/// So small that a few steps fill every table.
const LIMITS: FlowLimits = FlowLimits {
    flows_max: 4,
    connections_max: 5,
    hello_bytes_max: 600,
    answers_max: 3,
};

/// Runs a script.
pub fn run(bytes: &[u8]) {
    let mut stage = Stage::new();
    let mut script = Script(bytes);
    while stage.step(&mut script).is_some() {
        stage.take();
    }
    stage.table.finish();
    stage.take();
    assert!(stage.table.is_empty());
    let counts = stage.table.counts();
    assert_eq!((counts.packets_held, counts.kernel_bytes_held), (0, 0));
}

/// The table, its surroundings, and what it gave.
struct Stage {
    table: FlowTable,
    /// The time since boot, and the wall's.
    passed: Timestamp,
    wall: Timestamp,
    given: Given,
    /// What was handed in.
    packets: u64,
    counters: u64,
}

#[derive(Default)]
struct Given {
    flows: u64,
    packets: u64,
    kernel_bytes: u64,
    evicted: u64,
}

/// What is left of a script.
struct Script<'a>(&'a [u8]);

// === impl Stage ===

impl Stage {
    fn new() -> Self {
        Self {
            table: FlowTable::new(LIMITS, 7),
            passed: Timestamp::from_seconds(60),
            wall: Timestamp::from_seconds(1_794_000_000),
            given: Given::default(),
            packets: 0,
            counters: 0,
        }
    }

    /// Does the next step; `None` at the script's end.
    fn step(&mut self, script: &mut Script<'_>) -> Option<()> {
        let operation = OPERATIONS[usize::from(script.byte()?) % OPERATIONS.len()];
        match operation {
            Operation::Packet => {
                let (transport, from, to) = script.ends()?;
                let (flags, sequence) = (script.byte()?, script.byte()?);
                let merged = NonZeroU16::new(script.byte()?.into());
                let length = usize::from(script.byte()?);
                let data = script.bytes(length);
                let frame = match transport {
                    Transport::Tcp => {
                        let segment = Segment {
                            flags,
                            sequence: u32::from(sequence) << 6,
                            acknowledge: 1,
                            data,
                            data_bytes: data.len(),
                        };
                        frame::tcp(link(from), from, to, segment)
                    }
                    Transport::Udp => frame::udp(link(from), from, to, data),
                };
                self.see(&frame.bytes, merged);
            }
            Operation::Frame => {
                let length = usize::from(script.half()?);
                self.see(script.bytes(length), None);
            }
            Operation::Counters => {
                let counters = self.word(script)?;
                if let Some(view) = counters.lan_view(is_home) {
                    self.counters += 1;
                    self.table.handle_counters(&counters, &view, self.passed);
                }
            }
            Operation::PassedOver => {
                let counters = self.word(script)?;
                self.table.pass_over(&counters);
            }
            Operation::Swept => self.table.handle_sweep(self.passed),
            Operation::Idle => self.table.handle_idle(self.passed),
            Operation::Loss => self.table.handle_loss(),
            Operation::Pass => {
                let nanos = script.nanos()?;
                self.passed = moved(self.passed, nanos);
                self.wall = moved(self.wall, nanos);
            }
            Operation::Set => self.wall = moved(self.wall, script.nanos()?),
            Operation::Redate => self.table.redate(script.nanos()?),
            Operation::Midnight => self.table.cut(self.wall),
            Operation::Part => self.table.cut_within_day(self.wall),
            Operation::Offload => self.table.expect(match script.byte()? % 3 {
                0 => Offload::None,
                1 => Offload::Counting,
                _ => Offload::NotCounting,
            }),
        }
        Some(())
    }

    /// A frame passes.
    fn see(&mut self, bytes: &[u8], segment_bytes: Option<NonZeroU16>) {
        let frame = Frame {
            bytes,
            link: LinkType::ETHERNET,
            wire_len_bytes: u32::try_from(bytes.len()).expect("a frame is short"),
            segment_bytes,
            time: self.wall,
        };
        if let Ok(packet) = packet::read(&frame) {
            self.packets += u64::from(packet.wire_packets);
            self.table.handle_packet(&packet, self.passed);
        }
    }

    /// What the kernel says of a connection now.
    fn word(&self, script: &mut Script<'_>) -> Option<Counters> {
        let (transport, source, destination) = script.ends()?;
        let [id, occasion, status] = [script.byte()?, script.byte()?, script.byte()?];
        let moment = match occasion % 4 {
            0 => Moment::Before,
            1 => Moment::New,
            2 => Moment::Ongoing,
            _ => Moment::Over,
        };
        let totals = [script.counted()?, script.counted()?];
        let is_counted = moment != Moment::New && occasion & 0x80 == 0;
        Some(Counters {
            key: ConnectionKey {
                zone: u16::from(id >> 7),
                id: u32::from(id & 0x7f),
            },
            transport,
            original: Path {
                source,
                destination,
            },
            reply: Path {
                source: destination,
                destination: source,
            },
            counted: is_counted.then_some(totals),
            // The bits of flow tables are 14 and 15.
            status: ConnectionStatus(u32::from(status) << 8),
            moment,
            time: self.wall,
        })
    }

    /// Takes what is over, and holds the books against each other.
    fn take(&mut self) {
        while let Some(flow) = self.table.poll_expired() {
            self.given.add(&flow);
        }
        self.table.check();
        let (counts, given) = (self.table.counts(), &self.given);
        assert_eq!(counts.packets, self.packets);
        assert_eq!(counts.packets, counts.packets_given + counts.packets_held);
        assert_eq!(counts.counters, self.counters);
        assert_eq!(
            counts.counters,
            counts.counters_applied + counts.unapplied.total()
        );
        assert_eq!(
            counts.kernel_bytes,
            counts.kernel_bytes_given + counts.kernel_bytes_held
        );
        assert_eq!(
            (given.flows, given.packets, given.kernel_bytes),
            (
                counts.flows,
                counts.packets_given,
                counts.kernel_bytes_given
            ),
            "what was given is what was counted as given"
        );
        let evicted = counts.shed.of(phonehome_agent::flow::Shed::FlowEvicted);
        assert!(given.evicted <= evicted, "what made room is counted");
    }
}

// === impl Given ===

impl Given {
    fn add(&mut self, flow: &Flow) {
        self.flows += 1;
        self.packets += flow.up.packets + flow.down.packets;
        let account = flow.kernel.unwrap_or_default();
        self.kernel_bytes += account.up.bytes + account.down.bytes;
        self.evicted += u64::from(flow.ended == Ended::Evicted);
        assert!(flow.rtt.is_none_or(|rtt| rtt.samples == 1));
        is_a_name(&flow.named);
    }
}

// === impl Script ===

impl<'a> Script<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn half(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    fn word(&mut self) -> Option<u32> {
        Some(u32::from(self.half()?) << 16 | u32::from(self.half()?))
    }

    /// So many bytes, or those that are left.
    fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// Seconds, forth or back, in nanoseconds.
    fn nanos(&mut self) -> Option<i64> {
        Some(i64::from(self.word()?.cast_signed()) * 1_000_000_000)
    }

    fn counted(&mut self) -> Option<Counted> {
        let (packets, bytes) = (self.half()?.into(), self.word()?.into());
        Some(Counted { packets, bytes })
    }

    /// From where to where: one of eight phones and one of two servers, at 443 or 53.
    fn ends(&mut self) -> Option<(Transport, SocketAddr, SocketAddr)> {
        let byte = self.byte()?;
        let has = |bit: u32| byte & 1 << bit != 0;
        let (phone, server) = (u16::from(byte & 7), u16::from(byte & 8) | 1);
        let (phone, server): (IpAddr, IpAddr) = if has(4) {
            (
                Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 1, phone).into(),
                Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 9, server).into(),
            )
        } else {
            let last = |number: u16| number.to_be_bytes()[1];
            (
                Ipv4Addr::new(192, 168, 1, last(phone)).into(),
                Ipv4Addr::new(203, 0, 113, last(server)).into(),
            )
        };
        let phone = SocketAddr::new(phone, 40_000);
        let server = SocketAddr::new(server, if has(5) { 53 } else { 443 });
        let transport = if has(6) {
            Transport::Udp
        } else {
            Transport::Tcp
        };
        Some(if has(7) {
            (transport, server, phone)
        } else {
            (transport, phone, server)
        })
    }
}

fn is_home(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[..2] == [192, 168],
        IpAddr::V6(address) => address.segments()[0] == 0xfd00,
    }
}

/// Two phones share a station, so that not each has one of its own.
fn link(from: SocketAddr) -> Link {
    let number = match from.ip() {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(address) => address.octets()[15],
    };
    let phone = Link {
        from: [2, 0, 0, 0, 0, number / 2],
        to: [2, 0, 0, 0, 1, 1],
    };
    if is_home(from.ip()) {
        phone
    } else {
        Link {
            from: phone.to,
            to: [2, 0, 0, 0, 0, 1],
        }
    }
}

fn moved(time: Timestamp, nanos: i64) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_add(nanos))
}
