//! A host name, checked once.
//!
//! Takes bytes from the network, gives a [`ServerName`]: lower-case letters, digits, hyphens and
//! underscores in labels of 1 to 63 bytes, 253 bytes in all (RFC 1035, section 2.3.4), no dot at the
//! end. Names of one label are names. An IPv4 address written as text passes too, because clients
//! do send it where a name belongs (RFC 6066, section 3, forbids it) and what they sent is reported
//! as it stood; [`ServerName::is_address`] tells.

use std::fmt;
use std::net::Ipv4Addr;

/// A host name in lower case, without a dot at the end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName(Box<str>);

// === impl ServerName ===

impl ServerName {
    /// The longest name, in bytes.
    pub const BYTES_MAX: usize = 253;
    /// The longest label of a name, in bytes.
    pub const LABEL_BYTES_MAX: usize = 63;

    /// The name these bytes spell; `None` when they spell none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_suffix(b".").unwrap_or(bytes);
        if bytes.len() > Self::BYTES_MAX {
            return None;
        }
        let mut label_bytes = 0;
        for byte in bytes {
            label_bytes = match byte {
                b'.' if label_bytes > 0 => 0,
                _ if IS_LETTER[usize::from(*byte)] && label_bytes < Self::LABEL_BYTES_MAX => {
                    label_bytes + 1
                }
                _ => return None,
            };
        }
        let text =
            String::from_utf8(bytes.to_ascii_lowercase()).expect("only ASCII letters passed");
        (label_bytes > 0).then(|| Self(text.into()))
    }

    /// The name.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an IPv4 address in the place of a name.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.0.parse::<Ipv4Addr>().is_ok()
    }
}

/// Which bytes labels are made of: asked for each byte of every name there is.
const IS_LETTER: [bool; 256] = {
    let mut is_letter = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        is_letter[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        byte += 1;
    }
    is_letter
};

impl AsRef<str> for ServerName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Option<String> {
        ServerName::parse(text.as_bytes()).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn names_are_lowered_and_lose_their_last_dot() {
        assert_eq!(
            parsed("WWW.Example.com.").as_deref(),
            Some("www.example.com")
        );
        assert_eq!(parsed("localhost").as_deref(), Some("localhost"));
        assert_eq!(
            parsed("_dns.r3---sn-x.example").as_deref(),
            Some("_dns.r3---sn-x.example")
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = vec!["a".repeat(63); 4].join(".");
        for text in [
            "",
            ".",
            "a..b",
            ".a",
            "a b",
            "[::1]",
            "::1",
            "a/b",
            "bücher.example",
            "a:80",
            "a\0",
        ]
        .into_iter()
        .chain([long_label.as_str(), long_name.as_str()])
        {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }

    #[test]
    fn lengths_are_allowed_up_to_the_limit() {
        let label = format!("{}.example", "a".repeat(63));
        assert_eq!(parsed(&label), Some(label));
        let name = format!("{}.{}", vec!["a".repeat(63); 3].join("."), "a".repeat(61));
        assert_eq!(name.len(), ServerName::BYTES_MAX);
        assert_eq!(parsed(&name), Some(name));
    }

    proptest! {
        /// The rule, label by label.
        #[test]
        fn what_is_a_name_is_made_of_labels(text in "[aZ0_.é-]{0,8}|[a.]{55,70}|([a-z]{60}[.]){3}[a.]{65,75}") {
            let whole = text.strip_suffix('.').unwrap_or(&text);
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            let is_label = |label: &str| {
                (1..=63).contains(&label.len()) && label.bytes().all(is_letter)
            };
            let is_name = whole.len() <= 253 && whole.split('.').all(is_label);
            prop_assert_eq!(parsed(&text), is_name.then(|| whole.to_ascii_lowercase()));
        }
    }

    #[test]
    fn addresses_are_told_from_names() {
        let is_address = |text: &str| ServerName::parse(text.as_bytes()).map(|n| n.is_address());
        assert_eq!(is_address("192.0.2.1"), Some(true));
        assert_eq!(is_address("1.2.3.4.example"), Some(false));
    }
}
