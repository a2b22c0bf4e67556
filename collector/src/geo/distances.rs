//! The least distance between any two countries, territories overseas apart.
//!
//! Measured from their outlines when the collector is built (`build/distances.rs`), always a little
//! too short: it serves to refute a country by the speed of light, never to confirm one. A pair
//! without outlines has no distance.

use super::AtlasSource;
use super::packed::{Cursor, Damaged};
use phonehome_proto::net::Country;

const DISTANCES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/distances.bin"));
const MAGIC: &[u8] = b"PHDIST01";
const DISTANCES_LICENCE: &str =
    "derived from Natural Earth (public domain) by way of world-atlas (ISC)";

/// The least distance between any two countries.
pub struct Distances {
    /// Sorted.
    countries: Vec<Country>,
    /// The upper triangle, row by row, in kilometres.
    kilometres: Vec<u16>,
}

impl Distances {
    /// The table that is compiled in.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn embedded() -> Self {
        Self::read(DISTANCES).expect("the build's table is well formed")
    }

    fn read(table: &[u8]) -> Result<Self, Damaged> {
        let mut cursor = Cursor::new(table, MAGIC)?;
        let count = usize::from(cursor.u16()?);
        let countries = (0..count)
            .map(|_| {
                let code = cursor.bytes(2)?;
                Country::new([code[0], code[1]]).ok_or(Damaged::Format("no country code"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if !countries.is_sorted() {
            return Err(Damaged::Format("countries out of order"));
        }
        let pairs = count * count.saturating_sub(1) / 2;
        let kilometres = (0..pairs).map(|_| cursor.u16()).collect::<Result<_, _>>()?;
        cursor.end()?;
        Ok(Self {
            countries,
            kilometres,
        })
    }

    /// What it is, for the list on every release.
    #[must_use]
    pub fn about(&self) -> AtlasSource {
        AtlasSource {
            name: "least distances between countries".to_owned(),
            build: "world-atlas 2.0.2".to_owned(),
            licence: DISTANCES_LICENCE.to_owned(),
        }
    }

    /// Two countries are at least so many kilometres apart; `None` where an outline is missing.
    #[must_use]
    pub fn kilometres(&self, a: Country, b: Country) -> Option<u16> {
        let (a, b) = (a.min(b), a.max(b));
        let (row, column) = (
            self.countries.binary_search(&a).ok()?,
            self.countries.binary_search(&b).ok()?,
        );
        if row == column {
            return Some(0);
        }
        // Row r begins after the r longer rows before it.
        let begin = row * (2 * self.countries.len() - row - 1) / 2;
        Some(self.kilometres[begin + column - row - 1])
    }
}

#[cfg(test)]
mod tests;
