//! A batch: one closed UTC day of one home, ready to be signed.

use crate::census::Census;
use crate::id::{Audience, BatchId, HomeId};
use crate::limits;
use crate::observation::{Observation, ObservationKey};
use crate::scale::Magnitude;
use crate::time::Day;
use std::collections::BTreeMap;
use thiserror::Error;

/// What a home says about one day. Built by [`Batch::new`] only.
///
/// A day may come in several batches: observations are united, the census takes the maximum,
/// volumes and losses add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    header: BatchHeader,
    census: Census,
    coverage: Coverage,
    observations: Vec<Observation>,
}

/// Who speaks to whom, about when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The collector it is meant for.
    pub audience: Audience,
    /// The home it comes from.
    pub home: HomeId,
    /// Random.
    pub batch_id: BatchId,
    /// The UTC day it speaks of, over when it was sealed.
    pub day: Day,
    /// The agent that made it.
    pub agent_version: AgentVersion,
    /// The endpoint list its ids refer to.
    pub endpoint_list_version: u32,
}

/// `major.minor.patch` of an agent, numbers only: there is no text in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentVersion {
    /// Breaking.
    pub major: u16,
    /// Feature.
    pub minor: u16,
    /// Fix.
    pub patch: u16,
}

/// How the home was watched, and what was missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Where the connections were read from.
    pub source: Source,
    /// What was shed or could not be read, in steps; reasons with nothing lost are absent.
    pub losses: BTreeMap<Loss, Magnitude>,
}

/// Where connections were read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Capture files.
    File,
    /// The kernel's connection table for volumes, a packet tap for names.
    ConntrackAndTap,
    /// A packet tap for both.
    Tap,
}

/// What an agent can miss. The list is closed; each is a count of the thing named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// Packets the kernel, or a cut capture, kept from us.
    CapturePackets,
    /// Packets we could not make sense of.
    UnreadablePackets,
    /// Flows given up because a table was full.
    ShedFlows,
    /// Devices not taken up because a table was full.
    ShedDevices,
    /// Observations that did not fit the day's batches.
    ShedObservations,
    /// Sealed batches dropped from a full spool.
    DroppedBatches,
    /// Times that the kernel could not tell all about connections, so that volumes may be too low.
    CounterGaps,
    /// Conversations of a time when the clock was not set, which no day could be given.
    UndatedFlows,
    /// Times that an interface of the home was away.
    InterfaceGaps,
}

/// Why something cannot be a batch.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotABatch {
    /// More observations than [`limits::BATCH_OBSERVATIONS_MAX`].
    #[error("too many observations for one batch")]
    TooManyObservations,
    /// Two observations with the same key.
    #[error("two observations of the same thing")]
    Repeated,
    /// No phone was present, so there is nothing to report.
    #[error("nobody was present")]
    NobodyPresent,
    /// An observation of a vendor and basis that the census does not list.
    #[error("an observation of a phone that the census does not list")]
    NotInCensus,
}

impl Batch {
    /// A batch, its observations sorted.
    ///
    /// # Errors
    /// [`NotABatch`] says which rule is broken.
    pub fn new(
        header: BatchHeader,
        census: Census,
        coverage: Coverage,
        mut observations: Vec<Observation>,
    ) -> Result<Self, NotABatch> {
        if observations.len() > limits::BATCH_OBSERVATIONS_MAX {
            return Err(NotABatch::TooManyObservations);
        }
        if census.rows.is_empty() && census.unidentified.is_none() {
            return Err(NotABatch::NobodyPresent);
        }
        observations.sort_unstable();
        let mut before: Option<&ObservationKey> = None;
        for observation in &observations {
            let key = observation.key();
            if before == Some(key) {
                return Err(NotABatch::Repeated);
            }
            // Sorted: those of one row of the census follow each other.
            let row = (key.vendor, key.basis);
            let is_listed = before.is_some_and(|before| (before.vendor, before.basis) == row);
            if !is_listed && !census.rows.contains_key(&row) {
                return Err(NotABatch::NotInCensus);
            }
            before = Some(key);
        }
        Ok(Self {
            header,
            census,
            coverage,
            observations,
        })
    }

    /// The same with these observations, sorted, instead of its own.
    ///
    /// # Errors
    /// [`NotABatch`] says which rule is broken.
    pub fn with_observations(self, observations: Vec<Observation>) -> Result<Self, NotABatch> {
        Self::new(self.header, self.census, self.coverage, observations)
    }

    /// Who speaks to whom, about when.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Whose phones were present.
    #[must_use]
    pub const fn census(&self) -> &Census {
        &self.census
    }

    /// How the home was watched.
    #[must_use]
    pub const fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// What they said to whom, sorted, each key once.
    #[must_use]
    pub fn observations(&self) -> &[Observation] {
        &self.observations
    }
}

impl AgentVersion {
    /// This build's version.
    ///
    /// # Panics
    /// Never: cargo demands three numbers.
    #[must_use]
    pub fn current() -> Self {
        let mut parts = crate::VERSION.splitn(3, '.').map(|part| {
            let digits = part
                .split(|c: char| !c.is_ascii_digit())
                .next()
                .unwrap_or_default();
            digits.parse().expect("cargo demands three numbers")
        });
        let mut next = || parts.next().expect("cargo demands three numbers");
        Self {
            major: next(),
            minor: next(),
            patch: next(),
        }
    }
}

impl std::fmt::Display for AgentVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Source {
    /// The word in previews.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::ConntrackAndTap => "conntrack_and_tap",
            Self::Tap => "tap",
        }
    }
}

impl Loss {
    /// Every loss, in wire order.
    pub const ALL: [Self; 9] = [
        Self::CapturePackets,
        Self::UnreadablePackets,
        Self::ShedFlows,
        Self::ShedDevices,
        Self::ShedObservations,
        Self::DroppedBatches,
        Self::CounterGaps,
        Self::UndatedFlows,
        Self::InterfaceGaps,
    ];

    /// The word in previews, status and counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CapturePackets => "capture_packets",
            Self::UnreadablePackets => "unreadable_packets",
            Self::ShedFlows => "shed_flows",
            Self::ShedDevices => "shed_devices",
            Self::ShedObservations => "shed_observations",
            Self::DroppedBatches => "dropped_batches",
            Self::CounterGaps => "counter_gaps",
            Self::UndatedFlows => "undated_flows",
            Self::InterfaceGaps => "interface_gaps",
        }
    }
}
