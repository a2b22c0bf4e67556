//! Encrypted Client Hello, as far as it can be seen from outside (RFC 9849).
//!
//! A hello with the ECH extension and a server name says one of two things: the name is real and the
//! extension is GREASE, or the name is a front. From outside they differ only by what is known of
//! the name: it stands on the list of public names, or in an `ech=` parameter that a client was
//! given by DNS. [`public_names`] reads the latter.

use super::ServerName;
use super::cursor::Cursor;

/// Whether a name is on the compiled-in list of outer names.
#[must_use]
pub fn is_public_name(name: &ServerName) -> bool {
    listed().any(|listed| listed == name.as_str())
}

/// The outer names in an ECHConfigList (RFC 9849, section 4), the value of the `ech` parameter of an
/// HTTPS or SVCB record. Configurations of other versions are passed over; broken ones end it.
pub fn public_names(config_list: &[u8]) -> impl Iterator<Item = ServerName> {
    let configs = Cursor::new(config_list).vec16().unwrap_or(&[]);
    let mut cursor = Cursor::new(configs);
    std::iter::from_fn(move || Some((cursor.u16()?, cursor.vec16()?)))
        .filter(|(version, _)| *version == CONFIG_VERSION)
        .filter_map(|(_, contents)| public_name(contents))
}

/// The outer name in the contents of one configuration.
fn public_name(contents: &[u8]) -> Option<ServerName> {
    let mut cursor = Cursor::new(contents);
    let (_config_id, _kem_id) = (cursor.u8()?, cursor.u16()?);
    let (_public_key, _cipher_suites) = (cursor.vec16()?, cursor.vec16()?);
    let _name_bytes_max = cursor.u8()?;
    ServerName::parse(cursor.vec8()?)
}

fn listed() -> impl Iterator<Item = &'static str> {
    PUBLIC_NAMES
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

const CONFIG_VERSION: u16 = 0xfe0d;
const PUBLIC_NAMES: &str = include_str!("../../data/ech-public-names.txt");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_a_name_in_its_final_form() {
        assert!(listed().count() > 0);
        for line in listed() {
            let name = ServerName::parse(line.as_bytes()).expect("a host name");
            assert_eq!(name.as_str(), line);
            assert!(is_public_name(&name));
        }
        let other = ServerName::parse(b"www.example.com").expect("a host name");
        assert!(!is_public_name(&other));
    }

    /// As one content network published it in 2024.
    const CONFIG_LIST: [u8; 71] = *b"\x00\x45\xfe\x0d\x00\x41\xf2\x00\x20\x00\x20\xc2\x21\xa5\x37\
        \x3f\xab\xf3\xeb\xaf\x09\xda\x84\x51\x66\xda\x6d\x48\x4c\x07\xfb\x52\x17\xf3\xfd\xd3\x38\
        \x0a\xc4\xc7\x4b\x51\x2c\x00\x04\x00\x01\x00\x01\x00\x12cloudflare-ech.com\x00\x00";

    fn names(config_list: &[u8]) -> Vec<String> {
        public_names(config_list)
            .map(|name| name.to_string())
            .collect()
    }

    #[test]
    fn outer_names_are_read_from_dns() {
        assert_eq!(names(&CONFIG_LIST), ["cloudflare-ech.com"]);
        let mut two = CONFIG_LIST.to_vec();
        two.extend_from_slice(&CONFIG_LIST[2..]);
        two[1] *= 2;
        assert_eq!(names(&two).len(), 2);
        // Another version in front is passed over.
        two[3] ^= 1;
        assert_eq!(names(&two).len(), 1);
    }

    #[test]
    fn broken_lists_name_nobody() {
        for length in 0..CONFIG_LIST.len() {
            assert!(names(&CONFIG_LIST[..length]).is_empty(), "cut at {length}");
        }
    }
}
