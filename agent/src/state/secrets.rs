//! What only this home knows: its key, and the secret its device tags are made with.
//!
//! A key can be replaced. From the moment a rotation is signed until the collector has confirmed it
//! there are two: `home.key`, and `home.key.next`, written before the collector hears of it. New
//! batches are signed with the next one, so that none is signed with a key the collector may have
//! retired already; should the answer be lost, repeating the rotation settles it. Of keys that were
//! replaced the public halves are kept, because what they signed stays ours.

use super::{Claim, State, StateError};
use crate::seal::OurKeys;
use phonehome_proto::chance::Chance;
use phonehome_proto::id::{from_hex, to_hex};
use phonehome_proto::seal::{SigningKey, VerifyingKey};
use std::fmt;
use zeroize::Zeroizing;

/// A home's secrets.
#[derive(Debug)]
pub struct Keys {
    /// Signs new batches.
    pub home: SigningKey,
    /// Every key of this home, by its public half, and what the home is called.
    pub ours: OurKeys,
    /// Makes device tags; means nothing outside the home.
    pub local: LocalSecret,
}

/// 32 random bytes. Wiped from memory when dropped; prints nothing.
pub struct LocalSecret(Zeroizing<[u8; 32]>);

/// Keys a home had before that are remembered: far more than a spool holds batches of. The one that
/// signed the consent is remembered beside them.
const FORMER_KEYS_MAX: usize = 16;

pub(super) const HOME_KEY: &str = "home.key";
pub(super) const NEXT_KEY: &str = "home.key.next";
pub(super) const FORMER_KEYS: &str = "home.former";
pub(super) const LOCAL_SECRET: &str = "local.secret";

impl LocalSecret {
    /// The secret with these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for an HMAC and nothing else.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LocalSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalSecret(..)")
    }
}

impl State {
    /// The home's key, if there is one yet: the one its collector knows it by.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn home_key(&self) -> Result<Option<SigningKey>, StateError> {
        self.signing_key(HOME_KEY)
    }

    /// The key of a rotation that was begun, while nobody knows whether the collector took it.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn next_key(&self) -> Result<Option<SigningKey>, StateError> {
        self.signing_key(NEXT_KEY)
    }

    /// Every key of this home, by its public half; `None` before there is one.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn our_keys(&self) -> Result<Option<OurKeys>, StateError> {
        let Some(current) = self.home_key()?.map(|key| key.public()) else {
            return Ok(None);
        };
        let next = self.next_key()?.map(|key| key.public());
        // The identifier is that of the first key a collector took, which only its receipt remembers.
        let enrolled = self.enrolled()?.and_then(|enrolled| enrolled.home());
        let id = enrolled.unwrap_or_else(|| current.home());
        let former = self.former_keys()?;
        Ok(Some(OurKeys::new(id, (current, next), former)))
    }

    /// The home's secrets; the first to ask makes them.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn keys(&self, chance: &mut dyn Chance) -> Result<Keys, StateError> {
        match self.known_keys()? {
            Some(keys) => Ok(keys),
            None => self.claim()?.keys(chance),
        }
    }

    /// The home's secrets, if they were made already; makes none.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn known_keys(&self) -> Result<Option<Keys>, StateError> {
        let (home, ours) = (self.home_key()?, self.our_keys()?);
        let (next, local) = (self.next_key()?, self.secret(LOCAL_SECRET)?);
        Ok(match (next.or(home), ours, local) {
            (Some(home), Some(ours), Some(local)) => Some(Keys {
                home,
                ours,
                local: LocalSecret(local),
            }),
            _ => None,
        })
    }

    /// The public halves of the keys it had before, oldest first.
    fn former_keys(&self) -> Result<Vec<VerifyingKey>, StateError> {
        let bytes = self.read(FORMER_KEYS)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let keys = text.lines().enumerate().map(|(at, digits)| {
            let key = from_hex(digits).and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
            key.ok_or_else(|| self.damaged(FORMER_KEYS, at + 1, "it is no public key"))
        });
        keys.collect()
    }

    fn signing_key(&self, name: &str) -> Result<Option<SigningKey>, StateError> {
        let seed = self.secret(name)?;
        Ok(seed.map(|seed| SigningKey::from_seed(&seed)))
    }

    fn secret(&self, name: &str) -> Result<Option<Zeroizing<[u8; 32]>>, StateError> {
        let Some(bytes) = self.read(name)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        let digits = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.strip_suffix('\n'));
        let secret = digits
            .and_then(from_hex)
            .and_then(|bytes| bytes.try_into().ok());
        secret
            .map(|secret| Some(Zeroizing::new(secret)))
            .ok_or_else(|| self.damaged(name, 1, "it is not 64 hexadecimal digits and a line end"))
    }
}

impl Claim {
    /// The home's secrets; those that are not there yet are made.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn keys(&self, chance: &mut dyn Chance) -> Result<Keys, StateError> {
        for name in [HOME_KEY, LOCAL_SECRET] {
            self.make_secret(name, chance)?;
        }
        if self.state.enrolled()?.is_none() {
            // Nobody needs to be told of the next key: it is the home's at once.
            self.finish_rotation()?;
        }
        Ok(self.state.known_keys()?.expect("both were made"))
    }

    /// The key the home is to have next: that of a rotation begun before, or a new one, on the disk
    /// when this returns.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn begin_rotation(&self, chance: &mut dyn Chance) -> Result<SigningKey, StateError> {
        self.make_secret(NEXT_KEY, chance)?;
        Ok(self.state.next_key()?.expect("it was just made"))
    }

    /// Makes the next key the home's key, if there is one. A crash within leaves the rotation begun,
    /// and it can be finished again.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn finish_rotation(&self) -> Result<(), StateError> {
        let state = &self.state;
        let (Some(current), Some(_)) = (state.home_key()?, state.next_key()?) else {
            return Ok(());
        };
        let mut former = state.former_keys()?;
        former.retain(|key| *key != current.public());
        former.push(current.public());
        let signed_consent = state.consent()?.map(|record| record.public_key);
        let surplus = former.len().saturating_sub(FORMER_KEYS_MAX);
        let kept = former.iter().enumerate().filter(|(at, key)| {
            *at >= surplus || signed_consent.as_deref() == Some(&key.as_bytes()[..])
        });
        let lines: String = kept.map(|(_, key)| to_hex(key.as_bytes()) + "\n").collect();
        self.write(FORMER_KEYS, lines.as_bytes())?;
        self.rename(NEXT_KEY, HOME_KEY)
    }

    /// Gives up a rotation that will never be taken.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn drop_rotation(&self) -> Result<(), StateError> {
        self.remove(NEXT_KEY)
    }

    fn make_secret(&self, name: &str, chance: &mut dyn Chance) -> Result<(), StateError> {
        if self.state.secret(name)?.is_none() {
            let mut secret = Zeroizing::new([0; 32]);
            chance.fill(&mut *secret);
            let digits = Zeroizing::new(to_hex(&*secret) + "\n");
            self.write(name, digits.as_bytes())?;
        }
        Ok(())
    }
}
