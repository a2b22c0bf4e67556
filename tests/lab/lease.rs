//! A phone's way to its addresses: DHCP over a socket, as the phone's own client speaks it, and what
//! the kernel makes of router advertisements.

use super::namespace::Namespace;
use super::patience::until;
use anyhow::{Context, Result, bail};
use phonehome_tests::traffic::dhcp::{self, Step};
use phonehome_tests::traffic::phone::Phone;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// What a phone was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Its address.
    pub(crate) address: Ipv4Addr,
    /// Its router.
    pub(crate) router: Ipv4Addr,
    /// Whom it asks for names.
    pub(crate) name_server: SocketAddr,
}

/// What a phone's radio is called.
pub(crate) const RADIO: &str = "wlan0";

/// Bytes before a message of ours begins in its frame: Ethernet, IPv4, UDP.
const FRAME_HEADERS_BYTES: usize = 42;

/// The answer comes to everybody, since the phone has no address yet.
const BROADCAST_FLAG_AT: usize = 10;

/// A message's fixed part and its cookie; options follow.
const OPTIONS_AT: usize = 240;

/// A message is repeated after so long.
const PATIENCE: Duration = Duration::from_millis(400);

/// Times a message is sent before the phone gives up.
const ATTEMPTS_MAX: usize = 20;

/// Asks for an address and takes it.
pub(crate) fn take(namespace: &Namespace, phone: &Phone) -> Result<Lease> {
    namespace.ip("route", &format!("add 255.255.255.255 dev {RADIO}"))?;
    let phone = phone.clone();
    let (lease, width) = namespace.inside(move || ask(&phone))?;
    namespace.ip(
        "addr",
        &format!("add {}/{width} dev {RADIO}", lease.address),
    )?;
    namespace.ip("route", &format!("add default via {}", lease.router))?;
    Ok(lease)
}

/// Waits until the kernel has made itself an address of what the router advertises.
pub(crate) fn advertised(namespace: &Namespace) -> Result<Ipv6Addr> {
    until("an IPv6 address", Duration::from_secs(20), || {
        let arguments = ["-6", "-j", "addr", "show", "dev", RADIO, "scope", "global"];
        let seen: Value = serde_json::from_str(&namespace.run("ip", &arguments)?)?;
        let address = seen[0]["addr_info"][0]["local"].as_str();
        Ok(address.map(str::parse).transpose()?)
    })
}

fn ask(phone: &Phone) -> Result<(Lease, u32)> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 68))?;
    socket.set_broadcast(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let offer = converse(&socket, phone, Step::Discover, Ipv4Addr::UNSPECIFIED)?;
    let offered = address_at(&offer, 16)?;
    let given = converse(&socket, phone, Step::Request, offered)?;
    let of = |code| option(&given, code).with_context(|| format!("option {code} in {given:?}"));
    let lease = Lease {
        address: address_at(&given, 16)?,
        router: address_at(of(3)?, 0)?,
        name_server: SocketAddr::new(IpAddr::V4(address_at(of(6)?, 0)?), 53),
    };
    let mask = u32::from(address_at(of(1)?, 0)?);
    Ok((lease, mask.leading_ones()))
}

/// Says one thing until it is answered.
fn converse(socket: &UdpSocket, phone: &Phone, step: Step, wanted: Ipv4Addr) -> Result<Vec<u8>> {
    let [_, _, a, b, c, d] = phone.mac;
    let transaction = u32::from_be_bytes([a, b, c, d]);
    let nobody = ([0; 6], Ipv4Addr::UNSPECIFIED);
    let frame = dhcp::message(
        step,
        phone.mac,
        nobody,
        wanted,
        transaction,
        phone.manners(),
    );
    let mut message = frame.bytes[FRAME_HEADERS_BYTES..].to_vec();
    message[BROADCAST_FLAG_AT] = 0x80;
    let kind = if step == Step::Discover { 2 } else { 5 };
    let mut buffer = [0; 1_500];
    for _ in 0..ATTEMPTS_MAX {
        socket.send_to(&message, (Ipv4Addr::BROADCAST, 67))?;
        // Whatever else arrives counts as no answer; the message is simply sent again.
        let Ok((length, _)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let answer = &buffer[..length];
        let is_ours = answer.get(4..8) == Some(&transaction.to_be_bytes()[..]);
        if is_ours && option(answer, 53) == Some(&[kind][..]) {
            return Ok(answer.to_vec());
        }
    }
    bail!("no DHCP server answers a {step:?}")
}

/// The value of an option.
fn option(message: &[u8], code: u8) -> Option<&[u8]> {
    let mut rest = message.get(OPTIONS_AT..)?;
    loop {
        let (&found, after) = rest.split_first()?;
        if found == 0 {
            rest = after;
            continue;
        }
        let (&length, after) = after.split_first()?;
        let (value, after) = after.split_at_checked(length.into())?;
        if found == code {
            return Some(value);
        }
        rest = after;
    }
}

fn address_at(bytes: &[u8], at: usize) -> Result<Ipv4Addr> {
    let address = bytes.get(at..at + 4).context("an address")?;
    Ok(<[u8; 4]>::try_from(address)?.into())
}
