//! Land and sea, and where the mark of a country stands.
//!
//! Two tables made from the outlines that the collector draws, on its picture of the world: Equal
//! Earth, 960 by 426 pixels, without Antarctica. Land is a raster of squares of 3 pixels, one bit each,
//! rows from the north, the first square in the highest bit. The mark of a country stands in the
//! middle of its largest piece. The tests make both tables anew and compare.

use phonehome_proto::net::Country;
use std::ops::Range;

/// Squares from west to east.
pub(super) const COLUMNS: usize = 320;

/// Squares from north to south.
pub(super) const ROWS: usize = 142;

/// Places stand in tenths of a pixel of the collector's picture; a square has 3 pixels.
pub(super) const TENTHS_PER_SQUARE: usize = 30;

static LAND: &[u8; COLUMNS * ROWS / 8] = include_bytes!("../../../../data/land.bin");
static PLACES: &str = include_str!("../../../../data/places.tsv");

/// A country or territory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its short name in English.
    pub(super) name: &'static str,
    /// To the right and down, in tenths of a pixel; `None` for what is not on the picture.
    pub(super) at: Option<(usize, usize)>,
}

/// Whether a square is land.
pub(super) fn is_land(column: usize, row: usize) -> bool {
    let bit = row * COLUMNS + column;
    LAND[bit / 8] & (0x80 >> (bit % 8)) != 0
}

/// Whether at least half of a rectangle is land. What lies south of the picture is sea.
pub(super) fn is_mostly_land(columns: Range<usize>, rows: Range<usize>) -> bool {
    let all = columns.len() * rows.len();
    let rows = rows.start..rows.end.min(ROWS);
    let land = rows
        .map(|row| {
            columns
                .clone()
                .filter(|column| is_land(*column, row))
                .count()
        })
        .sum::<usize>();
    land * 2 >= all
}

/// What is known of a country; `None` for a code that is no country's (`EU`, `AP`).
pub(super) fn place(country: Country) -> Option<Place> {
    let mut rows = PLACES.lines().map(|line| line.split('\t'));
    let mut row = rows.find(|row| row.clone().next() == Some(country.as_str()))?;
    let name = row.nth(1)?;
    let mut number = || row.next()?.parse().ok();
    let at = number().zip(number());
    Some(Place { name, at })
}

#[cfg(test)]
mod tests;
