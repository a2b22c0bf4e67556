//! A list that was made after this program.
//!
//! Takes rows that somebody signed, gives a list held to every rule that the build holds its own to
//! (`rules`). What no signature can do: name an endpoint of an owner this program does not know, outside
//! the domains it knows to be that owner's, over a public suffix, or of a sensitive kind; give an id
//! another meaning; take the place of a newer list. Who may sign is said elsewhere.

use super::owner::{Owner, is_owners_suffix};
use super::rules::{self, Fault, Seen, host_of};
use super::{Class, EDGES, EndpointFacts, EndpointId, EndpointList};
use crate::limits;
use crate::net::Country;
use crate::time::Day;
use std::fmt;
use thiserror::Error;

/// A list made after this program, as sound as the compiled-in one. Whoever wants to look names up in
/// it keeps it [for life](LaterList::for_life).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaterList {
    version: u32,
    made: Day,
    rows: Vec<LaterRow>,
}

/// A row as its maker writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaterRow {
    /// From 1 to 65,535.
    pub id: u32,
    /// A host name, or `*.domain`.
    pub pattern: String,
    /// The id of its owner.
    pub owner: String,
    /// What it is for.
    pub class: Class,
    /// The id of the content network that serves it from close to the home.
    pub edge: Option<String>,
    /// Where its owner says it stands.
    pub region: Option<Country>,
}

/// Why rows are no list.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NotAList {
    /// Version 0 stands for no list.
    #[error("a list has a version above 0")]
    NoVersion,
    /// It would take more memory than a list may.
    #[error("it has more than {} endpoints", limits::ENDPOINT_LIST_ROWS_MAX)]
    TooManyRows,
    /// Ids do not rise.
    #[error("endpoint {id}: endpoints stand in the order of their ids")]
    NotInOrder {
        /// The first that stands behind a higher one.
        id: u32,
    },
    /// A row is not as it must be.
    #[error("endpoint {id}, '{pattern}': {fault}")]
    Row {
        /// Its id.
        id: u32,
        /// Its pattern, made safe to print.
        pattern: String,
        /// What is wrong.
        fault: Fault,
    },
}

/// Why a list cannot follow another.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CannotFollow {
    /// It is as old or older.
    #[error("its version, {version}, is not above {present}, the version there is")]
    NotNewer {
        /// Its version.
        version: u32,
        /// The one it would replace.
        present: u32,
    },
    /// Ids are never given another meaning.
    #[error("endpoint {id} is '{was}' for ever, and is '{now}' here: ids are never used again")]
    IdReused {
        /// The id.
        id: u32,
        /// What it means: pattern, owner, class and edge.
        was: String,
        /// What the list would have it mean.
        now: String,
    },
}

impl LaterList {
    /// A list of these rows, in the order of their ids. `is_public_suffix` knows the names below which
    /// registries let anybody register; suffixes that owners of endpoints keep are known here.
    ///
    /// # Errors
    /// The first thing that is wrong, [`NotAList`].
    pub fn new(
        version: u32,
        made: Day,
        rows: Vec<LaterRow>,
        is_public_suffix: &dyn Fn(&str) -> bool,
    ) -> Result<Self, NotAList> {
        if version == 0 {
            return Err(NotAList::NoVersion);
        }
        if rows.len() > limits::ENDPOINT_LIST_ROWS_MAX {
            return Err(NotAList::TooManyRows);
        }
        let is_public_suffix = |host: &str| is_owners_suffix(host) || is_public_suffix(host);
        let mut seen = Seen::default();
        for row in &rows {
            row.check(&mut seen, &is_public_suffix)
                .map_err(|fault| row.refuse(fault))?;
        }
        if let Some(pair) = rows.windows(2).find(|pair| pair[0].id >= pair[1].id) {
            return Err(NotAList::NotInOrder { id: pair[1].id });
        }
        Ok(Self {
            version,
            made,
            rows,
        })
    }

    /// Its version.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The day it was made.
    #[must_use]
    pub const fn made(&self) -> Day {
        self.made
    }

    /// Its rows, by id.
    #[must_use]
    pub fn rows(&self) -> &[LaterRow] {
        &self.rows
    }

    /// Whether each id that `known` has too means here what it means there.
    ///
    /// # Errors
    /// [`CannotFollow::IdReused`].
    pub fn keeps_meanings(&self, known: &EndpointList) -> Result<(), CannotFollow> {
        let rows = self.rows.iter();
        keeps_meanings(rows.map(|row| (row.id, row.meaning())), known)
    }

    /// The list, to look names up in. It is never given back: endpoints found in it may be anywhere.
    /// Whoever calls this bounds how often.
    #[must_use]
    pub fn for_life(&self) -> &'static EndpointList {
        let rows: Vec<_> = self.rows.iter().map(LaterRow::facts).collect();
        let index = |is_domain: bool| -> &'static [u16] {
            let places = 0..u16::try_from(rows.len()).expect("at most ENDPOINT_LIST_ROWS_MAX");
            let pattern = |place: &u16| rows[usize::from(*place)].pattern;
            let mut places: Vec<_> = places
                .filter(|place| pattern(place).starts_with("*.") == is_domain)
                .collect();
            places.sort_unstable_by_key(|place| host_of(pattern(place)));
            places.leak()
        };
        let (hosts, domains) = (index(false), index(true));
        Box::leak(Box::new(EndpointList {
            version: self.version,
            rows: rows.leak(),
            hosts,
            domains,
        }))
    }
}

impl LaterRow {
    fn meaning(&self) -> Meaning<'_> {
        Meaning {
            pattern: &self.pattern,
            owner: &self.owner,
            class: self.class,
            edge: self.edge.as_deref(),
        }
    }

    fn check(&self, seen: &mut Seen, is_suffix: &dyn Fn(&str) -> bool) -> Result<(), Fault> {
        seen.take(self.id, &self.pattern)?;
        let claim = Owner::from_id(&self.owner).map(Owner::claim);
        rules::check_row(&self.pattern, claim, self.class.is_vendors_own(), is_suffix)?;
        if self.edge.is_some() && self.known_edge().is_none() {
            return Err(Fault::UnknownEdge);
        }
        Ok(())
    }

    fn refuse(&self, fault: Fault) -> NotAList {
        NotAList::Row {
            id: self.id,
            pattern: self.pattern.escape_debug().take(255).collect(),
            fault,
        }
    }

    fn known_edge(&self) -> Option<&'static str> {
        let edge = self.edge.as_deref()?;
        EDGES.iter().find(|known| **known == edge).copied()
    }

    fn facts(&self) -> EndpointFacts {
        EndpointFacts {
            id: u16::try_from(self.id).expect("checked when the list was made"),
            pattern: self.pattern.clone().leak(),
            owner: Owner::from_id(&self.owner).expect("checked when the list was made"),
            class: self.class,
            edge: self.known_edge(),
            region: self.region,
        }
    }
}

/// Whether ids mean here what they mean in `known`.
fn keeps_meanings<'a>(
    mut rows: impl Iterator<Item = (u32, Meaning<'a>)>,
    known: &EndpointList,
) -> Result<(), CannotFollow> {
    let other = rows.find_map(|(id, now)| {
        let was = Meaning::of(known.get(id)?);
        (was != now).then_some((id, was, now))
    });
    match other {
        None => Ok(()),
        Some((id, was, now)) => Err(CannotFollow::IdReused {
            id,
            was: was.to_string(),
            now: now.to_string(),
        }),
    }
}

impl EndpointList {
    /// Whether it may take the place of `present`: it is newer, and each id means what it meant.
    ///
    /// # Errors
    /// [`CannotFollow`].
    pub fn follows(&self, present: &Self) -> Result<(), CannotFollow> {
        let (version, present_version) = (self.version(), present.version());
        if version <= present_version {
            return Err(CannotFollow::NotNewer {
                version,
                present: present_version,
            });
        }
        self.keeps_meanings(present)
    }

    /// As [`LaterList::keeps_meanings`].
    ///
    /// # Errors
    /// [`CannotFollow::IdReused`].
    pub fn keeps_meanings(&self, known: &Self) -> Result<(), CannotFollow> {
        keeps_meanings(
            self.all().map(|row| (row.number(), Meaning::of(row))),
            known,
        )
    }
}

/// What an id stands for, for ever.
#[derive(PartialEq, Eq)]
struct Meaning<'a> {
    pattern: &'a str,
    owner: &'a str,
    class: Class,
    edge: Option<&'a str>,
}

impl Meaning<'static> {
    fn of(endpoint: EndpointId) -> Self {
        Self {
            pattern: endpoint.pattern(),
            owner: endpoint.owner().id(),
            class: endpoint.class(),
            edge: endpoint.edge(),
        }
    }
}

impl fmt::Display for Meaning<'_> {
    /// `connect.rom.miui.com (xiaomi, core)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}, {}",
            self.pattern,
            self.owner,
            self.class.as_str()
        )?;
        if let Some(edge) = self.edge {
            write!(f, ", edge {edge}")?;
        }
        f.write_str(")")
    }
}
