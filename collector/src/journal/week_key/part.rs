//! What a part of a week's homes added up to, under the week's key.
//!
//! A part concerns few homes, so it is no less theirs than their batches are, and dies with the same
//! key. Its nonce is made of what it says (as in SIV, RFC 5297): whoever works the part out again seals
//! the same bytes, no two texts share a nonce, and nobody has to be asked for chance. The cipher's key
//! is another than that of batches, whose nonces are random.

use super::{WeekKey, mac};
use phonehome_proto::id::Hash;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

const CIPHER_LABEL: &[u8] = b"phonehome week key cipher of parts";
const NONCE_LABEL: &[u8] = b"phonehome week key nonce of parts";
const _: () = assert!(CIPHER_LABEL.len() != 32 && CIPHER_LABEL.len() != 48);
// Longer than anything else that the key is asked about.
const _: () = assert!(NONCE_LABEL.len() + 64 > 48);

impl WeekKey {
    /// Seals what was found, for this context and no other.
    ///
    /// # Panics
    /// Never: the cipher refuses only what is beyond 256 GiB.
    #[must_use]
    pub fn seal_part(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        let hashes = [Hash::of(context), Hash::of(plain)];
        let drawn = mac(
            &self.secret,
            &[NONCE_LABEL, hashes[0].as_bytes(), hashes[1].as_bytes()],
        );
        let nonce: [u8; NONCE_LEN] = *drawn.first_chunk().expect("12 of 32");
        let mut bytes = Vec::with_capacity(NONCE_LEN + plain.len() + CHACHA20_POLY1305.tag_len());
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .part_cipher()
            .seal_in_place_separate_tag(nonce, Aad::from(context), &mut bytes[NONCE_LEN..])
            .expect("a part is far below the cipher's bound");
        bytes.extend_from_slice(tag.as_ref());
        bytes
    }

    /// What was sealed for this context; `None` if it was altered, or sealed for another or with
    /// another key.
    #[must_use]
    pub fn open_part(&self, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, cipher) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut plain = Zeroizing::new(cipher.to_vec());
        let length = self
            .part_cipher()
            .open_in_place(nonce, Aad::from(context), &mut plain)
            .ok()?
            .len();
        plain.truncate(length);
        Some(plain)
    }

    fn part_cipher(&self) -> LessSafeKey {
        let cipher = Zeroizing::new(mac(&self.secret, &[CIPHER_LABEL]));
        let cipher = UnboundKey::new(&CHACHA20_POLY1305, &*cipher).expect("32 bytes are a key");
        LessSafeKey::new(cipher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(week: &str, secret: u8) -> WeekKey {
        WeekKey::new(week.parse().expect("a week"), Zeroizing::new([secret; 32]))
    }

    #[test]
    fn a_part_opens_with_its_key_and_in_its_place_only() {
        let week = key("2026-W46", 5);
        let sealed = week.seal_part(b"part 1", b"three homes");
        let open = |key: &WeekKey, context: &[u8], sealed: &[u8]| {
            key.open_part(context, sealed).map(|plain| plain.to_vec())
        };
        assert_eq!(
            open(&week, b"part 1", &sealed).as_deref(),
            Some(&b"three homes"[..])
        );
        assert_eq!(open(&week, b"part 2", &sealed), None);
        assert_eq!(open(&key("2026-W46", 6), b"part 1", &sealed), None);
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(open(&week, b"part 1", &altered), None, "byte {at}");
            assert_eq!(open(&week, b"part 1", &sealed[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn a_part_worked_out_again_has_the_same_bytes_and_shows_none_of_its_own() {
        let week = key("2026-W46", 5);
        let sealed = week.seal_part(b"part 1", b"three homes");
        assert_eq!(week.seal_part(b"part 1", b"three homes"), sealed);
        assert!(!sealed.windows(5).any(|bytes| bytes == b"homes"));
        // Another text, or another place, has another nonce.
        for (context, plain) in [(b"part 1", b"three Homes"), (b"part 2", b"three homes")] {
            let other = week.seal_part(context, plain);
            assert_ne!(other[..NONCE_LEN], sealed[..NONCE_LEN]);
        }
    }
}
