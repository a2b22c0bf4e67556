//! DHCPv4 messages: what a device says of itself when it joins (RFC 2131, RFC 2132).
//!
//! Takes the bytes of a message, gives a [`Message`] that borrows from them. Options may run over
//! into the `file` and `sname` fields (option 52) and may be split (RFC 3396); both are followed.
//! Total on arbitrary bytes.

use super::MacAddr;
use std::borrow::Cow;
use std::net::Ipv4Addr;

/// What matters of a DHCP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What the message is for; `None` in plain BOOTP.
    pub kind: Option<MessageKind>,
    /// The device it is about: its own address when it has Ethernet's kind.
    pub client: Option<MacAddr>,
    /// The address the device has, or is given; unspecified when neither.
    pub address: Ipv4Addr,
    /// Option 12: the name the device gives itself.
    pub host_name: Option<Cow<'a, [u8]>>,
    /// Option 50: the address the device would like.
    pub requested_address: Option<Ipv4Addr>,
    /// Option 55: the options the device asks for; their order is the maker's handwriting.
    pub parameters: Option<Cow<'a, [u8]>>,
    /// Option 60: the kind of client.
    pub vendor_class: Option<Cow<'a, [u8]>>,
}

/// Option 53.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A device looks for servers.
    Discover,
    /// A server offers an address.
    Offer,
    /// A device asks for an address.
    Request,
    /// A device refuses an address.
    Decline,
    /// A server grants an address.
    Ack,
    /// A server refuses one.
    Nak,
    /// A device gives its address back.
    Release,
    /// A device has an address and asks for the rest.
    Inform,
    /// Another, by its number.
    Other(u8),
}

/// Reads a message.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Message<'_>> {
    let (fixed, options) = bytes.split_first_chunk::<FIXED_BYTES>()?;
    let options = options.strip_prefix(&MAGIC)?;
    let &[1 | 2, hardware_kind, hardware_bytes, ..] = fixed else {
        return None;
    };
    let is_ethernet = (hardware_kind, hardware_bytes) == (1, 6);
    let address = |at: usize| Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]);
    let (current, given) = (address(12), address(16));
    let mut message = Message {
        kind: None,
        client: if is_ethernet {
            MacAddr::read(&fixed[28..])
        } else {
            None
        },
        address: if given.is_unspecified() {
            current
        } else {
            given
        },
        host_name: None,
        requested_address: None,
        parameters: None,
        vendor_class: None,
    };
    let overload = message.read_options(options);
    let (server_name, file) = (&fixed[44..108], &fixed[108..]);
    if overload & OVERLOAD_FILE != 0 {
        message.read_options(file);
    }
    if overload & OVERLOAD_SERVER_NAME != 0 {
        message.read_options(server_name);
    }
    Some(message)
}

// === impl Message ===

impl<'a> Message<'a> {
    /// Whether the device itself wrote it; servers' answers repeat some of its words.
    #[must_use]
    pub const fn is_from_client(&self) -> bool {
        use MessageKind::{Decline, Discover, Inform, Release, Request};
        matches!(
            self.kind,
            Some(Discover | Request | Decline | Release | Inform)
        )
    }

    /// Reads one run of options and gives the value of option 52, 0 without.
    fn read_options(&mut self, mut options: &'a [u8]) -> u8 {
        let mut overload = 0;
        loop {
            let (code, value) = match options {
                [PAD, rest @ ..] => {
                    options = rest;
                    continue;
                }
                [END, ..] | [] | [_] => return overload,
                [code, length, rest @ ..] => {
                    // A cut option is read as far as it goes, if its value can be.
                    let (value, rest) = rest.split_at(rest.len().min(usize::from(*length)));
                    options = rest;
                    (*code, value)
                }
            };
            match code {
                HOST_NAME => join(&mut self.host_name, value),
                PARAMETERS => join(&mut self.parameters, value),
                VENDOR_CLASS => join(&mut self.vendor_class, value),
                REQUESTED_ADDRESS => {
                    if let Ok(octets) = <[u8; 4]>::try_from(value) {
                        self.requested_address = Some(octets.into());
                    }
                }
                OVERLOAD => overload = value.first().copied().unwrap_or(0),
                MESSAGE_KIND => self.kind = value.first().copied().map(MessageKind::of),
                _ => {}
            }
        }
    }
}

/// An option that occurs again continues (RFC 3396); within the message it stays bounded.
fn join<'a>(option: &mut Option<Cow<'a, [u8]>>, value: &'a [u8]) {
    match option {
        Some(begun) => begun.to_mut().extend_from_slice(value),
        None => *option = Some(Cow::Borrowed(value)),
    }
}

// === impl MessageKind ===

impl MessageKind {
    const fn of(number: u8) -> Self {
        match number {
            1 => Self::Discover,
            2 => Self::Offer,
            3 => Self::Request,
            4 => Self::Decline,
            5 => Self::Ack,
            6 => Self::Nak,
            7 => Self::Release,
            8 => Self::Inform,
            other => Self::Other(other),
        }
    }
}

/// Everything before the magic cookie.
const FIXED_BYTES: usize = 236;
const MAGIC: [u8; 4] = [99, 130, 83, 99];

const PAD: u8 = 0;
const HOST_NAME: u8 = 12;
const REQUESTED_ADDRESS: u8 = 50;
const OVERLOAD: u8 = 52;
const MESSAGE_KIND: u8 = 53;
const PARAMETERS: u8 = 55;
const VENDOR_CLASS: u8 = 60;
const END: u8 = 255;

const OVERLOAD_FILE: u8 = 1;
const OVERLOAD_SERVER_NAME: u8 = 2;

#[cfg(test)]
mod tests;
