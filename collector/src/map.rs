//! The map: which phone vendors ship data to which countries, as a picture.
//!
//! [`svg()`] is a pure function from a release to the text of one SVG file. It takes nothing but a
//! [`Release`], so it cannot show what did not pass the gate; the same release gives the same bytes.
//! Outlines were projected when the program was built; nothing is computed here but layout. The
//! picture carries what it takes to read it alone: the finding in words, week, homes, gate, sources,
//! licence, the release's name, and for an exercise the words "synthetic homes" across every world.
//!
//! Where a server stands, who runs its network and who owns its name are three [`Fact`]s. A picture
//! shows one of them and says which; none is ever drawn over another.

pub mod borders;
pub mod classes;
pub mod finding;
pub mod projection;
pub mod svg;
pub mod words;

use crate::release::{Matrix, Release};
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;

/// Which of the three facts a picture or a table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// Where the server stands.
    Server,
    /// Where the operator of its network is registered.
    Network,
    /// Where the owner of the domain is.
    Owner,
}

/// What a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// One small world for each vendor that has numbers.
    AllVendors,
    /// One large world for all vendors: of each country the vendor with the largest share.
    World,
    /// One large world, every country with its own words.
    Vendor(Vendor),
    /// Like [`View::World`], of homes in one country. That table holds servers only.
    Home(Country),
    /// Vendors down, countries across.
    Matrix,
    /// Bands from vendors to countries.
    Flows,
}

impl Fact {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Server, Self::Network, Self::Owner];

    /// What `by` calls it.
    #[must_use]
    pub const fn by(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Network => "network",
            Self::Owner => "owner",
        }
    }

    /// Its matrix in a release.
    #[must_use]
    pub const fn matrix(self, release: &Release) -> &Matrix {
        match self {
            Self::Server => &release.server,
            Self::Network => &release.network,
            Self::Owner => &release.owner,
        }
    }
}

/// The picture of a release by its servers, a whole SVG file in UTF-8.
#[must_use]
pub fn svg(release: &Release, view: View) -> String {
    svg_by(release, Fact::Server, view)
}

/// The picture of a release by one of the three facts; [`View::Home`] is by servers whatever is asked.
#[must_use]
pub fn svg_by(release: &Release, fact: Fact, view: View) -> String {
    let fact = if matches!(view, View::Home(_)) {
        Fact::Server
    } else {
        fact
    };
    svg::draw(release, fact, view)
}

/// Every picture of a release with the name of its file, without an ending, in a fixed order:
/// `world-server`, `matrix-network`, `xiaomi-owner`, `home-DE`. Vendors and home countries without
/// numbers have none.
#[must_use]
pub fn pictures(release: &Release) -> Vec<(String, Fact, View)> {
    let mut pictures = Vec::new();
    for fact in Fact::ALL {
        let mut push = |stem: &str, view| {
            pictures.push((format!("{stem}-{}", fact.by()), fact, view));
        };
        push("world", View::World);
        push("vendors", View::AllVendors);
        push("matrix", View::Matrix);
        push("flows", View::Flows);
        for vendor in Vendor::all() {
            if crate::release::composition::homes(fact.matrix(release), vendor).is_some() {
                push(vendor.id(), View::Vendor(vendor));
            }
        }
    }
    for country in home_countries(release) {
        let stem = format!("home-{}", country.as_str());
        pictures.push((stem, Fact::Server, View::Home(country)));
    }
    pictures
}

/// The home countries of which any number is shown.
#[must_use]
pub fn home_countries(release: &Release) -> Vec<Country> {
    let cells = release.home.iter();
    let mut countries: Vec<Country> = cells
        .filter(|(_, cell)| cell.numbers().is_some())
        .filter_map(|((_, _, home), _)| *home)
        .collect();
    countries.sort();
    countries.dedup();
    countries
}
