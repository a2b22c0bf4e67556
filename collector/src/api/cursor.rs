//! Where a list goes on: the last thing that was given, signed.
//!
//! A cursor is a keyset, not an offset: what is released meanwhile moves nothing. It carries HMAC-SHA-256, cut to 16
//! bytes, over the list's path and that thing, under a key that grows from the collector's own, so that
//! several collectors with one identity take each other's cursors, and nobody makes one up. Hex digits
//! alone: it stands in an address as it is.

use super::Problem;
use crate::identity::Identity;
use hmac::{Hmac, KeyInit, Mac};
use phonehome_proto::id::to_hex;
use sha2::Sha256;
use zeroize::Zeroizing;

const LABEL: &[u8] = b"phonehome api cursors v1";
const TAG_BYTES: usize = 16;
/// The longest thing a list goes on after.
const AFTER_BYTES_MAX: usize = 64;

/// The key of cursors.
pub(super) struct Cursors(Zeroizing<[u8; 32]>);

impl Cursors {
    /// This collector's.
    pub(super) fn of(identity: &Identity) -> Self {
        let mac = keyed(&identity.key().seed());
        Self(Zeroizing::new(
            mac.chain_update(LABEL).finalize().into_bytes().into(),
        ))
    }

    /// The cursor that goes on after `after` in the list at `path`.
    pub(super) fn seal(&self, path: &str, after: &str) -> String {
        let tag: [u8; 32] = self.mac(path, after).finalize().into_bytes().into();
        to_hex(&[&tag[..TAG_BYTES], after.as_bytes()].concat())
    }

    /// After what the list at `path` goes on.
    ///
    /// # Errors
    /// [`Problem::BadCursor`] for everything that [`Self::seal`] did not give for this path.
    pub(super) fn open(&self, path: &str, cursor: &str) -> Result<String, Problem> {
        let bytes = from_hex(cursor).ok_or(Problem::BadCursor)?;
        let (tag, after) = bytes
            .split_at_checked(TAG_BYTES)
            .ok_or(Problem::BadCursor)?;
        let after = std::str::from_utf8(after).map_err(|_| Problem::BadCursor)?;
        let genuine = self.mac(path, after).verify_truncated_left(tag);
        genuine.map_err(|_| Problem::BadCursor)?;
        Ok(after.to_owned())
    }

    fn mac(&self, path: &str, after: &str) -> Hmac<Sha256> {
        let mac = keyed(&self.0).chain_update(path.as_bytes());
        mac.chain_update([0]).chain_update(after.as_bytes())
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || text.len() > 2 * (TAG_BYTES + AFTER_BYTES_MAX) {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::manifest::Purpose;
    use phonehome_proto::seal::SigningKey;

    fn cursors(seed: u8) -> Cursors {
        Cursors::of(&Identity::new(
            SigningKey::from_seed(&[seed; 32]),
            Purpose::Exercise,
        ))
    }

    #[test]
    fn only_our_own_cursors_open_and_only_for_their_list() {
        let cursor = cursors(1).seal("/v1/releases", "2026-W46.0");
        let open = |cursors: Cursors, path, cursor: &str| cursors.open(path, cursor);
        assert_eq!(
            open(cursors(1), "/v1/releases", &cursor),
            Ok("2026-W46.0".to_owned())
        );
        assert_eq!(
            open(cursors(2), "/v1/releases", &cursor),
            Err(Problem::BadCursor)
        );
        assert_eq!(
            open(cursors(1), "/v1/other", &cursor),
            Err(Problem::BadCursor)
        );
        for at in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert_eq!(
                open(cursors(1), "/v1/releases", &changed),
                Err(Problem::BadCursor)
            );
            assert_eq!(
                open(cursors(1), "/v1/releases", &cursor[..at]),
                Err(Problem::BadCursor)
            );
        }
        let long = "0".repeat(10_000);
        assert_eq!(
            open(cursors(1), "/v1/releases", &long),
            Err(Problem::BadCursor)
        );
    }
}
