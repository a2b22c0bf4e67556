//! Where a page stands: a closed list of pages, each with a path that is the same in a static folder
//! and on a running collector.
//!
//! English pages stand at the top, those of another language in its folder. Links are relative, so that
//! the whole may lie anywhere; every page is at most one folder below its language's.

use crate::map::Fact;
use crate::map::words::language::Language;
use crate::release::{Column, ReleaseId};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;

/// A page of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// All vendors, by one of the three facts.
    World(Fact),
    /// The list of vendors.
    Vendors,
    /// One vendor, by one of the three facts.
    Vendor(Vendor, Fact),
    /// The list of countries.
    Countries,
    /// One country, or what stands for none.
    Country(Column),
    /// The list of endpoints.
    Endpoints,
    /// One endpoint that homes enough were seen contacting.
    Endpoint(EndpointId),
    /// All weeks, side by side.
    Weeks,
    /// The world of one release.
    Week(ReleaseId),
    /// How it is done.
    Method,
    /// What is never known.
    Privacy,
    /// The files.
    Data,
    /// The interface.
    Api,
}

/// A page in a language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The language it is written in.
    pub language: Language,
    /// Which page.
    pub page: Page,
}

impl Page {
    /// Its path below its language's folder.
    #[must_use]
    pub fn path(self) -> String {
        match self {
            Self::World(Fact::Server) => "index.html".to_owned(),
            Self::World(fact) => format!("{}.html", fact.by()),
            Self::Vendors => "vendors.html".to_owned(),
            Self::Vendor(vendor, Fact::Server) => format!("vendors/{}.html", vendor.id()),
            Self::Vendor(vendor, fact) => format!("vendors/{}-{}.html", vendor.id(), fact.by()),
            Self::Countries => "countries.html".to_owned(),
            Self::Country(column) => format!("countries/{}.html", column.code()),
            Self::Endpoints => "endpoints.html".to_owned(),
            // A star is no letter for a file; no listed name holds an underscore.
            Self::Endpoint(endpoint) => {
                format!("endpoints/{}.html", endpoint.pattern().replace('*', "_"))
            }
            Self::Weeks => "weeks.html".to_owned(),
            Self::Week(id) => format!("weeks/{id}.html"),
            Self::Method => "method.html".to_owned(),
            Self::Privacy => "privacy.html".to_owned(),
            Self::Data => "data.html".to_owned(),
            Self::Api => "api.html".to_owned(),
        }
    }

    /// The page of a path without its ending.
    fn of_stem(stem: &str) -> Option<Self> {
        if let Some((folder, name)) = stem.split_once('/') {
            return match folder {
                "vendors" => Self::of_vendor(name),
                "countries" => Self::of_country(name),
                "endpoints" => Self::of_endpoint(name),
                "weeks" => Some(Self::Week(name.parse().ok()?)),
                _ => None,
            };
        }
        Some(match stem {
            "index" => Self::World(Fact::Server),
            "network" => Self::World(Fact::Network),
            "owner" => Self::World(Fact::Owner),
            "vendors" => Self::Vendors,
            "countries" => Self::Countries,
            "endpoints" => Self::Endpoints,
            "weeks" => Self::Weeks,
            "method" => Self::Method,
            "privacy" => Self::Privacy,
            "data" => Self::Data,
            "api" => Self::Api,
            _ => return None,
        })
    }

    fn of_vendor(name: &str) -> Option<Self> {
        if let Some(vendor) = Vendor::from_id(name) {
            return Some(Self::Vendor(vendor, Fact::Server));
        }
        let (id, by) = name.rsplit_once('-')?;
        let fact = [Fact::Network, Fact::Owner]
            .into_iter()
            .find(|fact| fact.by() == by)?;
        Some(Self::Vendor(Vendor::from_id(id)?, fact))
    }

    fn of_country(name: &str) -> Option<Self> {
        Some(Self::Country(match name {
            "anycast" => Column::Anycast,
            "unknown" => Column::Unknown,
            code => Column::Country(Country::parse(code)?),
        }))
    }

    fn of_endpoint(name: &str) -> Option<Self> {
        let pattern = name.replace('_', "*");
        EndpointId::all()
            .find(|endpoint| endpoint.pattern() == pattern)
            .map(Self::Endpoint)
    }

    /// The way from this page to its language's folder.
    pub(super) fn root(self) -> &'static str {
        if self.path().contains('/') { "../" } else { "" }
    }

    /// The same page by another of the three facts; `None` where there is none.
    pub(super) const fn by(self, fact: Fact) -> Option<Self> {
        match self {
            Self::World(_) => Some(Self::World(fact)),
            Self::Vendor(vendor, _) => Some(Self::Vendor(vendor, fact)),
            _ => None,
        }
    }
}

impl Address {
    /// Its path from the top: `de/vendors/xiaomi.html`.
    #[must_use]
    pub fn path(self) -> String {
        match self.language {
            Language::En => self.page.path(),
            language => format!("{}/{}", language.tag(), self.page.path()),
        }
    }

    /// The page of a path; with its ending or without, and `index.html` for a folder's name.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        let others = Language::ALL
            .into_iter()
            .filter(|language| *language != Language::En);
        let (language, rest) = others
            .clone()
            .find_map(|language| {
                let rest = path.strip_prefix(language.tag())?;
                Some((language, rest.strip_prefix('/')?))
            })
            .unwrap_or((Language::En, path));
        let stem = match rest {
            "" => "index",
            rest => rest.strip_suffix(".html").unwrap_or(rest),
        };
        let page = Page::of_stem(stem)?;
        Some(Self { language, page })
    }

    /// The way from this page to the top.
    pub(super) fn top(self) -> String {
        match self.language {
            Language::En => self.page.root().to_owned(),
            _ => format!("{}../", self.page.root()),
        }
    }

    /// The link from this page to the same one in another language.
    pub(super) fn to(self, language: Language) -> String {
        let page = self.page;
        format!("{}{}", self.top(), Self { language, page }.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_back_to_its_page() {
        let xiaomi = Vendor::from_id("xiaomi").expect("a listed vendor");
        let country = Column::Country(Country::parse("SG").expect("a code"));
        let mut pages = vec![
            Page::Vendors,
            Page::Countries,
            Page::Country(country),
            Page::Country(Column::Anycast),
            Page::Endpoints,
            Page::Weeks,
            Page::Week("2026-W46.1".parse().expect("a release")),
            Page::Method,
            Page::Privacy,
            Page::Data,
            Page::Api,
        ];
        for fact in Fact::ALL {
            pages.extend([Page::World(fact), Page::Vendor(xiaomi, fact)]);
        }
        pages.extend(EndpointId::all().map(Page::Endpoint));
        for page in pages {
            for language in Language::ALL {
                let address = Address { language, page };
                let path = address.path();
                assert_eq!(Address::of_path(&path), Some(address), "{path}");
                let bare = path.trim_end_matches(".html");
                assert_eq!(Address::of_path(bare), Some(address), "{bare}");
                assert!(address.top().matches("../").count() == path.matches('/').count());
            }
        }
    }

    #[test]
    fn nothing_else_is_a_page() {
        for path in [
            "nokia",
            "vendors/nokia.html",
            "vendors/",
            "countries/sg.html",
            "de",
            "it/index.html",
            "vendors/xiaomi-server.html",
            "../index.html",
            "weeks/2026-W46.html",
            "endpoints/x.html",
        ] {
            assert_eq!(Address::of_path(path), None, "{path}");
        }
    }
}
