//! Whether a station forwards other people's packets.

use phonehome_proto::net::{Prefix, Scope};
use std::net::IpAddr;

/// What came through a station from beyond the home.
#[derive(Clone, Debug, Default)]
pub(super) struct Forwards {
    /// Public prefixes that packets into the home came from.
    inbound: Vec<Prefix>,
    /// Public prefixes that anything came from.
    senders: Vec<Prefix>,
    /// Private IPv4 networks that anything came from.
    inside: Vec<Prefix>,
    /// The private IPv4 address noted last: most packets are from it again.
    latest: Option<IpAddr>,
}

/// A phone sends from its own addresses only: so many others behind a station make it a router. One
/// could be a device's own public address, seen from inside.
const INBOUND_MIN: usize = 2;

/// Without a private address at either end: a device has an IPv4 address and IPv6 prefixes of a
/// provider or two, a router has the world.
const SENDERS_MIN: usize = 5;

/// A phone has an address in one network of the home, rarely a second; a router between networks
/// sends for all of them.
const INSIDE_MIN: usize = 4;

impl Forwards {
    /// Notes whom the station sent a packet for.
    #[inline]
    pub(super) fn handle_sender(&mut self, source: IpAddr, scope: Scope, destination: IpAddr) {
        if !self.is_router() && self.latest != Some(source) {
            self.note_sender(source, scope, destination);
        }
    }

    fn note_sender(&mut self, source: IpAddr, scope: Scope, destination: IpAddr) {
        match scope {
            Scope::Private if source.is_ipv4() => {
                note(&mut self.inside, source, INSIDE_MIN);
                self.latest = Some(source);
            }
            Scope::Public => {
                if self.inbound.len() < INBOUND_MIN && Scope::of(destination) == Scope::Private {
                    note(&mut self.inbound, source, INBOUND_MIN);
                }
                note(&mut self.senders, source, SENDERS_MIN);
            }
            Scope::Private | Scope::Documentation | Scope::Special => {}
        }
    }

    /// Whether it forwards.
    pub(super) const fn is_router(&self) -> bool {
        self.inbound.len() >= INBOUND_MIN
            || self.senders.len() >= SENDERS_MIN
            || self.inside.len() >= INSIDE_MIN
    }
}

fn note(prefixes: &mut Vec<Prefix>, source: IpAddr, enough: usize) {
    if prefixes.len() < enough {
        let prefix = Prefix::of(source);
        if !prefixes.contains(&prefix) {
            prefixes.push(prefix);
        }
    }
}
