//! Names: what a device calls itself, its programs, and the servers it asks for.
//!
//! Takes texts off the network, gives clues that hold rows of our tables and nothing of the texts.

use super::{Clue, Family, pattern, weight};
use crate::packet::{Packet, Segment};
use phonehome_proto::vendor::{self, Vendor};

/// What a host name as DHCP clients send it says. A name that is not a phone's says only that.
pub(super) fn host_name_clue(name: &[u8]) -> Option<Clue> {
    if let Some(what) = pattern::first_fit(vendor::not_phone_names(), name) {
        return Some(Clue {
            phone_nats: weight::PHONE_NEVER,
            ..Clue::silent(Family::DhcpName, what)
        });
    }
    let (vendor, what) = factory_name(name)?;
    Some(Clue {
        nats: weight::FACTORY_NAME,
        phone_nats: weight::PHONE_SURE,
        ..Clue::of_row(vendor, Family::DhcpName, what)
    })
}

/// What the name of a server says of whoever asks for it. Only the most telling clue is given, but a
/// name may tell of several vendors.
pub(super) fn endpoint_clues(name: &str, mut learn: impl FnMut(Clue)) {
    for vendor in Vendor::all() {
        let below = |domains: &[&'static str]| {
            domains
                .iter()
                .copied()
                .find(|domain| pattern::lies_below(name, domain))
        };
        // Televisions, tablets and computers of these two ask for the same domains.
        let phone = if MAKERS_OF_MORE.contains(&vendor.id()) {
            0.0
        } else {
            weight::PHONE_LIKELY
        };
        // In this order: each list may lie inside those after it.
        let found = [
            (
                vendor.not_phone_domains(),
                weight::WEAK_DOMAIN,
                weight::PHONE_UNLIKELY,
            ),
            (vendor.check_hosts(), weight::CHECK_HOST, phone),
            (vendor.core_domains(), weight::CORE_DOMAIN, phone),
            (vendor.weak_domains(), weight::WEAK_DOMAIN, 0.0),
        ]
        .into_iter()
        .find_map(|(domains, nats, phone_nats)| Some((below(domains)?, nats, phone_nats)));
        let Some((what, nats, phone_nats)) = found else {
            continue;
        };
        learn(Clue {
            nats,
            phone_nats,
            ..Clue::of_row(vendor, Family::Endpoints, what)
        });
    }
}

/// The User-Agent of a clear-text request, where the packet begins with one.
pub(super) fn user_agent<'a>(packet: &Packet<'a>) -> Option<&'a [u8]> {
    match packet.segment {
        Segment::Tcp(segment) => user_agent_line(segment.payload),
        Segment::Udp { .. } => None,
    }
}

/// What a User-Agent says.
pub(super) fn user_agent_clues(agent: &[u8], mut learn: impl FnMut(Clue)) {
    for part in agent.split(|byte| b";()/,".contains(byte)) {
        let Some((vendor, what)) = factory_name(part.trim_ascii()) else {
            continue;
        };
        let is_phones = pattern::first_fit(vendor::not_phone_names(), part).is_none();
        learn(Clue {
            nats: weight::USER_AGENT,
            phone_nats: if is_phones { weight::PHONE_LIKELY } else { 0.0 },
            ..Clue::of_row(vendor, Family::UserAgent, what)
        });
    }
}

/// Whether a payload that begins so may be a clear-text request with a User-Agent.
#[inline]
pub(super) const fn may_begin_request(head: [u8; 4]) -> bool {
    matches!(&head, b"GET " | b"POST" | b"HEAD")
}

/// Whether these bytes begin such a request.
fn begins_request(payload: &[u8]) -> bool {
    [&b"GET "[..], b"POST ", b"HEAD "]
        .iter()
        .any(|method| payload.starts_with(method))
}

/// The value of the first User-Agent line of the request these bytes begin with.
fn user_agent_line(payload: &[u8]) -> Option<&[u8]> {
    if !begins_request(payload) {
        return None;
    }
    let head = &payload[..payload.len().min(HEAD_BYTES_MAX)];
    head.split(|byte| *byte == b'\n')
        .take_while(|line| !line.trim_ascii().is_empty())
        .find_map(|line| {
            let (name, value) = line.split_at_checked(USER_AGENT.len())?;
            name.eq_ignore_ascii_case(USER_AGENT)
                .then(|| value.trim_ascii())
        })
}

fn factory_name(name: &[u8]) -> Option<(Vendor, &'static str)> {
    Vendor::all().find_map(|vendor| {
        Some((
            vendor,
            pattern::first_fit(vendor.host_name_patterns(), name)?,
        ))
    })
}

const USER_AGENT: &[u8] = b"user-agent:";

/// Bytes of a request in which its User-Agent is looked for.
const HEAD_BYTES_MAX: usize = 2 * 1024;

const MAKERS_OF_MORE: [&str; 2] = ["apple", "samsung"];
