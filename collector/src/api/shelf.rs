//! The released weeks that are shown, swapped whole while requests are answered.

use crate::publish::{self, File};
use crate::release::{Release, ReleaseId};
use phonehome_proto::time::Week;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// What the API shows. Its clones are the same shelf.
#[derive(Clone, Debug, Default)]
pub struct Shelf(Arc<RwLock<Arc<[Arc<Shelved>]>>>);

/// A release on the shelf, with its files once somebody asked for one.
#[derive(Debug)]
pub struct Shelved {
    release: Release,
    files: OnceLock<Vec<File>>,
}

impl Shelf {
    /// An empty shelf.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows exactly these releases from now on. Requests under way finish with what they began with.
    pub fn replace(&self, releases: Vec<Release>) {
        let before = self.all();
        let mut next: Vec<Arc<Shelved>> = releases
            .into_iter()
            .map(|release| {
                // A release that stays keeps the files that were made of it.
                let kept = before.iter().find(|shelved| shelved.release == release);
                kept.map_or_else(
                    || {
                        Arc::new(Shelved {
                            release,
                            files: OnceLock::new(),
                        })
                    },
                    Arc::clone,
                )
            })
            .collect();
        next.sort_by_key(|shelved| std::cmp::Reverse(shelved.release.id));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = next.into();
    }

    /// All releases, the newest first.
    #[must_use]
    pub fn all(&self) -> Arc<[Arc<Shelved>]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The release of the newest week.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Shelved>> {
        self.all().first().cloned()
    }

    /// The release with this name.
    #[must_use]
    pub fn named(&self, id: ReleaseId) -> Option<Arc<Shelved>> {
        self.all()
            .iter()
            .find(|shelved| shelved.release.id == id)
            .cloned()
    }

    /// The last revision of a week.
    #[must_use]
    pub fn of_week(&self, week: Week) -> Option<Arc<Shelved>> {
        self.all()
            .iter()
            .find(|shelved| shelved.release.id.week == week)
            .cloned()
    }
}

impl Shelved {
    /// The release itself.
    #[must_use]
    pub const fn release(&self) -> &Release {
        &self.release
    }

    /// One of its published files: the bytes that stand in its folder.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        let files = self.files.get_or_init(|| publish::files(&self.release));
        let at = files
            .binary_search_by(|(known, _)| known.as_str().cmp(name))
            .ok()?;
        Some(&files[at].1)
    }
}
