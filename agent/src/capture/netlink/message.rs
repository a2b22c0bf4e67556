//! The framing of netlink: messages in a datagram, attributes in a message, and requests.
//!
//! Takes bytes, gives what they hold, borrowed. Headers are in the byte order of the machine
//! (linux/netlink.h); values are whatever their protocol says.

use netlink_packet_core::{
    ErrorBuffer, NLA_HEADER_SIZE, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP,
    NLMSG_OVERRUN, NetlinkBuffer, NlaBuffer, NlasIterator,
};

/// The messages of one datagram, in order. After [`Message::Unreadable`] there is none.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// It says something of its protocol's own.
    Data {
        /// `nlmsg_type`.
        kind: u16,
        /// `nlmsg_flags`.
        flags: u16,
        /// `nlmsg_seq`: the request's that it answers; 0 in events.
        sequence: u32,
        /// What follows the header.
        body: &'a [u8],
    },
    /// The end of a dump.
    Done {
        /// As above.
        sequence: u32,
        /// `NLM_F_DUMP_INTR`: the table changed in a way that may have hidden entries.
        is_interrupted: bool,
    },
    /// A request was refused, or a dump ended early, with this `errno`.
    Error {
        /// As above.
        sequence: u32,
        /// Positive, as in `errno.h`.
        code: i32,
    },
    /// The kernel says that messages are missing.
    Overrun,
    /// What remains of the datagram is no message.
    Unreadable,
}

/// What should have been an attribute is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A request for a whole table.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    bytes: [u8; REQUEST_BYTES_MAX],
    length: usize,
}

/// The longest request made here: a header and `struct ifinfomsg`.
const REQUEST_BYTES_MAX: usize = HEADER_BYTES + 16;

/// `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;

/// `NLM_F_DUMP_INTR`.
pub(crate) const DUMP_INTERRUPTED: u16 = 0x10;

// === impl Messages ===

impl<'a> Messages<'a> {
    /// The messages in these bytes.
    #[must_use]
    pub const fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }

    /// How many bytes are still to be read.
    #[must_use]
    pub const fn rest_bytes(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let Ok(header) = NetlinkBuffer::new_checked(self.rest) else {
                self.rest = &[];
                return Some(Message::Unreadable);
            };
            let length = header.length() as usize;
            // Messages begin at multiples of four; the last may go without its padding.
            self.rest = self
                .rest
                .get(length.next_multiple_of(4)..)
                .unwrap_or_default();
            let (sequence, body) = (header.sequence_number(), header.payload());
            let is_interrupted = header.flags() & DUMP_INTERRUPTED != 0;
            return Some(match header.message_type() {
                NLMSG_NOOP => continue,
                NLMSG_OVERRUN => Message::Overrun,
                // Both may carry an errno, as a negative number; an error of 0 is an acknowledgement.
                kind @ (NLMSG_ERROR | NLMSG_DONE) => match refusal(body) {
                    Some(code) => Message::Error { sequence, code },
                    None if kind == NLMSG_DONE => Message::Done {
                        sequence,
                        is_interrupted,
                    },
                    None => continue,
                },
                kind => Message::Data {
                    kind,
                    flags: header.flags(),
                    sequence,
                    body,
                },
            });
        }
    }
}

fn refusal(body: &[u8]) -> Option<i32> {
    let code = ErrorBuffer::new_checked(body).ok()?.code()?;
    Some(code.get().saturating_abs())
}

/// The attributes in these bytes: type without its flags, and value. After [`Malformed`] there is none.
pub fn attributes(bytes: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), Malformed>> {
    NlasIterator::new(bytes).map(|attribute| {
        let attribute = attribute.map_err(|_| Malformed)?;
        Ok((attribute.kind(), value(attribute)))
    })
}

/// The crate's own accessor borrows from the attribute, not from the bytes.
fn value(attribute: NlaBuffer<&[u8]>) -> &[u8] {
    let length = usize::from(attribute.length());
    &attribute.into_inner()[NLA_HEADER_SIZE..length]
}

/// A text that ends with a zero byte, or with the value.
pub(crate) fn text(value: &[u8]) -> Option<&str> {
    let end = value
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(value.len());
    std::str::from_utf8(&value[..end]).ok()
}

// === impl Request ===

impl Request {
    /// Asks for the whole table that `kind` names; `body` is the protocol's own header.
    ///
    /// # Panics
    ///
    /// If `body` is longer than 16 bytes: no protocol's header here is.
    #[must_use]
    pub fn dump(kind: u16, sequence: u32, body: &[u8]) -> Self {
        let length = HEADER_BYTES + body.len();
        assert!(length <= REQUEST_BYTES_MAX, "a longer header than known");
        let mut bytes = [0; REQUEST_BYTES_MAX];
        let mut header = NetlinkBuffer::new(&mut bytes[..]);
        header.set_length(u32::try_from(length).expect("at most 32"));
        header.set_message_type(kind);
        header.set_flags(NLM_F_REQUEST | NLM_F_DUMP);
        header.set_sequence_number(sequence);
        bytes[HEADER_BYTES..length].copy_from_slice(body);
        Self { bytes, length }
    }

    /// What is sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = Request::dump(kind, 7, body).as_bytes().to_vec();
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn one_datagram_holds_several_messages() {
        let datagram = [
            message(256, 2, &[1, 2, 3]),
            message(NLMSG_NOOP, 0, &[]),
            message(NLMSG_ERROR, 0, &0i32.to_ne_bytes()),
            message(NLMSG_ERROR, 0, &(-1i32).to_ne_bytes()),
            message(NLMSG_OVERRUN, 0, &[]),
            message(NLMSG_DONE, DUMP_INTERRUPTED, &0i32.to_ne_bytes()),
            message(NLMSG_DONE, 2, &(-16i32).to_ne_bytes()),
        ]
        .concat();
        let read: Vec<_> = Messages::new(&datagram).collect();
        let expected = [
            Message::Data {
                kind: 256,
                flags: 2,
                sequence: 7,
                body: &[1, 2, 3],
            },
            Message::Error {
                sequence: 7,
                code: 1,
            },
            Message::Overrun,
            Message::Done {
                sequence: 7,
                is_interrupted: true,
            },
            Message::Error {
                sequence: 7,
                code: 16,
            },
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_cut_is_unreadable_and_ends_the_datagram() {
        let whole = message(256, 0, &[1, 2, 3, 4]);
        for cut in 1..whole.len() {
            let read: Vec<_> = Messages::new(&whole[..cut]).collect();
            assert_eq!(read, [Message::Unreadable], "{cut}");
        }
        let behind = [&whole[..], &whole[..9]].concat();
        assert_eq!(Messages::new(&behind).count(), 2);
    }

    #[test]
    fn attributes_borrow_from_the_message() {
        let bytes = [6, 0, 1, 0x80, 9, 8, 0, 0, 4, 0, 2, 0];
        assert_eq!(
            attributes(&bytes).collect::<Vec<_>>(),
            [Ok((1, &[9, 8][..])), Ok((2, &[][..]))]
        );
        assert_eq!(
            attributes(&bytes[..5]).collect::<Vec<_>>(),
            [Err(Malformed)]
        );
        assert_eq!(text(b"br-lan\0\0"), Some("br-lan"));
        assert_eq!(text(b"\xff"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut messages = Messages::new(&bytes);
            let mut before = bytes.len();
            while let Some(message) = messages.next() {
                prop_assert!(messages.rest_bytes() < before, "each message takes bytes");
                before = messages.rest_bytes();
                if let Message::Data { body, .. } = message {
                    prop_assert!(attributes(body).count() <= body.len() / 4 + 1);
                }
            }
        }
    }
}
