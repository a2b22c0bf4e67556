//! The keys whose signature is this home's own.
//!
//! A home signs with one key at a time. It may have had others: what they signed, batches in the
//! spool and the consent, is never signed again and stays ours. Only public halves are kept of them.

use phonehome_proto::id::HomeId;
use phonehome_proto::seal::{PayloadType, SealBroken, SealedBatch, VerifyingKey};

/// A home's keys, by their public halves, and the identifier that outlives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OurKeys {
    id: HomeId,
    current: VerifyingKey,
    next: Option<VerifyingKey>,
    former: Vec<VerifyingKey>,
}

impl OurKeys {
    /// The keys of the home `id`: the one its collector knows, the one that follows, if a rotation is
    /// under way, and those it had before.
    #[must_use]
    pub const fn new(
        id: HomeId,
        (current, next): (VerifyingKey, Option<VerifyingKey>),
        former: Vec<VerifyingKey>,
    ) -> Self {
        Self {
            id,
            current,
            next,
            former,
        }
    }

    /// What the home is called on the wire: SHA-256 of the first key it enrolled.
    #[must_use]
    pub const fn id(&self) -> HomeId {
        self.id
    }

    /// The key the collector knows the home by.
    #[must_use]
    pub const fn current(&self) -> VerifyingKey {
        self.current
    }

    /// The payload of an envelope of type `expected`, if one of our keys signed exactly these bytes.
    ///
    /// # Errors
    /// [`SealBroken`] says what does not fit; the payload stays closed.
    pub fn open<'a>(
        &self,
        sealed: &'a SealedBatch,
        expected: PayloadType,
    ) -> Result<&'a [u8], SealBroken> {
        let mut ours = std::iter::once(&self.current)
            .chain(&self.next)
            .chain(&self.former);
        let key = ours
            .find(|key| sealed.public_key == key.as_bytes())
            .ok_or(SealBroken::OtherKey)?;
        sealed.open(expected, key)
    }

    /// Whether an envelope names a key that was replaced. Says nothing about its signature.
    #[must_use]
    pub fn is_former(&self, sealed: &SealedBatch) -> bool {
        let mut former = self.former.iter();
        former.any(|key| sealed.public_key == key.as_bytes())
    }
}

impl From<VerifyingKey> for OurKeys {
    /// A home that never had another key.
    fn from(key: VerifyingKey) -> Self {
        Self::new(key.home(), (key, None), Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::seal::SigningKey;

    #[test]
    fn what_any_of_our_keys_signed_is_ours_and_nothing_else() {
        let key = |seed| SigningKey::from_seed(&[seed; 32]);
        let first = key(1).public();
        let ours = OurKeys::new(
            first.home(),
            (key(2).public(), Some(key(4).public())),
            vec![first],
        );
        let sealed = |seed| SealedBatch::seal(PayloadType::Batch, b"day".to_vec(), &key(seed));
        for seed in [1, 2, 4] {
            let sealed = sealed(seed);
            assert_eq!(ours.open(&sealed, PayloadType::Batch), Ok(&b"day"[..]));
            let other = ours.open(&sealed, PayloadType::Enrol);
            assert_eq!(other, Err(SealBroken::OtherType));
        }
        assert!(ours.is_former(&sealed(1)) && !ours.is_former(&sealed(4)));
        let theirs = ours.open(&sealed(3), PayloadType::Batch).err();
        assert_eq!(theirs, Some(SealBroken::OtherKey));
        let mut altered = sealed(1);
        altered.payload[0] ^= 1;
        let altered = ours.open(&altered, PayloadType::Batch).err();
        assert_eq!(altered, Some(SealBroken::BadSignature));
        assert_eq!((ours.id(), ours.current()), (first.home(), key(2).public()));
    }
}
