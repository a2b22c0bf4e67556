//! One flow's handshake, until it is read.
//!
//! Takes the payload of a flow's packets in the order they were captured, gives one [`Named`]. The
//! two directions are equals: whichever side says hello is the client, and
//! [`Handshake::client_is_other_side`] tells when that is not the side the caller took for it.
//!
//! A settled handshake looks at nothing, allocates nothing and holds nothing but its answer.

use super::stream::{Outcome, Stream};
use super::{Findings, NameSource, NameStatus, Named, Reading, dtls, quic};
use phonehome_proto::net::Transport;
use phonehome_proto::observation::Service;

/// The handshake of one flow.
#[derive(Clone, Debug)]
pub struct Handshake {
    transport: Transport,
    client_port: u16,
    server_port: u16,
    /// The service the bytes have shown.
    seen: Option<Service>,
    client_is_other_side: bool,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// No packet yet.
    Fresh,
    Tcp(Box<Tcp>),
    Udp(Box<Udp>),
    Settled(Named),
}

#[derive(Clone, Debug)]
struct Tcp {
    client: Stream,
    server: Stream,
    /// The far end of a tunnel, in case nothing inside it says better.
    tunnel: Option<Findings>,
}

#[derive(Clone, Debug, Default)]
struct Udp {
    quic: quic::Hello,
    dtls: dtls::Hello,
    datagrams: u8,
}

// === impl Handshake ===

impl Handshake {
    /// The handshake of a flow of which nothing was seen yet.
    #[must_use]
    pub const fn new(transport: Transport, client_port: u16, server_port: u16) -> Self {
        Self {
            transport,
            client_port,
            server_port,
            seen: None,
            client_is_other_side: false,
            state: State::Fresh,
        }
    }

    /// Reads a TCP segment; `seq` is its sequence number and `syn` its SYN flag.
    #[inline]
    pub fn handle_tcp(&mut self, from_client: bool, seq: u32, syn: bool, payload: &[u8]) {
        if !self.is_done() && (syn || !payload.is_empty() && !self.has_ended(from_client)) {
            self.read_segment(from_client, seq, syn, payload);
        }
    }

    /// Reads a UDP datagram.
    #[inline]
    pub fn handle_udp(&mut self, from_client: bool, payload: &[u8]) {
        if !self.is_done() && !payload.is_empty() {
            self.read_datagram(from_client, payload);
        }
    }

    /// Whether nothing more will be found on one side of a stream.
    #[inline]
    fn has_ended(&self, from_client: bool) -> bool {
        match &self.state {
            State::Tcp(tcp) if from_client => tcp.client.is_ended(),
            State::Tcp(tcp) => tcp.server.is_ended(),
            State::Fresh | State::Udp(_) | State::Settled(_) => false,
        }
    }

    fn read_segment(&mut self, from_client: bool, seq: u32, syn: bool, payload: &[u8]) {
        if !matches!(self.state, State::Tcp(_)) {
            self.state = State::Tcp(Box::new(Tcp::new()));
        }
        let State::Tcp(tcp) = &mut self.state else {
            return;
        };
        let stream = if from_client {
            &mut tcp.client
        } else {
            &mut tcp.server
        };
        // Data on a SYN (RFC 7413) begins at the number after it.
        let seq = if syn {
            stream.handle_syn(seq);
            seq.wrapping_add(1)
        } else {
            seq
        };
        if payload.is_empty() {
            return;
        }
        let outcome = stream.handle_segment(seq, payload);
        self.apply(from_client, outcome);
    }

    fn read_datagram(&mut self, from_client: bool, payload: &[u8]) {
        if self.is_dns() {
            self.settle(Named::nameless(NameStatus::None));
            return;
        }
        if !matches!(self.state, State::Udp(_)) {
            self.state = State::Udp(Box::default());
        }
        let State::Udp(udp) = &mut self.state else {
            return;
        };
        udp.datagrams += 1;
        let (source, reading) = match udp.quic.handle_datagram(payload) {
            quic::Datagram::Opened(reading) => {
                self.seen = Some(Service::Quic);
                (NameSource::Quic, reading)
            }
            quic::Datagram::Sealed => {
                self.seen.get_or_insert(Service::Quic);
                (NameSource::Quic, Reading::Partial(Findings::default()))
            }
            quic::Datagram::Foreign => {
                if dtls::is_record(payload) {
                    self.seen.get_or_insert(Service::Tls);
                }
                (NameSource::Sni, udp.dtls.handle_datagram(payload))
            }
        };
        match reading {
            Reading::Whole(findings) => {
                self.client_is_other_side = !from_client;
                self.settle(Named::from_findings(findings, source, true));
            }
            // A server's Initial does not open, and a stray datagram is nobody's hello.
            Reading::Partial(_) | Reading::Foreign => {
                if udp.datagrams >= DATAGRAMS_MAX {
                    self.finish();
                }
            }
        }
    }

    /// The answer, once there is one.
    #[must_use]
    pub const fn named(&self) -> Option<&Named> {
        match &self.state {
            State::Settled(named) => Some(named),
            State::Fresh | State::Tcp(_) | State::Udp(_) => None,
        }
    }

    /// The answer when the flow ends: what a hello that broke off says, or that there was none.
    pub fn finish(&mut self) -> Named {
        let named = match &mut self.state {
            State::Settled(named) => return named.clone(),
            State::Fresh => Named::nameless(NameStatus::None),
            State::Tcp(tcp) => {
                let client = tcp.client.finish();
                let server = tcp.server.finish();
                self.client_is_other_side |= client.is_none() && server.is_some();
                match (client.or(server), tcp.tunnel.take()) {
                    (Some((source, findings)), tunnel) => {
                        self.seen = Some(service_of(source));
                        let broken = Named::from_findings(findings, source, false);
                        through_tunnel(broken, tunnel)
                    }
                    (None, Some(tunnel)) => Named::from_findings(tunnel, NameSource::Http, true),
                    (None, None) => self.without_hello(),
                }
            }
            State::Udp(udp) => match (udp.quic.so_far(), udp.dtls.so_far()) {
                (Reading::Partial(findings) | Reading::Whole(findings), _) => {
                    Named::from_findings(findings, NameSource::Quic, false)
                }
                (Reading::Foreign, Reading::Partial(findings) | Reading::Whole(findings)) => {
                    Named::from_findings(findings, NameSource::Sni, false)
                }
                (Reading::Foreign, Reading::Foreign) => self.without_hello(),
            },
        };
        self.settle(named.clone());
        named
    }

    /// Whether the answer is there and further packets change nothing.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Settled(_))
    }

    /// How many bytes of memory are held for a hello that is not whole.
    #[must_use]
    #[inline]
    pub fn buffered_bytes(&self) -> usize {
        match &self.state {
            State::Tcp(tcp) => tcp.client.buffered_bytes() + tcp.server.buffered_bytes(),
            State::Udp(udp) => udp.quic.buffered_bytes() + udp.dtls.buffered_bytes(),
            State::Fresh | State::Settled(_) => 0,
        }
    }

    /// The service: what the bytes showed, else what the server's port promises.
    #[must_use]
    pub fn service(&self) -> Service {
        if let Some(seen) = self.seen {
            return seen;
        }
        if let State::Tcp(tcp) = &self.state
            && let Some((source, _)) = tcp.client.begun().or_else(|| tcp.server.begun())
        {
            return service_of(source);
        }
        match (self.transport, self.server_port) {
            _ if self.is_dns() => Service::Dns,
            (Transport::Tcp, 443 | 853) => Service::Tls,
            (Transport::Tcp, 80) => Service::Http,
            (Transport::Udp, 443) => Service::Quic,
            (Transport::Tcp | Transport::Udp, _) => Service::Other,
        }
    }

    /// Whether the hello came from the side the caller took for the server.
    #[must_use]
    pub const fn client_is_other_side(&self) -> bool {
        self.client_is_other_side
    }

    fn apply(&mut self, from_client: bool, outcome: Outcome) {
        let State::Tcp(tcp) = &mut self.state else {
            return;
        };
        match outcome {
            Outcome::More => {}
            Outcome::TlsRecord => {
                self.seen.get_or_insert(Service::Tls);
            }
            Outcome::Message(source, findings, whole) => {
                self.seen = Some(service_of(source));
                self.client_is_other_side = !from_client;
                if findings.tunnel {
                    // Asked for again when the proxy wants a password.
                    tcp.tunnel = Some(findings);
                    let stream = if from_client {
                        &mut tcp.client
                    } else {
                        &mut tcp.server
                    };
                    stream.look_on();
                    return;
                }
                let tunnel = tcp.tunnel.take();
                let named = Named::from_findings(findings, source, whole);
                self.settle(through_tunnel(named, tunnel));
                return;
            }
        }
        if tcp.client.is_ended() && tcp.server.is_ended() {
            self.finish();
        }
    }

    /// The answer for a flow in which no hello was found.
    const fn without_hello(&self) -> Named {
        match self.seen {
            Some(Service::Tls | Service::Quic) => Named::nameless(NameStatus::Unread),
            _ => Named::nameless(NameStatus::None),
        }
    }

    fn settle(&mut self, named: Named) {
        self.state = State::Settled(named);
    }

    fn is_dns(&self) -> bool {
        self.server_port == DNS_PORT
            || (self.client_port == DNS_PORT && self.transport == Transport::Udp)
    }
}

// === impl Tcp ===

impl Tcp {
    const fn new() -> Self {
        Self {
            client: Stream::new(),
            server: Stream::new(),
            tunnel: None,
        }
    }
}

/// The name of a flow through a proxy: what was said inside the tunnel, else the tunnel's far end.
fn through_tunnel(inside: Named, tunnel: Option<Findings>) -> Named {
    match tunnel {
        Some(tunnel) if matches!(inside.status, NameStatus::NoSni | NameStatus::Unread) => {
            let ech = inside.ech;
            Named {
                ech,
                ..Named::from_findings(tunnel, NameSource::Http, true)
            }
        }
        _ => inside,
    }
}

const fn service_of(source: NameSource) -> Service {
    match source {
        NameSource::Sni => Service::Tls,
        NameSource::Quic => Service::Quic,
        NameSource::Http => Service::Http,
        NameSource::Dns => Service::Dns,
    }
}

/// How many datagrams a flow may show before its name is there: handshakes repeat a lost flight a
/// few times, and calls try many ways through (RFC 8445) before they begin DTLS.
const DATAGRAMS_MAX: u8 = 64;

const DNS_PORT: u16 = 53;

#[cfg(test)]
mod tests;
