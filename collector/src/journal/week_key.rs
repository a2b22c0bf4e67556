//! A week's key, and what it hides.
//!
//! Pure: takes homes, batch ids and envelopes; gives tokens and ciphertexts. A token is an HMAC, so
//! that rows of one home can be told to belong together within a week and never across weeks. A
//! ciphertext is ChaCha20-Poly1305 (RFC 8439) with a random nonce in front, bound to its row: moved
//! to another row, it does not open. Destroying the key destroys both.

mod part;

use crate::envelope;
use crate::geo::network::Origin;
use crate::store::{BatchToken, HomeToken, JournalRow};
use hmac::{Hmac, KeyInit, Mac};
use phonehome_proto::id::{BatchId, Hash, HomeId};
use phonehome_proto::seal::{PayloadType, SealedBatch};
use phonehome_proto::time::Week;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// The key of one week. Wiped from memory when dropped; prints nothing.
pub struct WeekKey {
    week: Week,
    secret: Zeroizing<[u8; 32]>,
    cipher: LessSafeKey,
}

// Lengths keep the uses of one HMAC key apart: a home is 32 bytes, home and batch id are 48.
const CHECK_LABEL: &[u8] = b"phonehome week key check";
const CIPHER_LABEL: &[u8] = b"phonehome week key cipher";
const _: () = assert!(CHECK_LABEL.len() != 32 && CHECK_LABEL.len() != 48);
const _: () = assert!(CIPHER_LABEL.len() != 32 && CIPHER_LABEL.len() != 48);

impl WeekKey {
    /// The key of `week` that grows from `secret`.
    ///
    /// # Panics
    /// Never: 32 bytes are a key of the cipher.
    #[must_use]
    pub fn new(week: Week, secret: Zeroizing<[u8; 32]>) -> Self {
        let cipher = Zeroizing::new(mac(&secret, &[CIPHER_LABEL]));
        let cipher = UnboundKey::new(&CHACHA20_POLY1305, &*cipher).expect("32 bytes are a key");
        Self {
            week,
            secret,
            cipher: LessSafeKey::new(cipher),
        }
    }

    /// The week it belongs to.
    #[must_use]
    pub const fn week(&self) -> Week {
        self.week
    }

    /// Tells this key from another without telling the key.
    #[must_use]
    pub fn check(&self) -> Hash {
        Hash::new(mac(&self.secret, &[CHECK_LABEL]))
    }

    /// What stands for a home in this week.
    #[must_use]
    pub fn home_token(&self, home: HomeId) -> HomeToken {
        HomeToken(mac(&self.secret, &[home.as_bytes()]))
    }

    /// What stands for a home's batch in this week.
    #[must_use]
    pub fn batch_token(&self, home: HomeId, batch: BatchId) -> BatchToken {
        BatchToken(mac(&self.secret, &[home.as_bytes(), batch.as_bytes()]))
    }

    /// The row that holds a batch, whose payload has the hash `payload_hash`, and its receipt. `nonce`
    /// must be fresh random bytes. Of a home on probation not even country and network are kept: it
    /// counts nowhere.
    ///
    /// # Panics
    /// Never: the cipher refuses only what is beyond 256 GiB.
    #[must_use]
    pub fn seal(
        &self,
        (home, batch): (HomeId, BatchId),
        (origin, is_on_probation): (Option<Origin>, bool),
        (sealed, payload_hash): (&SealedBatch, Hash),
        receipt: &SealedBatch,
        nonce: [u8; NONCE_LEN],
    ) -> JournalRow {
        let plain_bytes = envelope::packed_bytes(sealed) + envelope::packed_bytes(receipt);
        let mut bytes = Vec::with_capacity(NONCE_LEN + plain_bytes + CHACHA20_POLY1305.tag_len());
        bytes.extend_from_slice(&nonce);
        envelope::pack(sealed, &mut bytes);
        envelope::pack(receipt, &mut bytes);
        let mut row = JournalRow {
            week: self.week,
            home: self.home_token(home),
            batch: self.batch_token(home, batch),
            payload_hash,
            origin: origin.filter(|_| !is_on_probation),
            is_on_probation,
            sealed: Vec::new(),
        };
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .cipher
            .seal_in_place_separate_tag(nonce, Aad::from(context(&row)), &mut bytes[NONCE_LEN..])
            .expect("a batch is far below the cipher's bound");
        bytes.extend_from_slice(tag.as_ref());
        row.sealed = bytes;
        row
    }

    /// The batch and its receipt in a row; `None` if the row was altered or sealed with another key.
    #[must_use]
    pub fn open(&self, row: &JournalRow) -> Option<(SealedBatch, SealedBatch)> {
        let (nonce, cipher) = row.sealed.split_first_chunk::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut plain = Zeroizing::new(cipher.to_vec());
        let plain = self
            .cipher
            .open_in_place(nonce, Aad::from(context(row)), &mut plain)
            .ok()?;
        let (batch, rest) = envelope::unpack(PayloadType::Batch, plain)?;
        let (receipt, rest) = envelope::unpack(PayloadType::Receipt, rest)?;
        rest.is_empty().then_some((batch, receipt))
    }
}

impl fmt::Debug for WeekKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WeekKey({})", self.week)
    }
}

/// Everything of a row but its ciphertext, each field of fixed length but the last.
fn context(row: &JournalRow) -> Vec<u8> {
    let mut bytes = row.week.monday().number().to_be_bytes().to_vec();
    bytes.extend_from_slice(&row.home.0);
    bytes.extend_from_slice(&row.batch.0);
    bytes.extend_from_slice(row.payload_hash.as_bytes());
    // Two zero bytes are no country.
    let (country, network) = row.origin.as_ref().map_or((&[0; 2][..], 0), |origin| {
        (origin.country.as_str().as_bytes(), origin.network.0)
    });
    bytes.extend_from_slice(country);
    bytes.extend_from_slice(&network.to_be_bytes());
    if row.is_on_probation {
        bytes.push(1);
    }
    bytes
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    let mac = parts.iter().fold(mac, |mac, part| mac.chain_update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::network::Asn;
    use phonehome_proto::net::Country;
    use phonehome_proto::seal::SigningKey;

    fn row(key: &WeekKey) -> (JournalRow, SealedBatch, SealedBatch) {
        let signer = SigningKey::from_seed(&[1; 32]);
        let batch = SealedBatch::seal(PayloadType::Batch, b"a day".to_vec(), &signer);
        let receipt = SealedBatch::seal(PayloadType::Receipt, b"held".to_vec(), &signer);
        let country = Country::parse("DE").expect("a country");
        let origin = Some(Origin {
            country,
            network: Asn(64_496),
        });
        let ids = (HomeId::new([2; 32]), BatchId::new([3; 16]));
        let hash = Hash::of(&batch.payload);
        (
            key.seal(
                ids,
                (origin, false),
                (&batch, hash),
                &receipt,
                [9; NONCE_LEN],
            ),
            batch,
            receipt,
        )
    }

    fn key(week: &str, secret: u8) -> WeekKey {
        WeekKey::new(week.parse().expect("a week"), Zeroizing::new([secret; 32]))
    }

    #[test]
    fn a_row_opens_with_its_key_and_unaltered_only() {
        let week = key("2026-W46", 5);
        let (row, batch, receipt) = row(&week);
        assert_eq!(week.open(&row), Some((batch, receipt)));
        assert_eq!(key("2026-W46", 6).open(&row), None);
        let altered = |change: fn(&mut JournalRow)| {
            let mut row = row.clone();
            change(&mut row);
            week.open(&row)
        };
        assert_eq!(altered(|row| row.sealed[NONCE_LEN] ^= 1), None);
        assert_eq!(altered(|row| row.sealed.truncate(NONCE_LEN - 1)), None);
        assert_eq!(altered(|row| row.home.0[0] ^= 1), None);
        assert_eq!(altered(|row| row.batch.0[0] ^= 1), None);
        assert_eq!(altered(|row| row.payload_hash = Hash::of(b"")), None);
        assert_eq!(altered(|row| row.origin = None), None);
        assert_eq!(altered(|row| row.is_on_probation = true), None);
        assert_eq!(altered(|row| row.week = row.week.next()), None);
    }

    #[test]
    fn a_row_holds_nothing_in_clear() {
        let (row, ..) = row(&key("2026-W46", 5));
        let shows = |secret: &[u8]| {
            row.sealed
                .windows(secret.len())
                .any(|bytes| bytes == secret)
        };
        assert!(!shows(b"a day") && !shows(&[2; 8]) && !shows(&[3; 8]));
        assert!(row.home.0 != [2; 32] && row.home.0 != *Hash::of(&[2; 32]).as_bytes());
    }

    #[test]
    fn tokens_of_two_weeks_are_unrelated() {
        let home = HomeId::new([2; 32]);
        assert_ne!(
            key("2026-W46", 5).home_token(home),
            key("2026-W46", 6).home_token(home)
        );
        assert_ne!(key("2026-W46", 5).check(), key("2026-W46", 6).check());
    }
}
