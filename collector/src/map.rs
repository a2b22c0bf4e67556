//! The map: which phone vendors ship data to which countries, as a picture.
//!
//! [`svg()`] is a pure function from a release to the text of one SVG file. It takes nothing but a
//! [`Release`], so it cannot show what did not pass the gate; the same release gives the same bytes.
//! Outlines were projected when the program was built; nothing is computed here but layout. The
//! picture carries what it takes to read it alone: title, week, homes, gate, sources, licence, the
//! release's name, and for an exercise the words "synthetic homes" across every world.

pub mod borders;
pub mod classes;
pub mod projection;
pub mod svg;
pub mod words;

use crate::release::Release;
use phonehome_proto::vendor::Vendor;

/// What a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// One small world for each vendor that has numbers.
    AllVendors,
    /// One large world, every country with its own words.
    Vendor(Vendor),
}

/// The picture of a release, a whole SVG file in UTF-8.
#[must_use]
pub fn svg(release: &Release, view: View) -> String {
    svg::draw(release, view)
}
