//! DNS messages: what was asked, and which addresses came back.
//!
//! Takes the bytes of a message, gives a [`Message`]: the first question, and those records of the
//! answer that lead from a name to an address. `simple-dns` reads the records; it reads a message
//! whole or not at all, so one that was cut (by a snapshot length, or as the first of several
//! fragments) is shortened to its whole records first.
//!
//! Total on arbitrary bytes; of a message that claims more than [`RECORDS_MAX`] records the rest is
//! left unread.

mod outline;

pub(super) use outline::whole_records;

use simple_dns::rdata::{RData, SVCParam};
use simple_dns::{Name, PacketFlag, ResourceRecord};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What matters of a DNS message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whether it answers, or asks.
    pub is_response: bool,
    /// The name asked for; the first, and in practice the only one.
    pub question: Option<DnsName>,
    /// The records of the answer section that lead to addresses, in order.
    pub answers: Vec<Answer>,
}

/// One record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The name the record belongs to.
    pub name: DnsName,
    /// How long it may be kept, in seconds.
    pub ttl_seconds: u32,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A and AAAA: the name's address.
    Address(IpAddr),
    /// CNAME, and SVCB or HTTPS in alias mode: the name is another's.
    Alias(DnsName),
    /// SVCB and HTTPS (RFC 9460): how to reach the service.
    Service {
        /// The name its addresses belong to; `None` when it is the record's own.
        target: Option<DnsName>,
        /// Addresses the client may use at once.
        hints: Vec<IpAddr>,
        /// The ECHConfigList (RFC 9849), its length in front as on the wire.
        ech: Option<Box<[u8]>>,
    },
}

/// A domain name as text, in lower case and without a dot at the end. Labels may hold any character;
/// whoever needs a host name checks it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DnsName(Box<str>);

/// Reads a message as it stands in a datagram.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Message> {
    let bytes = whole_records(bytes)?;
    let packet = simple_dns::Packet::parse(&bytes).ok()?;
    Some(Message {
        is_response: packet.has_flags(PacketFlag::RESPONSE),
        question: packet
            .questions
            .first()
            .map(|question| DnsName::of(&question.qname)),
        answers: packet.answers.iter().filter_map(Answer::of).collect(),
    })
}

/// The first question of a message as it stands in a datagram.
#[must_use]
pub fn question(bytes: &[u8]) -> Option<DnsName> {
    // A query is little more than its question, and what else it says is nobody's here.
    match outline::sole_question(bytes) {
        Some(labels) => Some(DnsName::spelt(labels)),
        None => read(bytes)?.question,
    }
}

/// Reads a message as it stands in a TCP stream, behind its length (RFC 1035, section 4.2.2).
#[must_use]
pub fn read_framed(bytes: &[u8]) -> Option<Message> {
    let (length, rest) = bytes.split_first_chunk()?;
    read(rest.get(..u16::from_be_bytes(*length).into())?)
}

// === impl Message ===

impl Message {
    /// The addresses that the name asked for leads to, through its aliases, each with the shortest
    /// lifetime on the way.
    #[must_use]
    pub fn addresses(&self) -> Vec<(IpAddr, u32)> {
        let Some(question) = &self.question else {
            return Vec::new();
        };
        // Every name that stands for the one asked for.
        let mut names = vec![(question, u32::MAX)];
        let mut addresses = Vec::new();
        for next in 0..=self.answers.len() {
            let Some(&(name, ttl_seconds)) = names.get(next) else {
                break;
            };
            for answer in self.answers.iter().filter(|answer| answer.name == *name) {
                let ttl_seconds = answer.ttl_seconds.min(ttl_seconds);
                let alias = match &answer.data {
                    Data::Address(address) => {
                        addresses.push((*address, ttl_seconds));
                        None
                    }
                    Data::Alias(alias) => Some(alias),
                    Data::Service { target, hints, .. } => {
                        addresses.extend(hints.iter().map(|address| (*address, ttl_seconds)));
                        target.as_ref()
                    }
                };
                if let Some(alias) = alias
                    && names.iter().all(|(known, _)| *known != alias)
                {
                    names.push((alias, ttl_seconds));
                }
            }
        }
        addresses
    }

    /// The ECHConfigLists it carries.
    pub fn ech_config_lists(&self) -> impl Iterator<Item = &[u8]> {
        self.answers.iter().filter_map(|answer| match &answer.data {
            Data::Service { ech, .. } => ech.as_deref(),
            Data::Address(_) | Data::Alias(_) => None,
        })
    }
}

// === impl Answer ===

impl Answer {
    fn of(record: &ResourceRecord<'_>) -> Option<Self> {
        let data = match &record.rdata {
            RData::A(a) => Data::Address(Ipv4Addr::from_bits(a.address).into()),
            RData::AAAA(aaaa) => Data::Address(Ipv6Addr::from_bits(aaaa.address).into()),
            RData::CNAME(alias) => Data::Alias(DnsName::of(&alias.0)),
            RData::HTTPS(simple_dns::rdata::HTTPS(service)) | RData::SVCB(service) => {
                let target = DnsName::of(&service.target);
                let target = (!target.as_str().is_empty()).then_some(target);
                match target {
                    Some(alias) if service.priority == 0 => Data::Alias(alias),
                    target => Data::Service {
                        target,
                        hints: service.iter_params().flat_map(hints).collect(),
                        ech: service.iter_params().find_map(ech),
                    },
                }
            }
            _ => return None,
        };
        Some(Self {
            name: DnsName::of(&record.name),
            ttl_seconds: record.ttl,
            data,
        })
    }
}

fn hints(param: &SVCParam<'_>) -> Vec<IpAddr> {
    match param {
        SVCParam::Ipv4Hint(hints) => hints
            .iter()
            .map(|bits| Ipv4Addr::from_bits(*bits).into())
            .collect(),
        SVCParam::Ipv6Hint(hints) => hints
            .iter()
            .map(|bits| Ipv6Addr::from_bits(*bits).into())
            .collect(),
        _ => Vec::new(),
    }
}

fn ech(param: &SVCParam<'_>) -> Option<Box<[u8]>> {
    let SVCParam::Ech(configs) = param else {
        return None;
    };
    // The parser has read the list's length and left it out.
    let length = u16::try_from(configs.len()).ok()?;
    Some(
        length
            .to_be_bytes()
            .iter()
            .chain(configs.iter())
            .copied()
            .collect(),
    )
}

// === impl DnsName ===

impl DnsName {
    /// The name a parsed one spells.
    #[must_use]
    pub(crate) fn of(name: &Name<'_>) -> Self {
        let labels = name.get_labels();
        let with_dots = labels.iter().map(|label| label.as_ref().len() + 1);
        let text_bytes = with_dots.sum::<usize>().saturating_sub(1);
        Self::joined(text_bytes, labels.iter().map(AsRef::as_ref))
    }

    /// The name that labels spell, each behind its length, without the root's.
    fn spelt(mut labels: &[u8]) -> Self {
        let text_bytes = labels.len().saturating_sub(1);
        let labels = std::iter::from_fn(move || {
            let (length, rest) = labels.split_first()?;
            let (label, rest) = rest.split_at_checked(usize::from(*length))?;
            labels = rest;
            Some(label)
        });
        Self::joined(text_bytes, labels)
    }

    fn joined<'a>(text_bytes: usize, labels: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut text = String::with_capacity(text_bytes);
        for label in labels {
            if !text.is_empty() {
                text.push('.');
            }
            match std::str::from_utf8(label) {
                Ok(label) => text.push_str(label),
                Err(_) => text.push_str(&String::from_utf8_lossy(label)),
            }
        }
        text.make_ascii_lowercase();
        Self(text.into())
    }

    /// The name.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }

    /// The service it names (RFC 6763): `_airplay._tcp` of `anna's tv._airplay._tcp.local`.
    pub(super) fn service(&self) -> Option<Self> {
        let name = self.0.strip_suffix(".local")?;
        let name = name
            .strip_suffix("._tcp")
            .or_else(|| name.strip_suffix("._udp"))?;
        let start = name.rfind('.').map_or(0, |dot| dot + 1);
        let service = self.0.get(start..name.len() + "._tcp".len())?;
        service.starts_with('_').then(|| Self(service.into()))
    }
}

impl fmt::Debug for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// No more records are read of one message; real answers have below thirty.
pub const RECORDS_MAX: u16 = 256;

#[cfg(test)]
mod tests;
