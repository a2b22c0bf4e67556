//! The endpoint list: the only names that can leave a home, and they leave as numbers.
//!
//! Made at build time from `data/endpoints.toml` and trusted as the binary is. An [`EndpointId`] is
//! one row; there is no other way to get one. Ids are never reused.

use crate::net::Country;
use crate::vendor::Vendor;
use std::fmt;

/// One row of the list. Sorts by id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(u16);

/// What an endpoint is for. Each class is counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The vendor's own system services: updates, push, account.
    Core,
    /// The vendor's own measuring of its phones and their use.
    Telemetry,
    /// A platform's services, such as Google's on any Android phone.
    Platform,
    /// Third parties that measure.
    Analytics,
    /// Third parties that advertise.
    Advertising,
}

struct EndpointFacts {
    id: u16,
    pattern: &'static str,
    owner_vendor: Option<u8>,
    owner_name: &'static str,
    owner_country: [u8; 2],
    class: Class,
    edge: Option<&'static str>,
    region: Option<[u8; 2]>,
}

// ENDPOINT_LIST_VERSION; ENDPOINTS, sorted by id; HOSTS and DOMAINS, which lead from names to ids,
// sorted by name.
include!(concat!(env!("OUT_DIR"), "/endpoints.rs"));

impl EndpointId {
    /// Every endpoint, by id.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        ENDPOINTS.iter().map(|facts| Self(facts.id))
    }

    /// The endpoint with this wire number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        let id = u16::try_from(number).ok()?;
        ENDPOINTS
            .binary_search_by_key(&id, |facts| facts.id)
            .ok()
            .map(|_| Self(id))
    }

    /// The endpoint a host name (lower case, no dot at the end) belongs to: its own row before any
    /// `*.domain`, and the longest domain before shorter ones.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        if let Some(id) = find(HOSTS, name) {
            return Some(id);
        }
        let mut domain = name;
        loop {
            if let Some(id) = find(DOMAINS, domain) {
                return Some(id);
            }
            domain = domain.split_once('.')?.1;
        }
    }

    /// The wire number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0 as u32
    }

    /// The pattern it stands for: a host name, or `*.domain`.
    #[must_use]
    pub fn pattern(self) -> &'static str {
        self.facts().pattern
    }

    /// The vendor that owns it, if one does.
    #[must_use]
    pub fn owner_vendor(self) -> Option<Vendor> {
        self.facts()
            .owner_vendor
            .and_then(|number| Vendor::from_number(u32::from(number)))
    }

    /// The name of its owner, vendor or not.
    #[must_use]
    pub fn owner_name(self) -> &'static str {
        self.facts().owner_name
    }

    /// Whether it is one of a vendor's own: contact with it says something about that vendor's phones.
    #[must_use]
    pub fn is_own_of(self, vendor: Vendor) -> bool {
        self.owner_vendor() == Some(vendor) && self.class().is_vendors_own()
    }

    /// Where its owner has its seat.
    #[must_use]
    pub fn owner_country(self) -> Country {
        Country::new(self.facts().owner_country).expect("the build checked the code")
    }

    /// What it is for.
    #[must_use]
    pub fn class(self) -> Class {
        self.facts().class
    }

    /// Whether a content network serves it, from close to the home: then no prefix leaves.
    #[must_use]
    pub fn edge(self) -> Option<&'static str> {
        self.facts().edge
    }

    /// The country that its owner's own region token names, `intl` or `drru`: where the owner says
    /// the server is. None without such a token in the pattern, or if tokens disagree. An opinion, and
    /// wrong when a service moves and keeps its name.
    #[must_use]
    pub fn region(self) -> Option<Country> {
        self.facts()
            .region
            .map(|code| Country::new(code).expect("the build checked the code"))
    }

    fn facts(self) -> &'static EndpointFacts {
        let at = ENDPOINTS.binary_search_by_key(&self.0, |facts| facts.id);
        &ENDPOINTS[at.expect("only listed ids get in")]
    }
}

fn find(index: &[(&str, u16)], name: &str) -> Option<EndpointId> {
    let at = index
        .binary_search_by_key(&name, |(listed, _)| listed)
        .ok()?;
    Some(EndpointId(index[at].1))
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pattern())
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pattern())
    }
}

impl Class {
    /// The word in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Telemetry => "telemetry",
            Self::Platform => "platform",
            Self::Analytics => "analytics",
            Self::Advertising => "advertising",
        }
    }

    /// Whether contact with it says something about the owner's own phones.
    #[must_use]
    pub const fn is_vendors_own(self) -> bool {
        matches!(self, Self::Core | Self::Telemetry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern_of(name: &str) -> Option<&'static str> {
        EndpointId::of_name(name).map(EndpointId::pattern)
    }

    #[test]
    fn the_closest_row_wins() {
        assert_eq!(
            pattern_of("sa.api.intl.miui.com"),
            Some("sa.api.intl.miui.com")
        );
        assert_eq!(
            pattern_of("other.api.intl.miui.com"),
            Some("*.intl.miui.com")
        );
        assert_eq!(
            pattern_of("connect.rom.miui.com"),
            Some("connect.rom.miui.com")
        );
        assert_eq!(pattern_of("hicloud.com"), Some("*.hicloud.com"));
        assert_eq!(pattern_of("a.b.c.hicloud.com"), Some("*.hicloud.com"));
        for unlisted in [
            "",
            ".",
            "com",
            "nothicloud.com",
            "hicloud.com.example",
            "miui.com",
        ] {
            assert_eq!(pattern_of(unlisted), None, "{unlisted}");
        }
    }

    #[test]
    fn numbers_and_names_lead_to_the_same_row() {
        assert!(EndpointId::all().len() >= 100);
        for endpoint in EndpointId::all() {
            assert_eq!(EndpointId::from_number(endpoint.number()), Some(endpoint));
            let name = endpoint.pattern().trim_start_matches("*.");
            assert_eq!(EndpointId::of_name(name), Some(endpoint), "{endpoint}");
        }
        assert_eq!(EndpointId::from_number(0), None);
        assert_eq!(EndpointId::from_number(65_535), None);
    }

    #[test]
    fn names_say_where_their_owners_put_them() {
        for (name, country) in [
            ("sa.api.intl.miui.com", Some("SG")),
            ("mcc.intl.inf.miui.com", Some("SG")),
            ("data.mistat.rus.xiaomi.com", Some("RU")),
            ("anything.india.miui.com", Some("IN")),
            ("datacollector-drru.dt.hicloud.com", Some("RU")),
            ("metrics1-drcn.dt.dbankcloud.cn", Some("CN")),
            ("metrics-drru.dt.hihonorcloud.com", Some("RU")),
            ("asia-stsdk.vivoglobal.com", Some("SG")),
            ("in-vcode-api.vivoglobal.com", Some("IN")),
            ("obus-dc-us.heytapmobile.com", Some("US")),
            ("dragate-in-dc.heytapmobile.com", Some("IN")),
            // Many countries, or nobody knows which.
            ("tracking.eu.miui.com", None),
            ("eu-stsdk.vivoglobal.com", None),
            ("metrics-dra.dt.hicloud.com", None),
            // No token, though the domain itself ends in a country's letters.
            ("tracking.miui.com", None),
            ("grs.dbankcloud.cn", None),
            ("grs.platform.dbankcloud.ru", None),
            ("wifi.vivo.com.cn", None),
            // A token of somebody else's.
            ("in.appcenter.ms", None),
            ("xp.apple.com", None),
        ] {
            let endpoint = EndpointId::of_name(name).expect(name);
            let said = endpoint.region();
            assert_eq!(said.as_ref().map(Country::as_str), country, "{name}");
        }
    }

    #[test]
    fn only_vendors_own_core_and_telemetry() {
        for endpoint in EndpointId::all().filter(|e| e.class().is_vendors_own()) {
            assert!(endpoint.owner_vendor().is_some(), "{endpoint}");
        }
    }

    /// Whether a row fits a name, in the words of the list's own explanation.
    fn fits(pattern: &str, name: &str) -> bool {
        match pattern.strip_prefix("*.") {
            None => name == pattern,
            Some(domain) => name == domain || name.ends_with(&format!(".{domain}")),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_reading(
            front in "([a-z]{1,3}\\.){0,2}",
            at in 0..EndpointId::all().len(),
            cut in 0..3_usize,
        ) {
            let listed = EndpointId::all().nth(at).expect("in range").pattern();
            let tail = listed.trim_start_matches("*.").split('.').skip(cut).collect::<Vec<_>>();
            let name = format!("{front}{}", tail.join("."));
            let fitting = || EndpointId::all().filter(|e| fits(e.pattern(), &name));
            let own = fitting().find(|e| !e.pattern().starts_with("*."));
            let longest = fitting().max_by_key(|e| e.pattern().len());
            prop_assert_eq!(EndpointId::of_name(&name), own.or(longest), "{}", name);
        }
    }
}
