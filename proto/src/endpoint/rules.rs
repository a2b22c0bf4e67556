//! What may stand on an endpoint list, whoever makes it.
//!
//! The build compiles this module too and holds `data/endpoints.toml` to it; a list that is loaded later
//! is held to it when it is read. So a signature buys nothing that the build would have refused. Pure,
//! and needs nothing but the names it is given.

use std::collections::HashSet;
use std::fmt;

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has an upper-case letter.
    UpperCase,
    /// It has a dot at the end.
    DotAtEnd,
    /// It is no host name.
    NotAHost,
    /// Everybody below a registry would be counted as one owner's.
    PublicSuffix,
    /// Whoever contacts it tells more than which phone they hold.
    Sensitive,
    /// Nobody by this id is known.
    UnknownOwner,
    /// It could be anybody's.
    OutsideOwner,
    /// There is no such class.
    UnknownClass,
    /// A vendor's own class, of somebody who makes no phones.
    NotAVendors,
    /// There is no such content network.
    UnknownEdge,
    /// Ids begin at 1 and fit two bytes.
    NotAnId,
    /// Another row has the id.
    IdTwice,
    /// Another row has the pattern.
    PatternTwice,
}

/// Whose a row says it is.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The registrable domains of the owner, and suffixes that are its own.
    pub domains: &'a [&'a str],
    /// Whether the owner makes phones.
    pub is_vendor: bool,
}

/// The ids and patterns of a list so far.
#[derive(Debug, Default)]
pub struct Seen {
    ids: HashSet<u32>,
    patterns: HashSet<String>,
}

/// Words that make a name sensitive, wherever one stands between dots and hyphens of the name, or
/// begins or ends one of its labels: whoever contacts it tells more than which phone they hold.
const SENSITIVE: [&str; 30] = [
    "health",
    "medic",
    "clinic",
    "pharma",
    "fitness",
    "pregnan",
    "wallet",
    "pay",
    "payment",
    "bank",
    "finance",
    "credit",
    "loan",
    "insurance",
    "invest",
    "dating",
    "porn",
    "adult",
    "sex",
    "gay",
    "church",
    "islam",
    "bible",
    "religion",
    "politic",
    "election",
    "union",
    "search",
    "addiction",
    "casino",
];

impl Seen {
    /// Notes a row, or says which of its parts another has.
    ///
    /// # Errors
    /// [`Fault::NotAnId`], [`Fault::IdTwice`], [`Fault::PatternTwice`].
    pub fn take(&mut self, id: u32, pattern: &str) -> Result<(), Fault> {
        if id == 0 || id > u32::from(u16::MAX) {
            return Err(Fault::NotAnId);
        }
        if !self.ids.insert(id) {
            return Err(Fault::IdTwice);
        }
        if !self.patterns.insert(pattern.to_owned()) {
            return Err(Fault::PatternTwice);
        }
        Ok(())
    }
}

/// Holds a row to the rules. `class_is_vendors_own` says whether its class is one of a vendor's own
/// services; `is_public_suffix` whether a name is one below which anybody may register.
///
/// # Errors
/// The first [`Fault`].
pub fn check_row(
    pattern: &str,
    claim: Option<Claim<'_>>,
    class_is_vendors_own: bool,
    is_public_suffix: &dyn Fn(&str) -> bool,
) -> Result<(), Fault> {
    let host = host_of(pattern);
    check_host(host)?;
    if is_public_suffix(host) {
        return Err(Fault::PublicSuffix);
    }
    if is_sensitive(host) {
        return Err(Fault::Sensitive);
    }
    let claim = claim.ok_or(Fault::UnknownOwner)?;
    if front(host, claim.domains.iter().copied()).is_none() {
        return Err(Fault::OutsideOwner);
    }
    if class_is_vendors_own && !claim.is_vendor {
        return Err(Fault::NotAVendors);
    }
    Ok(())
}

/// The host name, or the domain, that a pattern is about.
pub fn host_of(pattern: &str) -> &str {
    pattern.strip_prefix("*.").unwrap_or(pattern)
}

/// Whether this is a host name: lower case, two labels at least, no dot at the end (RFC 1035, section
/// 2.3.4, and RFC 1123, section 2.1).
///
/// # Errors
/// [`Fault::UpperCase`], [`Fault::DotAtEnd`], [`Fault::NotAHost`].
pub fn check_host(host: &str) -> Result<(), Fault> {
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(Fault::UpperCase);
    }
    if host.ends_with('.') {
        return Err(Fault::DotAtEnd);
    }
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if host.len() > 253 || !host.contains('.') || !host.split('.').all(label_fits) {
        return Err(Fault::NotAHost);
    }
    Ok(())
}

/// What stands in front of the one of `domains` that `host` is or lies below: `sa.api.intl.`.
pub fn front<'h, 'd>(host: &'h str, mut domains: impl Iterator<Item = &'d str>) -> Option<&'h str> {
    domains.find_map(|domain| {
        host.strip_suffix(domain)
            .filter(|front| front.is_empty() || front.ends_with('.'))
    })
}

fn is_sensitive(host: &str) -> bool {
    host.split(['.', '-']).any(|part| {
        SENSITIVE.iter().any(|word| {
            part == *word || word.len() > 3 && (part.starts_with(word) || part.ends_with(word))
        })
    })
}

impl Fault {
    /// In words.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::UpperCase => "host names are written in lower case",
            Self::DotAtEnd => "host names are written without a dot at the end",
            Self::NotAHost => "this is not a host name",
            Self::PublicSuffix => "the pattern covers a public suffix",
            Self::Sensitive => "a sensitive endpoint must not be on the list",
            Self::UnknownOwner => "the owner is neither a vendor nor an owner that is known",
            Self::OutsideOwner => "the pattern lies outside its owner's domains",
            Self::UnknownClass => {
                "class is none of core, telemetry, platform, analytics, advertising"
            }
            Self::NotAVendors => "core and telemetry endpoints belong to a vendor",
            Self::UnknownEdge => "the edge is none that is known",
            Self::NotAnId => "an id lies between 1 and 65,535",
            Self::IdTwice => "this id stands twice",
            Self::PatternTwice => "this pattern stands twice",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}
