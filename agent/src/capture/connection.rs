//! What the kernel's connection tracking says of one connection.
//!
//! Plain values, made by `conntrack` from netlink messages and by tests from nothing. Counts are
//! totals since the connection began, never differences, and other readers may set them back to zero.

use phonehome_proto::net::Transport;
use phonehome_proto::time::Timestamp;
use std::net::{IpAddr, SocketAddr};

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
    /// keeps no account of this connection, and always at [`Moment::New`].
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
///
/// Between two readings events come in the kernel's order. What a reading shows comes before the
/// events that happened while it was made, and those come before [`Event::Swept`](super::Event::Swept).
/// So a connection may be announced as `New` after a reading has shown it: that says nothing more. It
/// is never shown after it was `Over`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// It is in a reading, and none has been whole yet: what it has counted by now is from before the
    /// agent began, unless it was announced as `New`.
    Before,
    /// It has just begun. The announcement carries no counts.
    New,
    /// It is in a later reading. If it was not known it began since the last whole reading and its
    /// announcement was lost: all it has counted is new.
    Ongoing,
    /// It is over; these are its last counts. If it was not known it began since the last whole
    /// reading, as above.
    Over,
}

/// What is known of this machine's flow tables, which forward connections past the usual path.
///
/// The kernel marks a connection while it is in one, and takes the mark away when it leaves it: TCP
/// does when it ends. A connection that lived between two readings never shows the mark, and the word
/// of its end counts only what passed the usual way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Offload {
    /// There is none, or none that can be asked for.
    #[default]
    None,
    /// All of them add what they forward to the connection's counters.
    Counting,
    /// At least one does not.
    NotCounting,
}

/// One connection as it looks from inside the home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanView {
    /// The end that is a device of the home.
    pub client: SocketAddr,
    /// The other end, as packets on the home's side of the router name it: with `client` this is
    /// what a tap sees.
    pub server: SocketAddr,
    /// Who that other end really is.
    pub peer: SocketAddr,
    /// Along which path the device sends. `Reply` means that the outside opened the connection.
    pub up: Way,
    /// Somebody in the home, mostly the router, answers in the place of `server`: where `server` is
    /// says nothing about where the bytes went. A detour over the home's own public address looks
    /// the same, and deserves the same.
    pub is_intercepted: bool,
}

/// One of a connection's two paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// [`Counters::original`]; first in [`Counters::counted`].
    Original,
    /// [`Counters::reply`]; second in [`Counters::counted`].
    Reply,
}

/// `CTA_STATUS`, the bits of `enum ip_conntrack_status` (linux/netfilter/nf_conntrack_common.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConnectionStatus(pub u32);

// === impl Counters ===

impl Counters {
    /// This connection as it looks from inside the home; `None` when it does not join a device of the
    /// home with the outside: the router's own, and what stays at home.
    ///
    /// `is_home` knows the addresses of the home's networks, the router's in them included.
    #[must_use]
    pub fn lan_view(&self, is_home: impl Fn(IpAddr) -> bool) -> Option<LanView> {
        let opener = self.original.source;
        let answerer = self.reply.source;
        // A redirection to the router itself may go to its loopback.
        let is_answered_at_home = is_home(answerer.ip()) || answerer.ip().is_loopback();
        if is_home(opener.ip()) {
            (!is_home(self.original.destination.ip())).then_some(LanView {
                client: opener,
                server: self.original.destination,
                peer: answerer,
                up: Way::Original,
                is_intercepted: is_answered_at_home,
            })
        } else {
            // Forwarded to a device: the router speaks to it in the opener's name, or in its own.
            is_home(answerer.ip()).then_some(LanView {
                client: answerer,
                server: self.reply.destination,
                peer: opener,
                up: Way::Reply,
                is_intercepted: false,
            })
        }
    }

    /// What was counted along one path.
    #[must_use]
    pub fn counted_along(&self, way: Way) -> Option<Counted> {
        self.counted.map(|[original, reply]| match way {
            Way::Original => original,
            Way::Reply => reply,
        })
    }
}

// === impl Way ===

impl Way {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Original => Self::Reply,
            Self::Reply => Self::Original,
        }
    }
}

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

    /// `IPS_DYING`: it is being taken out of the table.
    #[must_use]
    pub const fn is_dying(self) -> bool {
        self.has(9)
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

    fn connection(original: (&str, &str), reply: (&str, &str)) -> Counters {
        let path = |(source, destination): (&str, &str)| Path {
            source: source.parse().expect("an address"),
            destination: destination.parse().expect("an address"),
        };
        let counted = |bytes| Counted { packets: 1, bytes };
        Counters {
            key: ConnectionKey { zone: 0, id: 1 },
            transport: Transport::Tcp,
            original: path(original),
            reply: path(reply),
            counted: Some([counted(100), counted(2_000)]),
            status: ConnectionStatus::default(),
            moment: Moment::Ongoing,
            time: Timestamp::from_seconds(0),
        }
    }

    fn is_home(address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => v4.octets()[..3] == [192, 168, 1],
            IpAddr::V6(v6) => v6.segments()[..4] == [0x2001, 0xdb8, 1, 0],
        }
    }

    const PHONE: &str = "192.168.1.7:40000";
    const SERVER: &str = "203.0.113.9:443";
    const ROUTER: &str = "192.168.1.1:53";
    const OUTSIDE: &str = "198.51.100.1:40000";

    #[test]
    fn outbound_joins_the_tap_on_the_lan_side() {
        let masqueraded = connection((PHONE, SERVER), (SERVER, OUTSIDE));
        let view = masqueraded.lan_view(is_home).expect("a phone's flow");
        assert_eq!(view.client, masqueraded.original.source);
        assert_eq!(
            (view.server, view.peer),
            (masqueraded.original.destination, view.server)
        );
        assert_eq!((view.up, view.is_intercepted), (Way::Original, false));
        assert_eq!(
            masqueraded.counted_along(view.up).map(|up| up.bytes),
            Some(100)
        );
        assert_eq!(
            masqueraded
                .counted_along(view.up.other())
                .map(|down| down.bytes),
            Some(2_000)
        );

        let (phone, server) = ("[2001:db8:1::7]:40000", "[2001:db8:9::9]:443");
        let straight = connection((phone, server), (server, phone));
        let view = straight
            .lan_view(is_home)
            .expect("a phone's flow over IPv6");
        assert_eq!(
            (view.client, view.peer),
            (straight.original.source, view.server)
        );
    }

    #[test]
    fn what_the_home_answers_in_anothers_place_is_intercepted() {
        let asked = "203.0.113.53:53";
        for answerer in [ROUTER, "192.168.1.5:53", "127.0.0.1:53"] {
            let hijacked = connection((PHONE, asked), (answerer, PHONE));
            let view = hijacked.lan_view(is_home).expect("still a phone's flow");
            assert!(view.is_intercepted, "{answerer}");
            assert_eq!(
                (view.server, view.peer),
                (hijacked.original.destination, hijacked.reply.source)
            );
        }
        // Sent elsewhere, but to somebody outside: the peer is another, and nothing is hidden.
        let elsewhere = connection((PHONE, asked), (SERVER, OUTSIDE));
        let view = elsewhere.lan_view(is_home).expect("a phone's flow");
        assert!(!view.is_intercepted && view.peer != view.server);
    }

    #[test]
    fn a_port_forward_is_seen_from_the_device() {
        let (outside, public, device) =
            ("203.0.113.50:5000", "198.51.100.1:8080", "192.168.1.7:80");
        let forwarded = connection((outside, public), (device, outside));
        let view = forwarded.lan_view(is_home).expect("a device's flow");
        assert_eq!(view.client, forwarded.reply.source);
        assert_eq!(
            (view.server, view.peer),
            (forwarded.original.source, forwarded.original.source)
        );
        assert_eq!((view.up, view.is_intercepted), (Way::Reply, false));
        assert_eq!(
            forwarded.counted_along(view.up).map(|up| up.bytes),
            Some(2_000)
        );

        let in_its_own_name = connection((outside, public), (device, "192.168.1.1:5000"));
        let view = in_its_own_name.lan_view(is_home).expect("a device's flow");
        assert_eq!(view.server, in_its_own_name.reply.destination);
        assert_eq!(view.peer, in_its_own_name.original.source);
    }

    #[test]
    fn what_joins_no_device_with_the_outside_has_no_view() {
        for (original, reply) in [
            ((PHONE, ROUTER), (ROUTER, PHONE)),
            (
                (PHONE, "192.168.1.8:80"),
                ("192.168.1.8:80", "192.168.1.1:40000"),
            ),
            ((OUTSIDE, SERVER), (SERVER, OUTSIDE)),
            ((SERVER, OUTSIDE), (OUTSIDE, SERVER)),
        ] {
            assert_eq!(
                connection(original, reply).lan_view(is_home),
                None,
                "{original:?}"
            );
        }
    }

    #[test]
    fn the_bits_are_the_kernels() {
        // enum ip_conntrack_status: SEEN_REPLY 1, SRC_NAT 4, DST_NAT 5, DYING 9, OFFLOAD 14, HW_OFFLOAD 15.
        let status = ConnectionStatus(0x4022);
        assert!(status.is_answered() && status.is_destination_translated());
        assert!(status.is_offloaded() && !status.is_hardware_offloaded());
        assert!(!status.is_source_translated());
        assert!(ConnectionStatus(0x8010).is_hardware_offloaded());
        assert!(ConnectionStatus(0x200).is_dying() && !status.is_dying());
    }
}
