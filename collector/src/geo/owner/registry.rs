//! What registries answered about registrants: a dated set beside the committed table.
//!
//! Written by `owners update`, read when an atlas is loaded, as JSON. Three answers are told apart:
//! a published country, one that is withheld and said to be (RFC 9537), and none at all. Nothing of
//! a registrant is kept but the country and the name of its organisation.

use phonehome_proto::net::Country;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// Domains that answers may speak of: ten times as many as are listed.
const DOMAINS_MAX: usize = 1_024;

/// Bytes of an organisation's name that are kept.
const ORGANISATION_BYTES_MAX: usize = 200;

/// What registries answered, each at the last time it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryAnswers {
    /// The day of the last question, `2026-11-22`.
    pub date: String,
    /// By registrable domain.
    pub domains: BTreeMap<String, RegistryAnswer>,
}

/// What one registry, or the registrar it points to, answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryAnswer {
    /// The registrant's country.
    pub registered: Registered,
    /// The registrant's organisation as published, cut at 200 bytes; for people.
    pub organisation: Option<String>,
    /// The address that answered.
    pub source: String,
    /// The day it did.
    pub date: String,
}

/// The country of a registrant, as far as a registry tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// It is published.
    Published(Country),
    /// The answer says that it is withheld.
    Redacted,
    /// The answer says nothing of it.
    Absent,
}

/// Why answers are not used. The table stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// Somebody has looked at the table since.
    #[error("the registries' answers of {date} are refused: the table in use is of {in_use}")]
    Older {
        /// The answers' date.
        date: String,
        /// The table's.
        in_use: String,
    },
    /// They speak of something else.
    #[error("the registries' answers are refused: '{0}' is no domain of the endpoint list")]
    Unlisted(String),
    /// They do not read.
    #[error("the registries' answers are refused: {0}")]
    Damaged(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    date: String,
    domains: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    domain: String,
    /// A code, `redacted` or `absent`.
    registrant_country: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<String>,
    source: String,
    date: String,
}

impl RegistryAnswers {
    /// Whether nobody was asked.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.date.is_empty()
    }

    /// The text of a file, sorted by domain.
    ///
    /// # Panics
    /// Never: plain text serialises.
    #[must_use]
    pub fn to_json(&self) -> String {
        let rows = self.domains.iter().map(|(domain, answer)| Row {
            domain: domain.clone(),
            registrant_country: answer.registered.as_text(),
            organisation: answer.organisation.clone(),
            source: answer.source.clone(),
            date: answer.date.clone(),
        });
        let file = File {
            date: self.date.clone(),
            domains: rows.collect(),
        };
        serde_json::to_string_pretty(&file).expect("plain text serialises") + "\n"
    }

    /// The answers in a file's text.
    ///
    /// # Errors
    /// [`Refused::Damaged`].
    pub fn read(text: &str) -> Result<Self, Refused> {
        let damaged = |what: &str| Refused::Damaged(what.to_owned());
        let file: File = serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))?;
        if !is_date(&file.date) {
            return Err(damaged("they have no date"));
        }
        if file.domains.len() > DOMAINS_MAX {
            return Err(damaged("they speak of more than 1,024 domains"));
        }
        let mut domains = BTreeMap::new();
        for row in file.domains {
            if !is_date(&row.date) {
                return Err(damaged("an answer has no date"));
            }
            let registered = Registered::of_text(&row.registrant_country)
                .ok_or_else(|| damaged("a registrant's country is no country"))?;
            let organisation = row.organisation.as_deref().map(organisation);
            let answer = RegistryAnswer {
                registered,
                organisation,
                source: row.source,
                date: row.date,
            };
            if domains.insert(row.domain, answer).is_some() {
                return Err(damaged("a domain stands twice"));
            }
        }
        Ok(Self {
            date: file.date,
            domains,
        })
    }
}

impl Registered {
    /// A country code, `redacted` or `absent`.
    #[must_use]
    pub fn as_text(self) -> String {
        match self {
            Self::Published(country) => country.as_str().to_owned(),
            Self::Redacted => "redacted".to_owned(),
            Self::Absent => "absent".to_owned(),
        }
    }

    fn of_text(text: &str) -> Option<Self> {
        match text {
            "redacted" => Some(Self::Redacted),
            "absent" => Some(Self::Absent),
            code => Country::parse(code).map(Self::Published),
        }
    }
}

/// An organisation's name as it is kept: no control characters, no longer than 200 bytes.
#[must_use]
pub fn organisation(name: &str) -> String {
    let mut kept: String = name.chars().filter(|c| !c.is_control()).collect();
    while kept.len() > ORGANISATION_BYTES_MAX {
        kept.pop();
    }
    kept.trim().to_owned()
}

/// Whether a text is a day, `2026-11-22`. Such texts sort as the days do.
pub(super) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let fits = |(at, byte): (usize, &u8)| match at {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    bytes.len() == 10 && bytes.iter().enumerate().all(fits)
}
