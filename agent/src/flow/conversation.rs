//! One flow while it is going on.

use super::answers::Answers;
use super::clock::Tick;
use super::key::{FlowKey, Side};
use super::tcp::Connection;
use super::{Ended, Flow, NameStatus, Named, Packet, Segment, Service, Volume};
use crate::name::{Handshake, ServerName};
use crate::packet::{MacAddr, TcpFlags};
use phonehome_proto::net::{Scope, Transport};
use phonehome_proto::time::Timestamp;

/// What is known of a flow so far; `[low, high]` in each pair.
pub(super) struct Conversation {
    key: FlowKey,
    client: Side,
    certainty: Certainty,
    /// The side that was taken for the client when the handshake began; it is told of no change.
    handshake_client: Side,
    handshake: Handshake,
    /// The one name DNS had for the server when the flow began.
    inferred: Option<ServerName>,
    start: Timestamp,
    last: Timestamp,
    last_tick: Tick,
    volumes: [Volume; 2],
    stations: [Option<MacAddr>; 2],
    connection: Connection,
}

/// How it is known which side is the client, from weakest to strongest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Certainty {
    /// Ports, or who was seen first.
    Guess,
    /// It said hello.
    Hello,
    /// It opened the connection.
    Syn,
}

/// How long a flow may keep still depends on what it is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// TCP after its end: stragglers still belong to it.
    Closing,
    /// TCP that nobody has answered yet.
    Opening,
    Datagrams,
    /// TCP in between.
    Open,
}

// === impl Conversation ===

impl Conversation {
    /// A conversation of which nothing is counted yet; its first packet is handled next.
    pub(super) fn open(key: FlowKey, packet: &Packet<'_>, tick: Tick) -> Self {
        let (_, side) = FlowKey::of(packet);
        let client = guess_client(packet, side);
        let (client_port, server_port) = (key.end(client).port, key.end(client.other()).port);
        Self {
            key,
            client,
            certainty: Certainty::Guess,
            handshake_client: client,
            handshake: Handshake::new(key.transport(), client_port, server_port),
            inferred: None,
            start: packet.time,
            last: packet.time,
            last_tick: tick,
            volumes: [Volume::default(); 2],
            stations: [None; 2],
            connection: Connection::default(),
        }
    }

    /// Adds a packet from `side`; says whether it turned out that the other side is the client.
    pub(super) fn handle_packet(&mut self, packet: &Packet<'_>, side: Side, tick: Tick) -> bool {
        self.last = packet.time;
        self.last_tick = tick;
        let volume = &mut self.volumes[side as usize];
        volume.packets += 1;
        volume.bytes += u64::from(packet.ip_bytes);
        self.see_station(side, packet.link.source);
        self.see_station(side.other(), packet.link.destination);
        let client_before = self.client;
        let from_client = side == self.handshake_client;
        match &packet.segment {
            Segment::Tcp(segment) => {
                if segment.flags.opens() {
                    self.settle_client(side, Certainty::Syn);
                } else if segment.flags.accepts() {
                    self.settle_client(side.other(), Certainty::Syn);
                }
                self.connection.handle_segment(segment, side, packet.time);
                let syn = segment.flags.has(TcpFlags::SYN);
                self.handshake
                    .handle_tcp(from_client, segment.seq, syn, segment.payload);
            }
            Segment::Udp { payload } => self.handshake.handle_udp(from_client, payload),
        }
        self.heed_hello();
        self.client != client_before
    }

    /// Whoever sent the hello is the client, unless a SYN said otherwise.
    fn heed_hello(&mut self) {
        if self.handshake.client_is_other_side() {
            self.settle_client(self.handshake_client.other(), Certainty::Hello);
        }
    }

    fn settle_client(&mut self, side: Side, certainty: Certainty) {
        if certainty > self.certainty {
            self.client = side;
            self.certainty = certainty;
        }
    }

    fn see_station(&mut self, side: Side, address: Option<MacAddr>) {
        let station = &mut self.stations[side as usize];
        if station.is_none() {
            *station = address.filter(|address| address.is_station());
        }
    }

    /// Whether this packet belongs to another conversation between the same ends, and what then
    /// ended this one.
    pub(super) fn is_over_for(&self, packet: &Packet<'_>, tick: Tick) -> Option<Ended> {
        if tick.since(self.last_tick) >= self.phase().idle_nanos() {
            return Some(self.phase().ended());
        }
        let Segment::Tcp(segment) = &packet.segment else {
            return None;
        };
        let (_, side) = FlowKey::of(packet);
        self.connection
            .is_reopened_by(segment, side)
            .then_some(Ended::Reused)
    }

    /// Asks DNS what the server is called, as of now.
    pub(super) fn infer(&mut self, answers: &Answers, tick: Tick) {
        let (client, server) = (self.key.end(self.client), self.key.end(self.client.other()));
        self.inferred = answers.name(client.address, server.address, tick).cloned();
    }

    /// Payload bytes held until the hello is whole.
    pub(super) fn hello_bytes(&self) -> usize {
        self.handshake.buffered_bytes()
    }

    /// Settles for what the hello has said so far.
    pub(super) fn give_up_hello(&mut self) {
        self.handshake.finish();
    }

    pub(super) const fn phase(&self) -> Phase {
        match self.key.transport() {
            Transport::Udp => Phase::Datagrams,
            Transport::Tcp if self.connection.is_over() => Phase::Closing,
            Transport::Tcp if self.connection.is_accepted() => Phase::Open,
            Transport::Tcp => Phase::Opening,
        }
    }

    /// Says when it was last heard of, where its own packets were wrong about it.
    pub(super) const fn date(&mut self, tick: Tick) {
        self.last_tick = tick;
    }

    pub(super) const fn last_tick(&self) -> Tick {
        self.last_tick
    }

    pub(super) const fn key(&self) -> FlowKey {
        self.key
    }

    pub(super) fn into_flow(mut self, ended: Ended, answers: &Answers) -> Flow {
        let read = self.handshake.finish();
        // Only now may a hello that broke off have shown whose it was.
        self.heed_hello();
        let server = self.client.other();
        let service = self.handshake.service();
        let named = self.named(read, service, answers);
        Flow {
            client: self.key.end(self.client),
            server: self.key.end(server),
            client_mac: self.stations[self.client as usize],
            server_mac: self.stations[server as usize],
            transport: self.key.transport(),
            vlan: self.key.vlan(),
            start: self.start,
            last: self.last,
            up: self.volumes[self.client as usize],
            down: self.volumes[server as usize],
            rtt: self.connection.rtt(),
            service,
            named,
            ended,
        }
    }

    /// What the handshake said; where it named nobody, what DNS said.
    fn named(&mut self, mut named: Named, service: Service, answers: &Answers) -> Named {
        let client = self.key.end(self.client).address;
        if named.ech
            && named
                .name
                .as_ref()
                .is_some_and(|name| answers.is_front(client, name))
        {
            named = named.fronted();
        }
        let is_nameless = named.name.is_none() && named.status != NameStatus::SniOuter;
        match self.inferred.take() {
            Some(name) if is_nameless && service != Service::Dns => Named {
                ech: named.ech,
                ..Named::inferred(name)
            },
            _ => named,
        }
    }
}

/// Who the client is when nobody has opened anything.
///
/// Servers listen on low ports, clients use those that systems hand out; a home's router lets
/// nothing in unasked, so that of a private and a public address the private one asked. Where both
/// leave it open: TCP without a SYN was under way before the capture began, so that who is seen
/// first says nothing and the lower port is the server's; UDP has no opening, and who is seen first
/// speaks for itself.
fn guess_client(packet: &Packet<'_>, sender: Side) -> Side {
    let (source, destination) = (packet.source_port, packet.destination_port);
    let is_tcp = packet.transport() == Transport::Tcp;
    let is_served = |port: u16, other: u16| {
        (port < WELL_KNOWN_END && other >= WELL_KNOWN_END)
            || (is_tcp && port < EPHEMERAL_START && other >= EPHEMERAL_START)
    };
    let is_inside = |address| Scope::of(address) == Scope::Private;
    let sender_asks = if is_served(source, destination) != is_served(destination, source) {
        is_served(destination, source)
    } else if is_inside(packet.source) != is_inside(packet.destination) {
        is_inside(packet.source)
    } else {
        !is_tcp || source >= destination
    };
    if sender_asks { sender } else { sender.other() }
}

// === impl Phase ===

impl Phase {
    pub(super) const COUNT: usize = 4;
    /// Those that matter least first: what is over, what was never answered.
    pub(super) const ALL: [Self; Self::COUNT] =
        [Self::Closing, Self::Opening, Self::Datagrams, Self::Open];

    /// How long a flow keeps still before it is over.
    pub(super) const fn idle_nanos(self) -> u64 {
        let seconds = match self {
            // Twice the longest time a segment may wander (RFC 9293 in practice).
            Self::Closing => 60,
            // Linux gives up after 127 s of unanswered SYNs.
            Self::Opening => 180,
            // RFC 4787 asks NATs for two minutes at least; Linux keeps three.
            Self::Datagrams => 180,
            // RFC 5382: two hours and four minutes.
            Self::Open => 7_440,
        };
        seconds * 1_000_000_000
    }

    /// What keeping still for so long means.
    pub(super) const fn ended(self) -> Ended {
        match self {
            Self::Closing => Ended::Closed,
            Self::Opening | Self::Datagrams | Self::Open => Ended::Idle,
        }
    }
}

/// Ports below are assigned to services, and systems let only them listen there.
const WELL_KNOWN_END: u16 = 1_024;
/// Ports from here on are handed out to clients by every common system.
const EPHEMERAL_START: u16 = 32_768;
