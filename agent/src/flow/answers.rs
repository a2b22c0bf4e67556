//! What DNS has told each client: which names stand for which addresses.
//!
//! An answer speaks for the client it was sent to and for nobody else, under whatever address of its
//! own (`stations` knows them), from when it was seen until its lifetime and a grace are over. An address that several names stand for at a time (content
//! networks) has no name here: a guess between them would be wrong as often as not.

use super::clock::Tick;
use super::{Shed, Tally};
use crate::hash::SeededState;
use crate::name::ServerName;
use crate::name::ech;
use crate::packet::dns::Message;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

/// The answers of all clients.
pub(super) struct Answers {
    pairs_max: usize,
    names: HashMap<Pair, Names, SeededState>,
    /// Pairs in the order they were first heard of; the first is forgotten first.
    order: VecDeque<Pair>,
    /// Names that stand in front of others (ECH), and which client was told so; oldest first.
    fronts: VecDeque<(IpAddr, ServerName)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Pair {
    client: IpAddr,
    server: IpAddr,
}

/// The names of one address for one client.
#[derive(Default)]
struct Names {
    known: Vec<Known>,
    /// Until then there were more names than are told apart.
    crowded_until: Tick,
}

struct Known {
    name: ServerName,
    until: Tick,
}

// === impl Answers ===

impl Answers {
    pub(super) fn new(pairs_max: usize, state: SeededState) -> Self {
        Self {
            pairs_max,
            names: HashMap::with_hasher(state),
            order: VecDeque::new(),
            fronts: VecDeque::new(),
        }
    }

    /// Keeps what an answer tells the client.
    pub(super) fn hear(
        &mut self,
        client: IpAddr,
        message: &Message,
        now: Tick,
        shed: &mut Tally<Shed>,
    ) {
        if !message.is_response {
            return;
        }
        for list in message.ech_config_lists() {
            for name in ech::public_names(list) {
                self.hear_front(client, name);
            }
        }
        let question = message.question.as_ref();
        let Some(name) = question.and_then(|name| ServerName::parse(name.as_str().as_bytes()))
        else {
            return;
        };
        for (server, ttl_seconds) in message.addresses() {
            let until =
                now.plus_seconds(u64::from(ttl_seconds.min(TTL_SECONDS_MAX)) + GRACE_SECONDS);
            self.keep(Pair { client, server }, &name, now, until, shed);
        }
    }

    fn keep(
        &mut self,
        pair: Pair,
        name: &ServerName,
        now: Tick,
        until: Tick,
        shed: &mut Tally<Shed>,
    ) {
        if !self.names.contains_key(&pair) {
            if self.order.len() >= self.pairs_max
                && let Some(oldest) = self.order.pop_front()
            {
                self.names.remove(&oldest);
                shed.add(Shed::AnswerEvicted, 1);
            }
            self.order.push_back(pair);
        }
        let names = self.names.entry(pair).or_default();
        names.known.retain(|known| known.until > now);
        if let Some(known) = names.known.iter_mut().find(|known| known.name == *name) {
            known.until = known.until.max(until);
        } else if names.known.len() < NAMES_MAX {
            // Nearly every address has one name.
            names.known.reserve_exact(1);
            names.known.push(Known {
                name: name.clone(),
                until,
            });
        } else {
            names.crowded_until = names.crowded_until.max(until);
            shed.add(Shed::NameCrowded, 1);
        }
    }

    /// Pairs that names are kept for.
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.names.len(), self.order.len(), "each pair has its turn");
        self.names.len()
    }

    /// The name of `server` for one client at a time, if there is exactly one. The client may have
    /// been told under any of its addresses.
    pub(super) fn name(
        &self,
        clients: impl Iterator<Item = IpAddr>,
        server: IpAddr,
        now: Tick,
    ) -> Option<&ServerName> {
        let mut only: Option<&ServerName> = None;
        for names in clients.filter_map(|client| self.names.get(&Pair { client, server })) {
            if names.crowded_until > now {
                return None;
            }
            for known in names.known.iter().filter(|known| known.until > now) {
                if only.is_some_and(|only| *only != known.name) {
                    return None;
                }
                only = Some(&known.name);
            }
        }
        only
    }

    /// Whether a client was told, under any of its addresses, that this name stands in front of
    /// others.
    pub(super) fn is_front(
        &self,
        mut clients: impl Iterator<Item = IpAddr>,
        name: &ServerName,
    ) -> bool {
        clients.any(|client| self.knows_front(client, name))
    }

    fn knows_front(&self, client: IpAddr, name: &ServerName) -> bool {
        self.fronts
            .iter()
            .any(|(told, front)| *told == client && front == name)
    }

    fn hear_front(&mut self, client: IpAddr, name: ServerName) {
        if self.knows_front(client, &name) {
            return;
        }
        if self.fronts.len() >= FRONTS_MAX {
            self.fronts.pop_front();
        }
        self.fronts.push_back((client, name));
    }
}

impl Hash for Pair {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for address in [self.client, self.server] {
            match address {
                IpAddr::V4(address) => state.write_u64(address.to_bits().into()),
                IpAddr::V6(address) => state.write(&address.octets()),
            }
        }
    }
}

/// Programs keep an address for longer than its answer may be kept.
const GRACE_SECONDS: u64 = 120;
const TTL_SECONDS_MAX: u32 = 86_400;

/// Names of one address that are told apart for one client; one is a name, more are none, and a few
/// are kept so that those that run out leave the one that has not.
const NAMES_MAX: usize = 8;

/// There are a handful of ECH operators in the world.
const FRONTS_MAX: usize = 256;
