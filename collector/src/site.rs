//! Pages: a release in plain language, around the map and its tables.
//!
//! Pure functions from a [`Release`] to the text of an HTML page. A page needs nothing from outside,
//! no script and no cookie, works in a text browser, and says in words what the map says in colours;
//! its content policy forbids everything but its own style sheet. An exercise is marked on every page.
//! The page of the published folder and the pages of a running collector are made of the same parts.

mod country;
mod endpoints;
mod facts;
mod homes;
mod layout;
mod listing;
mod numbers;
mod operators;
mod release;
mod revision;
mod text;
mod vendor;
mod weighted;

use crate::geo::owner::OwnerTable;
use crate::release::{Column, Release};
use phonehome_proto::vendor::Vendor;

/// Where the links of a page lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Links {
    /// To files beside the page: a published folder, which may lie anywhere.
    Folder,
    /// To the routes of a running collector.
    Served,
}

/// The owners of domains as this release was made with them.
fn owners(release: &Release) -> OwnerTable {
    let compiled_in = OwnerTable::embedded();
    // A program younger than the release may know better than what registries answered then.
    let answered = compiled_in.with_answers(&release.registrants);
    answered.unwrap_or_else(|_| compiled_in.as_ref().clone())
}

/// `index.html` of a published folder.
#[must_use]
pub fn index(release: &Release) -> String {
    release::page(release, Links::Folder)
}

/// A release on a running collector.
#[must_use]
pub fn release(release: &Release) -> String {
    release::page(release, Links::Served)
}

/// One vendor: its own map and all its numbers.
#[must_use]
pub fn vendor(release: &Release, vendor: Vendor) -> String {
    vendor::page(release, vendor)
}

/// One country, or what stands for none: who ships data there.
#[must_use]
pub fn country(release: &Release, column: Column) -> String {
    country::page(release, column)
}

/// The list of releases, the newest first.
#[must_use]
pub fn releases(releases: &[&Release]) -> String {
    listing::page(releases)
}

#[cfg(test)]
mod tests;
