//! Looking for secrets where they must not be: raw, reversed, as hex, as base64.
//!
//! Takes what a home wants kept and a heap of bytes, gives every place where one occurs in any of
//! these forms. One pass over the bytes, however many secrets.

use crate::traffic::home::Secret;
use std::collections::HashMap;

/// Secrets, ready to be looked for.
#[derive(Debug)]
pub struct Search {
    /// By their first bytes.
    needles: HashMap<[u8; PREFIX_BYTES], Vec<Needle>>,
}

#[derive(Debug)]
struct Needle {
    secret: usize,
    kind: &'static str,
    form: &'static str,
    bytes: Vec<u8>,
}

/// A secret that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Which of the secrets, by its place among them.
    pub secret: usize,
    /// What it is.
    pub kind: &'static str,
    /// How it was written.
    pub form: &'static str,
    /// At which byte.
    pub at: usize,
}

/// No form is shorter; an IPv4 address has four bytes.
const PREFIX_BYTES: usize = 4;

impl Search {
    /// Everything to look for.
    ///
    /// # Panics
    /// When a secret is shorter than four bytes: it would be found anywhere.
    #[must_use]
    pub fn new(secrets: &[Secret]) -> Self {
        let mut needles: HashMap<_, Vec<Needle>> = HashMap::new();
        for (number, secret) in secrets.iter().enumerate() {
            for (form, bytes) in forms(&secret.bytes) {
                let prefix = *bytes
                    .first_chunk()
                    .expect("a secret has four bytes or more");
                let needle = Needle {
                    secret: number,
                    kind: secret.kind,
                    form,
                    bytes,
                };
                needles.entry(prefix).or_default().push(needle);
            }
        }
        Self { needles }
    }

    /// Every secret in `bytes`.
    #[must_use]
    pub fn in_bytes(&self, bytes: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        for at in 0..bytes.len() {
            let Some(prefix) = bytes[at..].first_chunk::<PREFIX_BYTES>() else {
                break;
            };
            for needle in self.needles.get(prefix).into_iter().flatten() {
                if bytes[at..].starts_with(&needle.bytes) {
                    let Needle {
                        secret, kind, form, ..
                    } = *needle;
                    found.push(Found {
                        secret,
                        kind,
                        form,
                        at,
                    });
                }
            }
        }
        found
    }
}

/// The ways a secret could be written.
fn forms(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let reversed: Vec<u8> = secret.iter().rev().copied().collect();
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let mut forms = vec![
        ("hex", hex(secret).into_bytes()),
        ("hex", hex(secret).to_uppercase().into_bytes()),
        ("hex of the reversed", hex(&reversed).into_bytes()),
        ("raw", secret.to_vec()),
        ("reversed", reversed),
    ];
    for alphabet in [BASE64, BASE64_URL] {
        for before in 0..3 {
            let written = base64_core(secret, before, alphabet);
            // Less tells of too little of the secret.
            if written.len() > PREFIX_BYTES {
                forms.push(("base64", written));
            }
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

/// Those digits of base64 that depend on nothing but `secret`, when `before` bytes stand before it.
fn base64_core(secret: &[u8], before: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let padded = [&vec![0; before][..], secret].concat();
    let digit = |at: usize| {
        let bits = (0..6)
            .map(|bit| at * 6 + bit)
            .map(|bit| padded[bit / 8] >> (7 - bit % 8) & 1);
        alphabet[usize::from(bits.fold(0, |value, bit| value << 1 | bit))]
    };
    let (first, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
    (first..end).map(digit).collect()
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found_and_nothing_else() {
        let secret = Secret {
            kind: "name",
            bytes: b"work-laptop-17".to_vec(),
        };
        let search = Search::new(std::slice::from_ref(&secret));
        // Base64 as `base64(1)` writes it, at all three alignments.
        for written in [
            "xx work-laptop-17 yy",
            "71-potpal-krow",
            "id=776f726b2d6c6170746f702d3137",
            "776F726B2D6C6170746F702D3137",
            "d29yay1sYXB0b3AtMTc=",
            "eHdvcmstbGFwdG9wLTE3",
            "eHh3b3JrLWxhcHRvcC0xNw==",
        ] {
            assert_eq!(search.in_bytes(written.as_bytes()).len(), 1, "{written}");
        }
        assert_eq!(search.in_bytes(b"work-laptop-1 and work-laptop-27"), []);
    }
}
