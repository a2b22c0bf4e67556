//! What the kernel says of connections, read out of a datagram.
//!
//! Takes the bytes of one netlink datagram, gives what each message in it says. Pure; arbitrary bytes
//! never panic; nothing is allocated but the crate's own words about a malformed attribute.
//!
//! The attributes are those of linux/netfilter/nfnetlink_conntrack.h, every value in network byte
//! order. `CTA_TIMESTAMP` is left alone: most kernels do not fill it, and an event comes as it happens.

use crate::capture::connection::{
    ConnectionKey, ConnectionStatus, Counted, Counters, Moment, Path,
};
use crate::capture::netlink::message::{Malformed, Message, Messages, attributes};
use phonehome_proto::net::Transport;
use phonehome_proto::time::Timestamp;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What one message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Of one connection over TCP or UDP.
    Entry {
        /// The request's number, 0 in an event.
        sequence: u32,
        /// On what occasion.
        occasion: Occasion,
        /// What.
        entry: Entry,
    },
    /// Of a connection over another transport.
    OtherTransport,
    /// The end of a reading.
    Done {
        /// The request's number.
        sequence: u32,
        /// Entries may be missing from it.
        is_interrupted: bool,
    },
    /// A request was refused, or a reading ended early.
    Refused {
        /// The request's number.
        sequence: u32,
        /// As in `errno.h`.
        code: i32,
    },
    /// The kernel says that messages are missing.
    Overrun,
    /// A message, or the rest of the datagram, cannot be read.
    Unreadable,
}

/// On what occasion an entry is described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// An event: it has just been made.
    Made,
    /// It was asked for, or it is an event that it has changed.
    Shown,
    /// An event: it was taken out.
    Removed,
}

/// One entry of the connection table; the nouns are those of [`Counters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which connection.
    pub key: ConnectionKey,
    /// Its transport.
    pub transport: Transport,
    /// The first packet's way.
    pub original: Path,
    /// The way of answers.
    pub reply: Path,
    /// What was counted along both, if anything was.
    pub counted: Option<[Counted; 2]>,
    /// `CTA_STATUS`.
    pub status: ConnectionStatus,
}

/// What the messages of one datagram say.
#[derive(Clone, Debug)]
pub struct Reading<'a> {
    messages: Messages<'a>,
}

// === impl Entry ===

impl Entry {
    /// The entry as counters of this moment.
    #[must_use]
    pub const fn at(self, moment: Moment, time: Timestamp) -> Counters {
        Counters {
            key: self.key,
            transport: self.transport,
            original: self.original,
            reply: self.reply,
            counted: self.counted,
            status: self.status,
            moment,
            time,
        }
    }
}

// === impl Reading ===

impl<'a> Reading<'a> {
    /// Reads this datagram.
    #[must_use]
    pub const fn new(datagram: &'a [u8]) -> Self {
        Self {
            messages: Messages::new(datagram),
        }
    }

    /// How many bytes are still to be read.
    #[must_use]
    pub const fn rest_bytes(&self) -> usize {
        self.messages.rest_bytes()
    }
}

impl Iterator for Reading<'_> {
    type Item = Said;

    fn next(&mut self) -> Option<Said> {
        Some(match self.messages.next()? {
            Message::Data {
                kind,
                flags,
                sequence,
                body,
            } => {
                let occasion = match kind {
                    MADE_OR_SHOWN if flags & CREATED != 0 => Occasion::Made,
                    MADE_OR_SHOWN => Occasion::Shown,
                    REMOVED => Occasion::Removed,
                    _ => return Some(Said::Unreadable),
                };
                match entry(body) {
                    Ok(Some(entry)) => Said::Entry {
                        sequence,
                        occasion,
                        entry,
                    },
                    Ok(None) => Said::OtherTransport,
                    Err(Malformed) => Said::Unreadable,
                }
            }
            Message::Done {
                sequence,
                is_interrupted,
            } => Said::Done {
                sequence,
                is_interrupted,
            },
            Message::Error { sequence, code } => Said::Refused { sequence, code },
            Message::Overrun => Said::Overrun,
            Message::Unreadable => Said::Unreadable,
        })
    }
}

/// One direction's addresses and ports as the kernel keeps them.
struct Tuple {
    path: Path,
    transport: Option<Transport>,
    zone: Option<u16>,
}

/// One entry; `None` if its transport is another.
fn entry(body: &[u8]) -> Result<Option<Entry>, Malformed> {
    // `struct nfgenmsg`: the family stands in the tuples too.
    let bytes = body.get(4..).ok_or(Malformed)?;
    let (mut original, mut reply) = (None, None);
    let (mut counted_original, mut counted_reply) = (None, None);
    let (mut status, mut id, mut zone) = (ConnectionStatus::default(), None, None);
    for attribute in attributes(bytes) {
        match attribute? {
            (CTA_TUPLE_ORIG, value) => original = Some(tuple(value)?),
            (CTA_TUPLE_REPLY, value) => reply = Some(tuple(value)?),
            (CTA_STATUS, value) => status = ConnectionStatus(u32::from_be_bytes(array(value)?)),
            (CTA_COUNTERS_ORIG, value) => counted_original = Some(counted(value)?),
            (CTA_COUNTERS_REPLY, value) => counted_reply = Some(counted(value)?),
            (CTA_ID, value) => id = Some(u32::from_be_bytes(array(value)?)),
            (CTA_ZONE, value) => zone = Some(u16::from_be_bytes(array(value)?)),
            _ => {}
        }
    }
    let (original, reply) = original.zip(reply).ok_or(Malformed)?;
    let Some(transport) = original.transport else {
        return Ok(None);
    };
    Ok(Some(Entry {
        key: ConnectionKey {
            // A zone of one direction only stands in that direction's tuple.
            zone: zone.or(original.zone).unwrap_or(0),
            id: id.ok_or(Malformed)?,
        },
        transport,
        original: original.path,
        reply: reply.path,
        counted: counted_original
            .zip(counted_reply)
            .map(|(original, reply)| [original, reply]),
        status,
    }))
}

fn tuple(bytes: &[u8]) -> Result<Tuple, Malformed> {
    let (mut ends, mut ports, mut zone) = (None, None, None);
    for attribute in attributes(bytes) {
        match attribute? {
            (CTA_TUPLE_IP, value) => ends = Some(addresses(value)?),
            (CTA_TUPLE_PROTO, value) => ports = Some(protocol(value)?),
            (CTA_TUPLE_ZONE, value) => zone = Some(u16::from_be_bytes(array(value)?)),
            _ => {}
        }
    }
    let (source, destination) = ends.ok_or(Malformed)?;
    let (transport, source_port, destination_port) = ports.ok_or(Malformed)?;
    Ok(Tuple {
        path: Path {
            source: SocketAddr::new(source, source_port),
            destination: SocketAddr::new(destination, destination_port),
        },
        transport,
        zone,
    })
}

fn addresses(bytes: &[u8]) -> Result<(IpAddr, IpAddr), Malformed> {
    let (mut source, mut destination) = (None, None);
    for attribute in attributes(bytes) {
        match attribute? {
            (CTA_IP_V4_SRC, value) => source = Some(Ipv4Addr::from(array(value)?).into()),
            (CTA_IP_V4_DST, value) => destination = Some(Ipv4Addr::from(array(value)?).into()),
            (CTA_IP_V6_SRC, value) => source = Some(Ipv6Addr::from(array(value)?).into()),
            (CTA_IP_V6_DST, value) => destination = Some(Ipv6Addr::from(array(value)?).into()),
            _ => {}
        }
    }
    let (source, destination): (IpAddr, IpAddr) = source.zip(destination).ok_or(Malformed)?;
    if source.is_ipv4() != destination.is_ipv4() {
        return Err(Malformed);
    }
    Ok((source, destination))
}

/// Transport and ports; no transport and no ports if it is another.
fn protocol(bytes: &[u8]) -> Result<(Option<Transport>, u16, u16), Malformed> {
    let (mut number, mut source, mut destination) = (None, None, None);
    for attribute in attributes(bytes) {
        match attribute? {
            (CTA_PROTO_NUM, value) => number = Some(array::<1>(value)?[0]),
            (CTA_PROTO_SRC_PORT, value) => source = Some(u16::from_be_bytes(array(value)?)),
            (CTA_PROTO_DST_PORT, value) => destination = Some(u16::from_be_bytes(array(value)?)),
            _ => {}
        }
    }
    let transport = match number.ok_or(Malformed)? {
        TCP => Transport::Tcp,
        UDP => Transport::Udp,
        _ => return Ok((None, 0, 0)),
    };
    let (source, destination) = source.zip(destination).ok_or(Malformed)?;
    Ok((Some(transport), source, destination))
}

fn counted(bytes: &[u8]) -> Result<Counted, Malformed> {
    let (mut packets, mut octets) = (None, None);
    for attribute in attributes(bytes) {
        match attribute? {
            (CTA_COUNTERS_PACKETS, value) => packets = Some(u64::from_be_bytes(array(value)?)),
            (CTA_COUNTERS_BYTES, value) => octets = Some(u64::from_be_bytes(array(value)?)),
            // Kernels before 2.6.39 may send these.
            (CTA_COUNTERS32_PACKETS, value) => {
                packets = Some(u32::from_be_bytes(array(value)?).into());
            }
            (CTA_COUNTERS32_BYTES, value) => {
                octets = Some(u32::from_be_bytes(array(value)?).into());
            }
            _ => {}
        }
    }
    let (packets, bytes) = packets.zip(octets).ok_or(Malformed)?;
    Ok(Counted { packets, bytes })
}

fn array<const N: usize>(value: &[u8]) -> Result<[u8; N], Malformed> {
    value.try_into().map_err(|_| Malformed)
}

/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW`.
const MADE_OR_SHOWN: u16 = 1 << 8;
/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE`.
const REMOVED: u16 = 1 << 8 | 2;
/// `NLM_F_CREATE`: on an event, that it tells of a beginning.
const CREATED: u16 = 0x400;

const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_STATUS: u16 = 3;
const CTA_COUNTERS_ORIG: u16 = 9;
const CTA_COUNTERS_REPLY: u16 = 10;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;

const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_TUPLE_ZONE: u16 = 3;

const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;

const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_SRC_PORT: u16 = 2;
const CTA_PROTO_DST_PORT: u16 = 3;

const CTA_COUNTERS_PACKETS: u16 = 1;
const CTA_COUNTERS_BYTES: u16 = 2;
const CTA_COUNTERS32_PACKETS: u16 = 3;
const CTA_COUNTERS32_BYTES: u16 = 4;

const TCP: u8 = 6;
const UDP: u8 = 17;

#[cfg(test)]
mod tests;
