//! What the kernel's connection tracking says of one connection.
//!
//! Plain values, made by `conntrack` from netlink messages and by tests from nothing. Counts are
//! totals since the connection began, never differences, and other readers may set them back to zero.

use phonehome_proto::net::Transport;
use phonehome_proto::time::Timestamp;
use std::net::SocketAddr;

/// One connection, as the kernel describes it at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Which connection.
    pub key: ConnectionKey,
    /// The transport; others are not reported.
    pub transport: Transport,
    /// The first packet's way, as whoever opened the connection sees it.
    pub original: Path,
    /// The way of answers, as whoever answers sees it. Its source is the real peer, its destination
    /// the address that was put in the opener's place; without translation it is `original` reversed.
    pub reply: Path,
    /// Packets and bytes of IP packets along `original` and along `reply`; `None` where the kernel
    /// keeps no account of this connection.
    pub counted: Option<[Counted; 2]>,
    /// The kernel's status bits.
    pub status: ConnectionStatus,
    /// On what occasion.
    pub moment: Moment,
    /// When, by the wall clock.
    pub time: Timestamp,
}

/// What tells one connection from all others, while both exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey {
    /// The conntrack zone, 0 on most routers.
    pub zone: u16,
    /// The kernel's number for it.
    pub id: u32,
}

/// From where to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// Who sends.
    pub source: SocketAddr,
    /// Who receives.
    pub destination: SocketAddr,
}

/// Packets and bytes in one direction, since the connection began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// What the kernel handled as one packet: segmentation offload makes one of several.
    pub packets: u64,
    /// Bytes of IP packets, headers included; offload leaves out those of merged segments.
    pub bytes: u64,
}

/// Why the kernel speaks of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// It was there when the agent began: what it has counted by now is from before.
    Before,
    /// It has just begun, or was first seen in a later reading and so began since the last.
    New,
    /// It goes on.
    Ongoing,
    /// It is over; these are its last counts.
    Over,
}

/// `CTA_STATUS`, the bits of `enum ip_conntrack_status` (linux/netfilter/nf_conntrack_common.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConnectionStatus(pub u32);

// === impl ConnectionStatus ===

impl ConnectionStatus {
    /// `IPS_SEEN_REPLY`: packets went both ways.
    #[must_use]
    pub const fn is_answered(self) -> bool {
        self.has(1)
    }

    /// `IPS_SRC_NAT`: the opener's address is replaced.
    #[must_use]
    pub const fn is_source_translated(self) -> bool {
        self.has(4)
    }

    /// `IPS_DST_NAT`: the destination is replaced: a port forward, or an interception.
    #[must_use]
    pub const fn is_destination_translated(self) -> bool {
        self.has(5)
    }

    /// `IPS_OFFLOAD`: a flow table forwards it past the usual path.
    #[must_use]
    pub const fn is_offloaded(self) -> bool {
        self.has(14)
    }

    /// `IPS_HW_OFFLOAD`: hardware forwards it, unseen by the processor.
    #[must_use]
    pub const fn is_hardware_offloaded(self) -> bool {
        self.has(15)
    }

    const fn has(self, bit: u32) -> bool {
        self.0 & (1 << bit) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_are_the_kernels() {
        // enum ip_conntrack_status: SEEN_REPLY 1, SRC_NAT 4, DST_NAT 5, OFFLOAD 14, HW_OFFLOAD 15.
        let status = ConnectionStatus(0x4022);
        assert!(status.is_answered() && status.is_destination_translated());
        assert!(status.is_offloaded() && !status.is_hardware_offloaded());
        assert!(!status.is_source_translated());
        assert!(ConnectionStatus(0x8010).is_hardware_offloaded());
    }
}
