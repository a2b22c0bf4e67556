//! What the kernel says of one conversation.
//!
//! A conversation is at most one connection of the kernel at a time:
//!
//! - The same ends under another number are another connection. TCP has beginnings, so it is another
//!   conversation too. UDP has none: what a router's timeout cut in two goes on.
//! - The same ends in another zone are the same packets, counted once more on their way through the
//!   router. The zone seen first has the account; what others count is not added, and makes the
//!   account a lower bound, because nobody can tell it from another home's packets.
//! - What a connection counted last may be told after the next one began between the same ends; it is
//!   added there, so that no byte is lost.

use super::{
    ConnectionKey, Counted, Counters, KernelAccount, KernelFacts, LanView, Moment, Volume,
};
use crate::packet::key::Side;
use phonehome_proto::net::Transport;
use std::net::IpAddr;

/// The kernel's account of a conversation while it is going on; `[low, high]` in pairs.
pub(super) struct Kernel {
    connection: ConnectionKey,
    counted: [Volume; 2],
    peer: Option<IpAddr>,
    facts: KernelFacts,
    is_intercepted: bool,
    is_over: bool,
    /// It said how much, since the last cut.
    has_counted: bool,
}

const _: () = assert!(size_of::<Kernel>() <= 64);

/// How a connection relates to a conversation between the same ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// It is, or becomes, the conversation's own.
    Own,
    /// It is the one before; only its last counts come late.
    Before,
    /// It is another one, and another conversation.
    After,
    /// It counts the same packets in another zone.
    OtherZone,
}

// === impl Kernel ===

impl Kernel {
    pub(super) fn new(connection: ConnectionKey) -> Self {
        Self {
            connection,
            counted: [Volume::default(); 2],
            peer: None,
            facts: KernelFacts::NONE,
            is_intercepted: false,
            is_over: false,
            has_counted: false,
        }
    }

    pub(super) fn relation(&self, counters: &Counters, transport: Transport) -> Relation {
        if counters.key == self.connection {
            return Relation::Own;
        }
        if counters.key.zone != self.connection.zone {
            return Relation::OtherZone;
        }
        match (transport, counters.moment) {
            (_, Moment::Over) if !self.is_over => Relation::Before,
            (Transport::Tcp, _) => Relation::After,
            (Transport::Udp, _) => Relation::Own,
        }
    }

    /// Takes a connection for its own; whether it goes on or has just ended.
    pub(super) fn attach(&mut self, counters: &Counters, view: &LanView) {
        if counters.key != self.connection {
            if !self.is_over {
                self.facts.set(KernelFacts::GAP);
            }
            self.settle_offload();
            self.connection = counters.key;
        }
        self.is_over = counters.moment == Moment::Over;
        self.is_intercepted |= view.is_intercepted;
        if view.peer.ip() != view.server.ip() {
            self.peer = Some(view.peer.ip());
        }
    }

    /// Adds a difference: what the home sent first. `home` is its side.
    pub(super) fn add(&mut self, counted: Option<[Counted; 2]>, facts: KernelFacts, home: Side) {
        self.facts.set(facts);
        let Some([up, down]) = counted else { return };
        self.counted[home as usize].add(up);
        self.counted[home.other() as usize].add(down);
        self.has_counted = true;
    }

    pub(super) const fn mark(&mut self, facts: KernelFacts) {
        self.facts.set(facts);
    }

    /// It vanished from the kernel's table unseen.
    pub(super) const fn lose(&mut self) {
        self.is_over = true;
        self.facts.set(KernelFacts::GAP);
    }

    pub(super) fn tracked(&self) -> Option<ConnectionKey> {
        (!self.is_over).then_some(self.connection)
    }

    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) const fn is_earlier(&self) -> bool {
        self.facts.has(KernelFacts::EARLIER)
    }

    pub(super) const fn is_intercepted(&self) -> bool {
        self.is_intercepted
    }

    pub(super) const fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// All bytes counted since the last cut.
    pub(super) const fn bytes(&self) -> u64 {
        self.counted[0].bytes.saturating_add(self.counted[1].bytes)
    }

    /// The account, if there is one.
    pub(super) fn account(&self, client: Side) -> Option<KernelAccount> {
        self.has_counted.then_some(KernelAccount {
            up: self.counted[client as usize],
            down: self.counted[client.other() as usize],
            facts: self.facts,
        })
    }

    /// The conversation ends, be it that the connection goes on.
    pub(super) const fn end(&mut self) {
        if !self.is_over {
            self.facts.set(KernelFacts::GAP);
        }
    }

    /// Compares what is counted with what the tap saw.
    pub(super) fn compare(&mut self, tapped: [Volume; 2]) {
        let is_more = |side: usize| tapped[side].bytes > self.counted[side].bytes;
        if is_more(0) || is_more(1) {
            self.facts.set(KernelFacts::CONTRADICTED);
        }
    }

    /// A day is over, and the next one counts from nothing.
    pub(super) const fn cut(&mut self) {
        self.counted = [Volume::NOTHING; 2];
        self.facts = self.facts.lasting();
        self.has_counted = false;
    }

    /// The proof that a flow table counts holds for the connection it was found on.
    const fn settle_offload(&mut self) {
        let is_proven = self.facts.has(KernelFacts::OFFLOAD_COUNTED);
        if self.facts.has(KernelFacts::OFFLOADED) && !is_proven {
            self.facts.set(KernelFacts::GAP);
        }
        self.facts.clear(KernelFacts::OFFLOADED);
        self.facts.clear(KernelFacts::OFFLOAD_COUNTED);
    }
}
