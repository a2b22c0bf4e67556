//! The country an address is registered in, by a database the user brings.
//!
//! Reads MaxMind's format in both layouts in use: `country.iso_code` (GeoIP2, GeoLite2, DB-IP) and
//! the flat `country_code` of small redistributions. The file is read whole; nothing is mapped.

use maxminddb::{MaxMindDbError, PathElement, Reader};
use phonehome_proto::net::Country;
use std::net::IpAddr;
use std::path::Path;

/// A country database in memory.
pub struct Geo(Reader<Vec<u8>>);

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
}

const LAYOUTS: [&[PathElement<'_>]; 2] = [
    &[PathElement::Key("country"), PathElement::Key("iso_code")],
    &[PathElement::Key("country_code")],
];
