//! A list of endpoints, and how a name is looked up in one.
//!
//! One form for the list that is compiled in and for lists loaded later: rows sorted by id, and two
//! indexes of them sorted by name. A list lasts as long as the process, so that an [`EndpointId`] is
//! its row and needs no list beside it.

use super::rules::host_of;
use super::{DOMAINS, ENDPOINT_LIST_VERSION, ENDPOINTS, EndpointFacts, EndpointId, HOSTS};
use std::fmt;

/// A list of endpoints.
pub struct EndpointList {
    pub(super) version: u32,
    /// Sorted by id.
    pub(super) rows: &'static [EndpointFacts],
    /// Places of the rows that are host names, sorted by name.
    pub(super) hosts: &'static [u16],
    /// Places of the rows that are `*.domain`, sorted by domain.
    pub(super) domains: &'static [u16],
}

/// What a list has that another has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Rows whose pattern is new.
    pub added: Vec<EndpointId>,
    /// Rows whose pattern is gone.
    pub removed: Vec<EndpointId>,
    /// Patterns that mean something else now, and so have another id: before and after.
    pub changed: Vec<(EndpointId, EndpointId)>,
}

static COMPILED_IN: EndpointList = EndpointList {
    version: ENDPOINT_LIST_VERSION,
    rows: ENDPOINTS,
    hosts: HOSTS,
    domains: DOMAINS,
};

impl EndpointList {
    /// The list that was made with this program, and is trusted as it is.
    #[must_use]
    pub const fn compiled_in() -> &'static Self {
        &COMPILED_IN
    }

    /// Its version, which batches name.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Every endpoint, by id.
    pub fn all(&self) -> impl ExactSizeIterator<Item = EndpointId> + use<> {
        self.rows.iter().map(EndpointId)
    }

    /// The endpoint with this wire number.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<EndpointId> {
        let id = u16::try_from(number).ok()?;
        let place = self.rows.binary_search_by_key(&id, |row| row.id).ok()?;
        Some(EndpointId(&self.rows[place]))
    }

    /// Whether an endpoint, of whatever list, is on this one.
    #[must_use]
    pub fn has(&self, endpoint: EndpointId) -> bool {
        self.get(endpoint.number()).is_some()
    }

    /// The endpoint a host name (lower case, no dot at the end) belongs to: its own row before any
    /// `*.domain`, and the longest domain before shorter ones.
    #[must_use]
    pub fn of_name(&self, name: &str) -> Option<EndpointId> {
        if let Some(endpoint) = self.find(self.hosts, name) {
            return Some(endpoint);
        }
        let mut domain = name;
        loop {
            if let Some(endpoint) = self.find(self.domains, domain) {
                return Some(endpoint);
            }
            domain = domain.split_once('.')?.1;
        }
    }

    /// What this list has that `before` has not, and the reverse. Rows are the same by what they mean;
    /// where their owners say they stand is an opinion, and may change.
    #[must_use]
    pub fn difference(&self, before: &Self) -> Difference {
        let mut difference = Difference::default();
        for row in self.all() {
            match before.of_pattern(row.pattern()) {
                None => difference.added.push(row),
                Some(old) if old == row => {}
                Some(old) => difference.changed.push((old, row)),
            }
        }
        let is_gone = |row: &EndpointId| self.of_pattern(row.pattern()).is_none();
        difference.removed = before.all().filter(is_gone).collect();
        difference
    }

    /// The row with exactly this pattern.
    fn of_pattern(&self, pattern: &str) -> Option<EndpointId> {
        match pattern.strip_prefix("*.") {
            Some(domain) => self.find(self.domains, domain),
            None => self.find(self.hosts, pattern),
        }
    }

    fn find(&self, index: &[u16], name: &str) -> Option<EndpointId> {
        let row = |place: &u16| &self.rows[usize::from(*place)];
        let at = index
            .binary_search_by(|place| host_of(row(place).pattern).cmp(name))
            .ok()?;
        Some(EndpointId(row(&index[at])))
    }
}

impl Difference {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl PartialEq for EndpointList {
    /// The same version, and the same rows in full.
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version && self.rows == other.rows
    }
}

impl Eq for EndpointList {}

impl fmt::Debug for EndpointList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (version, rows) = (self.version, self.rows.len());
        write!(f, "EndpointList(version {version}, {rows} rows)")
    }
}
