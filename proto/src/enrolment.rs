//! Enrolment: how a home joins, and the invite that lets it.

use crate::id::{Audience, Hash, from_hex, to_hex};
use crate::seal::VerifyingKey;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A home's signed wish to take part; the key that signs it becomes the home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// The collector it is meant for.
    pub audience: Audience,
    /// SHA-256 of the invite's token; of nothing where there is none.
    pub invite_hash: Hash,
    /// SHA-256 of the sealed consent's payload.
    pub consent_hash: Hash,
}

/// An invite: where the collector is, its key, and a token that lets homes in.
///
/// Written `phonehome://HOST:PORT/#KEY.TOKEN`. Without a token, `phonehome://HOST:PORT/#KEY`, it is for
/// everybody: what becomes of a home that comes with it is said in the collector's manifest. The part
/// behind `#` never goes over the network as part of an address.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// `HOST:PORT`.
    pub authority: String,
    /// The collector's key: it signs the rules, and its TLS certificate carries it.
    pub collector_key: VerifyingKey,
    /// 16 random bytes; `None` in one for everybody.
    pub token: Option<[u8; 16]>,
}

/// A text that is no invite.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "this is not an invite: one reads phonehome://HOST:PORT/#KEY.TOKEN, or, for everybody, without .TOKEN"
)]
pub struct NotAnInvite;

impl Invite {
    /// The token's bytes; none in one for everybody.
    #[must_use]
    pub fn token_bytes(&self) -> &[u8] {
        self.token.as_ref().map_or(&[], |token| token)
    }

    /// What an enrolment says of the token, and all that the registry keeps of it.
    #[must_use]
    pub fn token_hash(&self) -> Hash {
        Hash::of(self.token_bytes())
    }
}

impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = to_hex(self.collector_key.as_bytes());
        write!(f, "phonehome://{}/#{key}", self.authority)?;
        match &self.token {
            Some(token) => write!(f, ".{}", to_hex(token)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invite(..)")
    }
}

impl FromStr for Invite {
    type Err = NotAnInvite;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text
            .trim()
            .strip_prefix("phonehome://")
            .ok_or(NotAnInvite)?;
        let (authority, secret) = rest.split_once("/#").ok_or(NotAnInvite)?;
        let (host, port) = authority.rsplit_once(':').ok_or(NotAnInvite)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-.[]:".contains(c);
        if host.is_empty() || !host.chars().all(plain) || !port.parse::<u16>().is_ok_and(|p| p > 0)
        {
            return Err(NotAnInvite);
        }
        let (key, token) = match secret.split_once('.') {
            Some((key, token)) => {
                let token = from_hex(token).and_then(|token| token.try_into().ok());
                (key, Some(token.ok_or(NotAnInvite)?))
            }
            None => (secret, None),
        };
        let key = from_hex(key).ok_or(NotAnInvite)?;
        Ok(Self {
            authority: authority.to_owned(),
            collector_key: VerifyingKey::from_bytes(&key).map_err(|_| NotAnInvite)?,
            token,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::SigningKey;

    #[test]
    fn an_invite_reads_as_it_is_written() {
        let invite = Invite {
            authority: "[2001:db8::1]:4317".to_owned(),
            collector_key: SigningKey::from_seed(&[1; 32]).public(),
            token: Some([9; 16]),
        };
        assert_eq!(invite.to_string().parse(), Ok(invite.clone()));
        let for_everybody = Invite {
            token: None,
            ..invite.clone()
        };
        let text = for_everybody.to_string();
        assert_eq!(text.len(), "phonehome://[2001:db8::1]:4317/#".len() + 64);
        assert_eq!(text.parse(), Ok(for_everybody));
        assert_eq!(format!("{text}.").parse::<Invite>(), Err(NotAnInvite));
        let text = invite.to_string();
        for wrong in [
            "",
            "https://a:1/",
            &text[1..],
            &text[..text.len() - 1],
            &text.replace("4317", "0"),
        ] {
            assert_eq!(wrong.parse::<Invite>(), Err(NotAnInvite), "{wrong}");
        }
    }
}
