//! Which endpoint list a home goes by.
//!
//! Takes what the state folder holds and what the collector counts, gives one list. The list that the
//! household has loaded is used if it can be opened, is newer than the compiled-in one, and is one that
//! the collector counts, as far as that is known; else the compiled-in one is, and a sentence says why.
//! A list that cannot be used is never a reason to stop.

use crate::endpoints::{Later, Shelf};
use crate::run::Environment;
use crate::seal::OurKeys;
use crate::spool::{Lost, Spool, SpoolError};
use crate::state::{State, StateError};
use crate::uplink::Rules;
use phonehome_proto::batch::Batch;
use phonehome_proto::decode;
use phonehome_proto::endpoint::later::CannotFollow;
use phonehome_proto::endpoint::{EndpointId, EndpointList};
use phonehome_proto::manifest::Manifest;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::SealedBatch;

/// The lists of a home.
#[derive(Debug, Default)]
pub(in crate::run) struct Present {
    /// The one the household has loaded, or why that is none.
    loaded: Option<Result<Later, String>>,
    /// The one before: what was told by it may still wait.
    before: Option<Result<Later, String>>,
    /// The versions that the collector counts, if its rules were ever seen.
    counted: Option<Vec<u32>>,
}

impl Present {
    /// By the collector's rules as last seen.
    ///
    /// # Errors
    /// [`StateError`] when the disk refuses. A file that holds no list is no error: it is not used.
    pub(in crate::run) fn of(environment: &Environment) -> Result<Self, StateError> {
        let (state, shelf) = (&environment.state, &environment.shelf);
        Ok(Self {
            loaded: opened(state.endpoints(), shelf)?,
            before: opened(state.endpoints_before(), shelf)?,
            counted: counted(state)?,
        })
    }

    /// By rules that were just verified.
    pub(in crate::run) fn by(mut self, manifest: &Manifest) -> Self {
        self.counted = Some(manifest.endpoint_list_versions.clone());
        self
    }

    /// The list this home goes by.
    pub(in crate::run) fn list(&self) -> &'static EndpointList {
        match self.usable() {
            Some(Ok(later)) => later.list,
            Some(Err(_)) | None => EndpointList::compiled_in(),
        }
    }

    /// The list the household has loaded, if this home goes by it.
    pub(in crate::run) fn in_use(&self) -> Option<Later> {
        self.usable()?.ok()
    }

    /// Why the list that the household has loaded is not used, if one is loaded and it is not.
    pub(in crate::run) fn why_not(&self) -> Option<String> {
        self.usable()?.err()
    }

    /// The versions of the lists that this home could go by, of which a collector must count one.
    pub(in crate::run) fn versions(&self) -> Vec<u32> {
        let newer = self.newer().and_then(Result::ok);
        let newer = newer.map(|later| later.list.version());
        let compiled_in = EndpointList::compiled_in().version();
        [compiled_in].into_iter().chain(newer).collect()
    }

    /// Whether a list may take the place of those that are there: it is newer than the compiled-in one
    /// and the loaded one, and gives no id of theirs, or of the one before, another meaning.
    ///
    /// # Errors
    /// [`CannotFollow`].
    pub(super) fn admits(&self, later: &Later) -> Result<(), CannotFollow> {
        later.list.follows(EndpointList::compiled_in())?;
        if let Some(Ok(loaded)) = &self.loaded {
            later.list.follows(loaded.list)?;
        }
        match &self.before {
            Some(Ok(before)) => later.list.keeps_meanings(before.list),
            Some(Err(_)) | None => Ok(()),
        }
    }

    /// The endpoint with this number: ids mean the same on every list, so that any that has it will do.
    pub(in crate::run) fn endpoint(&self, number: u32) -> Option<EndpointId> {
        let mut lists = [&self.loaded, &self.before]
            .into_iter()
            .filter_map(|list| list.as_ref()?.as_ref().ok());
        let compiled_in = EndpointList::compiled_in().get(number);
        compiled_in.or_else(|| lists.find_map(|later| later.list.get(number)))
    }

    /// A batch that this home made itself.
    ///
    /// # Errors
    /// [`Reject`]; [`Reject::Malformed`] also for one that tells of endpoints of a list that was
    /// replaced twice since.
    pub(in crate::run) fn batch(&self, sealed: &SealedBatch) -> Result<Batch, Reject> {
        decode::batch_by(&sealed.payload, &|number| self.endpoint(number))
    }

    /// The list the household wants, whatever the collector counts.
    pub(in crate::run) fn wanted(&self) -> &'static EndpointList {
        let newer = self.newer().and_then(Result::ok);
        newer.map_or(EndpointList::compiled_in(), |later| later.list)
    }

    /// Whether this home ever went by another list, so that something by it may still wait.
    pub(in crate::run) const fn had_another(&self) -> bool {
        self.before.is_some()
    }

    /// Whether a batch of ours tells of an endpoint that the household's list has no more, or of one that
    /// nobody can name any more.
    pub(in crate::run) fn takes_back(&self, sealed: &SealedBatch) -> bool {
        let wanted = self.wanted();
        self.batch(sealed).map_or(true, |batch| {
            let mut told = batch.observations().iter();
            told.any(|observation| !wanted.has(observation.key().endpoint))
        })
    }

    /// Lets go of the batches that wait and [tell of what was taken back](Self::takes_back); says how
    /// many those were.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub(in crate::run) fn let_go(
        &self,
        spool: &mut Spool,
        ours: &OurKeys,
    ) -> Result<usize, SpoolError> {
        let mut gone = 0;
        for slot in spool.slots() {
            let sealed = spool.read(slot, ours)?;
            if sealed.is_some_and(|sealed| self.takes_back(&sealed)) {
                spool.let_go(slot, Lost::Unlisted)?;
                gone += 1;
            }
        }
        Ok(gone)
    }

    fn usable(&self) -> Option<Result<Later, String>> {
        let later = match self.newer()? {
            Ok(later) => later,
            Err(why) => return Some(Err(why)),
        };
        let version = later.list.version();
        let counts = |counted: &Vec<u32>| counted.contains(&version);
        Some(if self.counted.as_ref().is_none_or(counts) {
            Ok(later)
        } else {
            Err(format!(
                "the loaded list, version {version}, is not used, because your collector does not count it"
            ))
        })
    }

    fn newer(&self) -> Option<Result<Later, String>> {
        let later = match self.loaded.as_ref()? {
            Ok(later) => *later,
            Err(why) => return Some(Err(why.clone())),
        };
        let (version, own) = (later.list.version(), EndpointList::compiled_in().version());
        Some(if version > own {
            Ok(later)
        } else {
            Err(format!(
                "the loaded list, version {version}, is not used, because this agent's own, version {own}, \
                 is as new; this removes it: {FORGET}"
            ))
        })
    }
}

/// The command that removes a list.
pub(super) const FORGET: &str = "phonehome-agent endpoints forget";

fn opened(
    sealed: Result<Option<SealedBatch>, StateError>,
    shelf: &Shelf,
) -> Result<Option<Result<Later, String>>, StateError> {
    let refused = |why: String| Err(format!("the loaded list is not used: {why}"));
    Ok(match sealed {
        Ok(None) => None,
        Ok(Some(sealed)) => Some(shelf.open(&sealed).or_else(|why| refused(why.to_string()))),
        Err(damaged @ StateError::Damaged { .. }) => Some(refused(damaged.to_string())),
        Err(error) => return Err(error),
    })
}

fn counted(state: &State) -> Result<Option<Vec<u32>>, StateError> {
    let (Some(enrolled), Some(manifest)) = (state.enrolled()?, state.manifest()?) else {
        return Ok(None);
    };
    Ok(Rules::lists_of(&manifest, &enrolled.collector))
}
