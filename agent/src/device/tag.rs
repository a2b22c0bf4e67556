//! A device's local tag: 8 hexadecimal digits that mean nothing outside one state folder.

use crate::packet::MacAddr;
use ring::hmac;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use thiserror::Error;

/// The first four bytes of HMAC-SHA256(local secret, device): the same device has the same tag as
/// long as the secret lives, and nobody without the secret can tell which device it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceTag([u8; 4]);

/// A text that is no tag.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a device's tag is 8 lower-case hexadecimal digits")]
pub struct NotATag;

/// Makes tags under one secret.
pub(super) struct Tagger(hmac::Key);

// === impl Tagger ===

impl Tagger {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    pub(super) fn of_mac(&self, mac: MacAddr) -> DeviceTag {
        self.tag(b"mac", &mac.octets())
    }

    pub(super) fn of_address(&self, vlan: Option<u16>, address: IpAddr) -> DeviceTag {
        let mut bytes = [0; 18];
        bytes[..2].copy_from_slice(&vlan.unwrap_or(0).to_be_bytes());
        match address {
            IpAddr::V4(v4) => bytes[2..].copy_from_slice(&v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => bytes[2..].copy_from_slice(&v6.octets()),
        }
        self.tag(b"address", &bytes)
    }

    /// A number for hash tables that nobody without the secret can foresee.
    pub(super) fn seed(&self) -> u64 {
        let digest = hmac::sign(&self.0, b"seed");
        let first = digest.as_ref().first_chunk();
        u64::from_be_bytes(*first.expect("SHA-256 gives 32 bytes"))
    }

    /// `kind` keeps a MAC address and an IP address of the same bytes apart.
    fn tag(&self, kind: &[u8], device: &[u8]) -> DeviceTag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(kind);
        context.update(device);
        let digest = context.sign();
        DeviceTag(
            *digest
                .as_ref()
                .first_chunk()
                .expect("SHA-256 gives 32 bytes"),
        )
    }
}

// === impl DeviceTag ===

impl fmt::Display for DeviceTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for DeviceTag {
    /// Tags stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceTag(..)")
    }
}

impl FromStr for DeviceTag {
    type Err = NotATag;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 8 || !text.bytes().all(is_hex) {
            return Err(NotATag);
        }
        u32::from_str_radix(text, 16)
            .map(|tag| Self(tag.to_be_bytes()))
            .map_err(|_| NotATag)
    }
}
