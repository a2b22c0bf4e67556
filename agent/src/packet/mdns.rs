//! mDNS messages: what a device says of itself (RFC 6762, RFC 6763).
//!
//! Takes the bytes of a message from port 5353, gives a [`Message`]: the services named, the device's
//! own host names and its model, where it tells. What others answer for it or ask about is theirs:
//! only announcements count as a device's own words, questions are kept apart.

use super::dns::{self, DnsName};
use simple_dns::PacketFlag;
use simple_dns::rdata::RData;

/// What matters of an mDNS message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Services the sender offers, `_airplay._tcp`, each once.
    pub offers: Vec<DnsName>,
    /// Services the sender looks for.
    pub seeks: Vec<DnsName>,
    /// Host names the sender gives itself, `iphone.local`.
    pub hosts: Vec<DnsName>,
    /// What its TXT records say of the model: `model=`, `md=`, `am=`, `ty=`.
    pub models: Vec<Box<str>>,
}

/// Reads a message.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Message> {
    let bytes = dns::whole_records(bytes)?;
    let packet = simple_dns::Packet::parse(&bytes).ok()?;
    let mut message = Message::default();
    if !packet.has_flags(PacketFlag::RESPONSE) {
        for question in &packet.questions {
            keep_service(&mut message.seeks, &DnsName::of(&question.qname));
        }
        return Some(message);
    }
    for record in packet.answers.iter().chain(&packet.additional_records) {
        let name = DnsName::of(&record.name);
        match &record.rdata {
            RData::A(_) | RData::AAAA(_) => keep(&mut message.hosts, name),
            RData::PTR(_) | RData::SRV(_) => keep_service(&mut message.offers, &name),
            RData::TXT(text) => {
                keep_service(&mut message.offers, &name);
                for (key, value) in text.iter_raw() {
                    if let Some(value) = value
                        && MODEL_KEYS
                            .iter()
                            .any(|known| key.eq_ignore_ascii_case(known))
                    {
                        keep(&mut message.models, String::from_utf8_lossy(value).into());
                    }
                }
            }
            _ => {}
        }
    }
    Some(message)
}

/// Keeps the service that a name ends in, `_airplay._tcp` of `Anna's TV._airplay._tcp.local`.
fn keep_service(services: &mut Vec<DnsName>, name: &DnsName) {
    if let Some(service) = name.service() {
        keep(services, service);
    }
}

fn keep<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if list.len() < ITEMS_MAX && !list.contains(&item) {
        list.push(item);
    }
}

/// Of each kind, one message is believed this many; the rest is left out.
pub const ITEMS_MAX: usize = 32;

/// Apple's device information and AirPlay, Google Cast, AirPlay audio, printers.
const MODEL_KEYS: [&[u8]; 4] = [b"model", b"md", b"am", b"ty"];

#[cfg(test)]
mod tests;
