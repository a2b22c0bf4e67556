//! Owners of domains: the third fact, which no address table knows.
//!
//! For every registrable domain of the public endpoint list `domains.toml` says who has it, where
//! that owner has its seat, and what this rests on. A registry that was asked may add the country of
//! the registrant, or that it withholds it (module [`registry`]). The country of an endpoint's owner
//! is the registrant's if it is published, else the seat's, and the evidence says which. A claim is
//! a claim: the registrant typed it, and where a name is registered says nothing about where its
//! servers stand. The list was reviewed by people, so it needs no second source.

pub mod registry;

use super::{AtlasSource, Place};
use phonehome_proto::endpoint::{ENDPOINT_LIST_VERSION, EndpointId};
use phonehome_proto::net::Country;
use registry::{Refused, Registered, RegistryAnswers};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

const DOMAINS: &str = include_str!("../../data/domains.toml");
const LIST_LICENCE: &str = "Phonehome's own list of facts, a source per row";
const OWNERS_LICENCE: &str = "Phonehome's own list of facts, a source per owner";

/// Every registrable domain of the endpoint list and its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerTable {
    rows: BTreeMap<String, DomainOwner>,
    date: String,
    answers: RegistryAnswers,
}

/// What is known of a domain's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainOwner {
    /// The registrable domain, `miui.com`.
    pub domain: String,
    /// Who has it, `Xiaomi`.
    pub owner: String,
    /// Where the owner's head office is.
    pub seat: Country,
    /// The registrant's country, where a registry publishes it; only with
    /// [`Evidence::RdapPublished`].
    pub registrant: Option<Country>,
    /// What [`Self::country`] rests on.
    pub evidence: Evidence,
    /// When it was last looked at, `2026-11-22`.
    pub date: String,
    /// Where to check it.
    pub source: String,
    /// What else is known, with who says so.
    pub note: Option<String>,
}

/// What a domain owner's country rests on. A closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The registrar's RDAP answer names the registrant's country.
    RdapPublished,
    /// RDAP was asked and withholds the country; the seat stands.
    RdapRedacted,
    /// The owner's own documents name its seat, and it uses the domain as its own; the seat stands.
    CompanyFiling,
    /// A country-code domain whose registry publishes no registrant over RDAP; the seat stands.
    CctldOnly,
    /// Only public lists and firmware connect the name with the owner; the seat stands.
    Unknown,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    date: String,
    owner: Vec<OwnerRow>,
    domain: Vec<DomainRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnerRow {
    id: String,
    name: String,
    seat: String,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DomainRow {
    domain: String,
    owner: String,
    registrant_country: Option<String>,
    evidence: Evidence,
    date: String,
    note: Option<String>,
}

impl OwnerTable {
    /// The table that is compiled in.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn embedded() -> Arc<Self> {
        static EMBEDDED: LazyLock<Arc<OwnerTable>> = LazyLock::new(|| {
            let table = OwnerTable::read(DOMAINS).expect("the committed table is well formed");
            Arc::new(table)
        });
        Arc::clone(&EMBEDDED)
    }

    /// A table as text; what is wrong with it otherwise.
    fn read(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let country =
            |code: &str| Country::parse(code).ok_or_else(|| format!("'{code}' is no country code"));
        let mut rows = BTreeMap::new();
        for row in file.domain {
            let wrong = |what: &str| format!("{}: {what}", row.domain);
            let mut owners = file.owner.iter().filter(|owner| owner.id == row.owner);
            let owner = owners.next().ok_or_else(|| wrong("no such owner"))?;
            let registrant = row.registrant_country.as_deref().map(country).transpose()?;
            if registrant.is_some() != (row.evidence == Evidence::RdapPublished) {
                return Err(wrong(
                    "a registrant's country and rdap-published go together",
                ));
            }
            if !registry::is_date(&row.date) {
                return Err(wrong("no date"));
            }
            let facts = DomainOwner {
                domain: row.domain.clone(),
                owner: owner.name.clone(),
                seat: country(&owner.seat)?,
                registrant,
                evidence: row.evidence,
                date: row.date.clone(),
                source: owner.source.clone(),
                note: row.note.clone(),
            };
            if rows.insert(row.domain.clone(), facts).is_some() {
                return Err(wrong("it stands twice"));
            }
        }
        Ok(Self {
            rows,
            date: file.date,
            answers: RegistryAnswers::default(),
        })
    }

    /// The same with what registries answered since: a published or withheld country goes before what
    /// the table says, an answer without either changes nothing. This table stays as it is.
    ///
    /// # Errors
    /// [`Refused`] if the answers are older than the table, or speak of a domain it does not have.
    pub fn with_answers(&self, answers: &RegistryAnswers) -> Result<Self, Refused> {
        if answers.date < self.date {
            return Err(Refused::Older {
                date: answers.date.clone(),
                in_use: self.date.clone(),
            });
        }
        let mut next = self.clone();
        next.answers.clone_from(answers);
        for (domain, answer) in &answers.domains {
            let row = next
                .rows
                .get_mut(domain)
                .ok_or_else(|| Refused::Unlisted(domain.clone()))?;
            let (registrant, evidence) = match answer.registered {
                Registered::Published(country) => (Some(country), Evidence::RdapPublished),
                Registered::Redacted => (None, Evidence::RdapRedacted),
                Registered::Absent => continue,
            };
            row.registrant = registrant;
            row.evidence = evidence;
            row.date.clone_from(&answer.date);
            row.source.clone_from(&answer.source);
        }
        Ok(next)
    }

    /// The owner of an endpoint's domain.
    ///
    /// # Panics
    /// Never: a test finds every listed endpoint's row.
    #[must_use]
    pub fn of(&self, endpoint: EndpointId) -> &DomainOwner {
        let name = endpoint.pattern().trim_start_matches("*.");
        self.of_name(name)
            .expect("every endpoint's domain has a row")
    }

    /// The owner of the registrable domain that a host name lies in, if it is listed.
    #[must_use]
    pub fn of_name(&self, name: &str) -> Option<&DomainOwner> {
        let mut domain = name;
        loop {
            if let Some(row) = self.rows.get(domain) {
                return Some(row);
            }
            domain = domain.split_once('.')?.1;
        }
    }

    /// The country of an endpoint's owner: the registrant's if it is published, else the seat's.
    #[must_use]
    pub fn place(&self, endpoint: EndpointId) -> Place {
        Place::known(self.of(endpoint).country())
    }

    /// What registries answered, where it is in use; else nothing.
    #[must_use]
    pub const fn answers(&self) -> &RegistryAnswers {
        &self.answers
    }

    /// Every row, by domain.
    pub fn domains(&self) -> impl ExactSizeIterator<Item = &DomainOwner> {
        self.rows.values()
    }

    /// What it is, and the endpoint list it speaks of, for the list of sources on every release.
    #[must_use]
    pub fn about(&self) -> [AtlasSource; 2] {
        let build = if self.answers.is_empty() {
            self.date.clone()
        } else {
            format!("{}, registries asked {}", self.date, self.answers.date)
        };
        let source = |name: &str, build: String, licence: &str| AtlasSource {
            name: name.to_owned(),
            build,
            licence: licence.to_owned(),
        };
        let list = format!("version {ENDPOINT_LIST_VERSION}");
        [
            source("Phonehome endpoint list", list, LIST_LICENCE),
            source("owners of domains", build, OWNERS_LICENCE),
        ]
    }
}

impl DomainOwner {
    /// The registrant's country if it is published, else the owner's seat; [`Self::evidence`] says
    /// which.
    #[must_use]
    pub fn country(&self) -> Country {
        self.registrant.unwrap_or(self.seat)
    }
}

impl Evidence {
    /// The word in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RdapPublished => "rdap-published",
            Self::RdapRedacted => "rdap-redacted",
            Self::CompanyFiling => "company-filing",
            Self::CctldOnly => "cctld-only",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests;
