//! One flow while it is going on.

use super::answers::Answers;
use super::client;
use super::clock::Tick;
use super::kernel::{Kernel, Relation};
use super::phase::Phase;
use super::stations::Stations;
use super::tcp::Connection;
use super::{
    ConnectionKey, Counters, Ended, Flow, KernelFacts, LanView, NameStatus, Named, Packet, Segment,
    Segments, Service, Volume, moved,
};
use crate::name::{Handshake, ServerName};
use crate::packet::key::{FlowKey, Side};
use crate::packet::{MacAddr, TcpFlags};
use phonehome_proto::net::Transport;
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
    /// What the tap saw; since the last cut, as all that is counted.
    volumes: [Volume; 2],
    stations: [Option<MacAddr>; 2],
    connection: Connection,
    /// What the kernel says of it, where it says anything.
    kernel: Option<Box<Kernel>>,
    /// How often frames had been lost when it began.
    losses: u32,
    /// Nothing was counted yet, or not since the last cut.
    is_quiet: bool,
}

/// What conversations need to know of others to be told.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) answers: &'a Answers,
    pub(super) stations: &'a Stations,
    /// How often frames have been lost.
    pub(super) losses: u32,
}

// Thousands are alive on a router with little memory. The hello's buffers, the name and the kernel's
// account lie elsewhere, while there are such.
const _: () = assert!(size_of::<Option<Conversation>>() <= 224);

/// How it is known which side is the client, from weakest to strongest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Certainty {
    /// Ports, or who was seen first.
    Guess,
    /// The kernel took it for the opener; it may have met the connection in the middle.
    Kernel,
    /// It said hello.
    Hello,
    /// It opened the connection.
    Syn,
}

// === impl Conversation ===

impl Conversation {
    /// A conversation of which nothing is counted yet; its first packet, which `side` sent, is handled
    /// next.
    pub(super) fn open(
        (key, side): (FlowKey, Side),
        packet: &Packet<'_>,
        tick: Tick,
        losses: u32,
    ) -> Self {
        let client = client::guess(packet, side);
        Self::new(key, client, Certainty::Guess, packet.time, tick, losses)
    }

    /// A conversation that only the kernel knows of; what it counted is handled next. `home` is the
    /// side of `view`'s client.
    pub(super) fn open_tracked(
        key: FlowKey,
        view: &LanView,
        home: Side,
        now: Timestamp,
        tick: Tick,
        losses: u32,
    ) -> Self {
        let client = client::opener(view, home);
        Self::new(key, client, Certainty::Kernel, now, tick, losses)
    }

    fn new(
        key: FlowKey,
        client: Side,
        certainty: Certainty,
        now: Timestamp,
        tick: Tick,
        losses: u32,
    ) -> Self {
        let (client_port, server_port) = (key.end(client).port, key.end(client.other()).port);
        Self {
            key,
            client,
            certainty,
            handshake_client: client,
            handshake: Handshake::new(key.transport(), client_port, server_port),
            inferred: None,
            start: now,
            last: now,
            last_tick: tick,
            volumes: [Volume::default(); 2],
            stations: [None; 2],
            connection: Connection::default(),
            kernel: None,
            losses,
            is_quiet: true,
        }
    }

    /// Adds a packet from `side` that is dated `now`; says whether it turned out that the other side
    /// is the client.
    pub(super) fn handle_packet(
        &mut self,
        packet: &Packet<'_>,
        side: Side,
        now: Timestamp,
        tick: Tick,
    ) -> bool {
        self.note_life(now, tick);
        let volume = &mut self.volumes[side as usize];
        volume.packets += u64::from(packet.wire_packets);
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
        if self.inferred.is_some() && self.is_named() {
            self.inferred = None;
        }
        self.client != client_before
    }

    /// Whether only the kernel has spoken of it since it began or was last cut.
    pub(super) fn is_only_counted(&self) -> bool {
        self.kernel.is_some() && self.volumes.iter().all(|volume| volume.is_nothing())
    }

    /// How a connection of the kernel between these ends relates to what is known of them.
    pub(super) fn relation(&self, counters: &Counters) -> Relation {
        match &self.kernel {
            None => Relation::Own,
            Some(kernel) => kernel.relation(counters, self.key.transport()),
        }
    }

    /// Makes the connection that `counters` speak of this conversation's own. Says whether it turned
    /// out that the other side is the client.
    pub(super) fn attach(&mut self, counters: &Counters, view: &LanView, home: Side) -> bool {
        let kernel = self
            .kernel
            .get_or_insert_with(|| Box::new(Kernel::new(counters.key)));
        kernel.attach(counters, view);
        let client_before = self.client;
        self.settle_client(client::opener(view, home), Certainty::Kernel);
        self.client != client_before
    }

    /// Adds what the kernel has counted since it last spoke: `counted` along the path on which the
    /// home sends and along the other; `None` where it keeps no account.
    pub(super) fn handle_counted(
        &mut self,
        counted: Option<[super::Counted; 2]>,
        facts: KernelFacts,
        home: Side,
        now: Timestamp,
        tick: Tick,
    ) {
        self.last_tick = tick;
        if counted.is_some_and(|ways| ways.iter().any(|way| way.packets > 0 || way.bytes > 0)) {
            self.note_life(now, tick);
        }
        if let Some(kernel) = &mut self.kernel {
            kernel.add(counted, facts, home);
        }
    }

    /// The kernel has another account of the same ends in another zone.
    pub(super) fn note_other_zone(&mut self) {
        if let Some(kernel) = &mut self.kernel {
            kernel.mark(KernelFacts::CONTRADICTED);
        }
    }

    /// The connection the kernel tracks it as, while it does.
    pub(super) fn tracked(&self) -> Option<ConnectionKey> {
        self.kernel.as_ref().and_then(|kernel| kernel.tracked())
    }

    /// The kernel no longer knows the connection, and nobody said what it counted last.
    pub(super) fn lose_track(&mut self) {
        if let Some(kernel) = &mut self.kernel {
            kernel.lose();
        }
    }

    /// Dates what is counted now.
    const fn note_life(&mut self, now: Timestamp, tick: Tick) {
        if self.is_quiet {
            self.is_quiet = false;
            self.start = now;
        }
        self.last = now;
        self.last_tick = tick;
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
    pub(super) fn is_over_for(&self, packet: &Packet<'_>, side: Side, tick: Tick) -> Option<Ended> {
        let still_nanos = tick.since(self.last_tick);
        if still_nanos >= Phase::IDLE_NANOS_MIN && still_nanos >= self.phase().idle_nanos() {
            return Some(self.phase().ended());
        }
        let Segment::Tcp(segment) = &packet.segment else {
            return None;
        };
        // Counters may be faster than the frames of the same connection.
        let may_begin_here = self.connection.is_unseen() && !self.is_earlier();
        (!may_begin_here && self.connection.is_reopened_by(segment, side)).then_some(Ended::Reused)
    }

    fn is_earlier(&self) -> bool {
        let kernel = self.kernel.as_ref();
        kernel.is_some_and(|kernel| kernel.is_earlier())
    }

    /// Asks DNS what the server is called, as of now. `mac` is the client's station, if it is known.
    pub(super) fn infer(
        &mut self,
        answers: &Answers,
        stations: &Stations,
        mac: Option<MacAddr>,
        tick: Tick,
    ) {
        if self.is_named() {
            return;
        }
        let (client, server) = (self.key.end(self.client), self.key.end(self.client.other()));
        let clients = stations.addresses(client.address, mac, tick);
        self.inferred = answers.name(clients, server.address, tick).cloned();
    }

    /// The client's station, as far as it is known.
    pub(super) const fn client_mac(&self) -> Option<MacAddr> {
        self.stations[self.client as usize]
    }

    /// Which side is taken for the client.
    pub(super) const fn client(&self) -> Side {
        self.client
    }

    /// Whether its own handshake has named it: then nobody else is asked.
    fn is_named(&self) -> bool {
        let named = self.handshake.named();
        named.is_some_and(|named| named.name.is_some())
    }

    /// Payload bytes held until the hello is whole.
    #[inline]
    pub(super) fn hello_bytes(&self) -> usize {
        self.handshake.buffered_bytes()
    }

    /// Settles for what the hello has said so far.
    pub(super) fn give_up_hello(&mut self) {
        self.handshake.finish();
    }

    #[inline]
    pub(super) fn phase(&self) -> Phase {
        if let Some(kernel) = &self.kernel {
            return if kernel.is_over() {
                Phase::Closing
            } else {
                Phase::Tracked
            };
        }
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

    /// What the tap saw, and what the kernel counted, in packets and bytes.
    pub(super) fn counted(&self) -> (u64, u64) {
        let packets = self.volumes[0].packets + self.volumes[1].packets;
        let kernel_bytes = self.kernel.as_ref().map_or(0, |kernel| kernel.bytes());
        (packets, kernel_bytes)
    }

    /// Moves its times by what the clock was wrong.
    pub(super) const fn redate(&mut self, delta_nanos: i64) {
        self.start = moved(self.start, delta_nanos);
        self.last = moved(self.last, delta_nanos);
        self.connection.redate(delta_nanos);
    }

    /// The flow, if anything was counted of it that was not given yet.
    pub(super) fn into_flow(mut self, ended: Ended, around: Surroundings<'_>) -> Option<Flow> {
        let read = self.handshake.finish();
        // Only now may a hello that broke off have shown whose it was.
        self.heed_hello();
        if let Some(kernel) = &mut self.kernel {
            kernel.end();
        }
        let inferred = self.inferred.take();
        self.tell(read, inferred, ended, around)
    }

    /// What was counted since the last cut, if anything; the conversation goes on, and counts anew.
    pub(super) fn cut(&mut self, around: Surroundings<'_>) -> Option<Flow> {
        // A hello may yet become whole.
        let read = match self.handshake.named() {
            Some(named) => named.clone(),
            None => self.handshake.clone().finish(),
        };
        let flow = self.tell(read, self.inferred.clone(), Ended::DayOver, around)?;
        self.volumes = [Volume::default(); 2];
        self.losses = around.losses;
        self.is_quiet = true;
        if let Some(kernel) = &mut self.kernel {
            kernel.cut();
        }
        Some(flow)
    }

    fn tell(
        &mut self,
        read: Named,
        inferred: Option<ServerName>,
        ended: Ended,
        around: Surroundings<'_>,
    ) -> Option<Flow> {
        let (client, server) = (self.client, self.client.other());
        if let Some(kernel) = &mut self.kernel {
            kernel.compare(self.volumes);
        }
        let kernel = self.kernel.as_ref();
        let account = kernel.and_then(|kernel| kernel.account(client));
        let is_nothing = self.volumes.iter().all(|volume| volume.is_nothing())
            && account.is_none_or(|account| account.up.is_nothing() && account.down.is_nothing());
        if is_nothing {
            return None;
        }
        let service = self.handshake.service();
        Some(Flow {
            client: self.key.end(client),
            server: self.key.end(server),
            peer: kernel.and_then(|kernel| kernel.peer()),
            is_intercepted: kernel.is_some_and(|kernel| kernel.is_intercepted()),
            client_mac: self.stations[client as usize],
            server_mac: self.stations[server as usize],
            transport: self.key.transport(),
            vlan: self.key.vlan(),
            start: self.start,
            last: self.last,
            up: self.volumes[client as usize],
            down: self.volumes[server as usize],
            has_tap_gap: self.losses != around.losses,
            kernel: account,
            segments: self.segments(),
            rtt: self.connection.take_rtt(),
            service,
            named: self.named(read, inferred, service, around),
            ended,
        })
    }

    fn segments(&self) -> Option<Segments> {
        let is_v4 = self.key.end(self.client).address.is_ipv4();
        self.connection.segments(is_v4)
    }

    /// What the handshake said; where it named nobody, what DNS said.
    fn named(
        &self,
        mut named: Named,
        inferred: Option<ServerName>,
        service: Service,
        around: Surroundings<'_>,
    ) -> Named {
        if named.ech
            && let Some(name) = &named.name
        {
            let client = self.key.end(self.client).address;
            let clients = around
                .stations
                .addresses(client, self.client_mac(), self.last_tick);
            if around.answers.is_front(clients, name) {
                named = named.fronted();
            }
        }
        let is_nameless = named.name.is_none() && named.status != NameStatus::SniOuter;
        match inferred {
            Some(name) if is_nameless && service != Service::Dns => Named {
                ech: named.ech,
                ..Named::inferred(name)
            },
            _ => named,
        }
    }
}
