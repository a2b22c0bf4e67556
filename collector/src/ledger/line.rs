//! One line of the ledger's copy: `NUMBER SECONDS HASH SIGNATURE EVENT`, and the first line of all.
//!
//! Pure. The signature covers the first line and the rest of its own, and so, by the hash, every line
//! before.

use crate::identity::Identity;
use crate::store::LedgerRow;
use phonehome_proto::id::{Audience, Hash, from_hex, to_hex};
use phonehome_proto::time::Timestamp;
use std::fmt;

/// The first line: what the file is, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header(Audience);

impl Header {
    /// The first line of this collector's file.
    #[must_use]
    pub const fn of(identity: &Identity) -> Self {
        Self(identity.audience())
    }

    /// The line that holds `row`.
    pub(super) fn line(&self, row: &LedgerRow, identity: &Identity) -> String {
        let signature = to_hex(&identity.sign_ledger(&self.signed(row)));
        let LedgerRow {
            number,
            at,
            event,
            hash,
        } = row;
        format!(
            "{number} {} {} {signature} {event}\n",
            at.seconds(),
            hash.to_hex()
        )
    }

    /// Whether the collector signed `row` as a link of this file.
    pub(super) fn is_signed(&self, row: &LedgerRow, signature: &[u8], identity: &Identity) -> bool {
        identity.has_signed_ledger(&self.signed(row), signature)
    }

    fn signed(&self, row: &LedgerRow) -> String {
        let LedgerRow {
            number,
            at,
            event,
            hash,
        } = row;
        format!(
            "{self}{number} {} {} {event}\n",
            at.seconds(),
            hash.to_hex()
        )
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "phonehome-ledger 1 {}", to_hex(self.0.as_bytes()))
    }
}

/// The link and the signature in a line; `None` if it is none.
pub(super) fn parse(line: &str) -> Option<(LedgerRow, Vec<u8>)> {
    let mut parts = line.strip_suffix('\n')?.splitn(5, ' ');
    let mut next = || parts.next();
    let (number, at, hash, signature, event) = (next()?, next()?, next()?, next()?, next()?);
    let hash = <[u8; 32]>::try_from(from_hex(hash)?).ok()?;
    let row = LedgerRow {
        number: number.parse().ok()?,
        at: Timestamp::from_seconds(at.parse().ok()?),
        event: event.to_owned(),
        hash: Hash::new(hash),
    };
    Some((row, from_hex(signature)?))
}
