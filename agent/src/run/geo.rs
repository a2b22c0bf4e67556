//! The country an address is registered in, by a database the user brings.
//!
//! Reads MaxMind's format in both layouts in use: `country.iso_code` (GeoIP2, GeoLite2, DB-IP) and
//! the flat `country_code` of small redistributions. The file is read whole; nothing is mapped.

use maxminddb::{MaxMindDbError, PathElement, Reader};
use phonehome_proto::net::Country;
use phonehome_proto::time::Timestamp;
use std::net::IpAddr;
use std::path::Path;

/// A country database in memory.
pub struct Geo(Reader<Vec<u8>>);

/// Where a server stands, by a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whereabouts {
    /// In this country, or under this code that is none.
    Country(Country),
    /// The database says that many places answer for the address.
    Anycast,
    /// It has no country for the address.
    Unknown,
}

impl Geo {
    /// Reads the database at `path`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is no MaxMind database.
    pub fn open(path: &Path) -> Result<Self, MaxMindDbError> {
        Reader::open_readfile(path).map(Self)
    }

    /// The country of an address; `None` when the database has none, or no valid code.
    #[must_use]
    pub fn country(&self, address: IpAddr) -> Option<Country> {
        let found = self.0.lookup(address.to_canonical()).ok()?;
        LAYOUTS
            .iter()
            .find_map(|path| Country::parse(found.decode_path(path).ok()??))
    }

    /// Where the server at an address stands. An address of many places has no country, whatever else
    /// the database says of it.
    #[must_use]
    pub fn whereabouts(&self, address: IpAddr) -> Whereabouts {
        let found = self.0.lookup(address.to_canonical()).ok();
        let is_anycast = found.and_then(|found| found.decode_path(&ANYCAST).ok()?);
        if is_anycast == Some(true) {
            return Whereabouts::Anycast;
        }
        self.country(address)
            .map_or(Whereabouts::Unknown, Whereabouts::Country)
    }

    /// What the database calls itself, and its day: `DBIP-Country-Lite of 2026-06-01`.
    #[must_use]
    pub fn title(&self) -> String {
        let metadata = self.0.metadata();
        let built = i64::try_from(metadata.build_epoch).ok();
        match built.and_then(|seconds| Timestamp::from_seconds(seconds).day()) {
            Some(day) => format!("{} of {day}", metadata.database_type),
            None => metadata.database_type.clone(),
        }
    }
}

/// GeoIP2's mark of an address that many places answer for.
const ANYCAST: [PathElement<'_>; 2] = [PathElement::Key("traits"), PathElement::Key("is_anycast")];

const LAYOUTS: [&[PathElement<'_>]; 2] = [
    &[PathElement::Key("country"), PathElement::Key("iso_code")],
    &[PathElement::Key("country_code")],
];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        let length = u8::try_from(text.len()).expect("below 29");
        [&[0x40 | length], text.as_bytes()].concat()
    }

    fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let count = u8::try_from(entries.len()).expect("below 29");
        let entries = entries
            .iter()
            .flat_map(|(key, value)| [text(key), value.clone()].concat());
        std::iter::once(0xe0 | count).chain(entries).collect()
    }

    /// A database that places 0.0.0.0/1 in this country, and nothing else.
    pub(crate) fn database_of(country: &str) -> Vec<u8> {
        database(&map(&[("country_code", text(country))]))
    }

    /// The smallest database (MaxMind DB file format 2.0): 0.0.0.0/1 has `record`, the rest nothing.
    fn database(record: &[u8]) -> Vec<u8> {
        let tree = [0, 0, 1 + 16, 0, 0, 1];
        let metadata = map(&[
            ("binary_format_major_version", vec![0xa1, 2]),
            ("binary_format_minor_version", vec![0xa0]),
            ("build_epoch", vec![0x01, 0x02, 1]),
            ("database_type", text("Test")),
            ("description", map(&[])),
            ("ip_version", vec![0xa1, 4]),
            ("languages", vec![0x00, 0x04]),
            ("node_count", vec![0xc1, 1]),
            ("record_size", vec![0xa1, 24]),
        ]);
        [
            tree.as_slice(),
            &[0; 16],
            record,
            b"\xab\xcd\xefMaxMind.com",
            &metadata,
        ]
        .concat()
    }

    #[test]
    fn an_address_of_many_places_has_no_country() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("geo.mmdb");
        let code = ("country", map(&[("iso_code", text("SG"))]));
        for (is_anycast, expected) in [
            (1, Whereabouts::Anycast),
            (
                0,
                Country::parse("SG").map_or(Whereabouts::Unknown, Whereabouts::Country),
            ),
        ] {
            // A boolean is of an extended type, its value where others have their length.
            let traits = map(&[("is_anycast", vec![is_anycast, 7])]);
            std::fs::write(&path, database(&map(&[code.clone(), ("traits", traits)])))?;
            let geo = Geo::open(&path)?;
            assert_eq!(geo.title(), "Test of 1970-01-01");
            assert_eq!(geo.whereabouts("8.219.0.1".parse()?), expected);
            assert_eq!(
                geo.whereabouts("203.0.113.9".parse()?),
                Whereabouts::Unknown
            );
        }
        Ok(())
    }

    #[test]
    fn reads_both_layouts() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let nested = map(&[("country", map(&[("iso_code", text("SG"))]))]);
        let flat = map(&[("country_code", text("SG"))]);
        let lower = map(&[("country_code", text("sg"))]);
        let path = folder.path().join("geo.mmdb");
        for (record, code) in [
            (nested, Some("SG")),
            (flat, Some("SG")),
            (lower, None),
            (map(&[]), None),
        ] {
            std::fs::write(&path, database(&record))?;
            let geo = Geo::open(&path)?;
            let country =
                |address: &str| -> anyhow::Result<_> { Ok(geo.country(address.parse()?)) };
            assert_eq!(country("8.219.0.1")?, code.and_then(Country::parse));
            assert_eq!(country("::ffff:8.219.0.1")?, code.and_then(Country::parse));
            assert_eq!(country("203.0.113.9")?, None);
            assert_eq!(
                country("2001:db8::1")?,
                None,
                "an IPv4 database knows no IPv6"
            );
        }
        Ok(())
    }
}
