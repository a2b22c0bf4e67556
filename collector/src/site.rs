//! Pages: releases in plain language, around the map and its tables.
//!
//! Pure functions from [`Release`]s to the text of HTML pages. Two kinds of page, of the same parts:
//!
//! - [`index`] is the page of one published folder. It loads nothing, not even a style sheet: its policy
//!   forbids everything but the style in it, known by its hash.
//! - [`Site`] is all pages of all releases, in every language: a running collector answers with them, and
//!   a static folder of them is the same bytes. They load their own style sheet and script and nothing
//!   from any other host, and are whole without the script.
//!
//! An exercise is marked on every page. Pages say in words what the map says in colours.

pub mod address;
mod assets;
mod country;
mod empty;
mod endpoints;
mod facts;
mod frame;
mod homes;
mod layout;
mod lists;
mod numbers;
mod operators;
mod prose;
mod release;
mod revision;
mod tables;
mod text;
mod weighted;
mod world;

pub use address::{Address, Page};
pub use assets::{Asset, assets};
pub use frame::POLICY;

use crate::geo::owner::OwnerTable;
use crate::map::words::language::Language;
use crate::map::{self, Fact, View};
use crate::release::{Cell, Column, Release, ReleaseId};
use frame::Writer;
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeSet;

/// Where the links of a part lead that stands in pages of both kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Links {
    /// To files beside the page: a published folder, which may lie anywhere.
    Folder,
    /// To pages of the site, by the way to its language's folder.
    Site(&'static str),
}

/// All pages of these releases.
#[derive(Debug)]
pub struct Site<'a> {
    /// The newest first; of each week the last revision.
    releases: Vec<&'a Release>,
}

impl<'a> Site<'a> {
    /// The site of these releases; `None` without any.
    #[must_use]
    pub fn of(releases: &[&'a Release]) -> Option<Self> {
        let mut newest_first = releases.to_vec();
        newest_first.sort_by_key(|release| std::cmp::Reverse(release.id));
        newest_first.dedup_by_key(|release| release.id.week);
        (!newest_first.is_empty()).then_some(Self {
            releases: newest_first,
        })
    }

    /// The newest release, which every page but those of older weeks is about.
    #[must_use]
    pub fn newest(&self) -> &'a Release {
        self.releases[0]
    }

    /// Every page there is.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        let mut pages = vec![
            Page::Vendors,
            Page::Countries,
            Page::Endpoints,
            Page::Weeks,
            Page::Method,
            Page::Privacy,
            Page::Data,
            Page::Api,
        ];
        for fact in Fact::ALL {
            pages.push(Page::World(fact));
            pages.extend(Vendor::all().map(|vendor| Page::Vendor(vendor, fact)));
        }
        pages.extend(self.columns().into_iter().map(Page::Country));
        pages.extend(self.told_endpoints().into_iter().map(Page::Endpoint));
        pages.extend(self.releases.iter().map(|release| Page::Week(release.id)));
        let in_all = |page| Language::ALL.map(|language| Address { language, page });
        pages.into_iter().flat_map(in_all).collect()
    }

    /// One page; `None` where there is nothing to tell.
    #[must_use]
    pub fn page(&self, address: Address) -> Option<String> {
        let writer = Writer {
            address,
            release: self.newest(),
        };
        Some(match address.page {
            Page::World(fact) => self.world(&writer, fact),
            Page::Vendors => self.vendors(&writer),
            Page::Vendor(vendor, fact) => self.vendor(&writer, vendor, fact),
            Page::Countries => self.countries(&writer),
            Page::Country(column) => {
                let known = match column {
                    Column::Country(country) => map::borders::shape(country).is_some(),
                    Column::Anycast | Column::Unknown => true,
                };
                (known || self.columns().contains(&column))
                    .then(|| self.country(&writer, column))?
            }
            Page::Endpoints => self.endpoints(&writer),
            Page::Endpoint(endpoint) => self
                .told_endpoints()
                .contains(&endpoint)
                .then(|| self.endpoint(&writer, endpoint))?,
            Page::Weeks => self.weeks(&writer),
            Page::Week(id) => {
                let release = self.named(id)?;
                self.world(&Writer { address, release }, Fact::Server)
            }
            Page::Method => self.method(&writer),
            Page::Privacy => self.privacy(&writer),
            Page::Data => self.data(&writer),
            Page::Api => self.api(&writer),
        })
    }

    /// A picture of the newest release by the name of its file without an ending.
    #[must_use]
    pub fn picture(&self, stem: &str) -> Option<String> {
        let pictures = map::pictures(self.newest());
        let (_, fact, view) = pictures.into_iter().find(|(known, ..)| known == stem)?;
        Some(map::svg_by(self.newest(), fact, view))
    }

    /// The names of all pictures.
    pub fn pictures(&self) -> impl Iterator<Item = (String, Fact, View)> {
        map::pictures(self.newest()).into_iter()
    }

    fn named(&self, id: ReleaseId) -> Option<&'a Release> {
        self.releases
            .iter()
            .find(|release| release.id == id)
            .copied()
    }

    fn oldest_first(&self) -> Vec<&'a Release> {
        self.releases.iter().rev().copied().collect()
    }

    /// Every column of any of the three tables by country.
    fn columns(&self) -> BTreeSet<Column> {
        let matrices = Fact::ALL.map(|fact| fact.matrix(self.newest()).keys());
        matrices
            .into_iter()
            .flatten()
            .map(|(_, column)| *column)
            .collect()
    }

    /// Every endpoint with a share above zero.
    fn told_endpoints(&self) -> BTreeSet<EndpointId> {
        let cells = self.newest().endpoints.iter();
        cells
            .filter(|(_, cell)| matches!(cell, Cell::Value(_) | Cell::Imprecise(_)))
            .map(|((_, endpoint), _)| *endpoint)
            .collect()
    }
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
    release::page(release)
}

/// What a collector shows before its first release.
#[must_use]
pub fn empty() -> String {
    empty::page()
}

#[cfg(test)]
mod tests;
