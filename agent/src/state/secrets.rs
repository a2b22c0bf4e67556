//! What only this home knows: its key, and the secret its device tags are made with.

use super::{Claim, State, StateError};
use phonehome_proto::chance::Chance;
use phonehome_proto::id::{from_hex, to_hex};
use phonehome_proto::seal::SigningKey;
use std::fmt;
use zeroize::Zeroizing;

/// A home's secrets.
#[derive(Debug)]
pub struct Keys {
    /// Signs what leaves; its public half is the home.
    pub home: SigningKey,
    /// Makes device tags; means nothing outside the home.
    pub local: LocalSecret,
}

/// 32 random bytes. Wiped from memory when dropped; prints nothing.
pub struct LocalSecret(Zeroizing<[u8; 32]>);

const HOME_KEY: &str = "home.key";
const LOCAL_SECRET: &str = "local.secret";

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
    /// The home's key, if there is one yet.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn home_key(&self) -> Result<Option<SigningKey>, StateError> {
        Ok(self
            .secret(HOME_KEY)?
            .map(|seed| SigningKey::from_seed(&seed)))
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

    fn known_keys(&self) -> Result<Option<Keys>, StateError> {
        let (home, local) = (self.home_key()?, self.secret(LOCAL_SECRET)?);
        Ok(home.zip(local).map(|(home, local)| Keys {
            home,
            local: LocalSecret(local),
        }))
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
            if self.state.secret(name)?.is_none() {
                let mut secret = Zeroizing::new([0; 32]);
                chance.fill(&mut *secret);
                let digits = Zeroizing::new(to_hex(&*secret) + "\n");
                self.write(name, digits.as_bytes())?;
            }
        }
        Ok(self.state.known_keys()?.expect("both were made"))
    }
}
