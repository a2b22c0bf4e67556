//! `data/release-keys.toml` -> the keys that may sign a later endpoint list.
//!
//! A row that is no key, or stands twice, fails the build with its line. Whether its 32 bytes are a
//! point of the curve is a test's to say: the build knows no cryptography.

use crate::rows::Text;
use serde::Deserialize;
use std::collections::HashSet;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    keys: Vec<Spanned<String>>,
}

/// The keys, in the order of the file.
pub(crate) fn read(text: &str) -> Result<Vec<[u8; 32]>, String> {
    let file: File = toml::from_str(text).map_err(|e| format!("data/release-keys.toml: {e}"))?;
    let at = Text {
        file: "data/release-keys.toml",
        text,
    };
    let mut seen = HashSet::new();
    let mut keys = Vec::new();
    for row in &file.keys {
        let key = bytes(row.get_ref())
            .ok_or_else(|| at.refuse(row, "a key is 64 lower-case hexadecimal digits"))?;
        if !seen.insert(key) {
            return Err(at.refuse(row, "this key stands twice"));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn bytes(digits: &str) -> Option<[u8; 32]> {
    let is_digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    if digits.len() != 64 || !digits.bytes().all(is_digit) {
        return None;
    }
    let mut key = [0; 32];
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(key)
}

pub(crate) fn render(keys: &[[u8; 32]]) -> String {
    format!("static RELEASE_KEYS: &[[u8; 32]] = &{keys:?};\n")
}
